// HOT
// `host[:port]` as Host and the absolute form carry it (RFC 3986, 3.2, without user information).

enum Authority {
    /// Whether a target's authority ends at this byte; a byte it may not hold is found later.
    @inline(always)
    static func isEnd(_ byte: UInt8) -> Bool {
        byte <= Ascii.space || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?")
    }

    /// Whether `range` is a host with an optional port of at most 65535. An empty host is refused:
    /// no http URI has one.
    @inline(always)
    static func isValid(_ range: ByteRange, in window: ByteWindow) -> Bool {
        let end = Int(range.start) &+ Int(range.count)
        var index = Int(range.start)
        guard index < end else { return false }
        if window.byte(index) == UInt8(ascii: "[") {
            return isBracketed(from: index &+ 1, to: end, in: window)
        }
        index = window.upTo(end).endOfRegisteredName(from: index)
        if index == end { return true }
        return isRest(hostStart: Int(range.start), from: index, to: end, in: window)
    }

    /// Whether two valid authorities name the same server, in either case; the scheme's own port
    /// may be left out.
    @inline(never)
    static func isSame(
        _ one: ByteRange, _ other: ByteRange, isSecure: Bool, in window: ByteWindow
    ) -> Bool {
        let first = parts(of: one, isSecure, in: window)
        let second = parts(of: other, isSecure, in: window)
        let count = first.nameEnd &- Int(one.start)
        guard first.port == second.port, count == second.nameEnd &- Int(other.start) else {
            return false
        }
        for offset in 0..<count {
            let left = window.byte(Int(one.start) &+ offset)
            let right = window.byte(Int(other.start) &+ offset)
            let isLetter = (left | 0x20) &- UInt8(ascii: "a") < 26
            guard left == right || isLetter && left | 0x20 == right | 0x20 else { return false }
        }
        return true
    }

    /// Where the name of a valid authority ends, and its port.
    private static func parts(
        of range: ByteRange, _ isSecure: Bool, in window: ByteWindow
    ) -> (nameEnd: Int, port: Int) {
        let end = Int(range.start) &+ Int(range.count)
        var index = end
        // A port is digits, and so is the end of some names; a colon tells, outside of brackets.
        while index > Int(range.start), Ascii.isDigit(window.byte(index &- 1)) { index &-= 1 }
        let usual = isSecure ? 443 : 80
        let hasColon = index > Int(range.start) && window.byte(index &- 1) == UInt8(ascii: ":")
        guard hasColon else { return (end, usual) }
        var port = 0
        for offset in index..<end {
            port = port &* 10 &+ Int(window.byte(offset) &- UInt8(ascii: "0"))
        }
        return (index &- 1, index == end ? usual : port)
    }

    /// What follows the plain characters of a name: percent-encoded ones, a colon and a port.
    @inline(never)
    private static func isRest(
        hostStart: Int, from start: Int, to end: Int, in window: ByteWindow
    ) -> Bool {
        var index = start
        while index < end {
            let byte = window.byte(index)
            if byte == UInt8(ascii: ":") {
                return index > hostStart && isPort(from: index &+ 1, to: end, in: window)
            }
            if byte == UInt8(ascii: "%") {
                guard index &+ 2 < end, Ascii.hexadecimalValue(window.byte(index &+ 1)) < 16,
                    Ascii.hexadecimalValue(window.byte(index &+ 2)) < 16
                else { return false }
                index &+= 3
                continue
            }
            guard CharacterClass.registeredName.contains(byte) else { return false }
            index &+= 1
        }
        return true
    }

    /// An IPv6 address in brackets by its characters alone: what it says is of no use to us. Zones
    /// (RFC 6874) and addresses of the future have no place in a request.
    @inline(never)
    private static func isBracketed(from start: Int, to end: Int, in window: ByteWindow) -> Bool {
        var index = start
        var colons = 0
        while index < end, window.byte(index) != UInt8(ascii: "]") {
            let byte = window.byte(index)
            if byte == UInt8(ascii: ":") {
                colons &+= 1
            } else {
                guard Ascii.hexadecimalValue(byte) < 16 || byte == UInt8(ascii: ".") else {
                    return false
                }
            }
            index &+= 1
        }
        // From `::` to `1:2:3:4:5:6:7::`; the longest text is six groups and a dotted quad.
        guard index < end, colons >= 2, colons <= 8, index &- start <= 45 else { return false }
        index &+= 1
        guard index < end else { return true }
        return window.byte(index) == UInt8(ascii: ":")
            && isPort(from: index &+ 1, to: end, in: window)
    }

    /// Digits, possibly none (RFC 3986, 3.2.3).
    private static func isPort(from start: Int, to end: Int, in window: ByteWindow) -> Bool {
        guard end &- start <= 5 else { return false }
        var port = 0
        for offset in start..<end {
            guard Ascii.isDigit(window.byte(offset)) else { return false }
            port = port &* 10 &+ Int(window.byte(offset) &- UInt8(ascii: "0"))
        }
        return port <= 65_535
    }
}
