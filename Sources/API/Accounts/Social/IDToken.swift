import Clicks
import Foundation
import JWTKit

// An id_token is somebody else's signed word on who has just signed in (OpenID Connect Core 1.0,
// 3.1.3.7). RS256 alone is taken, which is what Google and Apple sign with: the algorithm is never
// the token's to choose, so neither `none` nor an HMAC keyed with our copy of a public key passes.

/// An id_token whose form is right; who signed it and what it claims is yet to be checked.
package struct IDToken: Sendable {
    /// Why a token counts for nothing.
    package enum Fault: Error, Equatable, Sendable, CaseIterable {
        case malformed, algorithm, keyUnknown, signature, issuer, audience, expired, fromTheFuture
        case nonce, subject
    }

    /// Longer ones are not read.
    package static let bytesMax = 16 * 1024
    /// How far a provider's clock may be from ours.
    package static let leewaySeconds: Int64 = 60

    private let text: String
    package let claims: JSON
    /// Which of the issuer's keys has signed, if it says so.
    package let keyID: String?

    /// - Throws: ``Fault/malformed`` or ``Fault/algorithm``.
    package init(_ text: String) throws(Fault) {
        guard text.utf8.count <= IDToken.bytesMax else { throw .malformed }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = JSON(base64URL: parts[0]),
            let claims = JSON(base64URL: parts[1]), claims.members != nil
        else { throw .malformed }
        guard header["alg"]?.text == "RS256" else { throw .algorithm }
        // What must be understood and is not (RFC 7515, 4.1.11).
        guard header["crit"] == nil else { throw .malformed }
        self.text = text
        self.claims = claims
        keyID = header["kid"]?.text
    }

    /// - Throws: ``Fault/signature`` where the key has not signed these very bytes.
    package func checkSignature(by key: IssuerKey) async throws(Fault) {
        guard await key.hasSigned(text) else { throw .signature }
    }

    /// Checks what it claims, and returns the subject.
    ///
    /// - Parameters:
    ///   - issuers: the spellings of the issuer's name.
    ///   - audience: our client id there.
    ///   - nonce: what this login began with; nil if it began without, and then so has the token.
    package func subject(
        issuers: Set<String>, audience: String, nonce: String?, now: Timestamp
    ) throws(Fault) -> String {
        guard let issuer = claims["iss"]?.text, issuers.contains(issuer) else { throw .issuer }
        try check(audience: audience)
        let seconds = now.microseconds / Timestamp.microsecondsPerSecond
        guard let expiry = claims["exp"]?.seconds, expiry + IDToken.leewaySeconds > seconds else {
            throw .expired
        }
        guard let issued = claims["iat"]?.seconds, issued <= seconds + IDToken.leewaySeconds else {
            throw .fromTheFuture
        }
        guard claims["nonce"]?.text == nonce else { throw .nonce }
        guard let subject = claims["sub"]?.text, (1...255).contains(subject.unicodeScalars.count),
            !subject.hasControlCharacters(exceptLines: false)
        else { throw .subject }
        return subject
    }

    private func check(audience: String) throws(Fault) {
        switch claims["aud"] {
        case .text(audience): return
        // For several, the one it was issued to is named besides.
        case .list(let all) where all.contains(.text(audience)):
            guard all.count == 1 || claims["azp"]?.text == audience else { throw .audience }
        default: throw .audience
        }
    }
}

/// A public key of an issuer.
package struct IssuerKey: Sendable {
    package let id: String?
    /// Of this key alone: asked for a key it does not know, a collection takes its first one.
    private let keys: JWTKeyCollection

    private struct Unread: JWTPayload {
        func verify(using _: some JWTAlgorithm) {}
    }

    /// One RSA key for signatures of a JWK Set's `keys`; nil for any other kind or use, and for
    /// less than 2048 bits.
    package init?(_ jwk: JSON) async {
        guard jwk["kty"]?.text == "RSA", ["sig", nil].contains(jwk["use"]?.text),
            ["RS256", nil].contains(jwk["alg"]?.text), let modulus = jwk["n"]?.text,
            let exponent = jwk["e"]?.text, modulus.utf8.count <= 2048, exponent.utf8.count <= 16,
            // try?: what is no key is left out of the set.
            let key = try? Insecure.RSA.PublicKey(modulus: modulus, exponent: exponent)
        else { return nil }
        id = jwk["kid"]?.text
        keys = await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256)
    }

    /// The usable keys of a JWK Set, at most 32; nil for what is no set.
    package static func all(in set: JSON) async -> [IssuerKey]? {
        guard let list = set["keys"]?.list else { return nil }
        var keys: [IssuerKey] = []
        for jwk in list.prefix(32) {
            if let key = await IssuerKey(jwk) { keys.append(key) }
        }
        return keys
    }

    func hasSigned(_ token: String) async -> Bool {
        // try?: each way to fail means that it has not.
        await (try? keys.verify(token, as: Unread.self)) != nil
    }
}

extension JSON {
    /// From base64url without padding (RFC 7515, 2); nil for anything else.
    fileprivate init?(base64URL text: Substring) {
        guard text.utf8.allSatisfy({ $0 != UInt8(ascii: "=") && $0 > 0x20 }) else { return nil }
        var padded = text.replacing("-", with: "+").replacing("_", with: "/")
        padded += String(repeating: "=", count: (4 - padded.utf8.count % 4) % 4)
        guard let data = Data(base64Encoded: String(padded)) else { return nil }
        // try?: why it is no JSON changes nothing.
        guard let json = try? JSON(reading: data) else { return nil }
        self = json
    }

    /// A NumericDate: seconds, which some write with a fraction.
    fileprivate var seconds: Int64? {
        switch self {
        case .integer(let value) where abs(Int64(value)) < 1 << 50: Int64(value)
        case .number(let value) where value.magnitude < 0x1p50: Int64(value)
        default: nil
        }
    }
}
