// HOT
// A request head in one pass over its bytes (RFC 9112, sections 2 to 6 and 11). Stateless and
// without memory of its own: ranges into the caller's buffer come out. What one intermediary could
// read differently from another is refused rather than guessed.
//
// Measured by `Benchmarks/Micro/request-parser`: a browser's request of 555 bytes and 12 fields is
// 1,914 instructions (2,600 by words of eight bytes).

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
        return bytes.count < headBytesMax ? .partial : .malformed(.headTooLarge)
    }

    @inline(__always)
    private static func parseHead(
        _ window: ByteWindow, into head: inout RequestHead
    ) -> ParseOutcome {
        var line = RequestLineReader(window)
        if let stop = line.read(into: &head) { return stop }
        var index = line.index
        var fieldsLeft = fieldsMax
        let colon = UInt8(ascii: ":")
        while true {
            let known = window.knownName(at: index)
            let nameEnd = known.name == .other ? window.endOfToken(from: index) : known.end
            guard nameEnd > index, nameEnd < window.end, window.byte(nameEnd) == colon else {
                return finish(window, at: index, nameEnd, line, &head)
            }
            // One space is how all browsers write it; other blanks are trimmed below.
            var valueStart = nameEnd &+ 1
            if valueStart < window.end, window.byte(valueStart) == Ascii.space { valueStart &+= 1 }
            let lineEnd = window.endOfFieldText(from: valueStart)
            guard lineEnd &+ 1 < window.end, window.quarterWord(lineEnd) == 0x0A0D else {
                guard lineEnd < window.end else { return .partial }
                return window.missingLineEnd(at: lineEnd, otherwise: .fieldValue) ?? .partial
            }
            guard fieldsLeft > 0 else { return .malformed(.tooManyFields) }
            fieldsLeft &-= 1
            switch known.name {
            case .host:
                let value = window.trimmed(from: valueStart, to: lineEnd)
                guard !head.host.isPresent, Authority.isValid(value, in: window) else {
                    return .malformed(.host)
                }
                head.host = value
            case .userAgent:
                window.keepFirst(valueStart, lineEnd, &head.userAgent)
            case .referer:
                window.keepFirst(valueStart, lineEnd, &head.referer)
            case .cookie:
                window.keepFirst(valueStart, lineEnd, &head.cookie)
            case .other:
                guard window.mayBeOfUse(nameStart: index, nameEnd: nameEnd) else { break }
                let value = window.trimmed(from: valueStart, to: lineEnd)
                let fault = window.take(
                    nameStart: index, nameEnd: nameEnd, value: value, into: &head)
                if let fault { return .malformed(fault) }
            }
            index = lineEnd &+ 2
        }
    }

    /// What it means that no field line begins at `index`: the end of the head, or a fault.
    /// - Parameter stop: the first byte that is no token character, or the window's end.
    @inline(never)
    private static func finish(
        _ window: ByteWindow, at index: Int, _ stop: Int, _ line: RequestLineReader,
        _ head: inout RequestHead
    ) -> ParseOutcome {
        guard stop < window.end else { return .partial }
        guard stop == index, window.byte(index) == Ascii.carriageReturn else {
            return .malformed(window.byte(stop) == Ascii.lineFeed ? .lineEnd : .fieldName)
        }
        if let stop = window.missingLineFeed(after: index) { return stop }
        guard head.host.isPresent || head.minorVersion == 0 else { return .malformed(.host) }
        if line.authority.isPresent {
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
