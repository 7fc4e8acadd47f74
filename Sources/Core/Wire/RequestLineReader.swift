// HOT
// The first line: `GET /go/3Jd9?ch=story HTTP/1.1`. Exactly one space between its words and nothing
// after the last (RFC 9112, 3: being lenient there is how requests are smuggled).

import Clicks

extension ByteWindow {
    /// Reads a request line such as followed links have: `GET /go/`, a UUID or a short code,
    /// perhaps a query, and HTTP/1.0 or 1.1, all of it before `limit`, which is at least
    /// ``LineMarks/headBytesMin``. Where the fields begin; nil, and nothing was done, for all other
    /// lines, be they faults or not.
    @inline(always)
    func takePlainRequestLine(before limit: Int, into head: inout RequestHead) -> Int? {
        assert(limit >= LineMarks.headBytesMin, "a word is read outside of the window")
        guard word(0) == letters("G", "E", "T", " ", "/", "g", "o", "/") else { return nil }
        let pathEnd = 8 &+ Identifier.textBytes
        // The digits 0 and 1 differ in the lowest bit.
        let version = word(pathEnd &+ 3)
        guard word(pathEnd) == letters(" ", "H", "T", "T", "P", "/", "1", "."),
            version & ~(1 &<< 40) == letters("T", "P", "/", "1", ".", "0", "\r", "\n"),
            let id = Identifier(
                text: UnsafeRawBufferPointer(start: base + 8, count: Identifier.textBytes))
        else { return takeOtherPlainRequestLine(before: limit, into: &head) }
        head.takeLink(id, pathEnd: pathEnd, minor: UInt8(truncatingIfNeeded: version &>> 40) & 1)
        return pathEnd &+ 11
    }

    /// The same of a link with a query, or whose name is a short code.
    @inline(always)
    private func takeOtherPlainRequestLine(before limit: Int, into head: inout RequestHead) -> Int?
    {
        guard let pathEnd = endOfID(from: 8) else { return nil }
        let id = Identifier(text: UnsafeRawBufferPointer(start: base + 8, count: pathEnd &- 8))
        var query = ByteRange.absent
        var targetEnd = pathEnd
        if byte(pathEnd) != Ascii.space {
            guard byte(pathEnd) == UInt8(ascii: "?") else { return nil }
            targetEnd = endOfQuery(from: pathEnd &+ 1)
            guard targetEnd &+ 11 <= limit, byte(targetEnd) == Ascii.space else { return nil }
            query = ByteRange(start: pathEnd &+ 1, end: targetEnd)
        }
        let version = word(targetEnd &+ 1)
        guard version & ~(1 &<< 56) == letters("H", "T", "T", "P", "/", "1", ".", "0"),
            quarterWord(targetEnd &+ 9) == Ascii.lineEnd
        else { return nil }
        head.takeLink(id, pathEnd: pathEnd, minor: UInt8(truncatingIfNeeded: version &>> 56) & 1)
        head.query = query
        return targetEnd &+ 11
    }

    @inline(never)
    private func endOfQuery(from start: Int) -> Int { endOfTarget(from: start, inPath: false) }
}

extension ByteWindow {
    /// Where a run of letters, digits, `-` and `_` ends that begins at `start`; nil if it is longer
    /// than ``LinkTarget/idBytesMax``. The window has so many bytes and 16 more.
    @inline(always)
    private func endOfID(from start: Int) -> Int? {
        let last = start &+ LinkTarget.idBytesMax
        assert(last &+ 16 <= end, "a block is read outside of the window")
        for index in stride(from: start, through: last, by: 16) {
            let stops = Block.notLabel(base + index)
            guard stops == 0 else {
                let found = index &+ stops.trailingZeroBitCount
                return found <= last ? found : nil
            }
        }
        return nil
    }
}

/// Reads the request line of one head. Lives inside one call of the parser.
struct RequestLineReader {
    let window: ByteWindow
    /// Where the next unread byte is; after success, where the first field line begins.
    private(set) var index = 0

    @inline(always)
    init(_ window: ByteWindow) {
        self.window = window
    }

    /// Nil when the line was read whole and is good.
    @inline(never)
    mutating func read(into head: inout RequestHead) -> ParseOutcome? {
        guard window.end > 0 else { return .partial }
        if window.byte(0) == Ascii.carriageReturn {
            if let stop = window.missingLineFeed(after: 0) { return stop }
            index = 2
        }
        if let stop = readMethod(into: &head) { return stop }
        if let stop = readTarget(into: &head) { return stop }
        return readVersion(into: &head)
    }

    // MARK: Method

    @inline(always)
    private mutating func readMethod(into head: inout RequestHead) -> ParseOutcome? {
        if index &+ 4 <= window.end, window.halfWord(index) == letters("G", "E", "T", " ") {
            head.method = .get
            index &+= 4
            return nil
        }
        return readOtherMethod(into: &head)
    }

    @inline(never)
    private mutating func readOtherMethod(into head: inout RequestHead) -> ParseOutcome? {
        let start = index
        let end = window.endOfToken(from: start)
        guard end < window.end else { return .partial }
        let stop = window.byte(end)
        guard stop == Ascii.space, end > start else {
            return .malformed(stop == Ascii.lineFeed ? .lineEnd : .method)
        }
        let name = (start: start, end: end)
        if window.holds("GET", from: name.start, to: name.end) {
            head.method = .get
        } else if window.holds("POST", from: name.start, to: name.end) {
            head.method = .post
        } else if window.holds("HEAD", from: name.start, to: name.end) {
            head.method = .head
        } else if window.holds("OPTIONS", from: name.start, to: name.end) {
            head.method = .options
        }
        index = end &+ 1
        return nil
    }

    // MARK: Target

    @inline(always)
    private mutating func readTarget(into head: inout RequestHead) -> ParseOutcome? {
        guard index < window.end else { return .partial }
        if window.byte(index) != UInt8(ascii: "/") {
            if let stop = readAuthority(into: &head) { return stop }
        }
        let pathStart = index
        var targetEnd = window.endOfTarget(from: pathStart, inPath: true)
        guard targetEnd < window.end else { return .partial }
        head.path = ByteRange(start: pathStart, end: targetEnd)
        let idStart = window.end(of: "/go/", from: pathStart, to: targetEnd)
        head.isLink = idStart != 0 && window.endOfLabel(from: idStart) >= targetEnd
        if head.isLink {
            head.linkID = Identifier(
                text: UnsafeRawBufferPointer(
                    start: window.base + idStart, count: targetEnd &- idStart))
        }
        if window.byte(targetEnd) == UInt8(ascii: "?") {
            let queryStart = targetEnd &+ 1
            targetEnd = window.endOfTarget(from: queryStart, inPath: false)
            guard targetEnd < window.end else { return .partial }
            head.query = ByteRange(start: queryStart, end: targetEnd)
        }
        let stop = window.byte(targetEnd)
        guard stop == Ascii.space else {
            return .malformed(stop == Ascii.lineFeed ? .lineEnd : .target)
        }
        index = targetEnd &+ 1
        return nil
    }

    /// Reads `http://host:port` of the absolute form, up to the path, query or space. The asterisk
    /// of OPTIONS is left to be the path; of others it is read past, so that a request for HTTP/2
    /// (`PRI * HTTP/2.0`) is told about its version.
    @inline(never)
    private mutating func readAuthority(into head: inout RequestHead) -> ParseOutcome? {
        if window.byte(index) == UInt8(ascii: "*") {
            guard index &+ 1 < window.end else { return .partial }
            guard window.byte(index &+ 1) == Ascii.space else { return .malformed(.target) }
            if case .options = head.method { return nil }
            index &+= 2
            var ignored = RequestHead()
            return readVersion(into: &ignored) ?? .malformed(.target)
        }
        var scheme: StaticString = "http"
        let fifth = index &+ 4
        if fifth < window.end, window.byte(fifth) | 0x20 == UInt8(ascii: "s") {
            scheme = "https"
            head.isSecure = true
        }
        if let stop = skip(scheme) { return stop }
        if let stop = skip("://") { return stop }
        let start = index
        while index < window.end, !Authority.isEnd(window.byte(index)) { index &+= 1 }
        guard index < window.end else { return .partial }
        head.authority = ByteRange(start: start, end: index)
        return Authority.isValid(head.authority, in: window) ? nil : .malformed(.target)
    }

    /// Steps over `literal`, in either case.
    private mutating func skip(_ literal: StaticString) -> ParseOutcome? {
        for offset in 0..<literal.utf8CodeUnitCount {
            guard index < window.end else { return .partial }
            let expected = literal.utf8Start[offset]
            let byte = window.byte(index)
            let isLetter = expected >= UInt8(ascii: "a")
            guard byte == expected || isLetter && byte | 0x20 == expected else {
                return .malformed(.target)
            }
            index &+= 1
        }
        return nil
    }

    // MARK: Version

    @inline(always)
    private mutating func readVersion(into head: inout RequestHead) -> ParseOutcome? {
        if index &+ 10 <= window.end {
            let word = window.word(index)
            let minor = UInt8(truncatingIfNeeded: word &>> 56) &- UInt8(ascii: "0")
            if word << 8 == letters("H", "T", "T", "P", "/", "1", ".", "0") << 8, minor <= 1 {
                if let stop = window.missingLineEnd(at: index &+ 8, otherwise: .version) {
                    return stop
                }
                head.minorVersion = minor
                head.keepAlive = minor == 1
                index &+= 10
                return nil
            }
        }
        return readOtherVersion()
    }

    /// Tells a version we do not speak from what is none, and a line that is not all here yet from
    /// one that ended too soon. Never succeeds.
    @inline(never)
    private func readOtherVersion() -> ParseOutcome? {
        let shape: StaticString = "HTTP/d.d\r\n"
        var isOurs = true
        for offset in 0..<shape.utf8CodeUnitCount {
            let at = index &+ offset
            guard at < window.end else { return .partial }
            let byte = window.byte(at)
            let expected = shape.utf8Start[offset]
            if expected == UInt8(ascii: "d") {
                guard Ascii.isDigit(byte) else { return .malformed(.version) }
                let one = UInt8(ascii: "1")
                isOurs = isOurs && (offset == 5 ? byte == one : byte <= one)
            } else if byte != expected {
                let isLineEnd = byte == Ascii.lineFeed || offset == 9
                return .malformed(isLineEnd ? .lineEnd : .version)
            }
        }
        return isOurs ? .partial : .malformed(.versionNotSupported)
    }
}
