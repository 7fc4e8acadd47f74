import Clicks
import JWTKit
import Settings

// Google and Apple speak OpenID Connect: the code's exchange brings an id_token, which is all that
// is needed to know the person. They differ in the client's secret: Apple wants a token that we
// sign with a key of theirs.

/// Asks an OpenID issuer who has signed in.
struct OpenIDLogin: Sendable {
    let provider: SocialProvider
    let access: IssuerAccess
    let book: IssuerBook
    let client: OutboundClient

    init(_ provider: SocialProvider, _ access: IssuerAccess, client: OutboundClient) {
        self.provider = provider
        self.access = access
        self.client = client
        book = IssuerBook(issuer: access.issuer, party: provider.rawValue, client: client)
    }

    func profile(of body: SocialCode) async throws -> SocialProfile {
        let endpoint = try await book.tokenEndpoint()
        let secret = try await access.secret.text(audience: access.issuer, now: .now)
        let tokens = try OAuthExchange.tokens(
            from: try await client.ask(
                .form(
                    endpoint,
                    [
                        ("grant_type", "authorization_code"), ("client_id", access.clientID),
                        ("client_secret", secret), ("redirect_uri", body.redirectURI),
                        ("code", body.code),
                    ]), party: provider.rawValue))
        guard let text = tokens["id_token"]?.text else {
            throw SocialRefusal.providerFailed(.answerUnfit)
        }
        do {
            return try await profile(in: text, nonce: body.nonce)
        } catch IDToken.Fault.nonce {
            // A code of another login, which somebody may have slipped to this client.
            throw SocialRefusal.loginRefused
        } catch let fault as IDToken.Fault {
            throw SocialRefusal.providerFailed(.idToken(fault))
        }
    }

    private func profile(in text: String, nonce: String?) async throws -> SocialProfile {
        let token = try IDToken(text)
        guard let key = try await book.key(token.keyID) else { throw IDToken.Fault.keyUnknown }
        try await token.checkSignature(by: key)
        let subject = try token.subject(
            issuers: access.issuerNames, audience: access.clientID, nonce: nonce, now: .now)
        // Apple has sent the word "true" for true.
        let isVerified = [.bool(true), .text("true")].contains(token.claims["email_verified"])
        return SocialProfile(
            provider: provider, subject: subject,
            verifiedEmail: isVerified ? token.claims["email"]?.text : nil,
            name: token.claims["name"]?.text, imageURL: token.claims["picture"]?.text)
    }
}

/// What a client proves itself with at a token endpoint.
enum ClientSecret: Sendable {
    case fixed(Secret)
    case apple(AppleKey)

    /// - Parameter audience: the issuer, whom a signed secret is for.
    func text(audience: String, now: Timestamp) async throws -> String {
        switch self {
        case .fixed(let secret): secret.text
        case .apple(let key): try await key.secret(audience: audience, now: now)
        }
    }
}

/// The key that Apple gave out for a team, and whose it is.
struct AppleKey: Sendable {
    /// Apple takes six months; a secret of ours is made for the request at hand.
    static let lifetimeSeconds: Int64 = 300

    let teamID: String
    let keyID: String
    let clientID: String
    private let key: ES256PrivateKey

    /// - Parameter pem: a PKCS#8 key of P-256, as Apple's `.p8` file has it; line ends may be
    ///   written as `\n`. Nil for anything else.
    init?(teamID: String, keyID: String, clientID: String, pem: Secret) {
        let text = pem.text.replacing("\\n", with: "\n")
        // try?: why it is no key could show a part of it.
        guard let key = try? ES256PrivateKey(pem: text) else { return nil }
        self.teamID = teamID
        self.keyID = keyID
        self.clientID = clientID
        self.key = key
    }

    private struct Claims: JWTPayload {
        let iss: String
        let sub: String
        let aud: String
        let iat: Int64
        let exp: Int64

        func verify(using _: some JWTAlgorithm) {}
    }

    /// A JWT signed with ES256, its header naming the key.
    func secret(audience: String, now: Timestamp) async throws -> String {
        let seconds = now.microseconds / Timestamp.microsecondsPerSecond
        let keys = await JWTKeyCollection().add(ecdsa: key, kid: JWKIdentifier(string: keyID))
        return try await keys.sign(
            Claims(
                iss: teamID, sub: clientID, aud: audience, iat: seconds,
                exp: seconds + AppleKey.lifetimeSeconds),
            kid: JWKIdentifier(string: keyID))
    }
}
