// HOT
// What the edge reads out of field lines. The four that every browser sends are told by their first
// characters and the colon, before the name's end has been looked for; the others by their first
// four characters, then by their length and the rest.

extension ByteWindow {
    /// Keeps what the field line from `start` to its CR LF at `lineEnd` says, if both are plain: a
    /// name as browsers send it, one space behind the colon, and a value without blanks around it.
    /// False, and nothing was done, for all others, be they faults or not.
    ///
    /// Whatever stands before `lineEnd` is text, so a name that is found there is followed by its
    /// colon before the line ends. The caller makes sure of ``LineMarks/lineBytesMin``.
    @inline(__always)
    func takePlain(lineFrom start: Int, to lineEnd: Int, into head: inout RequestHead) -> Bool {
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
            return takeOther(lineFrom: start, to: lineEnd, into: &head)
        case letters("x", "-", "f", "o"):
            guard spells(first, letters("x", "-", "f", "o", "r", "w", "a", "r")),
                spells(word(start &+ 8), letters("d", "e", "d", "-", "f", "o", "r", ":")),
                byte(start &+ 16) == Ascii.space, isTrimmed(from: start &+ 17, to: lineEnd)
            else { return false }
            head.forwardedForRepeated = head.forwardedFor.isPresent
            head.forwardedFor = ByteRange(start: start &+ 17, end: lineEnd)
            return true
        default:
            return takeOther(lineFrom: start, to: lineEnd, into: &head)
        }
    }

    /// The same for names that are not told at sight.
    @inline(__always)
    private func takeOther(
        lineFrom start: Int, to lineEnd: Int, into head: inout RequestHead
    ) -> Bool {
        let nameEnd = endOfName(from: start)
        guard nameEnd > start, byte(nameEnd) == UInt8(ascii: ":") else { return false }
        guard mayBeOfUse(nameStart: start, nameEnd: nameEnd) else { return true }
        guard byte(nameEnd &+ 1) == Ascii.space, isTrimmed(from: nameEnd &+ 2, to: lineEnd) else {
            return false
        }
        let value = ByteRange(start: nameEnd &+ 2, end: lineEnd)
        return take(nameStart: start, nameEnd: nameEnd, value: value, into: &head) == nil
    }

    /// Whether no blanks stand at `start` and before the line's CR at `end`; false for no bytes.
    @inline(__always)
    private func isTrimmed(from start: Int, to end: Int) -> Bool {
        byte(start) > Ascii.space && byte(end &- 1) > Ascii.space
    }

    @inline(__always)
    private func keepPlain(_ start: Int, _ end: Int, _ field: inout ByteRange) -> Bool {
        guard isTrimmed(from: start, to: end) else { return false }
        if !field.isPresent { field = ByteRange(start: start, end: end) }
        return true
    }

    /// Whether eight characters are those of `text`, its letters in either case; exact for any.
    @inline(__always)
    private func spells(_ word: UInt64, _ text: UInt64) -> Bool {
        // Of the characters of names, those with bit 0x40 are the letters (and the underscore,
        // which is in none of ours).
        word | (text & each(0x40)) &>> 1 == text
    }

    /// Whether a field can be one of those below. Most of what a browser sends begins with `accept`
    /// or `sec-` and ends here. Behind the shortest name there are a colon and the line's end, so
    /// there are always four characters.
    @inline(__always)
    func mayBeOfUse(nameStart name: Int, nameEnd: Int) -> Bool {
        let first = halfWord(name) | 0x2020_2020
        if first == letters("a", "c", "c", "e") { return nameEnd &- name == 29 }
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
            head.forwardedForRepeated = head.forwardedFor.isPresent
            head.forwardedFor = value
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

    @inline(__always)
    private func keepFirst(_ value: ByteRange, _ field: inout ByteRange) {
        if !field.isPresent { field = value }
    }
}

// MARK: Values

extension ByteWindow {
    /// `close` beats `keep-alive`, in however many lines and options they come (RFC 9112, 9.3).
    @inline(__always)
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
    @inline(__always)
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
    @inline(__always)
    private func folds(_ offset: Int, to word: UInt64) -> Bool {
        self.word(offset) | each(0x20) == word
    }

    @inline(__always)
    private func folds(_ offset: Int, to halfWord: UInt32) -> Bool {
        self.halfWord(offset) | 0x2020_2020 == halfWord
    }

    /// Whether the bytes at `offset`, as many as `literal` has, are it in either case.
    @inline(__always)
    private func folds(_ offset: Int, _ literal: StaticString) -> Bool {
        startsFolded(offset, offset &+ literal.utf8CodeUnitCount, literal)
    }

    @inline(__always)
    func folds(_ value: ByteRange, _ literal: StaticString) -> Bool {
        Int(value.count) == literal.utf8CodeUnitCount && folds(Int(value.start), literal)
    }

    /// Whether `literal` (lower case) stands at `start` in either case and ends by `end`.
    @inline(__always)
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
    @inline(__always)
    func holds(_ literal: StaticString, from start: Int, to end: Int) -> Bool {
        guard end &- start == literal.utf8CodeUnitCount else { return false }
        for offset in 0..<literal.utf8CodeUnitCount {
            guard byte(start &+ offset) == literal.utf8Start[offset] else { return false }
        }
        return true
    }
}
