// HOT A shopper's token is the same for half an hour of requests; checking it costs some four
// hashes and three JSON walks' worth of it each time. So a worker remembers the tokens that it has
// found valid, whole: a hash of them alone would let a collision speak for somebody else.
//
// Layout: sets of four entries of 512 bytes. An entry: expiry (0: free), user, role and length, and
// the token's bytes. The set is chosen by the last eight characters, which are of the signature and
// so spread evenly; only valid tokens get in, so nobody but our own signer chooses.
//
// Comparing takes the same time wherever two tokens differ, or answers would tell how far a guess
// at somebody's token was right.

import Clicks

/// Remembers a bounded number of valid tokens. Confined to one worker's thread.
///
/// At the bound the token that expires first goes. An expired one is never found.
public final class TokenCache {
    private let base: UnsafeMutableRawPointer
    private let setMask: UInt64

    private static let entriesPerSet = 4
    private static let entryBytes = 512
    private static let headerBytes = 32
    /// Longer tokens are not remembered. Ours have about 300 bytes.
    public static let tokenBytesMax = entryBytes - headerBytes
    private static let tokenBytesMin = 8

    /// - Parameter entriesMin: rounded up to a power of two; 512 bytes each.
    public init(entriesMin: Int) {
        precondition(entriesMin > 0, "a cache has room")
        var sets = 1
        while sets * TokenCache.entriesPerSet < entriesMin { sets *= 2 }
        setMask = UInt64(sets - 1)
        let bytes = sets * TokenCache.entriesPerSet * TokenCache.entryBytes
        base = .allocate(byteCount: bytes, alignment: 64)
        base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    }

    deinit {
        base.deallocate()
    }

    /// The claims of a token that was found valid before and has not expired.
    ///
    /// - Complexity: at most four tokens compared, without allocation or lock.
    public func find(_ token: UnsafeRawBufferPointer, nowSeconds: Int64) -> AccessClaims? {
        guard let set = set(of: token) else { return nil }
        for position in 0..<TokenCache.entriesPerSet {
            let entry = set + position &* TokenCache.entryBytes
            let expiresAt = entry.load(as: Int64.self)
            guard expiresAt > nowSeconds, TokenCache.holds(entry, token) else { continue }
            return AccessClaims(
                userID: Identifier(
                    high: entry.load(fromByteOffset: 8, as: UInt64.self),
                    low: entry.load(fromByteOffset: 16, as: UInt64.self)),
                role: AccessRole(rawValue: entry.load(fromByteOffset: 24, as: UInt8.self))
                    ?? .unstated,
                expiresAt: expiresAt)
        }
        return nil
    }

    /// Remembers a token that has just been found valid, and was not found here.
    public func insert(_ token: UnsafeRawBufferPointer, _ claims: AccessClaims) {
        guard let set = set(of: token), let bytes = token.baseAddress else { return }
        var entry = set
        for position in 1..<TokenCache.entriesPerSet {
            let other = set + position &* TokenCache.entryBytes
            if other.load(as: Int64.self) < entry.load(as: Int64.self) { entry = other }
        }
        entry.storeBytes(of: claims.expiresAt, as: Int64.self)
        entry.storeBytes(of: claims.userID.high, toByteOffset: 8, as: UInt64.self)
        entry.storeBytes(of: claims.userID.low, toByteOffset: 16, as: UInt64.self)
        entry.storeBytes(of: claims.role.rawValue, toByteOffset: 24, as: UInt8.self)
        entry.storeBytes(
            of: UInt16(truncatingIfNeeded: token.count), toByteOffset: 26, as: UInt16.self)
        (entry + TokenCache.headerBytes).copyMemory(from: bytes, byteCount: token.count)
    }

    /// Nil for a token that is not remembered whatever it says.
    @inline(always)
    private func set(of token: UnsafeRawBufferPointer) -> UnsafeMutableRawPointer? {
        guard token.count >= TokenCache.tokenBytesMin, token.count <= TokenCache.tokenBytesMax
        else { return nil }
        let tail = token.loadUnaligned(fromByteOffset: token.count &- 8, as: UInt64.self)
        let hash = tail &* 0x9E37_79B9_7F4A_7C15
        let index = Int(truncatingIfNeeded: hash &>> 40 & setMask)
        return base + index &* TokenCache.entriesPerSet &* TokenCache.entryBytes
    }

    @inline(always)
    private static func holds(
        _ entry: UnsafeMutableRawPointer, _ token: UnsafeRawBufferPointer
    ) -> Bool {
        let count = token.count
        guard Int(entry.load(fromByteOffset: 26, as: UInt16.self)) == count else { return false }
        let kept = entry + headerBytes
        var difference: UInt64 = 0
        // The last word overlaps the one before it, since a token has at least eight bytes.
        var index = 0
        while index < count {
            let offset = index &+ 8 <= count ? index : count &- 8
            difference |=
                kept.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                ^ token.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            index &+= 8
        }
        return difference == 0
    }
}
