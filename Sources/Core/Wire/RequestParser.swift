// HOT
// A request head in one pass over its bytes (RFC 9112, sections 2 to 6 and 11). Stateless and
// without memory of its own: ranges into the caller's buffer come out. What one intermediary could
// read differently from another is refused rather than guessed.
//
// Measured by `Benchmarks/Micro/request-parser`: a browser's request of 555 bytes and 12 fields is
// 1,914 instructions (2,600 by words of eight bytes).

import CScan

/// Parses request heads.
///
/// Taken beyond the grammar: one blank line before the request line (RFC 9112, 2.2). Refused though
/// the grammar has it: line folding, authority targets, Transfer-Encoding, Content-Length with
/// leading zeros, and a target in absolute form whose authority is not what Host says.
package enum RequestParser {
    /// A head of exactly this many bytes, blank line included, is still taken.
    package static var headBytesMax: Int { 16_384 }
    package static var fieldsMax: Int { 100 }

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
    package static func parse(
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
        return bytes.count < headBytesMax ? .partial : .malformed(.headTooLarge)
    }

    @inline(__always)
    private static func parseHead(
        _ window: ByteWindow, into head: inout RequestHead
    ) -> ParseOutcome {
        var words = cscan_marks()
        return withUnsafeMutablePointer(to: &words) { words in
            var marks = LineMarks(words, of: window)
            if marks.end > 0,
                let lineEnd = window.takePlainRequestLine(
                    words.pointee.label_stops, before: marks.end, into: &head)
            {
                marks.takeTwo()
                return parseFields(window, marks, from: lineEnd, nil, into: &head)
            }
            return parseUnusual(window, marks, into: &head)
        }
    }

    /// The same for every request line, be it faulty or not whole.
    @inline(never)
    private static func parseUnusual(
        _ window: ByteWindow, _ marks: LineMarks, into head: inout RequestHead
    ) -> ParseOutcome {
        var line = RequestLineReader(window)
        if let stop = line.read(into: &head) { return stop }
        let marks = marks.resumed(at: line.index, in: window)
        return parseFields(window, marks, from: line.index, line, into: &head)
    }

    /// - Parameter line: the request line where it may have brought an authority.
    @inline(__always)
    private static func parseFields(
        _ window: ByteWindow, _ marks: LineMarks, from start: Int, _ line: RequestLineReader?,
        into head: inout RequestHead
    ) -> ParseOutcome {
        var marks = marks
        var index = start
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
                return finish(window, at: index, line, &head)
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
    @inline(__always)
    private static func finish(
        _ window: ByteWindow, at index: Int, _ line: RequestLineReader?, _ head: inout RequestHead
    ) -> ParseOutcome {
        guard head.host.isPresent || head.minorVersion == 0 else { return .malformed(.host) }
        if let line, line.authority.isPresent {
            // RFC 9112, 3.2.2: the target's own authority counts. A client has to say the same in
            // Host; where it does not, somebody before us may have gone by the other.
            let isSame =
                !head.host.isPresent
                || Authority.isSame(head.host, line.authority, isSecure: line.isSecure, in: window)
            guard isSame else { return .malformed(.host) }
            head.host = line.authority
        }
        return .complete(headBytes: index &+ 2)
    }
}

extension ByteWindow {
    /// Nil where CR LF stands at `offset`, which is inside the window.
    @inline(__always)
    func missingLineEnd(at offset: Int, otherwise fault: RequestFault) -> ParseOutcome? {
        let byte = self.byte(offset)
        guard byte == Ascii.carriageReturn else {
            return .malformed(byte == Ascii.lineFeed ? .lineEnd : fault)
        }
        return missingLineFeed(after: offset)
    }

    /// Nil where a LF follows the CR at `offset`.
    @inline(__always)
    func missingLineFeed(after offset: Int) -> ParseOutcome? {
        guard offset &+ 1 < end else { return .partial }
        return byte(offset &+ 1) == Ascii.lineFeed ? nil : .malformed(.lineEnd)
    }
}
