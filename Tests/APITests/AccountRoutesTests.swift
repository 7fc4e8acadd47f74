import Clicks
import Foundation
import HTTPTypes
import Hummingbird
import Postgres
import Synchronization
import Testing

@testable import API

@Suite struct AccountRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    @Test func `an account signs up, logs in and is told who it is`() async throws {
        try await test.call { caller in
            let made = try await caller.signUp("Hana@Example.com", role: "influencer")
            #expect(made.status == 201)
            #expect(made.json["role"]?.text == "influencer")
            #expect(made.json["is_verified"] == .bool(false))
            #expect(made.json["password_hash"] == nil && made.json["password"] == nil)
            let session = try await caller.logIn("hana@example.COM")
            #expect(session.status == 200)
            #expect(session.json["token_type"]?.text == "bearer")
            #expect(session.json["expires_in"]?.integer == 1800)
            let token = try #require(session.json["access_token"]?.text)
            let me = try await Caller(client: caller.client, token: token).send(
                .get, "/api/v1/users/me")
            #expect(me.status == 200)
            #expect(me.json["email"]?.text == "Hana@Example.com")
            #expect(me.json["id"] == made.json["id"])
        }
    }

    @Test func `a password that is taken away while it is looked at lets nobody in`() async throws {
        try await test.call { [test] caller in
            _ = try await caller.signUp("a@example.com")
            let other = try test.connect()
            try other.run(script: "begin; update users set password_hash = null")
            async let answer = caller.logIn("a@example.com")
            let waiting = Statement(
                "test_waiting",
                """
                select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'
                """)
            let watcher = try test.connect()
            let deadline = ContinuousClock.now + .seconds(20)
            while try watcher.query(waiting)[0].get(0, as: Int.self) == 0 {
                try #require(ContinuousClock.now < deadline, "the login does not wait")
                try await Task.sleep(for: .milliseconds(5))
            }
            try other.run(script: "commit")
            #expect(try await answer.status == 401)
            let tokens = Statement("test_tokens", "select count(*) from refresh_tokens")
            #expect(try watcher.query(tokens)[0].get(0, as: Int.self) == 0)
        }
    }

    @Test func `the cookie of a login is for browsers only, and signs in`() async throws {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let session = try await caller.logIn("a@example.com")
            let token = try #require(session.json["access_token"]?.text)
            #expect(
                session.headers[.setCookie]
                    == "access_token=\(token); Max-Age=1800; Path=/; HttpOnly; SameSite=Lax")
            let me = try await caller.send(
                .get, "/api/v1/users/me", headers: [.cookie: "access_token=\(token)"])
            #expect(me.status == 200)
            let out = try await caller.send(
                .post, "/api/v1/auth/logout",
                ["refresh_token": session.json["refresh_token"] ?? .null])
            #expect(out.status == 204)
            #expect(
                out.headers[.setCookie]
                    == "access_token=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")
        }
    }

    @Test func `over https the cookie is secure and reaches the edge's host`() async throws {
        let test = try await TestAPI(environment: [
            "PUBLIC_API_URL": "https://api.gonggumoa.example",
            "COOKIE_DOMAIN": "gonggumoa.example",
        ])
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let cookie = try await caller.logIn("a@example.com").headers[.setCookie]
            #expect(
                cookie?.hasSuffix(
                    "; Domain=gonggumoa.example; HttpOnly; SameSite=Lax; Secure") == true)
        }
    }

    @Test func `of two sign-ups at once with one e-mail one is made`() async throws {
        try await test.call { caller in
            let answers = try await withThrowingTaskGroup(of: Caller.Answer.self) { group in
                for email in ["both@example.com", "BOTH@example.com"] {
                    group.addTask { try await caller.signUp(email) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.status).sorted() == [201, 409])
            #expect(answers.first { $0.status == 409 }?.code == "EMAIL_TAKEN")
        }
    }

    @Test func `a faulty sign-up is told each field, in Korean or in English`() async throws {
        try await test.call { caller in
            let body: JSON = [
                "email": "hana@example.com", "password": "short", "nickname": "\u{3000}",
                "role": "buyer",
            ]
            let korean = try await caller.send(.post, "/api/v1/auth/signup", body)
            #expect(korean.status == 422)
            #expect(korean.code == "FIELDS_INVALID")
            #expect(korean.faults == ["nickname EMPTY", "password TOO_SHORT"])
            #expect(korean.json["detail"]?.text == "입력값을 확인해 주세요")
            let english = try await caller.send(
                .post, "/api/v1/auth/signup", body, headers: [.acceptLanguage: "en-GB, ko;q=0.5"])
            #expect(english.json["detail"]?.text == "Some fields are not valid")
            #expect(english.faults == korean.faults)
            for email in ["하나@example.com", "hana@example.com*", "hana.@example.com", "hana@-.com"]
            {
                let answer = try await caller.signUp(email)
                #expect(answer.status == 422 && answer.faults == ["email MALFORMED"], "\(email)")
            }
            let admin = try await caller.signUp("b@example.com", role: "admin")
            #expect(admin.faults == ["role NOT_LISTED"])
        }
    }

    @Test func `an unknown e-mail and a wrong password get one answer`() async throws {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let wrong = try await caller.logIn("a@example.com", password: "wrong horse")
            let unknown = try await caller.logIn("b@example.com")
            let impossible = try await caller.logIn("a@example.com", password: "x")
            #expect(wrong.status == 401 && wrong.code == "CREDENTIALS_WRONG")
            #expect(unknown.status == 401 && unknown.json == wrong.json)
            #expect(impossible.status == 401 && impossible.json == wrong.json)
        }
    }

    @Test func `a refresh token is good for one refresh, and using it again ends the session`()
        async throws
    {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let first = try await caller.logIn("a@example.com").json["refresh_token"] ?? .null
            let other = try await caller.logIn("a@example.com").json["refresh_token"] ?? .null
            let second = try await caller.refresh(first)
            #expect(second.status == 200)
            let third = try await caller.refresh(second.json["refresh_token"] ?? .null)
            #expect(third.status == 200)
            // The first again: whoever it is, the whole family ends, the newest token included.
            let stolen = try await caller.refresh(first)
            #expect(stolen.status == 401 && stolen.code == "REFRESH_TOKEN_REUSED")
            let newest = try await caller.refresh(third.json["refresh_token"] ?? .null)
            #expect(newest.status == 401)
            // Another sign-in of the same account is another family.
            #expect(try await caller.refresh(other).status == 200)
        }
    }

    @Test func `of many refreshes at once with one token one succeeds and none survives`()
        async throws
    {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let token = try await caller.logIn("a@example.com").json["refresh_token"] ?? .null
            let answers = try await withThrowingTaskGroup(of: Caller.Answer.self) { group in
                for _ in 0..<8 { group.addTask { try await caller.refresh(token) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let winners = answers.filter { $0.status == 200 }
            #expect(winners.count == 1)
            #expect(answers.filter { $0.status == 401 }.count == 7)
            let next = try await caller.refresh(winners[0].json["refresh_token"] ?? .null)
            #expect(next.status == 401)
        }
    }

    @Test func `logging out ends the session, and doing so twice is fine`() async throws {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let token = try await caller.logIn("a@example.com").json["refresh_token"] ?? .null
            for _ in 0..<2 {
                let out = try await caller.send(
                    .post, "/api/v1/auth/logout", ["refresh_token": token])
                #expect(out.status == 204)
            }
            #expect(try await caller.refresh(token).status == 401)
            let nonsense = try await caller.send(
                .post, "/api/v1/auth/logout", ["refresh_token": "nonsense"])
            #expect(nonsense.status == 204)
            let bare = try await caller.send(.post, "/api/v1/auth/logout", .object([]))
            #expect(bare.status == 204 && bare.headers[.setCookie] != nil)
        }
    }

    @Test func `a suspension counts at once, whatever tokens are about`() async throws {
        try await test.call { [test] caller in
            _ = try await caller.signUp("a@example.com")
            let session = try await caller.logIn("a@example.com")
            let member = Caller(
                client: caller.client, token: session.json["access_token"]?.text)
            try test.connect().run(script: "update users set status = 'suspended'")
            #expect(try await member.send(.get, "/api/v1/users/me").status == 401)
            let refresh = try await caller.refresh(session.json["refresh_token"] ?? .null)
            #expect(refresh.status == 403 && refresh.code == "ACCOUNT_SUSPENDED")
            let login = try await caller.logIn("a@example.com")
            #expect(login.status == 403 && login.code == "ACCOUNT_SUSPENDED")
            let wrong = try await caller.logIn("a@example.com", password: "wrong horse")
            #expect(wrong.status == 401)
        }
    }

    @Test func `an expired refresh token is worth nothing and is swept at the next login`()
        async throws
    {
        try await test.call { [test] caller in
            _ = try await caller.signUp("a@example.com")
            let token = try await caller.logIn("a@example.com").json["refresh_token"] ?? .null
            let connection = try test.connect()
            try connection.run(
                script: """
                    update refresh_tokens
                    set issued_at = now() - interval '8 days', expires_at = now() - interval '1 s'
                    """)
            let refresh = try await caller.refresh(token)
            #expect(refresh.code == "REFRESH_TOKEN_INVALID")
            _ = try await caller.logIn("a@example.com")
            let count = Statement("test_tokens", "select count(*) from refresh_tokens")
            #expect(try connection.query(count)[0].get(0, as: Int.self) == 1)
        }
    }

    @Test func `no secret is stored as it is`() async throws {
        try await test.call { [test] caller in
            _ = try await caller.signUp("a@example.com")
            let token = try await caller.logIn("a@example.com").json["refresh_token"]?.text ?? ""
            let dump = Statement(
                "test_dump",
                """
                select (select string_agg(t::text, ' ') from refresh_tokens t)
                    || (select string_agg(u::text, ' ') from users u)
                """)
            let text: String = try test.connect().query(dump)[0].get(0)
            #expect(text.contains("$2b$04$"))
            #expect(!text.contains(token) && !text.contains("correct horse"))
        }
    }

    @Test func `a hash of another cost is renewed by the next login`() async throws {
        try await test.call { [test] caller in
            _ = try await caller.signUp("a@example.com")
            let stronger = PasswordHasher(cost: 5, lanes: 1, queueMax: 1)
            let hash = try await stronger.hash(Password("correct horse"))
            let connection = try test.connect()
            try connection.execute(
                Statement("test_hash", "update users set password_hash = $1"), [hash])
            #expect(try await caller.logIn("a@example.com").status == 200)
            let now: String = try connection.query(
                Statement("test_hash_now", "select password_hash from users"))[0].get(0)
            #expect(now.hasPrefix("$2b$04$"))
            #expect(try await caller.logIn("a@example.com").status == 200)
        }
    }

    @Test func `a tampered token is refused by every route that asks for one`() async throws {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let good = try await caller.signedIn("a@example.com")
            let token = try #require(good.token)
            let id = try #require(
                try await good.send(.get, "/api/v1/users/me").json["id"]?.text
                    .flatMap { Identifier($0) })
            let ours = await AccessTokenKey(secret: TestAPI.secret, lifetimeSeconds: 1800)
            let theirs = await AccessTokenKey(
                secret: "another secret of 32 bytes or more", lifetimeSeconds: 1800)
            let past = Timestamp.now.advanced(bySeconds: -1801)
            let claims = token.split(separator: ".")[1]
            let forged = [
                token + "x", String(token.dropLast()), "nonsense", "a.b.c",
                "eyJhbGciOiJub25lIn0.\(claims).",
                try await ours.sign(for: id, role: .buyer, now: past),
                try await theirs.sign(for: id, role: .buyer, now: .now),
                try await ours.sign(for: .new(), role: .admin, now: .now),
            ]
            for bad in forged {
                let answer = try await Caller(client: caller.client, token: bad).send(
                    .get, "/api/v1/users/me")
                #expect(answer.status == 401 && answer.code == "TOKEN_INVALID")
            }
            let nobody = try await caller.send(.get, "/api/v1/users/me")
            #expect(nobody.status == 401 && nobody.code == "NOT_SIGNED_IN")
        }
    }
}

extension Caller {
    fileprivate func refresh(_ token: JSON) async throws -> Answer {
        try await send(.post, "/api/v1/auth/refresh", ["refresh_token": token])
    }
}
