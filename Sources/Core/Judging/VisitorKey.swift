// HOT
import Clicks

/// Makes the 64 bits that stand for a visitor in every click, and outlive the address and user
/// agent they were made from: re-adjudication and audit go by them when those are erased.
///
/// Invariant: what is hashed for a given visitor never changes, since stored keys are compared with
/// new ones for as long as a month can be re-judged. A new composition takes a new ``Domain``.
package struct VisitorKey: Sendable {
    /// What a hash is of, so that no user and no address can ever share one by construction.
    private enum Domain: UInt64 {
        case user = 1
        case address = 2
        case dedupe = 3
        case flood = 4
    }

    private let key: SipHash.Key

    /// - Parameter key: the same at all edges of a site and over its whole life; a new key makes
    ///   all visitors new.
    package init(_ key: SipHash.Key) {
        self.key = key
    }

    /// The key of somebody signed in: the same on each of their devices.
    package func of(userID: Identifier) -> UInt64 {
        var hash = start(.user)
        hash.absorb(userID.high)
        hash.absorb(userID.low)
        return hash.finish()
    }

    /// The key of somebody unknown. Never the address alone: Korean carriers put thousands of
    /// shoppers behind one.
    ///
    /// - Parameters:
    ///   - address: is cut to ``NetworkAddress/subscriber`` here too, so that no caller can forget.
    ///   - userAgent: is cut to what is stored of it, so that the key can be made again from that.
    package func of(address: NetworkAddress, userAgent: UnsafeRawBufferPointer) -> UInt64 {
        let subscriber = address.subscriber
        var hash = start(.address)
        hash.absorb(subscriber.high)
        hash.absorb(subscriber.low)
        let bytes = min(userAgent.count, ClickTexts.userAgentBytesMax)
        hash.absorb(UnsafeRawBufferPointer(rebasing: userAgent[..<bytes]))
        return hash.finish()
    }

    /// What the flood guard goes by: one subscriber's address. Never 0, which marks a free slot.
    package func floodKey(address: NetworkAddress) -> UInt64 {
        let subscriber = address.subscriber
        var hash = start(.flood)
        hash.absorb(subscriber.high)
        hash.absorb(subscriber.low)
        let value = hash.finish()
        return value == 0 ? 1 : value
    }

    /// What the dedupe window goes by: one visitor at one gonggu. Never 0, which marks a free slot.
    package func dedupeKey(visitor: UInt64, gonggu: Identifier) -> UInt64 {
        var hash = start(.dedupe)
        hash.absorb(visitor)
        hash.absorb(gonggu.high)
        hash.absorb(gonggu.low)
        let value = hash.finish()
        return value == 0 ? 1 : value
    }

    @inline(__always)
    private func start(_ domain: Domain) -> SipHash {
        var hash = SipHash(key)
        hash.absorb(domain.rawValue)
        return hash
    }
}
