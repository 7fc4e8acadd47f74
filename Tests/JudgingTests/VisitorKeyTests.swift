import Clicks
import Judging
import Testing

struct VisitorKeyTests {
    private let visitors = VisitorKey(SipHashTests.key)
    private let user = Identifier(high: 0x2001_0DB8_0000_0001, low: 0)

    private func of(
        _ address: NetworkAddress, _ userAgent: String, _ visitors: VisitorKey? = nil
    ) -> UInt64 {
        Array(userAgent.utf8).withUnsafeBytes {
            (visitors ?? self.visitors).of(address: address, userAgent: $0)
        }
    }

    @Test func `one handset is one visitor however its IPv6 address ends`() {
        let network: UInt64 = 0x2001_0DB8_0000_0001
        let first = of(NetworkAddress(high: network, low: 1), "UA")
        #expect(of(NetworkAddress(high: network, low: .max), "UA") == first)
        #expect(of(NetworkAddress(high: network + 1, low: 1), "UA") != first)
    }

    @Test func `two agents or two IPv4 addresses are two visitors`() {
        let address = NetworkAddress(ipv4: 0xCB00_7109)
        let first = of(address, "UA")
        #expect(of(address, "UA") == first)
        #expect(of(address, "UA ") != first && of(address, "") != first)
        #expect(of(NetworkAddress(ipv4: 0xCB00_710A), "UA") != first)
    }

    @Test func `a user is told apart from an address of the same bits`() {
        let address = NetworkAddress(high: user.high, low: user.low)
        #expect(visitors.of(userID: user) != of(address, ""))
        #expect(visitors.of(userID: user) == visitors.of(userID: user))
        #expect(visitors.of(userID: user) != visitors.of(userID: .anonymous))
    }

    @Test func `what is not stored of a user agent does not count`() {
        let stored = String(repeating: "u", count: ClickTexts.userAgentBytesMax)
        let address = NetworkAddress(ipv4: 1)
        #expect(of(address, stored) == of(address, stored + "x"))
        #expect(of(address, stored) != of(address, String(stored.dropLast())))
    }

    @Test func `another secret makes all visitors new`() {
        let other = VisitorKey(SipHash.Key(low: 1, high: 2))
        #expect(other.of(userID: user) != visitors.of(userID: user))
        #expect(of(NetworkAddress(ipv4: 1), "UA", other) != of(NetworkAddress(ipv4: 1), "UA"))
    }

    /// Stored keys are compared with new ones for ever: a change here needs a new domain.
    @Test func `what is hashed for a visitor never changes`() {
        var hash = SipHash(SipHashTests.key)
        // Domain 2, the address mapped into IPv6 as two words, the agent; words little-endian.
        let domain: [UInt8] = [2, 0, 0, 0, 0, 0, 0, 0]
        let address: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 9, 113, 0, 203, 0xFF, 0xFF, 0, 0]
        let message = domain + address + Array("UA".utf8)
        message.withUnsafeBytes { hash.absorb($0) }
        #expect(hash.finish() == of(NetworkAddress(ipv4: 0xCB00_7109), "UA"))
    }

    @Test func `a dedupe key is of one visitor at one gonggu`() {
        let gonggu = Identifier(high: 7, low: 8)
        let first = visitors.dedupeKey(visitor: 1, gonggu: gonggu)
        #expect(first == visitors.dedupeKey(visitor: 1, gonggu: gonggu))
        #expect(first != visitors.dedupeKey(visitor: 2, gonggu: gonggu))
        #expect(first != visitors.dedupeKey(visitor: 1, gonggu: Identifier(high: 8, low: 7)))
    }
}
