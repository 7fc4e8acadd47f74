import Clicks
import Testing
import Wire

@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 81, 85, 73, 84, 10]
    private static let ipv4: [UInt8] = [1, 2, 3, 4, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xBB]
    private static let ipv6: [UInt8] =
        [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
        + [UInt8](repeating: 9, count: 16) + [0x30, 0x39, 0x01, 0xBB]

    private static func header(
        _ command: UInt8, _ family: UInt8, _ rest: [UInt8], length: Int? = nil
    ) -> [UInt8] {
        let length = length ?? rest.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xFF)] + rest
    }

    private static func field(_ type: UInt8, _ value: [UInt8]) -> [UInt8] {
        [type, UInt8(value.count >> 8), UInt8(value.count & 0xFF)] + value
    }

    private func parse(_ bytes: [UInt8]) -> (ProxyOutcome, ProxyHeader) {
        let memory = GuardedBytes()
        var header = ProxyHeader()
        return (ProxyHeader.parse(memory.place(bytes), into: &header), header)
    }

    private static let good: [([UInt8], client: String?)] = [
        (header(0x21, 0x11, ipv4), "1.2.3.4"),
        (header(0x21, 0x21, ipv6), "2001:db8::7"),
        (header(0x21, 0x11, ipv4 + field(4, []) + field(3, [1, 2, 3, 4])), "1.2.3.4"),
        (header(0x21, 0x21, ipv6 + field(0x20, .init(repeating: 1, count: 600))), "2001:db8::7"),
        (header(0x21, 0x11, ipv4 + field(4, .init(repeating: 0, count: 2017))), "1.2.3.4"),
        (header(0x21, 0x31, .init(repeating: 0x2F, count: 216)), nil),
        (header(0x21, 0x00, []), nil), (header(0x21, 0x00, field(4, [0, 0])), nil),
        (header(0x20, 0x00, []), nil), (header(0x20, 0x11, ipv4), nil),
        (header(0x20, 0x11, [1, 2, 3]), nil), (header(0x20, 0x21, []), nil),
    ]

    @Test func `a header names the client, and each prefix asks for more`() {
        for (bytes, client) in Self.good {
            let (outcome, header) = parse(bytes)
            #expect(outcome == .complete(bytes: bytes.count))
            #expect(header.client?.description == client)
            #expect(header.clientPort == (client == nil ? 0 : 12_345))
            #expect(parse(bytes + Array("GET / HTTP/1.1".utf8)).0 == .complete(bytes: bytes.count))
            for count in 0..<bytes.count {
                #expect(parse(Array(bytes.prefix(count))).0 == .partial, "\(count) bytes")
            }
        }
    }

    private static let faulty: [([UInt8], ProxyFault)] = [
        (Array("GET / HTTP/1.1\r\n".utf8), .signature),
        (Array("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n".utf8), .signature),
        (Array("\r\n\r\nGET".utf8), .signature),
        (header(0x11, 0x11, ipv4), .command), (header(0x22, 0x11, ipv4), .command),
        (header(0x01, 0x11, ipv4), .command),
        (header(0x21, 0x12, ipv4), .family), (header(0x21, 0x22, ipv6), .family),
        (header(0x21, 0x41, ipv4), .family), (header(0x21, 0x13, ipv4), .family),
        (header(0x21, 0x11, Array(ipv4.dropLast())), .length),
        (header(0x21, 0x21, ipv4), .length), (header(0x21, 0x11, []), .length),
        (header(0x21, 0x11, ipv4, length: 2033), .length),
        (header(0x20, 0x00, [], length: 0xFFFF), .length),
        (header(0x21, 0x11, ipv4 + [4]), .field), (header(0x21, 0x11, ipv4 + [4, 0]), .field),
        (header(0x21, 0x11, ipv4 + [4, 0, 1]), .field),
        (header(0x21, 0x11, ipv4 + [4, 0xFF, 0xFF, 0]), .field),
        (header(0x21, 0x11, ipv4 + field(4, [1]) + [4, 0, 2, 0]), .field),
    ]

    @Test func `a faulty header is refused, whatever follows it`() {
        for (bytes, fault) in Self.faulty {
            #expect(parse(bytes).0 == .malformed(fault), "\(bytes)")
            #expect(parse(bytes + [UInt8](repeating: 0, count: 4096)).0 == .malformed(fault))
        }
    }

    @Test func `a wrong byte is refused as soon as it comes`() {
        for offset in 0..<14 {
            var bytes = Array(Self.header(0x21, 0x11, Self.ipv4).prefix(offset + 1))
            bytes[offset] ^= 0x80
            #expect(parse(bytes).0 != .partial, "byte \(offset)")
        }
    }

    @Test func `damaged headers neither crash nor reach beyond their bytes`() {
        let seed = SplitMix64.seed
        var random = SplitMix64(seed: seed)
        for _ in 0..<20_000 {
            var bytes = Self.good.randomElement(using: &random)!.0
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                bytes[Int.random(in: 12..<bytes.count, using: &random)] = .random(
                    in: 0...255, using: &random)
            }
            let whole = parse(bytes)
            if case .complete(let count) = whole.0 {
                #expect(count <= bytes.count, "TEST_SEED=\(seed)")
                #expect(parse(Array(bytes.prefix(count))) == whole, "TEST_SEED=\(seed)")
            }
        }
    }
}
