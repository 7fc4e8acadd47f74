import Clicks
import HTTPTypes
import Hummingbird
import Postgres
import Testing

@testable import API

/// Which account a person of a provider gets, where there are accounts already.
@Suite struct SocialLinkTests {
    @Test func `an address that was proven once opens its account by another provider`()
        async throws
    {
        let key = try await TestIssuerKey(id: "k1")
        try await SocialSite.run { site async throws in
            site.standIn.publish(key)
            let kakao = try await site.me(
                try await site.logIn("kakao", as: SocialSite.kakaoPerson))
            let token = try key.token(site.claims(["email": "HANA@example.com"]))
            let apple = try await site.me(try await site.logIn("apple", as: .text(token)))
            #expect(apple.json["id"] == kakao.json["id"] && apple.json["nickname"]?.text == "하나")
            #expect(try site.counts() == [1, 2])
        }
    }

    @Test func `who waited with a password for the owner of an address is out when they come`()
        async throws
    {
        let key = try await TestIssuerKey(id: "k1")
        try await SocialSite.run { site async throws in
            site.standIn.publish(key)
            let made = try await site.caller.signUp("hana@example.com", password: "set by another")
            let waiting = try await site.caller.logIn(
                "hana@example.com", password: "set by another")
            #expect(try await site.me(waiting).status == 200)
            let owner = try await site.logIn("apple", as: .text(try key.token(site.claims())))
            #expect(owner.status == 200)
            // At once, in the same second too.
            let me = try await site.me(owner)
            #expect(me.status == 200 && me.json["id"] == made.json["id"])
            #expect(try await site.me(waiting).status == 401)
            let refresh = try await site.caller.send(
                .post, "/api/v1/auth/refresh",
                ["refresh_token": waiting.json["refresh_token"] ?? .null])
            #expect(refresh.status == 401)
            let password = try await site.caller.logIn(
                "hana@example.com", password: "set by another")
            #expect(password.status == 401)
            // Proven now: another provider adds itself and ends nothing.
            let kakao = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            #expect(try await site.me(kakao).json["id"] == made.json["id"])
            #expect(try await site.me(owner).status == 200)
        }
    }

    @Test func `a typed address of an influencer, finance or admin opens nothing`() async throws {
        try await SocialSite.run { site async throws in
            _ = try await site.caller.signUp("hana@example.com", role: "influencer")
            let connection = try site.test.connect()
            for role in ["influencer", "finance", "admin"] {
                try connection.run(script: "update users set role = '\(role)'")
                let answer = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
                #expect(answer.status == 409 && answer.code == "SOCIAL_EMAIL_TAKEN")
            }
            #expect(try site.counts() == [1, 0])
            #expect(try await site.caller.logIn("hana@example.com").status == 200)
        }
    }

    @Test func `another person of the same provider does not get the account by an address`()
        async throws
    {
        try await SocialSite.run { site async throws in
            _ = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            let other = try await site.logIn("kakao", as: SocialSite.kakaoPerson.with(["id": 2]))
            #expect(other.status == 409 && other.code == "SOCIAL_EMAIL_TAKEN")
            #expect(try site.counts() == [1, 1])
        }
    }

    @Test func `a proof goes with the address it was of`() async throws {
        try await SocialSite.run { site async throws in
            _ = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            let connection = try site.test.connect()
            let proven = Statement(
                "test_proven", "select email_verified_at is not null from users")
            try connection.run(script: "update users set email = 'HANA@example.com'")
            #expect(try connection.query(proven)[0].get(0, as: Bool.self))
            try connection.run(script: "update users set email = 'other@example.com'")
            #expect(try !connection.query(proven)[0].get(0, as: Bool.self))
            try connection.run(
                script: "update users set email = 'hana@example.com', email_verified_at = now()")
            #expect(try connection.query(proven)[0].get(0, as: Bool.self))
            try connection.run(script: "update users set email = null")
            #expect(try !connection.query(proven)[0].get(0, as: Bool.self))
        }
    }

    @Test func `a suspended account stays shut by every way in`() async throws {
        let key = try await TestIssuerKey(id: "k1")
        try await SocialSite.run { site async throws in
            site.standIn.publish(key)
            _ = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            try site.test.connect().run(script: "update users set status = 'suspended'")
            let known = try await site.logIn("kakao", as: SocialSite.kakaoPerson)
            #expect(known.status == 403 && known.code == "ACCOUNT_SUSPENDED")
            let token = try key.token(site.claims())
            let byAddress = try await site.logIn("apple", as: .text(token))
            #expect(byAddress.status == 403 && byAddress.code == "ACCOUNT_SUSPENDED")
            #expect(try site.counts() == [1, 1])
        }
    }

    @Test func `of many first logins at once one makes the account and all are let in`()
        async throws
    {
        try await SocialSite.run { site async throws in
            let sessions = try await withThrowingTaskGroup(of: Caller.Answer.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await site.logIn("kakao", as: SocialSite.kakaoPerson) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(sessions.map(\.status) == Array(repeating: 200, count: 8))
            var ids: Set<JSON> = []
            for session in sessions { ids.insert(try await site.me(session).json["id"] ?? .null) }
            #expect(ids.count == 1 && ids != [.null])
            #expect(try site.counts() == [1, 1])
        }
    }

    @Test func `of two providers at once with one address one makes the account, both have it`()
        async throws
    {
        let key = try await TestIssuerKey(id: "k1")
        try await SocialSite.run { site async throws in
            site.standIn.publish(key)
            for round in 0..<6 {
                let email: JSON = .text("round\(round)@example.com")
                let account = SocialSite.kakaoPerson["kakao_account"]?.with(["email": email])
                let person = SocialSite.kakaoPerson.with([
                    "id": .integer(100 + round), "kakao_account": account ?? .null,
                ])
                let token = try key.token(
                    site.claims(["email": email, "sub": .text("s\(round)")]))
                async let kakao = site.logIn("kakao", as: person)
                async let apple = site.logIn("apple", as: .text(token))
                let (one, two) = try await (kakao, apple)
                #expect(one.status == 200 && two.status == 200)
                #expect(try await site.me(one).json["id"] == site.me(two).json["id"])
            }
            #expect(try site.counts() == [6, 12])
        }
    }
}
