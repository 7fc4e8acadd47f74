// HOT for requests that bring a token. A bad or expired one means anonymous, never an error: a
// shopper's click counts whatever became of their session.

import TLS
import Wire

/// Tells who is signed in. One for each worker, confined to its thread.
struct SignedInUser {
    private let key: HMACSHA256
    private let cache: TokenCache
    private let scratch: UnsafeMutableRawBufferPointer

    /// Two hundred shoppers a second with half an hour each would need more; they cost a code each.
    private static let cacheEntries = 4096

    /// Its buffers are never freed: it lives as long as the process.
    init(_ key: HMACSHA256) {
        self.key = key
        cache = TokenCache(entriesMin: SignedInUser.cacheEntries)
        scratch = .allocate(byteCount: AccessToken.scratchBytes, alignment: 8)
    }

    /// The claims of an access token, if it is valid now.
    mutating func claims(_ token: UnsafeRawBufferPointer, nowSeconds: Int64) -> AccessClaims? {
        if let known = cache.find(token, nowSeconds: nowSeconds) { return known }
        let claims = AccessToken.claims(token, nowSeconds: nowSeconds, scratch: scratch) {
            key.isValid($1, of: $0)
        }
        if let claims { cache.insert(token, claims) }
        return claims
    }
}
