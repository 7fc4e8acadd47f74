// HOT
// A request head in one pass over its bytes (RFC 9112, sections 2 to 6 and 11). Stateless and
// without memory of its own: ranges into the caller's buffer come out. What one intermediary could
// read differently from another is refused rather than guessed.
//
// Two ways lead through a head. The plain one reads lines as browsers send them, whose ends one
// call has marked beforehand (`LineMarks`), and does nothing with a line that is anything else; the
// other reads any line byte by byte, and is the one that tells faults.
//
// Measured by `Benchmarks/Micro/request-parser`: a browser's request of 555 bytes and 12 fields, a
// short code with a label, is 1,110 instructions (1,913 when each name and each value was scanned
// on its own, 2,600 by words of eight bytes); the 576 bytes and 8 fields of `Benchmarks/Edge/load`
// are 691 and 38 for the UUID in them, where they were 1,361 without it.

import CScan

/// Parses request heads.
///
/// Taken beyond the grammar: one blank line before the request line (RFC 9112, 2.2). Refused though
/// the grammar has it: line folding, authority targets, Transfer-Encoding, Content-Length with
/// leading zeros, and a target in absolute form whose authority is not what Host says.
public enum RequestParser {
    /// A head of exactly this many bytes, blank line included, is still taken.
    public static var headBytesMax: Int { 16_384 }
    public static var fieldsMax: Int { 100 }

    /// Reads the head at the start of `bytes`, which may be followed by a body or more requests.
    ///
    /// A head that arrives in many small pieces costs one parse of the first piece, one cheap scan
    /// of each further piece, and one parse of the whole. So a fault in a later piece is told when
    /// the head ends, when a stray line feed comes, or at the limit.
    ///
    /// - Parameters:
    ///   - bytes: what has arrived; never read outside of its bounds.
    ///   - seenBefore: how many of `bytes` the last call saw that answered `partial`, or 0.
    ///   - headBytesMax: the limit, at most 65,535.
    ///   - head: overwritten.
    /// - Complexity: linear in the head, without allocation or lock.

    #if !DEBUG
        // The proof needs the bodies of the other files, which only a whole-module build has.
        @_noAllocation @_noLocks
    #endif
    public static func parse(
        _ bytes: UnsafeRawBufferPointer, seenBefore: Int,
        headBytesMax: Int = RequestParser.headBytesMax, into head: inout RequestHead
    ) -> ParseOutcome {
        precondition(headBytesMax <= 0xFFFF, "ranges in a head have 16 bits")
        head = RequestHead()
        guard let base = bytes.baseAddress else { return .partial }
        // Not min(): unspecialised in a debug build, it would break the promise above.
        let end = bytes.count < headBytesMax ? bytes.count : headBytesMax
        let window = ByteWindow(base, end: end)
        if seenBefore <= 0 || window.endsHead(from: seenBefore) {
            let outcome = parseHead(window, into: &head)
            if outcome != .partial { return outcome }
        }
        return end < headBytesMax ? .partial : .malformed(.headTooLarge)
    }

    @inline(always)
    private static func parseHead(
        _ window: ByteWindow, into head: inout RequestHead
    ) -> ParseOutcome {
        withUnsafeTemporaryAllocation(of: cscan_marks.self, capacity: 1) { marks in
            let words = UnsafeMutableRawPointer(marks.baseAddress.unsafelyUnwrapped)
            return parseHead(window, words.assumingMemoryBound(to: UInt64.self), into: &head)
        }
    }

    @inline(always)
    private static func parseHead(
        _ window: ByteWindow, _ words: UnsafeMutablePointer<UInt64>,
        into head: inout RequestHead
    ) -> ParseOutcome {
        var marks = LineMarks(words, of: window)
        var index = 0
        if marks.end > 0, let end = window.takePlainRequestLine(before: marks.end, into: &head) {
            marks.takeTwo()
            index = end
        } else {
            var line = RequestLineReader(window)
            if let stop = line.read(into: &head) { return stop }
            index = line.index
            marks = marks.resumed(at: index, in: window)
        }
        var fieldsLeft = fieldsMax
        while true {
            if index &+ LineMarks.lineBytesMin <= marks.end {
                let lineEnd = marks.next()
                if window.quarterWord(lineEnd) == Ascii.lineEnd {
                    marks.takeTwo()
                    if window.takePlain(lineFrom: index, to: lineEnd, into: &head) {
                        fieldsLeft &-= 1
                        index = lineEnd &+ 2
                        continue
                    }
                }
            }
            // Plain lines are no faults, so that it is time enough to count them now.
            guard fieldsLeft >= 0 else { return .malformed(.tooManyFields) }
            if index &+ 2 <= window.end, window.quarterWord(index) == Ascii.lineEnd {
                return finish(window, at: index, &head)
            }
            var next = index
            if let stop = readField(window, &next, fieldsLeft, &head) { return stop }
            index = next
            fieldsLeft &-= 1
            marks = marks.resumed(at: index, in: window)
        }
    }

    /// Reads the line at `index` without the help of marks, byte by byte where need be: any line,
    /// faulty or not whole ones included, but the blank one at the end. Nil if it was a field.
    @inline(never)
    private static func readField(
        _ window: ByteWindow, _ index: inout Int, _ fieldsLeft: Int, _ head: inout RequestHead
    ) -> ParseOutcome? {
        let nameEnd = window.endOfToken(from: index)
        guard nameEnd > index, nameEnd < window.end, window.byte(nameEnd) == UInt8(ascii: ":")
        else {
            guard nameEnd < window.end else { return .partial }
            guard nameEnd == index, window.byte(index) == Ascii.carriageReturn else {
                return .malformed(window.byte(nameEnd) == Ascii.lineFeed ? .lineEnd : .fieldName)
            }
            return window.missingLineFeed(after: index) ?? .partial
        }
        let lineEnd = window.endOfFieldText(from: nameEnd &+ 1)
        guard lineEnd < window.end else { return .partial }
        if let stop = window.missingLineEnd(at: lineEnd, otherwise: .fieldValue) { return stop }
        guard fieldsLeft > 0 else { return .malformed(.tooManyFields) }
        let value = window.trimmed(from: nameEnd &+ 1, to: lineEnd)
        if window.mayBeOfUse(nameStart: index, nameEnd: nameEnd),
            let fault = window.take(nameStart: index, nameEnd: nameEnd, value: value, into: &head)
        {
            return .malformed(fault)
        }
        index = lineEnd &+ 2
        return nil
    }

    /// What the end of the head at `index` means, where CR LF stand.
    @inline(always)
    private static func finish(
        _ window: ByteWindow, at index: Int, _ head: inout RequestHead
    ) -> ParseOutcome {
        guard head.host.isPresent || head.minorVersion == 0 else { return .malformed(.host) }
        if head.authority.isPresent, !takeAuthority(window, &head) { return .malformed(.host) }
        return .complete(headBytes: index &+ 2)
    }

    /// Has the target's own authority for the host, unless Host says another. RFC 9112, 3.2.2: the
    /// target's counts. A client has to say the same in Host; where it does not, somebody before us
    /// may have gone by the other.
    @inline(never)
    private static func takeAuthority(_ window: ByteWindow, _ head: inout RequestHead) -> Bool {
        guard
            !head.host.isPresent
                || Authority.isSame(
                    head.host, head.authority, isSecure: head.isSecure, in: window)
        else { return false }
        head.host = head.authority
        return true
    }
}

// MARK: Plain lines

extension ByteWindow {
    /// Keeps what the field line from `start` to its CR LF at `lineEnd` says, if both are plain: a
    /// name as browsers send it, one space behind the colon, and a value without blanks around it.
    /// False, and nothing was done, for all others, be they faults or not.
    ///
    /// Whatever stands before `lineEnd` is text, so a name that is found there is followed by its
    /// colon before the line ends. The caller makes sure of ``LineMarks/lineBytesMin``.
    @inline(always)
    fileprivate func takePlain(lineFrom start: Int, to lineEnd: Int, into head: inout RequestHead)
        -> Bool
    {
        let first = word(start)
        switch UInt32(truncatingIfNeeded: first) | 0x2020_2020 {
        case letters("h", "o", "s", "t"):
            guard spells(first &<< 16, letters("\0", "\0", "h", "o", "s", "t", ":", " ")),
                !head.host.isPresent, byte(start &+ 6) > Ascii.space, lineEnd &+ 16 <= end,
                isPlainHost(from: start &+ 6, to: lineEnd)
            else { return false }
            head.host = ByteRange(start: start &+ 6, end: lineEnd)
            return true
        case letters("u", "s", "e", "r"):
            guard spells(first, letters("u", "s", "e", "r", "-", "a", "g", "e")),
                spells(word(start &+ 4), letters("-", "a", "g", "e", "n", "t", ":", " "))
            else { return false }
            return keepPlain(start &+ 12, lineEnd, &head.userAgent)
        case letters("r", "e", "f", "e"):
            guard spells(first, letters("r", "e", "f", "e", "r", "e", "r", ":")),
                byte(start &+ 8) == Ascii.space
            else { return false }
            return keepPlain(start &+ 9, lineEnd, &head.referer)
        case letters("c", "o", "o", "k"):
            guard spells(first, letters("c", "o", "o", "k", "i", "e", ":", " ")) else {
                return false
            }
            return keepPlain(start &+ 8, lineEnd, &head.cookie)
        case letters("a", "c", "c", "e"):
            // Of no interest, but in every browser's request.
            if spells(first, letters("a", "c", "c", "e", "p", "t", ":", " ")) { return true }
            let second = word(start &+ 8)
            if spells(first, letters("a", "c", "c", "e", "p", "t", "-", "e")) {
                if spells(second, letters("n", "c", "o", "d", "i", "n", "g", ":")) { return true }
            } else if spells(first, letters("a", "c", "c", "e", "p", "t", "-", "l")) {
                if spells(second, letters("a", "n", "g", "u", "a", "g", "e", ":")) { return true }
            }
        case letters("c", "o", "n", "n"):
            if lineEnd == start &+ 22, !head.sawClose,
                spells(first, letters("c", "o", "n", "n", "e", "c", "t", "i")),
                spells(word(start &+ 7), letters("i", "o", "n", ":", " ", "k", "e", "e")),
                spells(word(start &+ 14), letters("e", "p", "-", "a", "l", "i", "v", "e"))
            {
                head.keepAlive = true
                return true
            }
        case letters("x", "-", "f", "o"):
            guard spells(first, letters("x", "-", "f", "o", "r", "w", "a", "r")),
                spells(word(start &+ 8), letters("d", "e", "d", "-", "f", "o", "r", ":")),
                byte(start &+ 16) == Ascii.space, isTrimmed(from: start &+ 17, to: lineEnd)
            else { return false }
            head.addForwardedFor(ByteRange(start: start &+ 17, end: lineEnd))
            return true
        default: break
        }
        let nameEnd = endOfName(from: start)
        if nameEnd > start, !mayBeOfUse(nameStart: start, nameEnd: nameEnd) { return true }
        return takeOther(lineFrom: start, to: lineEnd, into: &head)
    }

    /// The same for names that are not told at sight, and may be of use or not even names.
    @inline(never)
    private func takeOther(
        lineFrom start: Int, to lineEnd: Int, into head: inout RequestHead
    ) -> Bool {
        let nameEnd = endOfToken(from: start)
        guard nameEnd > start, byte(nameEnd) == UInt8(ascii: ":") else { return false }
        guard mayBeOfUse(nameStart: start, nameEnd: nameEnd) else { return true }
        guard byte(nameEnd &+ 1) == Ascii.space, isTrimmed(from: nameEnd &+ 2, to: lineEnd) else {
            return false
        }
        let value = ByteRange(start: nameEnd &+ 2, end: lineEnd)
        return take(nameStart: start, nameEnd: nameEnd, value: value, into: &head) == nil
    }

    /// Whether no blanks stand at `start` and before the line's CR at `end`; false for no bytes.
    @inline(always)
    private func isTrimmed(from start: Int, to end: Int) -> Bool {
        byte(start) > Ascii.space && byte(end &- 1) > Ascii.space
    }

    @inline(always)
    private func keepPlain(_ start: Int, _ end: Int, _ field: inout ByteRange) -> Bool {
        guard isTrimmed(from: start, to: end) else { return false }
        if !field.isPresent { field = ByteRange(start: start, end: end) }
        return true
    }

    /// Whether eight characters are those of `text`, its letters in either case; exact for any.
    @inline(always)
    private func spells(_ word: UInt64, _ text: UInt64) -> Bool {
        // Of the characters of names, those with bit 0x40 are the letters (and the underscore,
        // which is in none of ours).
        word | (text & each(0x40)) &>> 1 == text
    }
}

// MARK: Ends of lines

extension ByteWindow {
    /// Nil where CR LF stands at `offset`, which is inside the window.
    @inline(always)
    func missingLineEnd(at offset: Int, otherwise fault: RequestFault) -> ParseOutcome? {
        let byte = self.byte(offset)
        guard byte == Ascii.carriageReturn else {
            return .malformed(byte == Ascii.lineFeed ? .lineEnd : fault)
        }
        return missingLineFeed(after: offset)
    }

    /// Nil where a LF follows the CR at `offset`.
    @inline(always)
    func missingLineFeed(after offset: Int) -> ParseOutcome? {
        guard offset &+ 1 < end else { return .partial }
        return byte(offset &+ 1) == Ascii.lineFeed ? nil : .malformed(.lineEnd)
    }
}
