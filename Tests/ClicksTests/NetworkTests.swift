import Clicks
import Glibc
import TestSupport
import Testing

/// What inet_pton(3) makes of a text, as the oracle.
private func oracle(_ text: String) -> NetworkAddress? {
    var ipv4 = in_addr()
    if inet_pton(AF_INET, text, &ipv4) == 1 {
        return NetworkAddress(ipv4: UInt32(bigEndian: ipv4.s_addr))
    }
    var ipv6 = in6_addr()
    guard inet_pton(AF_INET6, text, &ipv6) == 1 else { return nil }
    let words = withUnsafeBytes(of: &ipv6) {
        ($0.load(as: UInt64.self), $0.load(fromByteOffset: 8, as: UInt64.self))
    }
    return NetworkAddress(high: words.0.bigEndian, low: words.1.bigEndian)
}

private func hop(_ text: String) -> String? {
    Array(text.utf8).withUnsafeBytes { NetworkAddress(hop: $0)?.description }
}

@Suite struct NetworkAddressTextTests {
    @Test(arguments: [
        "1.2.3.4", "0.0.0.0", "255.255.255.255", "::", "::1", "1::", "1:2:3:4:5:6:7:8",
        "1::8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "2001:DB8::aBcD", "::ffff:1.2.3.4",
        "1:2:3:4:5:6:1.2.3.4", "64:ff9b::192.0.2.33", "::1.2.3.4", "1::1.2.3.4",
        "0000:0000::0001",
    ])
    func `a good text is read as inet_pton reads it`(text: String) throws {
        let expected = try #require(oracle(text))
        #expect(NetworkAddress(text) == expected)
        #expect(NetworkAddress(expected.description) == expected, "its own text reads back")
    }

    @Test(arguments: [
        "", ".", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "1.2.3.4.", ".1.2.3.4", "1..2.3",
        "01.2.3.4",
        "1.2.3.010", "256.1.1.1", "1.2.3.4 ", " 1.2.3.4", "1.2.3.0x4", "1.2.3.-4", "0001.2.3.4",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
        "1:2:3:4::5:6:7:8", "12345::", "::g", "::1%eth0", "[::1]", "1:", ":1", "1:2:3:4:5:6:7:",
        "::1.2.3", "::1.2.3.4.5", "::1.2.3.04", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "::1/64",
        "1:2:3:4:5:6:7:8:", "::01.2.3.4", "1.2.3.4:80", "::1\u{0}",
    ])
    func `anything else is refused`(text: String) {
        if !text.contains("\u{0}") { #expect(oracle(text) == nil) }
        #expect(NetworkAddress(text) == nil)
    }

    @Test func `dotted decimal is read at once as it is read number by number`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let alphabet = Array("0123456789012345678901234567890123456789........ :/;,-aF".utf8)
        var good = 0
        for _ in 0..<300_000 {
            var text = (0..<4).map { _ in String(random.next() % 270) }.joined(separator: ".").utf8
                .map { $0 }
            // Half are spoilt at one place, some by any byte there is.
            if random.next() % 2 == 0 {
                let byte =
                    random.next() % 4 == 0
                    ? UInt8(truncatingIfNeeded: random.next())
                    : alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 3 {
                case 0: text[Int(random.next() % UInt64(text.count))] = byte
                case 1: text.insert(byte, at: Int(random.next() % UInt64(text.count + 1)))
                default: text.remove(at: Int(random.next() % UInt64(text.count)))
                }
            }
            let expected = text.withUnsafeBytes { NetworkAddress(text: $0) }
            let isDotted = expected.map { $0.ipv4 != nil && !text.contains(UInt8(ascii: ":")) }
            let read = text.withUnsafeBytes { NetworkAddress(dottedDecimal: $0) }
            #expect(read == (isDotted == true ? expected : nil), "\(text)")
            let byByte = text.withUnsafeBytes { NetworkAddress.ipv4ByByte($0) }
            #expect(byByte == read?.ipv4, "\(text), byte by byte")
            if read != nil { good += 1 }
        }
        #expect(good > 100_000, "a test of refusals alone says little")
    }

    @Test func `whatever the text, the answer is inet_pton's`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let pieces = ["0", "1", "9", "25", "255", "256", "a", "F", "ffff", "10000", "01"]
        let marks = [".", ".", ".", ":", ":", ":", "::", "", "%"]
        var good = 0
        for _ in 0..<200_000 {
            var text = ""
            if random.next() % 3 == 0 {
                var address = NetworkAddress(high: random.next(), low: random.next())
                if random.next() % 2 == 0 {
                    let mask = random.next() & random.next() & random.next()
                    address = NetworkAddress(high: address.high & mask, low: address.low & mask)
                }
                text = address.description
                if random.next() % 2 == 0 { text = text.uppercased() }
                if random.next() % 2 == 0, let at = text.indices.randomElement(using: &random) {
                    text.replaceSubrange(at...at, with: marks.randomElement(using: &random)!)
                }
            } else {
                let isDotted = random.next() % 2 == 0
                for _ in 0..<Int(random.next() % (isDotted ? 5 : 10)) {
                    text += pieces.randomElement(using: &random)!
                    text +=
                        random.next() % 8 == 0
                        ? marks.randomElement(using: &random)! : isDotted ? "." : ":"
                }
                if random.next() % 4 != 0, !text.isEmpty { text.removeLast() }
            }
            let expected = oracle(text)
            if expected != nil { good += 1 }
            #expect(NetworkAddress(text) == expected, "\(text)")
        }
        #expect(good > 20_000)
    }

    @Test(arguments: [
        ("1.2.3.4", "1.2.3.4"), ("1.2.3.4:567", "1.2.3.4"), ("1.2.3.4:0", "1.2.3.4"),
        ("::1", "::1"), ("[::1]", "::1"), ("[::1]:1234", "::1"),
        ("[2001:DB8::1]:65535", "2001:db8::1"),
        ("2001:db8::1:80", "2001:db8::1:80"), ("[::ffff:1.2.3.4]:80", "1.2.3.4"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
    ])
    func `a hop may have a port`(text: String, address: String) {
        #expect(hop(text) == address)
    }

    @Test(arguments: [
        "", "unknown", "_hidden", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:080", "1.2.3.4:8 ",
        "1.2.3.4:80:80", "[1.2.3.4]", "[::1", "::1]", "[::1]:", "[::1]80", "[::1]:80x", "[]",
        "[[::1]]", "::ffff:1.2.3.4:80", "\"[::1]:80\"", "for=1.2.3.4", "1.2.3.4;1.2.3.5",
    ])
    func `what is no hop is refused`(text: String) {
        #expect(hop(text) == nil)
    }
}

@Suite struct NetworkSetTests {
    @Test func `a network is read with its length, and reads back`() {
        for text in ["10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "2001:db8::/32", "::/0", "::1/128"] {
            #expect(NetworkPrefix(text)?.description == text)
        }
        #expect(NetworkPrefix("1.2.3.4")?.description == "1.2.3.4/32")
        #expect(NetworkPrefix("::1")?.description == "::1/128")
        #expect(NetworkPrefix("::ffff:10.0.0.0/104") == NetworkPrefix("10.0.0.0/8"))
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/08", "10.0.0.0/+8", "10/8",
        "10.0.0.0/8/8", "::/129", "::1/64", "10.0.0.0/8 ", " ::/0", "10.0.0.0/-1", "::/1000",
        "::ffff:10.0.0.0/8",
    ])
    func `a network with bits behind its prefix, or none, is refused`(text: String) {
        #expect(NetworkPrefix(text) == nil)
    }

    @Test func `the families stay apart`() throws {
        let ipv6 = NetworkSet([try #require(NetworkPrefix("::/0"))])
        let ipv4 = NetworkSet([try #require(NetworkPrefix("0.0.0.0/0"))])
        let dotted = NetworkAddress(ipv4: 0x0102_0304)
        let colons = NetworkAddress(high: 1, low: 1)
        #expect(ipv6.contains(colons) && !ipv6.contains(dotted))
        #expect(ipv4.contains(dotted) && !ipv4.contains(colons))
        #expect(!NetworkSet.empty.contains(dotted) && !NetworkSet.empty.contains(colons))
        #expect(NetworkSet.empty.isEmpty && !ipv6.isEmpty)
    }

    @Test func `networks that touch or overlap become one range`() throws {
        let texts = [
            "10.0.0.0/9", "10.128.0.0/9", "10.1.0.0/16", "11.0.0.0/8", "13.0.0.0/8",
            "2001:db8::/33",
            "2001:db8:8000::/33", "2001:db8::/48", "255.255.255.255/32", "0.0.0.0/32", "0.0.0.0/31",
        ]
        let set = NetworkSet(texts.compactMap { NetworkPrefix($0) })
        #expect(set.rangeCount == 5)
        for (text, isIn) in [
            ("9.255.255.255", false), ("10.0.0.0", true), ("11.255.255.255", true),
            ("12.0.0.0", false), ("255.255.255.255", true), ("0.0.0.1", true), ("0.0.0.2", false),
            ("2001:db8:ffff::", true), ("2001:db9::", false), ("2001:db7:ffff::", false),
        ] {
            #expect(set.contains(try #require(NetworkAddress(text))) == isIn, "\(text)")
        }
    }

    @Test func `a look-up is what asking each network says`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        for round in 0..<60 {
            // Few bits vary, so that networks meet and addresses fall on their edges.
            let prefixes = (0..<round).map { _ -> NetworkPrefix in
                let isIPv4 = random.next() % 2 == 0
                let bits = Int(random.next() % 9) + (isIPv4 ? 120 : 56)
                let spot = random.next() % 512
                let whole =
                    isIPv4
                    ? NetworkAddress(ipv4: 0xC0A8_0000 | UInt32(spot))
                    : NetworkAddress(high: 0x2001 << 48 | spot, low: 0)
                let drop = ~UInt64(0) << UInt64((isIPv4 ? 128 : 64) - bits)
                return NetworkPrefix(
                    first: NetworkAddress(
                        high: isIPv4 ? 0 : whole.high & drop, low: isIPv4 ? whole.low & drop : 0),
                    bits: bits)
            }
            let set = NetworkSet(prefixes)
            for spot in 0..<520 as Range<UInt64> {
                for address in [
                    NetworkAddress(ipv4: 0xC0A8_0000 | UInt32(spot)),
                    NetworkAddress(high: 0x2001 << 48 | spot, low: random.next()),
                    NetworkAddress(high: 0x2001 << 48 | spot, low: 0),
                    NetworkAddress(high: 0x2001 << 48 | spot, low: .max),
                ] {
                    let expected = prefixes.contains { $0.contains(address) }
                    #expect(set.contains(address) == expected, "\(address)")
                }
            }
        }
    }
}
