import Clicks

// Which hosts a link may lead to. The reading of addresses follows what browsers do (the WHATWG URL
// standard's host parser), not what a strict parser would like: 2130706433, 0x7f.1 and 0177.0.0.1
// are all 127.0.0.1 to the shopper's browser, so they are to us.

/// A host name or a literal address that the public internet can reach.
struct PublicHost {
    /// Lower case; an IPv4 address in dotted decimal, an IPv6 address without brackets.
    let name: String
    let isIPv6: Bool

    /// - Parameter bytes: the host as it stands in a URL, brackets included.
    init(_ bytes: ArraySlice<UInt8>) throws(ExternalURL.Fault) {
        guard !bytes.isEmpty else { throw .hostMissing }
        if bytes.first == UInt8(ascii: "[") {
            guard bytes.last == UInt8(ascii: "]") else { throw .hostMalformed }
            let text = String(decoding: bytes.dropFirst().dropLast(), as: UTF8.self)
            guard let address = IPv6Literal(text) else { throw .hostMalformed }
            guard address.isPublic else { throw .addressNotPublic }
            (name, isIPv6) = (text.lowercased(), true)
            return
        }
        isIPv6 = false
        let labels = try PublicHost.labels(of: bytes)
        if let last = labels.last, IPv4Literal.looksNumeric(last) {
            guard let address = IPv4Literal(labels: labels) else { throw .hostMalformed }
            guard address.isPublic else { throw .addressNotPublic }
            name = address.dotted
            return
        }
        name = labels.joined(separator: ".")
        guard labels.count > 1, !PublicHost.isPrivate(labels) else { throw .nameNotPublic }
    }

    /// Labels of 1 to 63 letters, digits, hyphens and underscores (which some shops' hosts have),
    /// in lower case; one trailing dot is dropped.
    private static func labels(of bytes: ArraySlice<UInt8>) throws(ExternalURL.Fault) -> [String] {
        var host = bytes
        if host.count > 1, host.last == UInt8(ascii: ".") { host = host.dropLast() }
        guard host.count <= 253 else { throw .hostMalformed }
        var labels: [String] = []
        for part in host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            let lower = part.map(asciiLowercased)
            let isValid = lower.allSatisfy { byte in
                isASCIIDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
            let edges = [lower.first, lower.last]
            guard (1...63).contains(lower.count), isValid, !edges.contains(UInt8(ascii: "-"))
            else { throw .hostMalformed }
            labels.append(String(decoding: lower, as: UTF8.self))
        }
        return labels
    }

    /// Top-level names that are reserved for, or widely used in, private networks
    /// (RFC 6761, 6762, 7686, 8375; ICANN's reservation of `.internal`).
    private static let privateTopLevels: Set<String> = [
        "localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home",
        "lan", "arpa", "onion", "invalid",
    ]

    private static func isPrivate(_ labels: [String]) -> Bool {
        labels.last.map(privateTopLevels.contains) ?? true
    }
}

/// An IPv4 address in any of the spellings that inet_aton(3) and browsers accept.
struct IPv4Literal {
    /// In host order.
    let value: UInt32

    /// Whether a host whose last label this is must be read as an IPv4 address.
    static func looksNumeric(_ label: String) -> Bool {
        label.utf8.allSatisfy(isASCIIDigit)
            || label.hasPrefix("0x") && label.dropFirst(2).allSatisfy(\.isHexDigit)
    }

    /// One to four numbers, decimal, octal or hexadecimal; the last fills the bytes that are left.
    init?(labels: [String]) {
        guard (1...4).contains(labels.count) else { return nil }
        var numbers: [UInt64] = []
        for label in labels {
            guard let number = IPv4Literal.number(label) else { return nil }
            numbers.append(number)
        }
        let last = numbers.removeLast()
        guard numbers.allSatisfy({ $0 <= 255 }), last < 1 << UInt64(8 * (4 - numbers.count)) else {
            return nil
        }
        var value = UInt32(last)
        for (index, number) in numbers.enumerated() {
            value |= UInt32(number) << UInt32(24 - 8 * index)
        }
        self.value = value
    }

    init(value: UInt32) {
        self.value = value
    }

    var dotted: String {
        (0..<4).map { String(value >> UInt32(24 - 8 * $0) & 0xFF) }.joined(separator: ".")
    }

    /// Whether the address is globally reachable, by IANA's special-purpose registry, plus one
    /// cloud's metadata address that lies in public space.
    var isPublic: Bool {
        let blocks: [(UInt32, Int)] = [
            (0x0000_0000, 8), (0x0A00_0000, 8), (0x6440_0000, 10), (0x7F00_0000, 8),
            (0xA9FE_0000, 16), (0xAC10_0000, 12), (0xC000_0000, 24), (0xC000_0200, 24),
            (0xC058_6300, 24), (0xC0A8_0000, 16), (0xC612_0000, 15), (0xC633_6400, 24),
            (0xCB00_7100, 24), (0xE000_0000, 4), (0xF000_0000, 4), (0xA83F_8110, 32),
        ]
        return !blocks.contains { network, bits in
            (value ^ network) >> UInt32(32 - bits) == 0
        }
    }

    private static func number(_ label: String) -> UInt64? {
        // Longer ones are numbers to a browser, but no address.
        guard (1...32).contains(label.utf8.count) else { return nil }
        if label.hasPrefix("0x") {
            return label == "0x" ? 0 : UInt64(label.dropFirst(2), radix: 16)
        }
        if label.count > 1, label.hasPrefix("0") { return UInt64(label.dropFirst(), radix: 8) }
        return label.utf8.allSatisfy(isASCIIDigit) ? UInt64(label) : nil
    }
}

/// An IPv6 address without zone, brackets or prefix length.
struct IPv6Literal {
    let high: UInt64
    let low: UInt64

    init?(_ text: String) {
        guard text.contains(":"), let address = NetworkAddress(text: text) else { return nil }
        (high, low) = (address.high, address.low)
    }

    /// Whether the address is globally reachable: a mapped or 6to4 address is what it carries;
    /// otherwise global unicast (2000::/3) without the protocol and documentation blocks.
    var isPublic: Bool {
        if high == 0, low >> 32 == 0xFFFF {
            return IPv4Literal(value: UInt32(truncatingIfNeeded: low)).isPublic
        }
        if high >> 48 == 0x2002 {
            return IPv4Literal(value: UInt32(truncatingIfNeeded: high >> 16)).isPublic
        }
        guard high >> 61 == 0b001 else { return false }
        let isProtocolBlock = high >> 41 == 0x2001_0000 >> 9  // 2001::/23, Teredo among others
        let isDocumentation = high >> 32 == 0x2001_0DB8 || high >> 44 == 0x3FFF0
        return !isProtocolBlock && !isDocumentation
    }
}
