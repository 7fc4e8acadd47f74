// HOT where an address comes out of a request (X-Forwarded-For).
//
// The text forms of addresses, read strictly: what one proxy and another could read differently is
// refused. So IPv4 is four decimal numbers without leading zeros (inet_aton(3) would read 010 as 8)
// and IPv6 is RFC 4291, 2.2, without zone. Nothing is allocated.

import CTexts

extension NetworkAddress {
    /// Reads an IPv4 address in dotted decimal or an IPv6 address, in either case and form of
    /// RFC 4291, 2.2. Nil for all else, white space around it included.
    public init?(text: UnsafeRawBufferPointer) {
        var reader = AddressReader(text)
        guard let address = reader.readAddress(), reader.isAtEnd else { return nil }
        self = address
    }

    /// Reads an IPv4 address in dotted decimal and nothing else, as ``init(text:)`` would, all its
    /// bytes at once: see CTexts.h.
    @inlinable
    @inline(always)
    public init?(dottedDecimal text: UnsafeRawBufferPointer) {
        guard let base = text.baseAddress else { return nil }
        guard let ipv4 = UInt32(exactly: ctexts_ipv4(base, text.count)) else { return nil }
        self.init(ipv4: ipv4)
    }

    /// What it reads on processors that cannot take all bytes at once. Only the number, since of
    /// two functions alike the compiler makes one, which then asks each time whose it is.
    package static func ipv4ByByte(_ text: UnsafeRawBufferPointer) -> UInt32? {
        text.baseAddress.flatMap { UInt32(exactly: ctexts_ipv4_by_byte($0, text.count)) }
    }

    public init?(_ text: some StringProtocol) {
        var copy = String(text)
        guard
            let address = copy.withUTF8({ NetworkAddress(text: UnsafeRawBufferPointer($0)) })
        else { return nil }
        self = address
    }

    /// Reads an address as a proxy names a hop, with or without a port: `1.2.3.4`, `1.2.3.4:567`,
    /// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:567`. The port is checked and dropped.
    /// Without brackets the last group of an IPv6 address is never a port.
    public init?(hop text: UnsafeRawBufferPointer) {
        var reader = AddressReader(text)
        if reader.take(UInt8(ascii: "[")) {
            guard let address = reader.readIPv6(), reader.take(UInt8(ascii: "]")),
                reader.isAtEnd || reader.skipPort()
            else { return nil }
            self = address
            return
        }
        guard let address = reader.readAddress() else { return nil }
        // What follows an address can only be a port where there is an IPv4 text before it.
        guard reader.isAtEnd || (reader.sawIPv4 && reader.skipPort()) else { return nil }
        self = address
    }
}

/// A place in a text. Lives inside one call, whose caller keeps the bytes alive.
private struct AddressReader {
    private let text: UnsafeRawBufferPointer
    private var index = 0
    /// The whole address was dotted decimal.
    private(set) var sawIPv4 = false

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
    }

    var isAtEnd: Bool { index == text.count }

    /// 0 at the end, which no address has.
    private var next: UInt8 { index < text.count ? text[index] : 0 }

    mutating func take(_ byte: UInt8) -> Bool {
        guard index < text.count, text[index] == byte else { return false }
        index &+= 1
        return true
    }

    mutating func readAddress() -> NetworkAddress? {
        if let ipv4 = readIPv4() {
            sawIPv4 = true
            return NetworkAddress(ipv4: ipv4)
        }
        index = 0
        return readIPv6()
    }

    /// Four numbers up to 255 without leading zeros.
    mutating func readIPv4() -> UInt32? {
        guard let bytes = text.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return nil }
        let count = text.count
        // Through `self` each byte would be three times as dear.
        var index = self.index
        var address: UInt32 = 0
        var dots = 0
        while true {
            guard index < count else { return nil }
            var number = UInt32(bytes[index] &- 0x30)
            guard number < 10 else { return nil }
            index &+= 1
            let last = index &+ 2 < count ? index &+ 2 : count
            while index < last, bytes[index] &- 0x30 < 10 {
                guard number != 0 else { return nil }
                number = number &* 10 &+ UInt32(bytes[index] &- 0x30)
                index &+= 1
            }
            guard number <= 255 else { return nil }
            address = address &<< 8 | number
            if dots == 3 { break }
            guard index < count, bytes[index] == UInt8(ascii: ".") else { return nil }
            index &+= 1
            dots &+= 1
        }
        self.index = index
        return address
    }

    mutating func readIPv6() -> NetworkAddress? {
        // Groups before `::` fill the address from the top, those behind it from the bottom.
        var head = GroupRun()
        var tail = GroupRun()
        var isElided = false
        if take(UInt8(ascii: ":")) {
            guard take(UInt8(ascii: ":")) else { return nil }
            isElided = true
            if !isGroupNext { return NetworkAddress(high: 0, low: 0) }
        }
        while true {
            let start = index
            guard let group = readGroup() else { return nil }
            if next == UInt8(ascii: ".") {
                index = start
                guard let ipv4 = readIPv4() else { return nil }
                if isElided { tail.append(ipv4) } else { head.append(ipv4) }
                break
            }
            if isElided { tail.append(group) } else { head.append(group) }
            guard head.count &+ tail.count <= 8 else { return nil }
            guard take(UInt8(ascii: ":")) else { break }
            if take(UInt8(ascii: ":")) {
                guard !isElided else { return nil }
                isElided = true
                if !isGroupNext { break }
            }
        }
        let count = head.count &+ tail.count
        // `::` stands for one group or more.
        guard isElided ? count <= 7 : count == 8 else { return nil }
        return head.joined(with: tail)
    }

    mutating func skipPort() -> Bool {
        guard take(UInt8(ascii: ":")), let port = readDecimal(digitsMax: 5), isAtEnd else {
            return false
        }
        return port <= 65_535
    }

    private var isGroupNext: Bool { AddressReader.hexadecimalValue(next) < 16 }

    /// One to four hexadecimal digits.
    private mutating func readGroup() -> UInt16? {
        var value: UInt16 = 0
        var digits = 0
        while true {
            let digit = AddressReader.hexadecimalValue(next)
            guard digit < 16 else { break }
            guard digits < 4 else { return nil }
            value = value &<< 4 | UInt16(digit)
            digits &+= 1
            index &+= 1
        }
        return digits > 0 ? value : nil
    }

    /// A number without leading zeros.
    private mutating func readDecimal(digitsMax: Int) -> UInt32? {
        let start = index
        var value: UInt32 = 0
        while next &- 0x30 < 10 {
            guard index &- start < digitsMax else { return nil }
            value = value &* 10 &+ UInt32(next &- 0x30)
            index &+= 1
        }
        guard index > start, text[start] != UInt8(ascii: "0") || index &- start == 1 else {
            return nil
        }
        return value
    }

    private static func hexadecimalValue(_ byte: UInt8) -> UInt8 {
        if byte &- 0x30 < 10 { return byte &- 0x30 }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : 255
    }
}

/// Up to eight groups as one number of 128 bits, the first the most significant.
private struct GroupRun {
    private var high: UInt64 = 0
    private var low: UInt64 = 0
    private(set) var count = 0

    mutating func append(_ group: UInt16) {
        high = high &<< 16 | low &>> 48
        low = low &<< 16 | UInt64(group)
        count &+= 1
    }

    mutating func append(_ ipv4: UInt32) {
        append(UInt16(truncatingIfNeeded: ipv4 &>> 16))
        append(UInt16(truncatingIfNeeded: ipv4))
    }

    /// This run at the top of the address and the other at its bottom.
    func joined(with tail: GroupRun) -> NetworkAddress {
        var top = self
        while top.count < 8 { top.append(0 as UInt16) }
        return NetworkAddress(high: top.high | tail.high, low: top.low | tail.low)
    }
}
