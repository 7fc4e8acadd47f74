// HOT
import Clicks

/// Makes the 64 bits that stand for a visitor in every click, and outlive the address and user
/// agent they were made from: re-adjudication and audit go by them when those are erased. And the
/// keys of the edge's own tables, which never leave it.
///
/// Invariant: what is hashed for a given visitor never changes, since stored keys are compared with
/// new ones for as long as a month can be re-judged. A new composition takes a new ``Domain``; 2 to
/// 6 were others'.
///
/// A class, since of a structure of this size each call would get a copy.
public final class VisitorKey: Sendable {
    /// What a hash is of, so that no user and no address can ever share one by construction.
    private enum Domain: UInt64 {
        case user = 1
        case unknown = 7
        /// The keys of ``UniversalHash``.
        case universal = 8
    }

    // Hashes that have absorbed their domain.
    private let userStart: SipHash
    @usableFromInline let unknownStart: SipHash
    @usableFromInline let hashes: UniversalHash

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
        hashes = UniversalHash { number in
            var hash = universalStart
            hash.absorb(number)
            return hash.finish()
        }
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
        let subscriber = address.subscriber
        let value = hashes.of((subscriber.high, subscriber.low, 0), for: .address)
        return value == 0 ? 1 : value
    }

    /// What the dedupe window goes by: one visitor at one gonggu. Never 0, which marks a free slot.
    /// Two pairs have the same key with probability 2⁻⁶⁴.
    @inlinable
    @inline(always)
    public func dedupeKey(visitor: UInt64, gonggu: Identifier) -> UInt64 {
        let value = hashes.of((visitor, gonggu.high, gonggu.low), for: .dedupe)
        return value == 0 ? 1 : value
    }
}
