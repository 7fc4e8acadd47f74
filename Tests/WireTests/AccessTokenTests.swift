import Clicks
import TLS
import Testing
import Wire

@Suite struct AccessTokenTests {
    static let user = "0190f3a2-7c1b-7e55-9abc-0123456789ef"
    static let secret = Array("0123456789abcdef0123456789abcdef".utf8)
    static let header = #"{"alg":"HS256","typ":"JWT"}"#
    static let payload =
        #"{"iss":"gonggumoa","sub":"\#(user)","role":"influencer","iat":1000,"exp":2000}"#

    static func base64URL(_ bytes: some Sequence<UInt8>) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            (bits, count) = (bits << 8 | UInt32(byte), count + 8)
            while count >= 6 {
                count -= 6
                text.append(letters[Int(bits >> UInt32(count) & 63)])
            }
        }
        if count > 0 { text.append(letters[Int(bits << UInt32(6 - count) & 63)]) }
        return text
    }

    static func sign(_ signed: String, secret: [UInt8] = secret) -> String {
        let hmac = secret.withUnsafeBytes { HMACSHA256(key: $0) }
        var code = [UInt8](repeating: 0, count: HMACSHA256.codeBytes)
        Array(signed.utf8).withUnsafeBytes { message in
            code.withUnsafeMutableBytes { hmac.authenticate(message, into: $0) }
        }
        return signed + "." + base64URL(code)
    }

    static func token(_ payload: String = payload, header: String = header) -> String {
        sign(base64URL(header.utf8) + "." + base64URL(payload.utf8))
    }

    private let memory = GuardedBytes()
    private let scratch = GuardedBytes()

    private func read(
        _ token: some Collection<UInt8>, now: Int64 = 1500, secret: [UInt8] = secret
    ) -> AccessClaims? {
        let hmac = secret.withUnsafeBytes { HMACSHA256(key: $0) }
        return AccessToken.claims(
            memory.place(token), nowSeconds: now,
            scratch: scratch.room(AccessToken.scratchBytes)
        ) { signed, code in
            hmac.isValid(code, of: signed)
        }
    }

    @Test func `a good token says who and until when`() throws {
        let claims = try #require(read(Self.token().utf8))
        #expect(claims.userID.description == Self.user)
        #expect(claims.role == .influencer && claims.expiresAt == 2000)
        #expect(read(Self.token().utf8, now: 1999) == claims)
        #expect(read(Self.token().utf8, now: 2000) == nil)
        #expect(read(Self.token().utf8, secret: Array("another".utf8)) == nil)
    }

    /// RFC 7515, A.1: the signature is right, and the payload has no `sub`.
    @Test func `the RFC's example is signed as we sign, but is no access token`() {
        let token =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
            + ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p"
            + "c19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let key =
            "0323354b2b0fa5bc837e0665777ba68f5ab328e6f054c928a90f84b2d2502ebfd3fb5a92d20647ef9"
            + "68ab4c377623d223d2e2172052e4f08c0cd9af567d080a3"
        let digits = Array(key)
        let secret = stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)!
        }
        let hmac = secret.withUnsafeBytes { HMACSHA256(key: $0) }
        var asked: [Bool] = []
        let claims = AccessToken.claims(
            memory.place(token.utf8), nowSeconds: 0,
            scratch: scratch.room(AccessToken.scratchBytes)
        ) { signed, code in
            asked.append(hmac.isValid(code, of: signed))
            return true
        }
        #expect(asked == [true])
        #expect(claims == nil)
    }

    @Test func `no bit of a token can be turned`() {
        let token = Array(Self.token().utf8)
        for bit in 0..<token.count * 8 {
            var turned = token
            turned[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(read(turned) == nil, "bit \(bit)")
        }
    }

    @Test func `no part of a token, and no more than it, is a token`() {
        let token = Array(Self.token().utf8)
        for count in 0..<token.count { #expect(read(token.prefix(count)) == nil) }
        for text in [".", "A", "=", " ", "\n", "\0", ".AAAA"] {
            #expect(read(token + Array(text.utf8)) == nil)
            #expect(read(Array(text.utf8) + token) == nil)
        }
    }

    static let otherHeaders = [
        #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":"hs256"}"#, #"{"alg":"HS512"}"#,
        #"{"alg":"RS256"}"#, #"{"alg":""}"#, #"{"alg":null}"#, #"{"alg":["HS256"]}"#,
        #"{"typ":"JWT"}"#, "{}", "", "null", #""HS256""#, #"{"alg":"HS256"} x"#,
        #"{"alg":"HS256"}}"#,
        #"{"alg":"HS256","alg":"HS256"}"#, #"{"alg":"none","alg":"HS256"}"#,
        #"{"alg":"HS256","typ":"JWE"}"#, #"{"alg":"HS256","typ":1}"#,
        #"{"alg":"HS256","crit":["exp"]}"#, #"{"alg":"HS256","crit":[]}"#, #"{"alg":"HS256",}"#,
        #"{"alg":"HS256","kid":}"#, #"{"ALG":"HS256"}"#,
    ]

    @Test(arguments: otherHeaders)
    func `a header that is not ours is refused before the signature is asked for`(header: String) {
        let token = Self.token(header: header)
        let claims = AccessToken.claims(
            memory.place(token.utf8), nowSeconds: 0,
            scratch: scratch.room(AccessToken.scratchBytes)
        ) { _, _ in
            Issue.record("the signature was asked for")
            return true
        }
        #expect(claims == nil)
    }

    @Test func `what a header may have besides is stepped over`() {
        for header in [
            #"{"alg":"HS256"}"#, #" { "kid" : "a\u0062" , "alg" : "HS\u0032\u0035\u0036" } "#,
            #"{"x5c":[{"a":[1,2]}],"alg":"HS256","typ":"jwt"}"#,
        ] { #expect(read(Self.token(header: header).utf8) != nil, "\(header)") }
    }

    static let badPayloads: [String] = [
        "", "{}", "[]", "null", #"{"sub":"\#(user)"}"#, #"{"exp":2000}"#,
        #"{"sub":"\#(user)","exp":"2000"}"#, #"{"sub":"\#(user)","exp":2000.5}"#,
        #"{"sub":"\#(user)","exp":2e3}"#, #"{"sub":"\#(user)","exp":-2000}"#,
        #"{"sub":"\#(user)","exp":02000}"#, #"{"sub":"\#(user)","exp":null}"#,
        #"{"sub":"\#(user)","exp":1234567890123456}"#, #"{"sub":"\#(user)","exp":}"#,
        #"{"sub":"\#(user)","exp":2000,"exp":3000}"#, #"{"sub":"\#(user)","exp":1500}"#,
        #"{"sub":"\#(user)","sub":"\#(user)","exp":2000}"#, #"{"sub":"","exp":2000}"#,
        #"{"sub":"7","exp":2000}"#, #"{"sub":7,"exp":2000}"#, #"{"sub":"{\#(user)}","exp":2000}"#,
        #"{"sub":"\#(user)\#(user)","exp":2000}"#, #"{"sub":"\#(user)","exp":2000,"role":"root"}"#,
        #"{"sub":"\#(user)","exp":2000,"role":1}"#, #"{"sub":"\#(user)","exp":2000,"role":""}"#,
        #"{"sub":"\#(user)","exp":2000,"iss":"other"}"#, #"{"sub":"\#(user)","exp":2000,"iss":[]}"#,
        #"{"sub":"\#(user)","exp":2000} {}"#, #"{"sub":"\#(user)","exp":2000"#,
        #"{"sub":"\#(user)","exp":2000,}"#, #"{"sub":"\#(user)","exp":2000,"x":tru}"#,
    ]

    @Test(arguments: badPayloads)
    func `a signed payload that is not ours is refused`(payload: String) {
        #expect(read(Self.token(payload).utf8) == nil)
    }

    @Test func `only user and expiry are required`() {
        let roles: [(String, AccessRole)] = [
            ("", .unstated), (#","role":"buyer""#, .buyer), (#","role":"admin""#, .admin),
            (#","role":"finance""#, .finance), (#","x":{"role":"admin"}"#, .unstated),
        ]
        for (more, role) in roles {
            let payload = #"{"sub":"\#(Self.user.uppercased())","exp":2000\#(more)}"#
            #expect(read(Self.token(payload).utf8)?.role == role)
        }
    }

    @Test func `another spelling of the same bytes is another token`() {
        // The last character has two bits that stand for nothing; here they are set.
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        let token = Self.token()
        let last = letters.firstIndex(of: token.last!)!
        for stray in 1...3 {
            #expect(read((token.dropLast() + [letters[last + stray]]).utf8) == nil)
        }
        #expect(read((token + "=").utf8) == nil)
    }

    @Test func `a token of 2 KiB is read, a longer one is not`() {
        var longest = 0
        for filler in 1200..<1500 {
            let filling = String(repeating: "a", count: filler)
            let payload = #"{"sub":"\#(Self.user)","exp":2000,"x":"\#(filling)"}"#
            let token = Self.token(payload)
            let isRead = read(token.utf8) != nil
            #expect(isRead == (token.utf8.count <= AccessToken.bytesMax))
            if isRead { longest = token.utf8.count }
        }
        #expect(longest > AccessToken.bytesMax - 4)
    }

    @Test func `damaged tokens neither crash nor pass`() {
        let seed = SplitMix64.seed
        var random = SplitMix64(seed: seed)
        let pieces = Array("{}[]\",:\\u0041 .-_=eyJ".utf8)
        for _ in 0..<20_000 {
            var header = Array(Self.header.utf8)
            var payload = Array(Self.payload.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let byte =
                    random.next() % 2 == 0
                    ? pieces.randomElement(using: &random)!
                    : UInt8.random(in: 0...255, using: &random)
                if random.next() % 4 == 0 {
                    header[Int.random(in: 0..<header.count, using: &random)] = byte
                } else {
                    payload[Int.random(in: 0..<payload.count, using: &random)] = byte
                }
            }
            let token = Self.sign(Self.base64URL(header) + "." + Self.base64URL(payload))
            guard let claims = read(token.utf8) else { continue }
            #expect(claims.expiresAt > 1500, "TEST_SEED=\(seed)")
        }
    }
}

@Suite struct BearerTokenTests {
    private func find(_ fields: String) -> String {
        let memory = GuardedBytes()
        let bytes = memory.place(Array("GET / HTTP/1.1\r\nHost: a\r\n\(fields)\r\n".utf8))
        var head = RequestHead()
        guard case .complete = RequestParser.parse(bytes, seenBefore: 0, into: &head) else {
            return "not a head"
        }
        return String(
            decoding: BearerToken.find(
                authorization: head.authorization, cookie: head.cookie, in: bytes), as: UTF8.self)
    }

    @Test(arguments: [
        ("", ""), ("Authorization: Bearer a.b.c\r\n", "a.b.c"),
        ("authorization: bEARER   a.b.c  \r\n", "a.b.c"), ("Authorization: Bearer\r\n", ""),
        ("Authorization: Bearer \r\n", ""), ("Authorization: Bearera.b.c\r\n", ""),
        ("Authorization: Basic a\r\n", ""), ("Cookie: access_token=a.b.c\r\n", "a.b.c"),
        ("Cookie: x=1; access_token=a.b.c; y=2\r\n", "a.b.c"),
        ("Cookie: x=1;access_token=a.b.c\r\n", "a.b.c"),
        ("Cookie: access_token=a; access_token=b\r\n", "a"),
        ("Cookie: Access_Token=a\r\n", ""), ("Cookie: access_token\r\n", ""),
        ("Cookie: access_token=\r\n", ""), ("Cookie: xaccess_token=a\r\n", ""),
        ("Cookie: x=access_token=a\r\n", ""), ("Cookie: x=\"; access_token=a\"\r\n", "a\""),
        ("Cookie: access_tokens=a\r\n", ""), ("Cookie: ;;; access_token=a;\r\n", "a"),
        ("Authorization: Bearer h\r\nCookie: access_token=c\r\n", "h"),
        ("Authorization: Basic h\r\nCookie: access_token=c\r\n", "c"),
        ("Authorization: Bearer\r\nCookie: access_token=c\r\n", "c"),
    ])
    func `the header's token comes before the cookie's`(fields: String, token: String) {
        #expect(find(fields) == token)
    }

    /// Cookies are looked at 32 bytes at once, the last of them with some that were seen before.
    @Test func `the token is found wherever it stands among cookies`() {
        for before in 0..<100 {
            for after in [0, 1, 18, 19, 20, 31, 32, 33, 64, 80] {
                let first = String(repeating: "x", count: before)
                let last = String(repeating: "y", count: after)
                let cookies = "\(first)=1; access_token=a.b.c; \(last)=2"
                #expect(find("Cookie: \(cookies)\r\n") == "a.b.c", "\(before), \(after)")
            }
        }
    }
}

@Suite struct TokenCacheTests {
    private func claims(_ number: UInt64, expiresAt: Int64 = 2000) -> AccessClaims {
        AccessClaims(
            userID: Identifier(high: 1, low: number), role: .admin, expiresAt: expiresAt)
    }

    private func bytes(_ token: String, _ use: (UnsafeRawBufferPointer) -> Void) {
        Array(token.utf8).withUnsafeBytes(use)
    }

    @Test func `a token is found until it expires`() {
        let cache = TokenCache(entriesMin: 8)
        bytes(AccessTokenTests.token()) { token in
            #expect(cache.find(token, nowSeconds: 0) == nil)
            cache.insert(token, claims(7))
            #expect(cache.find(token, nowSeconds: 1999) == claims(7))
            #expect(cache.find(token, nowSeconds: 2000) == nil)
        }
    }

    @Test func `a token that differs in one byte is not found`() {
        let cache = TokenCache(entriesMin: 4)
        let token = AccessTokenTests.token()
        bytes(token) { cache.insert($0, claims(7)) }
        for index in 0..<token.utf8.count {
            var other = Array(token.utf8)
            other[index] ^= 1
            other.withUnsafeBytes { #expect(cache.find($0, nowSeconds: 0) == nil) }
        }
        bytes(String(token.dropFirst())) { #expect(cache.find($0, nowSeconds: 0) == nil) }
    }

    @Test func `at the bound the token that expires first goes`() {
        let cache = TokenCache(entriesMin: 4)
        let tokens = (0..<5).map { "token number \($0) of five" }
        for (index, expiresAt) in [3000, 1000, 4000, 5000, 2000].enumerated() {
            bytes(tokens[index]) {
                cache.insert($0, claims(UInt64(index), expiresAt: Int64(expiresAt)))
            }
        }
        for index in 0..<5 {
            bytes(tokens[index]) {
                #expect((cache.find($0, nowSeconds: 0) == nil) == (index == 1), "\(index)")
            }
        }
    }

    @Test func `what is too short or too long is never found`() {
        let cache = TokenCache(entriesMin: 4)
        for count in [0, 7, TokenCache.tokenBytesMax + 1] {
            bytes(String(repeating: "a", count: count)) {
                cache.insert($0, claims(1))
                #expect(cache.find($0, nowSeconds: 0) == nil)
            }
        }
        for count in [8, 9, 15, 16, TokenCache.tokenBytesMax] {
            bytes(String(repeating: "a", count: count)) {
                cache.insert($0, claims(UInt64(count)))
                #expect(cache.find($0, nowSeconds: 0) == claims(UInt64(count)))
            }
        }
    }
}
