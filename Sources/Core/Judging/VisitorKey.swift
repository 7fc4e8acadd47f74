// HOT
import Clicks

/// Makes the 64 bits that stand for a visitor in every click, and outlive the address and user
/// agent they were made from: re-adjudication and audit go by them when those are erased. And the
/// keys of the edge's own tables, which never leave it.
///
/// Invariant: what is hashed for a given visitor never changes, since stored keys are compared with
/// new ones for as long as a month can be re-judged. A new composition takes a new ``Domain``; 2 to
/// 8 were others'.
///
/// A class, since of a structure of this size each call would get a copy.
public final class VisitorKey: Sendable {
    /// What a hash is of, so that no user and no address can ever share one by construction.
    private enum Domain: UInt64 {
        case user = 1
        case unknown = 9
        /// The keys of ``UniversalHash``.
        case universal = 10
        /// The factors of a gonggu's identifier.
        case gonggu = 11
    }

    // Hashes that have absorbed their domain.
    private let userStart: SipHash
    @usableFromInline let unknownStart: SipHash
    @usableFromInline let hashes: UniversalHash
    // Odd.
    @usableFromInline let highFactor: UInt64
    @usableFromInline let lowFactor: UInt64

    /// - Parameter key: the same at all edges of a site and over its whole life; a new key makes
    ///   all visitors new.
    public init(_ key: SipHash.Key) {
        func start(_ domain: Domain) -> SipHash {
            var hash = SipHash(key)
            hash.absorb(domain.rawValue)
            return hash
        }
        userStart = start(.user)
        unknownStart = start(.unknown)
        let universalStart = start(.universal)
        hashes = UniversalHash { universalStart.finished(with: $0) }
        let gongguStart = start(.gonggu)
        highFactor = gongguStart.finished(with: 0) | 1
        lowFactor = gongguStart.finished(with: 1) | 1
    }

    /// What stands for a user agent. Of one longer than ``ClickTexts/userAgentBytesMax`` only what
    /// is stored of it counts, so that the digest can be made again from that. Two agents have the
    /// same digest with probability 2⁻⁶³ or less. Not to be shown or stored: see ``UniversalHash``.
    @inlinable
    @inline(always)
    public func digest(_ userAgent: UnsafeRawBufferPointer) -> UInt64 {
        hashes.ofAgent(userAgent)
    }

    /// The key of somebody signed in: the same on each of their devices.
    public func of(userID: Identifier) -> UInt64 {
        userStart.finished(with: userID.high, userID.low)
    }

    /// The key of somebody unknown. Never the address alone: Korean carriers put thousands of
    /// shoppers behind one.
    ///
    /// SipHash of the sum of both hashes: of two different visitors the sums are the same with
    /// probability 2⁻⁶³ or less, since either hash differs by any given number that rarely.
    ///
    /// - Parameters:
    ///   - addressKey: of their address, see ``addressKey(_:)``.
    ///   - digest: of their user agent, see ``digest(_:)``.
    @inlinable
    @inline(always)
    public func of(addressKey: UInt64, agent digest: UInt64) -> UInt64 {
        unknownStart.finished(with: addressKey &+ digest)
    }

    /// What stands for a subscriber's address, in a visitor's key and for the flood guard: cut to
    /// ``NetworkAddress/subscriber`` here, so that no caller can forget. Never 0, which marks a
    /// free slot. Not to be shown or stored.
    @inlinable
    @inline(always)
    public func addressKey(_ address: NetworkAddress) -> UInt64 {
        // Of the subscriber's two words one is 0.
        let isIPv4 = address.ipv4 != nil
        let value = hashes.of(
            isIPv4 ? address.low : address.high, at: isIPv4 ? 2 : 1, for: .address)
        return value == 0 ? 1 : value
    }

    /// What the dedupe window goes by: one visitor at one gonggu. Never 0, which marks a free slot.
    ///
    /// The visitor's key and a sum of products modulo 2⁶⁴, whose factors are odd. Two visitors at
    /// one gonggu never have the same; two visitors at two gonggus with probability 2⁻⁶⁴, since a
    /// visitor's key is as good as random. One visitor has it at two gonggus with probability 2ⁿ⁻⁶³
    /// or less, if the lowest bit in which either word of their identifiers differs is the n-th,
    /// counted from 0: of the factor of that word 63 - n random bits decide, and one value of them
    /// does it.
    @inlinable
    @inline(always)
    public func dedupeKey(visitor: UInt64, gonggu: Identifier) -> UInt64 {
        let value = visitor &+ highFactor &* gonggu.high &+ lowFactor &* gonggu.low
        return value == 0 ? 1 : value
    }

    /// The keys of a certain address and of a certain click: others under another secret, and as a
    /// rule where keys are made in another way.
    public var sample: (address: UInt64, pair: UInt64) {
        let address = addressKey(NetworkAddress(high: 0, low: 0))
        let agent = "nobody".utf8CString.withUnsafeBytes { digest($0) }
        let visitor = of(addressKey: address, agent: agent)
        return (address, dedupeKey(visitor: visitor, gonggu: Identifier(high: 1, low: 1)))
    }
}
