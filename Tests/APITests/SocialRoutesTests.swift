import Clicks
import Foundation
import HTTPTypes
import Hummingbird
import Postgres
import Testing
import TestSupport

@testable import API

/// The API beside stand-ins of the providers, called through its router.
struct SocialSite: Sendable {
    static let back = "https://shop.example/login/back"
    static let kakaoPerson: JSON = [
        "id": 4_212_345_678,
        "kakao_account": [
            "profile": ["nickname": "하나"], "is_email_valid": true, "is_email_verified": true,
            "email": "hana@example.com",
        ],
    ]

    let standIn: SocialStandIn
    let test: TestAPI
    let caller: Caller

    static func run(
        _ extra: [String: String] = [:],
        _ body: @escaping @Sendable (SocialSite) async throws -> Void
    ) async throws {
        let standIn = SocialStandIn()
        let pem = try ShellRun.run(
            "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 2>/dev/null"
        ).output
        try await standIn.serve {
            let environment = [
                "SOCIAL_REDIRECT_URIS": back, "KAKAO_CLIENT_ID": "kakao-id",
                "KAKAO_CLIENT_SECRET": "kakao-secret", "KAKAO_BASE_URL": standIn.base,
                "NAVER_CLIENT_ID": "naver-id", "NAVER_CLIENT_SECRET": "naver-secret",
                "NAVER_BASE_URL": standIn.base, "APPLE_CLIENT_ID": "apple-id",
                "APPLE_TEAM_ID": "team", "APPLE_KEY_ID": "key", "APPLE_PRIVATE_KEY": pem,
                "APPLE_BASE_URL": standIn.base,
            ]
            let test = try await TestAPI(environment: environment.merging(extra) { $1 })
            try await test.call { caller in
                try await body(SocialSite(standIn: standIn, test: test, caller: caller))
            }
        }
    }

    func logIn(
        _ provider: String, code: String, _ more: KeyValuePairs<String, JSON> = [:]
    ) async throws -> Caller.Answer {
        let body: JSON = ["code": .text(code), "redirect_uri": .text(SocialSite.back)]
        return try await caller.send(
            .post, "/api/v1/auth/social/\(provider)", body.with(more))
    }

    /// One login with what Kakao or Naver says of a person.
    func logIn(
        _ provider: String, as person: JSON, _ more: KeyValuePairs<String, JSON> = [:]
    ) async throws -> Caller.Answer {
        let code = "code-\(UInt64.random(in: .min ... .max))"
        standIn.give(code, worth: person)
        return try await logIn(provider, code: code, more)
    }

    func claims(_ changes: KeyValuePairs<String, JSON> = [:]) -> JSON {
        let seconds = Int(Timestamp.now.microseconds / Timestamp.microsecondsPerSecond)
        let claims: JSON = [
            "iss": .text(standIn.base), "aud": "apple-id", "sub": "001.a",
            "iat": .integer(seconds), "exp": .integer(seconds + 600),
            "email": "hana@example.com", "email_verified": "true",
        ]
        return claims.with(changes)
    }

    func me(_ session: Caller.Answer) async throws -> Caller.Answer {
        let token = session.json["access_token"]?.text
        return try await Caller(client: caller.client, token: token).send(.get, "/api/v1/users/me")
    }

    /// Rows of users, and of social_identities.
    func counts() throws -> [Int] {
        let count = Statement(
            "test_counts",
            """
            select (select count(*) from users) as users,
                (select count(*) from social_identities) as identities
            """)
        let row = try test.connect().query(count)[0]
        return [try row.get("users"), try row.get("identities")]
    }
}

@Suite struct SocialRoutesTests {
    @Test func `Kakao's person signs up, and is the same one the next time`() async throws {
        try await SocialSite.run { site async throws in
            let first = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            #expect(first.status == 200, "\(first.json)")
            let token = try #require(first.json["access_token"]?.text)
            #expect(
                first.headers[.setCookie]
                    == "access_token=\(token); Max-Age=1800; Path=/; HttpOnly; SameSite=Lax")
            let me = try await site.me(first)
            #expect(me.json["email"]?.text == "hana@example.com")
            #expect(me.json["nickname"]?.text == "하나" && me.json["role"]?.text == "buyer")
            let second = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            #expect(try await site.me(second).json["id"] == me.json["id"])
            let refresh = try await site.caller.send(
                .post, "/api/v1/auth/refresh",
                ["refresh_token": second.json["refresh_token"] ?? .null])
            #expect(refresh.status == 200)
            let form = try #require(site.standIn.seen.first { $0.path == "/oauth/token" }?.form)
            #expect(
                form.keys.sorted() == [
                    "client_id", "client_secret", "code", "grant_type", "redirect_uri",
                ])
            #expect(form["client_id"] == "kakao-id" && form["client_secret"] == "kakao-secret")
            #expect(form["redirect_uri"] == SocialSite.back)
        }
    }

    @Test func `a person without a verified e-mail gets an account without one`() async throws {
        try await SocialSite.run { site async throws in
            // Not even an address that has an account keeps them out of their own.
            #expect(try await site.caller.signUp("hana@example.com").status == 201)
            let account = SocialSite.kakaoPerson["kakao_account"] ?? .null
            let unverified = SocialSite.kakaoPerson.with([
                "kakao_account": account.with(["is_email_verified": false])
            ])
            let kakao = try await site.me(try await site.logIn("kakao", as: unverified))
            #expect(kakao.json["email"] == .null && kakao.json["nickname"]?.text == "하나")
            let naver = try await site.logIn(
                "naver", as: ["id": "n1", "email": "hana@example.com"], ["state": "s"])
            let other = try await site.me(naver)
            #expect(other.json["email"] == .null && other.json["id"] != kakao.json["id"])
            #expect(try site.counts() == [3, 2])
        }
    }

    @Test func `Naver is told the state, without which it is not asked`() async throws {
        try await SocialSite.run { site async throws in
            let missing = try await site.logIn("naver", as: ["id": "n1"])
            #expect(missing.status == 422 && missing.faults == ["state REQUIRED"])
            #expect(site.standIn.seen.isEmpty)
            let login = try await site.logIn("naver", as: ["id": "n1"], ["state": "a b&c"])
            #expect(login.status == 200)
            let form = try #require(site.standIn.seen.first?.form)
            #expect(form["state"] == "a b&c" && form["client_secret"] == "naver-secret")
            let spent = try await site.logIn("naver", code: "spent", ["state": "s"])
            #expect(spent.status == 401 && spent.code == "SOCIAL_LOGIN_REFUSED")
        }
    }

    @Test func `Apple's person is known by a token, and named by the page`() async throws {
        let key = try await TestIssuerKey(id: "k1")
        try await SocialSite.run { site async throws in
            site.standIn.publish(key)
            let token = try key.token(site.claims(["nonce": "n-1"]))
            let first = try await site.logIn(
                "apple", as: .text(token), ["nonce": "n-1", "name": "사과"])
            #expect(first.status == 200, "\(first.json)")
            let me = try await site.me(first)
            #expect(me.json["nickname"]?.text == "사과")
            #expect(me.json["email"]?.text == "hana@example.com")
            let again = try await site.logIn("apple", as: .text(try key.token(site.claims())))
            #expect(try await site.me(again).json["id"] == me.json["id"])
            let form = try #require(site.standIn.seen.first { $0.path == "/auth/token" }?.form)
            #expect(form["client_secret"]?.split(separator: ".").count == 3)
            // What the issuer publishes is asked for once.
            #expect(site.standIn.hits("/auth/keys") == 1)
            #expect(site.standIn.hits("/.well-known/openid-configuration") == 1)
        }
    }

    @Test func `an id_token that is not for this login, or not Apple's, signs nobody in`()
        async throws
    {
        let key = try await TestIssuerKey(id: "k1")
        let other = try await TestIssuerKey(id: "k1", isOther: true)
        try await SocialSite.run { site async throws in
            site.standIn.publish(key)
            let seconds = Int(Timestamp.now.microseconds / Timestamp.microsecondsPerSecond)
            let stolen = try await site.logIn(
                "apple", as: .text(try key.token(site.claims(["nonce": "theirs"]))),
                ["nonce": "ours"])
            #expect(stolen.status == 401 && stolen.code == "SOCIAL_LOGIN_REFUSED")
            let unsigned = TestIssuerKey.unsigned(site.claims(), header: ["alg": "none"]) + "."
            let bad = [
                unsigned, try key.token(site.claims(["aud": "another-app"])),
                try key.token(site.claims(["iss": "https://appleid.apple.com"])),
                try key.token(site.claims(["exp": .integer(seconds - 61)])),
                try key.token(site.claims(["iat": .integer(seconds + 120)])),
                try key.token(site.claims(), header: ["alg": "HS256", "kid": "k1"]),
                try key.token(site.claims(), header: ["alg": "RS256", "kid": "k9"]),
                try other.token(site.claims()), "nonsense",
            ]
            for token in bad {
                let answer = try await site.logIn("apple", as: .text(token))
                #expect(answer.status == 502 && answer.code == "SOCIAL_PROVIDER_FAILED")
            }
            #expect(try site.counts() == [0, 0])
            let good = try await site.logIn("apple", as: .text(try key.token(site.claims())))
            #expect(good.status == 200)
        }
    }

    @Test func `a new key of the issuer is found, and made-up ones do not make us ask`()
        async throws
    {
        let old = try await TestIssuerKey(id: "old")
        let new = try await TestIssuerKey(id: "new", isOther: true)
        try await SocialSite.run { site async throws in
            site.standIn.publish(old)
            for _ in 0..<5 {
                let token = try new.token(site.claims(), header: ["alg": "RS256", "kid": "x"])
                #expect(try await site.logIn("apple", as: .text(token)).status == 502)
            }
            #expect(site.standIn.hits("/auth/keys") == 1)
        }
        try await SocialSite.run { site async throws in
            // The first ask finds both; several logins at once share it.
            site.standIn.publish(old, new)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for index in 0..<6 {
                    let key = index % 2 == 0 ? old : new
                    let token = try key.token(site.claims(["sub": .text("s\(index)")]))
                    let claims: JSON = .text(token)
                    group.addTask { try await site.logIn("apple", as: claims).status }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.filter { $0 == 200 }.count == 1)
            #expect(statuses.filter { $0 == 409 }.count == 5)
            #expect(site.standIn.hits("/auth/keys") == 1)
        }
    }

    @Test func `what a provider answers decides who is to blame`() async throws {
        try await SocialSite.run { site async throws in
            let cases: [(Int, String, Int, String)] = [
                (400, #"{"error":"invalid_grant","error_code":"KOE320"}"#, 401, "LOGIN_REFUSED"),
                (401, #"{"error":"invalid_client","error_code":"KOE010"}"#, 502, "PROVIDER_FAILED"),
                (400, #"{"error":"redirect_uri_mismatch"}"#, 502, "PROVIDER_FAILED"),
                (200, "<html>", 502, "PROVIDER_FAILED"), (200, "[]", 502, "PROVIDER_FAILED"),
                (200, "{}", 502, "PROVIDER_FAILED"), (302, "", 502, "PROVIDER_FAILED"),
                (200, #"{"access_token":"a\r\nX: y"}"#, 502, "PROVIDER_FAILED"),
                (429, "{}", 503, "PROVIDER_DOWN"), (500, "{}", 503, "PROVIDER_DOWN"),
                (200, String(repeating: " ", count: 300_000), 502, "PROVIDER_FAILED"),
            ]
            for (status, body, expected, code) in cases {
                site.standIn.fail("/oauth/token", status: status, body)
                let answer = try await site.logIn("kakao", code: "c")
                #expect(
                    answer.status == expected && answer.code == "SOCIAL_" + code,
                    "\(status) \(body.prefix(60)): \(answer.status) \(answer.code ?? "")")
                #expect((answer.headers[.retryAfter] != nil) == (expected == 503))
            }
            site.standIn.fail("/oauth/token", nil)
            site.standIn.fail("/v2/user/me", status: 403, #"{"code":-402,"msg":"scope"}"#)
            #expect(try await site.logIn("kakao", as: SocialSite.kakaoPerson).status == 401)
            #expect(try site.counts() == [0, 0])
        }
    }

    @Test func `a provider that is down is left alone, and the others go on`() async throws {
        try await SocialSite.run { site async throws in
            site.standIn.fail("/oauth/token", status: 500, "{}")
            for _ in 0..<8 {
                let answer = try await site.logIn("kakao", code: "c")
                #expect(answer.status == 503 && answer.headers[.retryAfter] != nil)
            }
            #expect(site.standIn.hits("/oauth/token") == 5)
            #expect(try await site.logIn("naver", as: ["id": "n"], ["state": "s"]).status == 200)
        }
    }

    @Test func `a provider that hangs is given up in time`() async throws {
        try await SocialSite.run { site async throws in
            site.standIn.hang("/oauth/token")
            let start = ContinuousClock.now
            let answer = try await site.logIn("kakao", code: "c")
            #expect(answer.status == 503 && answer.code == "SOCIAL_PROVIDER_DOWN")
            #expect(ContinuousClock.now - start < .seconds(15))
        }
    }

    @Test func `only the pages of the setting, and the providers that are on`() async throws {
        try await SocialSite.run { site async throws in
            for page in [SocialSite.back + "/", "https://evil.example/back", "x"] {
                let answer = try await site.logIn(
                    "kakao", code: "c", ["redirect_uri": .text(page)])
                #expect(answer.status == 422 && answer.faults == ["redirect_uri NOT_ALLOWED"])
            }
            let off = try await site.logIn("google", code: "c")
            #expect(off.status == 404 && off.code == "SOCIAL_PROVIDER_OFF")
            #expect(try await site.logIn("facebook", code: "c").status == 422)
            #expect(site.standIn.seen.isEmpty)
        }
    }

    @Test func `after ten codes that nobody confirms an address rests, and nobody else`()
        async throws
    {
        try await SocialSite.run(["TRUSTED_PROXIES": "::"]) { site async throws in
            func logIn(_ code: String, from address: String) async throws -> Caller.Answer {
                try await site.caller.send(
                    .post, "/api/v1/auth/social/kakao",
                    ["code": .text(code), "redirect_uri": .text(SocialSite.back)],
                    headers: [.xForwardedFor: address])
            }
            for code in ["1", "2", "3"] {
                site.standIn.give(code, worth: SocialSite.kakaoPerson)
            }
            // What succeeds counts for nothing.
            for code in ["1", "2"] {
                #expect(try await logIn(code, from: "203.0.113.7").status == 200)
            }
            for _ in 0..<10 {
                let answer = try await logIn("guessed", from: "203.0.113.7")
                #expect(answer.status == 401 && answer.code == "SOCIAL_LOGIN_REFUSED")
            }
            let asked = site.standIn.hits("/oauth/token")
            let resting = try await logIn("3", from: "203.0.113.7")
            #expect(resting.status == 429 && resting.code == "TOO_MANY_ATTEMPTS")
            #expect((1...900).contains(Int(resting.headers[.retryAfter] ?? "") ?? 0))
            #expect(site.standIn.hits("/oauth/token") == asked)
            #expect(try await logIn("3", from: "203.0.113.8").status == 200)
            // Passwords are counted apart.
            let password = try await site.caller.send(
                .post, "/api/v1/auth/login",
                ["email": "nobody@example.com", "password": "wrong horse"],
                headers: [.xForwardedFor: "203.0.113.7"])
            #expect(password.status == 401)
        }
    }
}
