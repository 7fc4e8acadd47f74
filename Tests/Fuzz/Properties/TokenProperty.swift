import Clicks
import TLS
import Wire

/// An access token is read as the obvious reader reads it, its signature is asked for once and
/// before its claims count, and a cache of tokens gives back what it was given.
///
/// The bytes are tried as a token, and as a token's contents: those before the first line feed as
/// its header, those behind it as its payload.
package struct TokenProperty: FuzzProperty {
    package static let name = "token"

    private static let now: Int64 = 1_795_000_000
    private let key = Array("a key for fuzzing of 32 bytes or so".utf8).withUnsafeBytes {
        HMACSHA256(key: $0)
    }

    package init(folder: String) {}

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let all = Array(bytes)
        let asToken = try checkUnsigned(all)
        let split = all.firstIndex(of: 0x0A) ?? all.count
        let header = all[..<split]
        let payload = all[split...].dropFirst()
        let signed =
            TokenProperty.encoded(header) + [UInt8(ascii: ".")] + TokenProperty.encoded(payload)
        let token = signed + [UInt8(ascii: ".")] + TokenProperty.encoded(code(of: signed))
        let asContents = try checkSigned(token)
        return asToken || asContents
    }

    private func code(of signed: [UInt8]) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: HMACSHA256.codeBytes)
        signed.withUnsafeBytes { message in
            code.withUnsafeMutableBytes { key.authenticate(message, into: $0) }
        }
        return code
    }

    /// With a signature that is right whatever it is.
    private func checkUnsigned(_ token: [UInt8]) throws(FuzzFinding) -> Bool {
        let exact = ExactBytes(token)
        var asked: [(signed: [UInt8], code: [UInt8])] = []
        let claims = read(exact.bytes) {
            asked.append((Array($0), Array($1)))
            return true
        }
        let expected = TokenProperty.expected(token)
        try hold(claims == expected, "the claims are \(claims as Any), not \(expected as Any)")
        try hold(asked.count <= 1, "the signature was asked for \(asked.count) times")
        try hold(claims == nil || asked.count == 1, "claims count without a signature")
        if let question = asked.first {
            let code = TokenProperty.encoded(question.code)
            try hold(
                question.signed + [UInt8(ascii: ".")] + code == token,
                "what is said to be signed is not what comes before the signature")
            try hold(read(exact.bytes) { _, _ in false } == nil, "a wrong signature counts")
        }
        return claims != nil
    }

    /// With our own signature, which no other byte may keep.
    private func checkSigned(_ token: [UInt8]) throws(FuzzFinding) -> Bool {
        let exact = ExactBytes(token)
        let claims = readSigned(exact.bytes)
        let expected = TokenProperty.expected(token)
        try hold(claims == expected, "the claims are \(claims as Any), not \(expected as Any)")
        var turned = token
        let place = token.count > 1 ? Int(token[token.count - 2]) % token.count : 0
        if !turned.isEmpty { turned[place] ^= 1 }
        let other = ExactBytes(turned)
        try hold(readSigned(other.bytes) == nil, "byte \(place) can be changed")
        if let claims { try checkCache(exact.bytes, other.bytes, claims) }
        return claims != nil
    }

    private func checkCache(
        _ token: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer, _ claims: AccessClaims
    ) throws(FuzzFinding) {
        let cache = TokenCache(entriesMin: 4)
        let now = TokenProperty.now
        try hold(cache.find(token, nowSeconds: now) == nil, "an empty cache knows a token")
        cache.insert(token, claims)
        let known = cache.find(token, nowSeconds: now)
        let isKept = token.count <= TokenCache.tokenBytesMax
        try hold(known == (isKept ? claims : nil), "the cache says \(known as Any)")
        try hold(cache.find(other, nowSeconds: now) == nil, "the cache takes it for another")
        try hold(
            cache.find(token, nowSeconds: claims.expiresAt) == nil, "the cache keeps the expired")
    }

    private func readSigned(_ token: UnsafeRawBufferPointer) -> AccessClaims? {
        read(token) { key.isValid($1, of: $0) }
    }

    private func read(
        _ token: UnsafeRawBufferPointer,
        isValid: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Bool
    ) -> AccessClaims? {
        let scratch = ExactBytes(count: AccessToken.scratchBytes)
        return AccessToken.claims(
            token, nowSeconds: TokenProperty.now, scratch: scratch.writable, isValid: isValid)
    }

    // MARK: The obvious reader

    private static func expected(_ token: [UInt8]) -> AccessClaims? {
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard token.count <= 2048, parts.count == 3,
            let header = decoded(parts[0]), let payload = decoded(parts[1]),
            decoded(parts[2])?.count == 32, isOurs(header)
        else { return nil }
        return claims(payload)
    }

    private static func isOurs(_ header: [UInt8]) -> Bool {
        guard let members = members(header) else { return false }
        let algorithms = members.filter { $0.name == "alg" }.map(\.value.words)
        let types = members.filter { $0.name == "typ" }.map(\.value.words)
        return algorithms == ["HS256"] && (types.isEmpty || types == ["JWT"] || types == ["jwt"])
            && !members.contains { $0.name == "crit" }
    }

    private static func claims(_ payload: [UInt8]) -> AccessClaims? {
        guard let members = members(payload) else { return nil }
        let values = Dictionary(grouping: members) { $0.name }.mapValues { $0.map(\.value) }
        let roles: [String: AccessRole] = [
            "buyer": .buyer, "influencer": .influencer, "admin": .admin, "finance": .finance,
        ]
        guard let subjects = values["sub"], subjects.count == 1,
            let user = subjects[0].words.flatMap({ Identifier($0) }),
            let expiries = values["exp"], expiries.count == 1,
            case .number(let digits) = expiries[0],
            digits.count <= 15, digits.allSatisfy({ 0x30...0x39 ~= $0 }),
            let expiresAt = Int64(String(decoding: digits, as: UTF8.self)), expiresAt > now
        else { return nil }
        let issuers = values["iss"] ?? []
        guard issuers.isEmpty || issuers.map(\.words) == ["gonggumoa"] else { return nil }
        var role = AccessRole.unstated
        if let stated = values["role"] {
            guard stated.count == 1, let named = stated[0].words.flatMap({ roles[$0] }) else {
                return nil
            }
            role = named
        }
        return AccessClaims(userID: user, role: role, expiresAt: expiresAt)
    }

    private static func members(_ bytes: [UInt8]) -> [(name: String, value: PlainJSON)]? {
        guard
            case .object(let members)? = PlainJSON(bytes, depthMax: ReportProperty.depthMax + 1)
        else { return nil }
        return members.map { (String(decoding: $0.name, as: UTF8.self), $0.value) }
    }

    // MARK: base64url

    private static let letters = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func encoded(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var bits = bytes.flatMap { byte in (0..<8).map { byte >> UInt8(7 - $0) & 1 } }
        while bits.count % 6 != 0 { bits.append(0) }
        return stride(from: 0, to: bits.count, by: 6).map { start in
            letters[bits[start..<start + 6].reduce(0) { $0 << 1 | Int($1) }]
        }
    }

    /// Nil for what encoding would not have made.
    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var bits: [UInt8] = []
        for byte in text {
            guard let value = letters.firstIndex(of: byte) else { return nil }
            bits += (0..<6).map { UInt8(value >> (5 - $0) & 1) }
        }
        let bytes = stride(from: 0, to: bits.count / 8 * 8, by: 8).map { start in
            bits[start..<start + 8].reduce(0) { $0 << 1 | $1 }
        }
        return encoded(bytes) == Array(text) ? bytes : nil
    }
}

extension PlainJSON {
    fileprivate var words: String? { text.map { String(decoding: $0, as: UTF8.self) } }
}
