// HOT
// What the edge reads out of field lines whose names `RequestParser` does not tell at sight: they
// are told by their first four characters, then by their length and the rest.

extension ByteWindow {
    /// Whether a field can be one of those below. Most of what a browser sends begins with `accept`
    /// or `sec-` or is long, and ends here. Behind the shortest name there are a colon and the
    /// line's end, so there are always four characters.
    @inline(always)
    func mayBeOfUse(nameStart name: Int, nameEnd: Int) -> Bool {
        if nameEnd &- name > 17 { return nameEnd &- name == 29 }
        let first = halfWord(name) | 0x2020_2020
        if first == letters("a", "c", "c", "e") { return false }
        if first == letters("s", "e", "c", "-") { return nameEnd &- name == 11 }
        return true
    }

    /// Keeps what a whole field line says. The name is a valid token, the value is trimmed.
    /// Returns the fault if the request cannot be taken any more.
    @inline(never)
    func take(
        nameStart name: Int, nameEnd: Int, value: ByteRange, into head: inout RequestHead
    ) -> RequestFault? {
        let length = nameEnd &- name
        switch length {
        case 4 where folds(name, "host"):
            guard !head.host.isPresent, Authority.isValid(value, in: self) else { return .host }
            head.host = value
        case 6 where folds(name, "cookie"): keepFirst(value, &head.cookie)
        case 7 where folds(name, "referer"): keepFirst(value, &head.referer)
        case 10 where folds(name, "user-agent"): keepFirst(value, &head.userAgent)
        case 10 where folds(name, "connection"): takeConnection(value, into: &head)
        case 15
        where folds(name, to: letters("x", "-", "f", "o", "r", "w", "a", "r"))
            && folds(name &+ 7, to: letters("r", "d", "e", "d", "-", "f", "o", "r")):
            head.addForwardedFor(value)
        case ..<14: return takeShortName(name, length, value, into: &head)
        default: return takeLongName(name, length, value, into: &head)
        }
        return nil
    }

    /// Expect, Origin, Content-Type, Authorization and the four prefetch hints.
    private func takeShortName(
        _ name: Int, _ length: Int, _ value: ByteRange, into head: inout RequestHead
    ) -> RequestFault? {
        switch length {
        case 6 where folds(name, "expect"):
            // RFC 9110, 10.1.1: ignored from an HTTP/1.0 client.
            head.expectsContinue =
                head.expectsContinue || (head.minorVersion == 1 && folds(value, "100-continue"))
        case 6 where folds(name, "origin"):
            keepFirst(value, &head.origin)
        case 12 where folds(name, "content-type"):
            guard !head.contentType.isPresent else { return .repeatedField }
            head.contentType = value
        case 13 where folds(name, "authorization"):
            guard !head.authorization.isPresent else { return .repeatedField }
            head.authorization = value
        case 5 where folds(name, "x-moz"), 7 where folds(name, "purpose"),
            9 where folds(name, "x-purpose"), 11 where folds(name, "sec-purpose"):
            head.isPrefetch = head.isPrefetch || hintsPrefetch(value)
        default:
            break
        }
        return nil
    }

    /// Content-Length, Transfer-Encoding and Access-Control-Request-Method.
    private func takeLongName(
        _ name: Int, _ length: Int, _ value: ByteRange, into head: inout RequestHead
    ) -> RequestFault? {
        switch length {
        case 14 where folds(name, "content-length"):
            guard !head.hasContentLength, let bytes = decimal(value) else { return .contentLength }
            head.hasContentLength = true
            head.contentLength = bytes
        case 17 where folds(name, "transfer-encoding"):
            return .transferEncoding
        case 29 where folds(name, "access-control-request-method"):
            keepFirst(value, &head.accessControlRequestMethod)
        default:
            break
        }
        return nil
    }

    @inline(always)
    private func keepFirst(_ value: ByteRange, _ field: inout ByteRange) {
        if !field.isPresent { field = value }
    }
}

// MARK: Values

extension ByteWindow {
    /// `close` beats `keep-alive`, in however many lines and options they come (RFC 9112, 9.3).
    @inline(always)
    private func takeConnection(_ value: ByteRange, into head: inout RequestHead) {
        let start = Int(value.start)
        let isKeepAlive =
            value.count == 10 && !head.sawClose
            && folds(start, to: letters("k", "e", "e", "p", "-", "a", "l", "i"))
            && folds(start &+ 2, to: letters("e", "p", "-", "a", "l", "i", "v", "e"))
        if isKeepAlive {
            head.keepAlive = true
        } else {
            takeConnectionOptions(value, into: &head)
        }
    }

    @inline(never)
    private func takeConnectionOptions(_ value: ByteRange, into head: inout RequestHead) {
        let end = Int(value.start) &+ Int(value.count)
        var index = Int(value.start)
        while index < end {
            let start = index
            while index < end, byte(index) != UInt8(ascii: ",") { index &+= 1 }
            let option = trimmed(from: start, to: index)
            if folds(option, "close") {
                head.sawClose = true
                head.keepAlive = false
            } else if folds(option, "keep-alive"), !head.sawClose {
                head.keepAlive = true
            }
            index &+= 1
        }
    }

    /// The number in plain decimal digits; nil for anything else. Leading zeros are refused since
    /// some parsers read them as octal, and numbers that do not fit since some parsers wrap.
    private func decimal(_ value: ByteRange) -> Int? {
        let start = Int(value.start)
        // 18 digits always fit in 63 bits.
        guard value.count >= 1, value.count <= 18 else { return nil }
        guard value.count == 1 || byte(start) != UInt8(ascii: "0") else { return nil }
        var number = 0
        for offset in 0..<Int(value.count) {
            let byte = self.byte(start &+ offset)
            guard Ascii.isDigit(byte) else { return nil }
            number = number &* 10 &+ Int(byte &- UInt8(ascii: "0"))
        }
        return number
    }

    /// Whether the value contains prefetch, prerender or preview, in either case.
    private func hintsPrefetch(_ value: ByteRange) -> Bool {
        let end = Int(value.start) &+ Int(value.count)
        for start in Int(value.start)..<end {
            if startsFolded(start, end, "prefetch") || startsFolded(start, end, "prerender")
                || startsFolded(start, end, "preview")
            {
                return true
            }
        }
        return false
    }

    /// The bytes from `start` to `end` without the blanks around them.
    @inline(always)
    func trimmed(from start: Int, to end: Int) -> ByteRange {
        if start < end, byte(start) > Ascii.space, byte(end &- 1) > Ascii.space {
            return ByteRange(start: start, end: end)
        }
        return trimmedOfBlanks(from: start, to: end)
    }

    @inline(never)
    private func trimmedOfBlanks(from start: Int, to end: Int) -> ByteRange {
        var first = start
        var last = end
        while first < last, Ascii.isBlank(byte(first)) { first &+= 1 }
        while last > first, Ascii.isBlank(byte(last &- 1)) { last &-= 1 }
        return ByteRange(start: first, end: last)
    }
}

// MARK: Comparing

extension ByteWindow {
    /// Whether the eight token characters at `offset` are `word` in either case. Exact for token
    /// characters: of them only letters become a letter, and only the hyphen a hyphen, when bit
    /// 0x20 is set. In a value a CR could pass for a hyphen, but no value holds one.
    @inline(always)
    private func folds(_ offset: Int, to word: UInt64) -> Bool {
        self.word(offset) | each(0x20) == word
    }

    @inline(always)
    private func folds(_ offset: Int, to halfWord: UInt32) -> Bool {
        self.halfWord(offset) | 0x2020_2020 == halfWord
    }

    /// Whether the bytes at `offset`, as many as `literal` has, are it in either case.
    @inline(always)
    private func folds(_ offset: Int, _ literal: StaticString) -> Bool {
        startsFolded(offset, offset &+ literal.utf8CodeUnitCount, literal)
    }

    @inline(always)
    func folds(_ value: ByteRange, _ literal: StaticString) -> Bool {
        Int(value.count) == literal.utf8CodeUnitCount && folds(Int(value.start), literal)
    }

    /// Whether `literal` (lower case) stands at `start` in either case and ends by `end`.
    @inline(always)
    private func startsFolded(_ start: Int, _ end: Int, _ literal: StaticString) -> Bool {
        let count = literal.utf8CodeUnitCount
        guard start &+ count <= end else { return false }
        for offset in 0..<count {
            let expected = literal.utf8Start[offset]
            let byte = self.byte(start &+ offset)
            let isLetter = expected >= UInt8(ascii: "a")
            guard byte == expected || isLetter && byte | 0x20 == expected else { return false }
        }
        return true
    }

    /// Whether the bytes from `start` to `end` are `literal`, in the same case.
    @inline(always)
    func holds(_ literal: StaticString, from start: Int, to end: Int) -> Bool {
        guard end &- start == literal.utf8CodeUnitCount else { return false }
        for offset in 0..<literal.utf8CodeUnitCount {
            guard byte(start &+ offset) == literal.utf8Start[offset] else { return false }
        }
        return true
    }
}
