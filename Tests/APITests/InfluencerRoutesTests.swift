import Clicks
import Postgres
import Testing

@testable import API

@Suite struct InfluencerRoutesTests {
    let test: TestAPI
    private static let list = "/api/v1/influencers"

    init() async throws { test = try await TestAPI() }

    private func id(of caller: Caller) async throws -> String {
        try #require(try await caller.send(.get, "/api/v1/users/me").json["id"]?.text)
    }

    @Test func `lists hold whoever is verified and may act, by subscribers or age`() async throws {
        try await test.call { [test] caller in
            var ids: [String] = []
            for _ in 0..<4 {
                ids.append(try await id(of: caller.member(.influencer, on: test)))
            }
            let newcomer = try await caller.member(.influencer, verified: false, on: test)
            let connection = try test.connect()
            let set = Statement(
                "test_subscribers",
                "update influencer_profiles set subscriber_count = $2 where user_id = $1")
            for (place, count) in [20, 10, 20, 30].enumerated() {
                try connection.execute(set, [Identifier(ids[place]), count])
            }
            try connection.execute(
                Statement("test_off", "update users set status = 'suspended' where id = $1"),
                [Identifier(ids[3])])
            func listed(_ query: String) async throws -> [String] {
                let answer = try await caller.send(.get, Self.list + query)
                #expect(answer.status == 200)
                let items = (answer.json["items"]?.list ?? []).compactMap { $0["id"]?.text }
                if !query.contains("size") {
                    #expect(answer.json["total"]?.integer == items.count, "\(query)")
                }
                return items
            }
            let tied = [ids[0], ids[2]].sorted()
            #expect(try await listed("") == [tied[1], tied[0], ids[1]])
            #expect(try await listed("?order=asc") == [ids[1], tied[0], tied[1]])
            #expect(try await listed("?sort=created_at&order=asc") == Array(ids[..<3]))
            #expect(try await listed("?sort=created_at") == Array(ids[..<3].reversed()))
            #expect(try await listed("?size=1&page=3") == [ids[1]])
            #expect(try await listed("?verified=false") == [id(of: newcomer)])
            let unknown = try await caller.send(.get, Self.list + "?sort=nickname")
            #expect(unknown.status == 400 && unknown.code == "SORT_UNKNOWN")
            #expect(try await caller.send(.get, "\(Self.list)/\(ids[3])").status == 404)
        }
    }

    @Test func `a page tells the influencer and how many gonggus stand where`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let plans: [(Int64, Int64)] = [
                (-100, 100), (-100, 200), (100, 200), (-200, -100), (-100, 300), (-100, 400),
            ]
            var made: [String] = []
            for (open, close) in plans {
                let answer = try await owner.send(
                    .post, "/api/v1/gonggus", draft(opensInSeconds: open, closesInSeconds: close))
                made.append(try #require(answer.json["id"]?.text))
            }
            _ = try await owner.send(.delete, "/api/v1/gonggus/\(made[4])")
            try test.connect().execute(
                Statement("test_suspend", "update gonggus set suspended_at = now() where id = $1"),
                [Identifier(made[5])])
            let page = try await caller.send(.get, "\(Self.list)/\(id(of: owner))")
            #expect(page.status == 200)
            #expect(page.json["gonggu_counts"] == ["scheduled": 1, "active": 2, "closed": 1])
            #expect(page.json["is_verified"] == true && page.json["verification"] == nil)
            let buyer = try await caller.member(.buyer, on: test)
            let none = try await caller.send(.get, "\(Self.list)/\(id(of: buyer))")
            #expect(none.status == 404 && none.code == "INFLUENCER_NOT_FOUND")
        }
    }

    @Test func `an influencer writes the own page, with links to the right hosts`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, verified: false, on: test)
            let me = Self.list + "/me"
            let first = try await owner.send(.get, me)
            #expect(first.json["verification"] == .null && first.json["bio"]?.text == "")
            let page: JSON = [
                "bio": "살림\n공구", "banner_image": "https://cdn.example/b.webp",
                "instagram_url": "https://www.Instagram.com/hana?hl=ko",
                "tiktok_url": "https://tiktok.com/@hana",
            ]
            let put = try await owner.send(.put, me, page)
            #expect(put.status == 200)
            #expect(put.json["bio"]?.text == "살림\n공구")
            #expect(
                put.json["instagram_url"]?.text == "https://www.instagram.com/hana?hl=ko")
            #expect(try await owner.send(.get, me).json == put.json)
            let emptied = try await owner.send(.put, me, ["tiktok_url": nil])
            #expect(emptied.json["bio"]?.text == "" && emptied.json["tiktok_url"] == .null)

            let foreign = [
                "https://instagram.com.evil.example/hana", "https://evilinstagram.com/hana",
                "http://instagram.com/hana", "https://instagram.com:8443/hana",
                "https://tiktok.com/@hana",
            ]
            for url in foreign {
                let answer = try await owner.send(.put, me, ["instagram_url": .text(url)])
                #expect(answer.faults == ["instagram_url HOST_FOREIGN"], "\(url)")
            }
            let worst = try await owner.send(
                .put, me,
                [
                    "banner_image": "http://127.0.0.1/b.png",
                    "instagram_url": "https://instagram.com@evil.example/",
                    "tiktok_url": "javascript:alert(1)",
                ])
            #expect(
                worst.faults == [
                    "banner_image HOST_NOT_PUBLIC", "instagram_url CREDENTIALS",
                    "tiktok_url SCHEME",
                ])
            #expect(try await owner.send(.get, me).json == emptied.json)
            // An admin may do what an influencer may, but is none.
            let admin = try await caller.member(.admin, on: test)
            #expect(try await admin.send(.put, me, page).code == "INFLUENCER_NOT_FOUND")
        }
    }
}
