import Clicks
import Foundation
import JWTKit

// The access token is read by two processes: here, to know who is asking, and by the edge, to know
// which shopper clicked. So its form is a contract: HS256 with JWT_SECRET_KEY; claims iss, sub (the
// account's id), role, iat and exp, the latter two in whole seconds.

/// Signs and checks access tokens. Thread-safe.
package struct AccessTokenKey: Sendable {
    /// The claim `iss` of every token.
    package static let issuer = "gonggumoa"
    /// Seconds that this host's clock may be behind the database's, which says when a token begins.
    private static let leewaySeconds = 60

    /// From `iat` to `exp`.
    package let lifetimeSeconds: Int
    private let keys: JWTKeyCollection

    /// - Parameter secret: at least 32 bytes; the settings see to that.
    package init(secret: String, lifetimeSeconds: Int) async {
        precondition(secret.utf8.count >= 32, "the settings refuse a short secret")
        self.lifetimeSeconds = lifetimeSeconds
        keys = await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
    }

    /// - Parameter now: the database's clock.
    package func sign(for account: Identifier, role: Role, now: Timestamp) async throws -> String {
        let seconds = now.microseconds / Timestamp.microsecondsPerSecond
        let claims = AccessClaims(
            iss: AccessTokenKey.issuer, sub: account.description, role: role.rawValue,
            iat: seconds, exp: seconds + Int64(lifetimeSeconds))
        return try await keys.sign(claims)
    }

    /// The account a token speaks for. Nil for whatever was not signed here or counts no more: why
    /// is of no use to an honest client and of some to another.
    package func account(in token: String, now: Timestamp) async -> Identifier? {
        await bearer(in: token, now: now)?.account
    }

    /// The same, with the time it was issued at, before which an account may have ended all tokens.
    package func bearer(
        in token: String, now: Timestamp
    ) async -> (account: Identifier, issuedAt: Timestamp)? {
        guard token.utf8.count <= 2048 else { return nil }
        // try?: each way to fail means "not a token of ours".
        guard let claims = try? await keys.verify(token, as: AccessClaims.self) else { return nil }
        let seconds = now.microseconds / Timestamp.microsecondsPerSecond
        let leeway = Int64(AccessTokenKey.leewaySeconds)
        guard claims.iss == AccessTokenKey.issuer, Role(rawValue: claims.role) != nil,
            claims.exp > seconds, claims.iat <= seconds + leeway
        else { return nil }
        guard let account = Identifier(claims.sub) else { return nil }
        return (account, Timestamp(microseconds: claims.iat * Timestamp.microsecondsPerSecond))
    }
}

/// The claims as they are in the token; all of them are required.
private struct AccessClaims: JWTPayload {
    let iss: String
    let sub: String
    let role: String
    let iat: Int64
    let exp: Int64

    /// The claims are checked by ``AccessTokenKey/account(in:now:)``, which knows the time.
    func verify(using _: some JWTAlgorithm) {}
}
