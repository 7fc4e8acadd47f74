import Clicks
import Postgres
import Testing
import TestSupport

@testable import API

@Suite struct AccountProfileTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private func id(_ caller: Caller) async throws -> String {
        try #require(try await caller.send(.get, "/api/v1/users/me").json["id"]?.text)
    }

    @Test func `everybody sees an account's profile and nobody its e-mail`() async throws {
        try await test.call { [test] caller in
            let member = try await caller.member(.influencer, on: test)
            let id = try await id(member)
            let profile = try await caller.send(.get, "/api/v1/users/\(id)")
            #expect(profile.status == 200)
            #expect(
                profile.json.members?.map(\.name)
                    == ["id", "nickname", "role", "profile_image", "created_at"])
            #expect(profile.json["role"]?.text == "influencer")
            let nobody = try await caller.send(.get, "/api/v1/users/\(Identifier.new())")
            #expect(nobody.status == 404 && nobody.code == "USER_NOT_FOUND")
            try test.connect().run(script: "update users set status = 'suspended'")
            #expect(try await caller.send(.get, "/api/v1/users/\(id)").status == 404)
        }
    }

    @Test func `what a change does not name stays, and null clears the picture alone`()
        async throws
    {
        try await test.call { [test] caller in
            let member = try await caller.member(.buyer, on: test)
            func change(_ body: JSON) async throws -> Caller.Answer {
                try await member.send(.patch, "/api/v1/users/me", body)
            }
            let image = "https://cdn.example/me.webp"
            let first = try await change(["nickname": " 두리 ", "profile_image": .text(image)])
            #expect(first.status == 200 && first.json["nickname"]?.text == "두리")
            let renamed = try await change(["nickname": "세리"])
            #expect(renamed.json["profile_image"]?.text == image)
            let same = try await change(["nickname": .null])
            #expect(same.json["nickname"]?.text == "세리")
            let cleared = try await change(["profile_image": .null])
            #expect(cleared.json["profile_image"] == .null)
            #expect(cleared.json["nickname"]?.text == "세리")
            #expect(try await change(.object([])).json == cleared.json)
            let refused: [(JSON, [String])] = [
                (["nickname": "  "], ["nickname EMPTY"]),
                (["profile_image": "https://127.0.0.1/x.png"], ["profile_image HOST_NOT_PUBLIC"]),
                (
                    ["profile_image": "https://a:b@cdn.example/x.png"],
                    ["profile_image CREDENTIALS"]
                ),
                (["profile_image": "javascript:alert(1)"], ["profile_image MALFORMED"]),
                (["email": "new@example.com"], ["email UNKNOWN_FIELD"]),
                (["role": "admin"], ["role UNKNOWN_FIELD"]),
            ]
            for (body, faults) in refused {
                let answer = try await change(body)
                #expect(answer.status == 422 && answer.faults == faults, "\(answer.faults)")
            }
            #expect(try await change(.object([])).json == cleared.json)
        }
    }

    @Test func `a new password ends every session but the one that set it`() async throws {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let session = try await caller.logIn("a@example.com")
            let other = try await caller.logIn("a@example.com")
            let member = Caller(client: caller.client, token: session.json["access_token"]?.text)
            let short = try await member.changePassword("correct horse", "short")
            #expect(short.status == 422 && short.faults == ["new_password TOO_SHORT"])
            #expect(try await member.changePassword("wrong horse", "new horse").status == 403)
            let changed = try await member.changePassword("correct horse", "new horse")
            #expect(changed.status == 200 && changed.headers[.setCookie] != nil)
            for old in [session, other] {
                let token = old.json["access_token"]?.text
                let me = try await Caller(client: caller.client, token: token).send(
                    .get, "/api/v1/users/me")
                #expect(me.status == 401 && me.code == "TOKEN_INVALID")
                #expect(try await caller.refresh(old.json["refresh_token"]).status == 401)
            }
            // At once, within the same second.
            let now = Caller(client: caller.client, token: changed.json["access_token"]?.text)
            #expect(try await now.send(.get, "/api/v1/users/me").status == 200)
            let next = try await caller.refresh(changed.json["refresh_token"])
            #expect(next.status == 200)
            let later = Caller(client: caller.client, token: next.json["access_token"]?.text)
            #expect(try await later.send(.get, "/api/v1/users/me").status == 200)
            #expect(try await caller.logIn("a@example.com").status == 401)
            #expect(try await caller.logIn("a@example.com", password: "new horse").status == 200)
        }
    }

    @Test func `of two changes of a password at once one succeeds`() async throws {
        try await test.call { caller in
            _ = try await caller.signUp("a@example.com")
            let member = try await caller.signedIn("a@example.com")
            let answers = try await withThrowingTaskGroup(of: Caller.Answer.self) { group in
                for each in 0..<4 {
                    group.addTask {
                        try await member.changePassword("correct horse", "new horse \(each)")
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0.status == 200 }.count == 1)
        }
    }

    @Test func `an account without a password has none to change`() async throws {
        try await test.call { [test] caller in
            let member = try await caller.member(.buyer, on: test)
            try test.connect().run(script: "update users set password_hash = null")
            let answer = try await member.changePassword("correct horse", "new horse")
            #expect(answer.status == 409 && answer.code == "PASSWORD_ABSENT")
        }
    }

    @Test func `who leaves is signed out at once and comes back by signing in`() async throws {
        try await test.call { [test] caller in
            _ = try await caller.signUp("a@example.com", role: "influencer")
            let connection = try test.connect()
            _ = try AccountQueries.verify(email: "a@example.com", in: connection)
            let session = try await caller.logIn("a@example.com")
            let member = Caller(client: caller.client, token: session.json["access_token"]?.text)
            let kept = try await member.send(.post, "/api/v1/gonggus", draft())
            let deleted = try await member.send(.post, "/api/v1/gonggus", draft())
            let (keptID, deletedID) = (kept.json["id"]?.text ?? "", deleted.json["id"]?.text ?? "")
            #expect(
                try await member.send(.delete, "/api/v1/gonggus/\(deletedID)").status == 204)
            let id = try await id(member)
            let searched = "/api/v1/search?type=influencer&q=%ED%95%98%EB%82%98"
            let catchUp = SearchCatchUp(pool: test.server.pool, logger: test.server.logger)
            _ = try await catchUp.runOnce()
            #expect(try await caller.send(.get, searched).json["items"]?.list?.count == 1)

            let left = try await member.send(.delete, "/api/v1/users/me")
            #expect(left.status == 200)
            let day = try #require(
                left.json["erase_after"]?.text.flatMap { Timestamp(rfc3339: $0) })
            let days = Double(day.microseconds - Timestamp.now.microseconds) / 86_400e6
            #expect(abs(days - 30) < 0.01)
            #expect(left.headers[.setCookie]?.contains("Max-Age=0") == true)
            #expect(try await member.send(.get, "/api/v1/users/me").status == 401)
            #expect(try await member.send(.delete, "/api/v1/users/me").status == 401)
            #expect(try await caller.refresh(session.json["refresh_token"]).status == 401)
            #expect(try await caller.send(.get, "/api/v1/users/\(id)").status == 404)
            #expect(try await caller.send(.get, "/api/v1/gonggus/\(keptID)").status == 404)
            #expect(try await caller.send(.get, "/api/v1/influencers/\(id)").status == 404)
            #expect(try await caller.send(.get, "/api/v1/influencers").json["total"] == 0)
            for list in ["/api/v1/influencers", searched] {
                #expect(try await caller.send(.get, list).json["items"]?.list == [], "\(list)")
            }
            let buyer = try await caller.member(.buyer, on: test)
            #expect(
                try await buyer.send(.post, "/api/v1/subscriptions/\(id)").status == 404)
            #expect(try await caller.signUp("A@example.com").status == 409)

            let wrong = try await caller.logIn("a@example.com", password: "wrong horse")
            #expect(wrong.status == 401)
            #expect(try await caller.send(.get, "/api/v1/users/\(id)").status == 404)
            let back = try await caller.signedIn("a@example.com")
            #expect(try await back.send(.get, "/api/v1/users/me").status == 200)
            #expect(try await caller.send(.get, "/api/v1/users/\(id)").status == 200)
            #expect(try await caller.send(.get, "/api/v1/gonggus/\(keptID)").status == 200)
            #expect(try await caller.send(.get, "/api/v1/gonggus/\(deletedID)").status == 404)
            #expect(try await caller.send(.get, "/api/v1/influencers").json["total"] == 1)
            // What was issued before does not come back.
            #expect(try await member.send(.get, "/api/v1/users/me").status == 401)
        }
    }
}

extension Caller {
    fileprivate func changePassword(_ current: String, _ new: String) async throws -> Answer {
        try await send(
            .put, "/api/v1/users/me/password",
            ["current_password": .text(current), "new_password": .text(new)])
    }

    fileprivate func refresh(_ token: JSON?) async throws -> Answer {
        try await send(.post, "/api/v1/auth/refresh", ["refresh_token": token ?? .null])
    }
}
