import Clicks
import Judging
import TestSupport
import Testing

struct VisitorKeyTests {
    private let visitors = VisitorKey(SipHashTests.key)
    private let user = Identifier(high: 0x2001_0DB8_0000_0001, low: 0)

    private func of(
        _ address: NetworkAddress, _ userAgent: String, _ visitors: VisitorKey? = nil
    ) -> UInt64 {
        let visitors = visitors ?? self.visitors
        let digest = Array(userAgent.utf8).withUnsafeBytes { visitors.digest($0) }
        return visitors.of(addressKey: visitors.addressKey(address), agent: digest)
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
        let oracle = UniversalHashOracle(SipHashTests.key)
        func hash(_ words: UInt64...) -> UInt64 {
            var hash = SipHash(SipHashTests.key)
            for word in words { hash.absorb(word) }
            return hash.finish()
        }
        // The domain; the hashes of the address, its lower word with IPv4 mapped into IPv6, and of
        // the agent.
        let ipv4 = oracle.of(address: (0, 0x0000_FFFF_CB00_7109))
        #expect(
            of(NetworkAddress(ipv4: 0xCB00_7109), "UA") == hash(9, ipv4 &+ oracle.of("UA")))
        let ipv6 = oracle.of(address: (7 << 56, 0))
        #expect(of(NetworkAddress(high: 7 << 56, low: 9), "UA") == hash(9, ipv6 &+ oracle.of("UA")))
        #expect(visitors.of(userID: user) == hash(1, user.high, user.low))
    }

    @Test func `an agent's digest is what the papers' formulas say, for every length`() {
        let oracle = UniversalHashOracle(SipHashTests.key)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        #expect(visitors.digest(nothing) == oracle.of(""))
        let alphabet = Array("Mozilla/5.0 (Linux; 안드로이드) ".utf8)
        for count in 0...ClickTexts.userAgentBytesMax + 9 {
            let agent = (0..<count).map { alphabet[($0 * 7 + count) % alphabet.count] }
            #expect(agent.withUnsafeBytes { visitors.digest($0) } == oracle.of(agent))
        }
    }

    @Test func `two addresses have two keys, those of one IPv6 subscriber one`() {
        let keys = (0..<1000 as Range<UInt32>).map {
            visitors.addressKey(NetworkAddress(ipv4: $0))
        }
        #expect(Set(keys).count == keys.count)
        #expect(
            visitors.addressKey(NetworkAddress(high: 7 << 56, low: 1))
                == visitors.addressKey(NetworkAddress(high: 7 << 56, low: 2)))
    }

    @Test func `a dedupe key is of one visitor at one gonggu`() {
        let gonggu = Identifier(high: 7, low: 8)
        let first = visitors.dedupeKey(visitor: 1, gonggu: gonggu)
        #expect(first == visitors.dedupeKey(visitor: 1, gonggu: gonggu))
        #expect(first != visitors.dedupeKey(visitor: 2, gonggu: gonggu))
        #expect(first != visitors.dedupeKey(visitor: 1, gonggu: Identifier(high: 8, low: 7)))
    }

    @Test func `a dedupe key is what its formula says, and never that of a free slot`() {
        func factor(_ number: UInt64) -> UInt64 {
            var hash = SipHash(SipHashTests.key)
            hash.absorb(11)
            hash.absorb(number)
            return hash.finish() | 1
        }
        let (high, low) = (factor(0), factor(1))
        let gonggu = Identifier(high: 0x0190_A1B2_C3D4_7E5F, low: 0x8A9B_0C1D_2E3F_4A5B)
        let sum = high &* gonggu.high &+ low &* gonggu.low
        for visitor in [0, 1, 1 << 63, 0 &- sum] as [UInt64] {
            let expected = visitor &+ sum
            let key = visitors.dedupeKey(visitor: visitor, gonggu: gonggu)
            #expect(key == (expected == 0 ? 1 : expected))
        }
    }

    /// Identifiers of any making: counted up from 1 in either word, of one moment, at random.
    @Test func `a visitor has a key of their own at each of many gonggus`() {
        var gonggus = (1...20_000 as ClosedRange<UInt64>).flatMap {
            [
                Identifier(high: 0, low: $0), Identifier(high: $0, low: 0),
                Identifier(high: 0x0190_A1B2_C3D4_7000 | $0 & 0xFFF, low: $0 << 40 | 1 << 63),
            ]
        }
        var random = SplitMix(state: 11)
        gonggus += (0..<40_000).map { _ in Identifier(high: random.next(), low: random.next()) }
        let keys = Set(gonggus.map { visitors.dedupeKey(visitor: 12, gonggu: $0) })
        #expect(keys.count == Set(gonggus).count)
    }
}

/// The digest by its formulas, with numbers of any length: NH over pairs of words, the last pair
/// the last sixteen bytes whatever the pair before has of them (of fewer bytes, its words are the
/// first and the last eight or four of them; of fewer than four, the first, the middle and the last
/// byte), and the length by a key of its own; then the upper half of k₀ + Σ kᵢxᵢ modulo 2¹²⁸.
private struct UniversalHashOracle {
    private let keys: [UInt64]

    init(_ key: SipHash.Key) {
        keys = (0..<UInt64(65 + 12)).map { number in
            var hash = SipHash(key)
            hash.absorb(10)
            hash.absorb(number)
            return hash.finish()
        }
    }

    func of(_ agent: String) -> UInt64 { of(Array(agent.utf8)) }

    func of(_ agent: [UInt8]) -> UInt64 {
        let stored = Array(agent.prefix(ClickTexts.userAgentBytesMax))
        func word(_ bytes: some BidirectionalCollection<UInt8>) -> UInt64 {
            bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        var words: [UInt64] = []
        switch stored.count {
        case 0: words = [0, 0]
        case 1...3: words = [word([stored[0], stored[stored.count / 2], stored.last!]), 0]
        case 4...7: words = [word(stored.prefix(4)), word(stored.suffix(4))]
        case 8...15: words = [word(stored.prefix(8)), word(stored.suffix(8))]
        default:
            let starts = stride(from: 0, to: stored.count - 16, by: 16) + [stored.count - 16]
            words = starts.flatMap { start in
                [word(stored[start..<start + 8]), word(stored[start + 8..<start + 16])]
            }
        }
        var sum = UInt128(stored.count) &* UInt128(keys[64])
        for pair in stride(from: 0, to: words.count, by: 2) {
            let first = UInt128(words[pair] &+ keys[pair])
            sum &+= first &* UInt128(words[pair + 1] &+ keys[pair + 1])
        }
        return upperHalf([sum >> 64, sum & UInt128(UInt64.max)], keysFrom: 65)
    }

    /// Of an address, whose keys are behind those of agents.
    func of(address: (high: UInt64, low: UInt64)) -> UInt64 {
        upperHalf([UInt128(address.high), UInt128(address.low)], keysFrom: 65 + 2 * 3)
    }

    private func upperHalf(_ words: [UInt128], keysFrom first: Int) -> UInt64 {
        let pairs = (0...words.count).map {
            UInt128(keys[first + 2 * $0]) << 64 | UInt128(keys[first + 2 * $0 + 1])
        }
        let total = zip(words, pairs[1...]).reduce(pairs[0]) { $0 &+ $1.0 &* $1.1 }
        return UInt64(truncatingIfNeeded: total >> 64)
    }
}
