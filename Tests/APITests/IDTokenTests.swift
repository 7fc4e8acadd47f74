import Clicks
import Crypto
import Foundation
import JWTKit
import Synchronization
import Testing
import TestSupport

@testable import API

@Suite struct IDTokenTests {
    private let now = Timestamp(microseconds: 1_795_000_000_000_000)
    private let good: JSON = [
        "iss": "https://issuer.example", "aud": "us", "sub": "person", "nonce": "n",
        "iat": 1_795_000_000, "exp": 1_795_003_600,
    ]

    private func subject(
        _ claims: JSON, nonce: String? = "n", after seconds: Int64 = 0
    ) throws -> String {
        let text = TestIssuerKey.unsigned(claims, header: ["alg": "RS256"]) + ".c2ln"
        return try IDToken(text).subject(
            issuers: ["https://issuer.example", "issuer.example"], audience: "us", nonce: nonce,
            now: now.advanced(bySeconds: seconds))
    }

    @Test func `a token that claims all it should tells its subject`() throws {
        #expect(try subject(good) == "person")
        #expect(try subject(good.with(["iss": "issuer.example"])) == "person")
        #expect(try subject(good.with(["aud": ["us"]])) == "person")
        #expect(try subject(good.with(["aud": ["them", "us"], "azp": "us"])) == "person")
        #expect(try subject(good.with(["exp": 1_795_003_600.5])) == "person")
        #expect(try subject(good.with(["nonce": .null]), nonce: nil) == "person")
        // The clocks may differ by a minute, not more.
        #expect(try subject(good, after: 3659) == "person")
        #expect(try subject(good, after: -60) == "person")
    }

    @Test(
        arguments: [
            (["iss": "https://other.example"], .issuer), (["iss": .null], .issuer),
            (["iss": ["https://issuer.example"]], .issuer), (["aud": "them"], .audience),
            (["aud": .null], .audience), (["aud": []], .audience),
            (["aud": ["them", "us"]], .audience),
            (["aud": ["them", "us"], "azp": "them"], .audience), (["aud": "us2"], .audience),
            (["exp": 1_794_999_940], .expired), (["exp": .null], .expired),
            (["exp": "1795003600"], .expired), (["exp": 1e300], .expired),
            (["iat": 1_795_000_061], .fromTheFuture), (["iat": .null], .fromTheFuture),
            (["nonce": "other"], .nonce), (["nonce": .null], .nonce), (["nonce": 1], .nonce),
            (["sub": .null], .subject), (["sub": ""], .subject), (["sub": 17], .subject),
            (["sub": .text(String(repeating: "s", count: 256))], .subject),
            (["sub": "a\u{0}b"], .subject),
        ] as [(KeyValuePairs<String, JSON>, IDToken.Fault)])
    func `each claim is asked for`(
        change: KeyValuePairs<String, JSON>, fault: IDToken.Fault
    ) throws {
        #expect(throws: fault) { try subject(good.with(change)) }
    }

    @Test func `a token with a nonce is not for a login that began without one`() {
        #expect(throws: IDToken.Fault.nonce) { try subject(good, nonce: nil) }
    }

    @Test(arguments: ["none", "None", "HS256", "ES256", "RS384", "PS256", ""])
    func `the algorithm is not the token's to choose`(algorithm: String) {
        let text = TestIssuerKey.unsigned(good, header: ["alg": .text(algorithm)])
        #expect(throws: IDToken.Fault.algorithm) { try IDToken(text + ".") }
        #expect(throws: IDToken.Fault.algorithm) { try IDToken(text + ".c2ln") }
    }

    @Test func `what is not of the form is no token`() {
        let head = Data(#"{"alg":"RS256"}"#.utf8).urlText
        let twice = Data(#"{"sub":"a","sub":"b"}"#.utf8).urlText
        let crit = TestIssuerKey.unsigned(good, header: ["alg": "RS256", "crit": ["exp"]])
        let long = TestIssuerKey.unsigned(
            ["sub": .text(String(repeating: "a", count: 20_000))], header: ["alg": "RS256"])
        for text in [
            "", ".", "..", "a.b.c", "\(head).\(twice).c2ln", "\(head)..", "\(head).W10.c2ln",
            "\(head)=.e30.c2ln", "\(head).e30", "\(head).e30.c2ln.x", crit + ".c2ln",
            long + ".c2ln",
        ] {
            #expect(throws: IDToken.Fault.malformed, "\(text.prefix(60))") { try IDToken(text) }
        }
    }

    @Test func `only the very bytes that the key has signed are believed`() async throws {
        let key = try await TestIssuerKey(id: "k")
        let other = try await TestIssuerKey(id: "k", isOther: true)
        let issuerKey = try #require(await IssuerKey(key.jwk))
        let text = try key.token(good)
        try await IDToken(text).checkSignature(by: issuerKey)
        let parts = text.split(separator: ".").map(String.init)
        let changed = Data(good.with(["sub": "somebody else"]).bytes).urlText
        // HMAC with what everybody knows of the key, under a header that says RS256.
        let modulus = try #require(key.jwk["n"]?.text)
        let code = HMAC<SHA256>.authenticationCode(
            for: Data("\(parts[0]).\(parts[1])".utf8),
            using: SymmetricKey(data: Data(modulus.utf8)))
        for forged in [
            "\(parts[0]).\(changed).\(parts[2])", "\(parts[0]).\(parts[1]).",
            "\(parts[0]).\(parts[1]).\(Data(code).urlText)", try other.token(good),
        ] {
            let token = try IDToken(forged)
            await #expect(throws: IDToken.Fault.signature) {
                try await token.checkSignature(by: issuerKey)
            }
        }
    }

    @Test func `of a key set what cannot sign for us is left out`() async throws {
        let key = try await TestIssuerKey(id: "k")
        let weak = try ShellRun.run("openssl genrsa 1024 2>/dev/null | openssl rsa -modulus -noout")
        let hex = weak.output.split(separator: "=").last.map { $0.prefix(256) } ?? ""
        let modulus = stride(from: 0, to: 256, by: 2).compactMap {
            UInt8(hex.dropFirst($0).prefix(2), radix: 16)
        }
        #expect(modulus.count == 128)
        let set: JSON = [
            "keys": [
                ["kty": "EC", "kid": "e", "crv": "P-256", "x": "AA", "y": "AA"],
                ["kty": "AKP", "kid": "new"], ["kty": "oct", "k": "c2VjcmV0"], "nonsense",
                key.jwk.with(["use": "enc"]), key.jwk.with(["alg": "RS512"]),
                key.jwk.with(["n": .text(Data(modulus).urlText)]), key.jwk,
            ]
        ]
        let keys = try #require(await IssuerKey.all(in: set))
        #expect(keys.map(\.id) == ["k"])
        #expect(await IssuerKey.all(in: ["keys": "none"]) == nil)
    }
}

@Suite struct KeyCacheTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test func `keys are kept, asked for again, and old ones count while nobody answers`()
        async throws
    {
        let key = try #require(await IssuerKey(try await TestIssuerKey(id: "k").jwk))
        var cache = KeyCache()
        #expect(cache.mayAsk(now: at(0)))
        cache.noteAsked(now: at(0))
        // Nothing came of it: there is nothing to wait with.
        #expect(cache.mayAsk(now: at(1)))
        cache.store([key], now: at(1))
        #expect(cache.fresh("k", now: at(3600)) != nil && cache.fresh("k", now: at(3601)) == nil)
        #expect(cache.fresh("other", now: at(2)) == nil)
        #expect(!cache.mayAsk(now: at(59)) && cache.mayAsk(now: at(60)))
        #expect(cache.stale("k", now: at(86_400)) != nil)
        #expect(cache.stale("k", now: at(86_401)) == nil)
    }

    @Test func `a token without a key's name means the only key, and none of two`() async throws {
        let first = try #require(await IssuerKey(try await TestIssuerKey(id: "1").jwk))
        let second = try #require(await IssuerKey(try await TestIssuerKey(id: nil).jwk))
        var cache = KeyCache()
        cache.store([first], now: at(0))
        #expect(cache.fresh(nil, now: at(1)) != nil)
        cache.store([first, second], now: at(0))
        #expect(cache.fresh(nil, now: at(1)) == nil)
        #expect(cache.fresh("1", now: at(1)) != nil)
    }
}

@Suite struct IssuerBookTests {
    /// A clock that stands until it is moved.
    private final class Hand: Sendable {
        private let instant = Mutex(ContinuousClock.now)

        var now: ContinuousClock.Instant { instant.withLock { $0 } }
        func move(seconds: Int) { instant.withLock { $0 += .seconds(seconds) } }
    }

    @Test func `a new key is asked for when a token names it, an old one outlives an outage`()
        async throws
    {
        let old = try await TestIssuerKey(id: "old")
        let new = try await TestIssuerKey(id: "new", isOther: true)
        let standIn = SocialStandIn()
        try await standIn.serve { () async throws in
            standIn.publish(old)
            let hand = Hand()
            let book = IssuerBook(
                issuer: standIn.base, party: "apple",
                client: OutboundClient(logger: LogRecorder().logger), now: { hand.now })
            #expect(try await book.key("old")?.id == "old")
            standIn.publish(new)
            hand.move(seconds: 59)
            #expect(try await book.key("new") == nil)
            #expect(standIn.hits("/auth/keys") == 1)
            hand.move(seconds: 1)
            #expect(try await book.key("new")?.id == "new")
            #expect(try await book.key("old") == nil)
            #expect(standIn.hits("/auth/keys") == 2)
            standIn.fail("/auth/keys", status: 404, "{}")
            standIn.fail("/.well-known/openid-configuration", status: 404, "{}")
            hand.move(seconds: 80_000)
            #expect(try await book.key("new")?.id == "new")
            #expect(try await book.tokenEndpoint() == standIn.base + "/auth/token")
            hand.move(seconds: 80_000)
            await #expect(throws: SocialRefusal.self) { try await book.key("new") }
        }
    }

    @Test(arguments: ["issuer", "token_endpoint", "jwks_uri"])
    func `an issuer that calls itself otherwise, or sends us to plain http, is not believed`(
        name: String
    ) async throws {
        let standIn = SocialStandIn()
        try await standIn.serve { () async throws in
            let document: JSON = [
                "issuer": .text(standIn.base), "token_endpoint": "https://issuer.example/token",
                "jwks_uri": "https://issuer.example/keys",
            ]
            let wrong = document.members?.map { member in
                member.name == name ? JSON.Member(name, "http://issuer.example/") : member
            }
            let path = "/.well-known/openid-configuration"
            let client = OutboundClient(logger: LogRecorder().logger)
            for (json, isGood) in [(document, true), (.object(wrong ?? []), false)] {
                standIn.fail(path, String(decoding: json.bytes, as: UTF8.self))
                let book = IssuerBook(issuer: standIn.base, party: "x", client: client)
                // try?: whether it is believed is all that is asked.
                let endpoint = try? await book.tokenEndpoint()
                #expect((endpoint != nil) == isGood)
            }
        }
    }
}

@Suite struct SocialRulesTests {
    private func owner(
        _ role: Role, proven: Bool, this: Bool = false, any: Bool = false
    ) -> SocialRules.Owner {
        SocialRules.Owner(
            id: Identifier(high: 1, low: 1), role: role, status: .active, isProven: proven,
            hasThisProvider: this, hasAnyProvider: this || any)
    }

    @Test func `a proven address opens its account, a typed one only an empty buyer's`() {
        for role in Role.allCases {
            #expect(SocialRules.decision(owner(role, proven: true)) == .link)
            #expect(SocialRules.decision(owner(role, proven: true, any: true)) == .link)
            #expect(SocialRules.decision(owner(role, proven: true, this: true)) == .refuse)
            let typed = SocialRules.decision(owner(role, proven: false))
            #expect(typed == (role == .buyer ? .linkAndReset : .refuse))
            #expect(SocialRules.decision(owner(role, proven: false, any: true)) == .refuse)
        }
    }

    private func newcomer(
        name: String? = nil, given: String? = nil, email: String? = nil, image: String? = nil
    ) -> SocialRules.Newcomer {
        SocialRules.newcomer(
            SocialProfile(
                provider: .kakao, subject: "1", verifiedEmail: email, name: name, imageURL: image),
            givenName: given, random: 17)
    }

    @Test func `a newcomer's name fits the column, whoever told it`() {
        #expect(newcomer(name: " 하나 ").nickname == "하나")
        #expect(newcomer(name: "하나".decomposedStringWithCanonicalMapping).nickname == "하나")
        #expect(newcomer(name: "a\u{0}\n b").nickname == "a b")
        #expect(newcomer(name: String(repeating: "가", count: 80)).nickname.count == 50)
        #expect(newcomer(name: "\u{7}", given: "두나").nickname == "두나")
        #expect(newcomer(name: "하나", given: "두나").nickname == "하나")
        #expect(newcomer().nickname == "회원17")
    }

    @Test func `an address or picture that we would not take is left out`() {
        #expect(newcomer(email: "Hana@Example.com").email == "Hana@Example.com")
        for text in ["", "a", "a@", "@b", "a@b@c", "a b@c", "하나@b.com", "a\n@b.com"] {
            #expect(newcomer(email: text).email == nil, "\(text)")
        }
        #expect(newcomer(image: "https://k.example.com/a.jpg").imageURL != nil)
        for text in ["http://k.example.com/a.jpg", "https://127.0.0.1/a", "javascript:alert(1)"] {
            #expect(newcomer(image: text).imageURL == nil, "\(text)")
        }
    }
}

@Suite struct SocialAnswerTests {
    private func answer(_ status: Int, _ json: JSON) -> OutboundAnswer {
        OutboundAnswer(status: status, body: json.bytes)
    }

    private static let kakao: JSON = [
        "id": 4_212_345_678, "connected_at": "2026-11-21T09:00:00Z",
        "kakao_account": [
            "profile": [
                "nickname": "하나", "profile_image_url": "https://k.kakaocdn.net/dn/a/img.jpg",
                "is_default_image": false,
            ], "has_email": true, "email_needs_agreement": false, "is_email_valid": true,
            "is_email_verified": true, "email": "hana@kakao.example",
        ],
    ]

    @Test func `Kakao's person is a number, and an e-mail counts if valid and verified`() throws {
        let person = try KakaoLogin.profile(from: answer(200, Self.kakao))
        #expect(
            person
                == SocialProfile(
                    provider: .kakao, subject: "4212345678", verifiedEmail: "hana@kakao.example",
                    name: "하나", imageURL: "https://k.kakaocdn.net/dn/a/img.jpg"))
        let account = try #require(Self.kakao["kakao_account"])
        for name in ["is_email_valid", "is_email_verified"] {
            for value: JSON in [false, .null, "true", 1] {
                let changed = account.with(
                    name == "is_email_valid"
                        ? ["is_email_valid": value] : ["is_email_verified": value])
                let person = try KakaoLogin.profile(
                    from: answer(200, Self.kakao.with(["kakao_account": changed])))
                #expect(person.verifiedEmail == nil && person.name == "하나")
            }
        }
        let bare = try KakaoLogin.profile(from: answer(200, ["id": 7]))
        #expect(bare.subject == "7" && bare.verifiedEmail == nil && bare.name == nil)
    }

    @Test(
        arguments: [
            (400, -101, .loginRefused), (401, -401, .loginRefused), (403, -402, .loginRefused),
            (401, -406, .loginRefused), (400, -1, .providerDown(retryAfterSeconds: 5)),
            (400, -7, .providerDown(retryAfterSeconds: 5)),
        ] as [(Int, Int, SocialRefusal)])
    func `Kakao's errors go by their code`(status: Int, code: Int, refusal: SocialRefusal) {
        #expect(throws: refusal) {
            try KakaoLogin.profile(from: answer(status, ["code": .integer(code), "msg": "m"]))
        }
    }

    @Test(arguments: [["id": "7"], ["id": 0], ["id": -7], [:], ["id": 7.5]] as [JSON])
    func `what is no person of Kakao's is a fault of Kakao's`(json: JSON) {
        #expect(throws: SocialRefusal.providerFailed(.answerUnfit)) {
            try KakaoLogin.profile(from: answer(200, json))
        }
    }

    @Test func `Naver's person is a text, and no e-mail of Naver's counts as verified`() throws {
        let person: JSON = [
            "resultcode": "00", "message": "success",
            "response": [
                "id": "32742776", "email": "hana@naver.example", "nickname": "하나", "name": "김하나",
            ],
        ]
        let profile = try NaverLogin.profile(from: answer(200, person))
        #expect(
            profile
                == SocialProfile(
                    provider: .naver, subject: "32742776", verifiedEmail: nil, name: "하나",
                    imageURL: nil))
        #expect(throws: SocialRefusal.loginRefused) {
            try NaverLogin.profile(from: answer(401, ["resultcode": "024", "message": "m"]))
        }
        for json: JSON in [
            ["resultcode": "500", "message": "m"], ["message": "m"], ["resultcode": "00"],
            person.with(["response": ["id": ""]]), person.with(["response": ["id": 7]]),
        ] {
            #expect(throws: SocialRefusal.providerFailed(.answerUnfit)) {
                try NaverLogin.profile(from: answer(200, json))
            }
        }
    }

    @Test func `Apple's client secret is signed by its key for five minutes`() async throws {
        let pem = try ShellRun.run(
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null"
        ).output
        let oneLine = pem.replacing("\n", with: "\\n")
        let key = try #require(
            AppleKey(teamID: "TEAM", keyID: "KEY", clientID: "us", pem: .init(oneLine)))
        let now = Timestamp(microseconds: 1_795_000_000_000_000)
        let text = try await key.secret(audience: "https://appleid.apple.com", now: now)
        let parts = text.split(separator: ".").map(String.init)
        let decoded = try parts.prefix(2).map { part in
            var padded = part.replacing("-", with: "+").replacing("_", with: "/")
            padded += String(repeating: "=", count: (4 - padded.count % 4) % 4)
            return try JSON(reading: try #require(Data(base64Encoded: padded)))
        }
        #expect(decoded[0]["alg"] == "ES256" && decoded[0]["kid"] == "KEY")
        #expect(decoded[1]["iss"] == "TEAM" && decoded[1]["sub"] == "us")
        #expect(decoded[1]["aud"] == "https://appleid.apple.com")
        #expect(decoded[1]["iat"] == 1_795_000_000 && decoded[1]["exp"] == 1_795_000_300)
        // As Apple would check it, with the public half alone.
        let publicKey = try ES256PrivateKey(pem: pem).publicKey
        struct Nothing: JWTPayload { func verify(using _: some JWTAlgorithm) {} }
        _ = try await JWTKeyCollection().add(ecdsa: publicKey).verify(text, as: Nothing.self)
        #expect(AppleKey(teamID: "T", keyID: "K", clientID: "u", pem: .init("nonsense")) == nil)
    }

    @Test func `secrets go to https, or to this machine`() {
        for good in [
            "https://kauth.kakao.com", "http://127.0.0.1:9400/x", "http://localhost",
            "http://[::1]:80/",
        ] {
            #expect(ProviderURL.isAllowed(good), "\(good)")
        }
        for bad in [
            "http://kauth.kakao.com", "http://127.0.0.1.evil.example/", "ftp://127.0.0.1",
            "https://",
            "https://a@b.example", "http://localhost@evil.example", "//localhost", "",
            "http://localhost.evil.example",
        ] {
            #expect(!ProviderURL.isAllowed(bad), "\(bad)")
        }
    }
}
