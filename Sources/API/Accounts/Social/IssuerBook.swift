import Clicks
import Foundation

// What an OpenID issuer publishes of itself: where its endpoints are, and the keys it signs with.
// Both change a few times a year, so they are kept; keys are asked for again as soon as a token
// names one that is not there, but not more often than once a minute, since whoever sends tokens
// could otherwise make us ask as often as they like.

/// Keys of an issuer with their age. Decides by values alone; the clock is an argument.
package struct KeyCache: Sendable {
    /// Keys older than this are asked for again before use.
    package static let lifetimeSeconds = 3600
    /// So old they still count where the issuer does not answer.
    package static let staleSecondsMax = 86_400
    /// Least time between two asks while there are keys.
    package static let askSecondsMin = 60

    private var keys: [IssuerKey] = []
    private var fetchedAt: ContinuousClock.Instant?
    private var askedAt: ContinuousClock.Instant?

    package init() {}

    /// The key a token means, of those that need not be asked for again.
    package func fresh(_ id: String?, now: ContinuousClock.Instant) -> IssuerKey? {
        key(id, ageSecondsMax: KeyCache.lifetimeSeconds, now: now)
    }

    /// The same of those that count until better ones come.
    package func stale(_ id: String?, now: ContinuousClock.Instant) -> IssuerKey? {
        key(id, ageSecondsMax: KeyCache.staleSecondsMax, now: now)
    }

    /// Whether the issuer may be asked now.
    package func mayAsk(now: ContinuousClock.Instant) -> Bool {
        guard fetchedAt != nil, let askedAt else { return true }
        return now >= askedAt + .seconds(KeyCache.askSecondsMin)
    }

    package mutating func noteAsked(now: ContinuousClock.Instant) { askedAt = now }

    package mutating func store(_ fetched: [IssuerKey], now: ContinuousClock.Instant) {
        keys = fetched
        fetchedAt = now
    }

    /// A token without a key's name means the only key there is; of several it could be any.
    private func key(
        _ id: String?, ageSecondsMax: Int, now: ContinuousClock.Instant
    ) -> IssuerKey? {
        guard let fetchedAt, now < fetchedAt + .seconds(ageSecondsMax) else { return nil }
        guard let id else { return keys.count == 1 ? keys[0] : nil }
        return keys.first { $0.id == id }
    }
}

/// What this process knows of one issuer. Asks again by itself; callers at once share an ask.
package actor IssuerBook {
    /// Where the issuer is asked for tokens and keys.
    struct Endpoints: Sendable, Equatable {
        let tokens: String
        let keys: String
    }

    private let issuer: String
    private let party: String
    private let client: OutboundClient
    private let now: @Sendable () -> ContinuousClock.Instant
    private var endpoints: (value: Endpoints, at: ContinuousClock.Instant)?
    private var cache = KeyCache()
    private var ask: Task<[IssuerKey], any Error>?

    /// - Parameters:
    ///   - issuer: its name, which is its address too.
    ///   - now: what the age of things is told by.
    package init(
        issuer: String, party: String, client: OutboundClient,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.issuer = issuer
        self.party = party
        self.client = client
        self.now = now
    }

    /// Where codes are exchanged.
    func tokenEndpoint() async throws -> String { try await known().tokens }

    /// The key a token means; nil where the issuer has no such key.
    func key(_ id: String?) async throws -> IssuerKey? {
        if let key = cache.fresh(id, now: now()) { return key }
        guard ask != nil || cache.mayAsk(now: now()) else { return cache.stale(id, now: now()) }
        do {
            cache.store(try await fetched(), now: now())
        } catch {
            guard let old = cache.stale(id, now: now()) else { throw error }
            return old
        }
        return cache.fresh(id, now: now())
    }

    /// One ask at a time; a caller who goes away does not end it for the others.
    private func fetched() async throws -> [IssuerKey] {
        if let ask { return try await ask.value }
        cache.noteAsked(now: now())
        let begun = Task { try await self.fetchKeys() }
        ask = begun
        defer { ask = nil }
        return try await begun.value
    }

    private func fetchKeys() async throws -> [IssuerKey] {
        let answer = try await get(try await known().keys)
        guard let keys = await IssuerKey.all(in: answer), !keys.isEmpty else {
            throw SocialRefusal.providerFailed(.answerUnfit)
        }
        return keys
    }

    /// OpenID Connect Discovery 1.0, 4: the document has to name the issuer exactly, and an https
    /// issuer cannot send us to plain http.
    private func known() async throws -> Endpoints {
        let now = now()
        if let endpoints, now < endpoints.at + .seconds(KeyCache.lifetimeSeconds) {
            return endpoints.value
        }
        do {
            let document = try await get(issuer + "/.well-known/openid-configuration")
            guard document["issuer"]?.text == issuer,
                let tokens = document["token_endpoint"]?.text,
                let keys = document["jwks_uri"]?.text,
                [tokens, keys].allSatisfy(ProviderURL.isAllowed)
            else { throw SocialRefusal.providerFailed(.answerUnfit) }
            let found = Endpoints(tokens: tokens, keys: keys)
            endpoints = (found, now)
            return found
        } catch {
            guard let endpoints, now < endpoints.at + .seconds(KeyCache.staleSecondsMax) else {
                throw error
            }
            return endpoints.value
        }
    }

    private func get(_ url: String) async throws -> JSON {
        let answer = try await client.ask(OutboundRequest(.get, url), party: party)
        guard answer.status == 200, let json = answer.json else {
            throw SocialRefusal.providerFailed(.answerUnfit)
        }
        return json
    }
}
