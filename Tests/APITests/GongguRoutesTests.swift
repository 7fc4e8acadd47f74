import Clicks
import HTTPTypes
import Hummingbird
import Postgres
import Testing

@testable import API

@Suite struct GongguRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    @Test func `a gonggu is made, edited, closed and deleted by its influencer`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            #expect(made.status == 201)
            let id = try #require(made.json["id"]?.text)
            let path = "/api/v1/gonggus/\(id)"
            #expect(made.headers[.location] == path)
            #expect(made.json["status"]?.text == "active")
            #expect(made.json["discount_rate"] == .number(33.44))
            #expect(made.json["click_count"]?.integer == 0)
            let code = try #require(made.json["short_code"]?.text)
            #expect(made.json["tracking_url"]?.text == "https://go.gonggumoa.example/go/\(code)")
            #expect(try await caller.send(.get, path).json == made.json)

            let edited = try await owner.send(
                .put, path,
                draft([
                    "title": "물걸레 청소기", "gonggu_price": 149_500,
                    "external_url": "HTTPS://Shop.Example:443/신상",
                ]))
            #expect(edited.status == 200)
            #expect(edited.json["title"]?.text == "물걸레 청소기")
            #expect(edited.json["discount_rate"] == .number(50.0))
            #expect(
                edited.json["external_url"]?.text == "https://shop.example:443/%EC%8B%A0%EC%83%81")
            #expect(edited.json["short_code"]?.text == code)

            let closed = try await owner.send(
                .put, path, draft(opensInSeconds: -7200, closesInSeconds: -60))
            #expect(closed.json["status"]?.text == "closed")

            let delta = Statement(
                "test_delta_now",
                """
                insert into click_stats_deltas (gonggu_id, hour, verdict, clicks)
                values ($1, date_trunc('hour', now()), 0, 3)
                """)
            try test.connect().execute(delta, [Identifier(id)])
            let stats = try await owner.send(.get, "/api/v1/tracking/stats/\(id)")
            #expect(stats.json["total"]?["valid"]?.integer == 3)
            #expect(stats.json["series"]?.list?.last?["clicks"]?["valid"]?.integer == 3)

            #expect(try await owner.send(.delete, path).status == 204)
            let gone = try await caller.send(.get, path)
            #expect(gone.status == 404 && gone.code == "GONGGU_NOT_FOUND")
            #expect(gone.json["detail"]?.text == "공구를 찾을 수 없습니다")
            #expect(try await owner.send(.delete, path).status == 404)
            #expect(try await owner.send(.put, path, draft()).status == 404)
            let count = Statement("test_gonggus", "select count(*) from gonggus")
            #expect(try test.connect().query(count)[0].get(0, as: Int.self) == 1)
        }
    }

    @Test func `an influencer makes gonggus only once verified`() async throws {
        try await test.call { [test] caller in
            let newcomer = try await caller.member(.influencer, verified: false, on: test)
            let refused = try await newcomer.send(.post, "/api/v1/gonggus", draft())
            #expect(refused.status == 403 && refused.code == "INFLUENCER_NOT_VERIFIED")
            // An admin may do what an influencer may, but is none.
            let admin = try await caller.member(.admin, on: test)
            let none = try await admin.send(.post, "/api/v1/gonggus", draft())
            #expect(none.status == 403 && none.code == "INFLUENCER_NOT_VERIFIED")
            try test.connect().run(script: "update influencer_profiles set is_verified = true")
            #expect(try await newcomer.send(.post, "/api/v1/gonggus", draft()).status == 201)
        }
    }

    @Test func `nobody but its influencer and admins may change a gonggu`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let other = try await caller.member(.influencer, on: test)
            let admin = try await caller.member(.admin, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            let path = "/api/v1/gonggus/\(made.json["id"]?.text ?? "")"
            let put = try await other.send(.put, path, draft(["title": "남의 것"]))
            #expect(put.status == 403 && put.code == "NOT_OWNER")
            #expect(try await other.send(.delete, path).code == "NOT_OWNER")
            #expect(try await caller.send(.get, path).json == made.json)
            let edit = try await admin.send(.put, path, draft(["title": "고침"]))
            #expect(edit.status == 200)
            #expect(edit.json["influencer_id"] == made.json["influencer_id"])
            #expect(try await admin.send(.delete, path).status == 204)
        }
    }

    @Test func `a faulty draft is told each field and nothing is written`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let worst = try await owner.send(
                .post, "/api/v1/gonggus",
                draft(
                    [
                        "gonggu_price": 300_000, "external_url": "http://2130706433/",
                        "thumbnail": "ftp://cdn.example/a",
                    ], opensInSeconds: 0, closesInSeconds: -1))
            #expect(worst.status == 422)
            #expect(
                worst.faults == [
                    "gonggu_price ABOVE_ORIGINAL_PRICE", "close_at NOT_AFTER_OPEN_AT",
                    "external_url HOST_NOT_PUBLIC", "thumbnail SCHEME",
                ])
            let back = try await owner.send(
                .post, "/api/v1/gonggus",
                draft(["external_url": "https://go.gonggumoa.example/go/abcdefgh"]))
            #expect(back.faults == ["external_url LEADS_BACK"])
            #expect(try await caller.send(.get, "/api/v1/gonggus").json["total"]?.integer == 0)
        }
    }

    @Test func `up to two categories are named, and they exist`() async throws {
        try await test.call { [test] caller in
            let ids = (0..<3).map { _ in Identifier.new() }
            let connection = try test.connect()
            let insert = Statement(
                "test_category", "insert into categories (id, name, sort_order) values ($1, $2, $3)"
            )
            for (index, id) in ids.enumerated() {
                try connection.execute(insert, [id, "분류 \(index)", index])
            }
            func list(_ ids: Identifier...) -> [String: JSON] {
                ["category_ids": .list(ids.map { .text($0.description) })]
            }
            let owner = try await caller.member(.influencer, on: test)
            let three = try await owner.send(
                .post, "/api/v1/gonggus", draft(list(ids[0], ids[1], ids[2])))
            #expect(three.faults == ["category_ids WRONG_COUNT"])
            let twice = try await owner.send(
                .post, "/api/v1/gonggus", draft(list(ids[0], ids[0])))
            #expect(twice.faults == ["category_ids REPEATED"])
            let unknown = try await owner.send(
                .post, "/api/v1/gonggus", draft(list(ids[0], .new())))
            #expect(unknown.status == 422 && unknown.faults == ["category_ids UNKNOWN"])
            let made = try await owner.send(
                .post, "/api/v1/gonggus", draft(list(ids[1], ids[0])))
            func names(_ answer: Caller.Answer) -> [String?] {
                (answer.json["categories"]?.list ?? []).map { $0["name"]?.text }
            }
            #expect(names(made) == ["분류 0", "분류 1"])
            let path = "/api/v1/gonggus/\(made.json["id"]?.text ?? "")"
            #expect(
                names(try await owner.send(.put, path, draft(list(ids[1], ids[2])))) == [
                    "분류 1", "분류 2",
                ])
            let found = try await caller.send(.get, "/api/v1/gonggus?category_id=\(ids[2])")
            #expect(found.json["total"]?.integer == 1)
            let gone = try await caller.send(.get, "/api/v1/gonggus?category_id=\(ids[0])")
            #expect(gone.json["total"]?.integer == 0)
            #expect(names(try await owner.send(.put, path, draft())) == [])
        }
    }

    @Test func `lists filter by the clock, sort, and cut pages`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let plans: [(String, Int64, Int64, Int)] = [
                ("열림", -100, 86_400 * 3, 100), ("곧 마감", -200, 3600, 300),
                ("예정", 3600, 7200, 200), ("먼 예정", 86_400, 86_400 * 2, 400),
                ("마감", -300, -10, 500),
            ]
            for (title, open, close, price) in plans {
                let made = try await owner.send(
                    .post, "/api/v1/gonggus",
                    draft(
                        ["title": .text(title), "gonggu_price": .integer(price)],
                        opensInSeconds: open, closesInSeconds: close))
                #expect(made.status == 201)
            }
            func titles(_ query: String) async throws -> [String] {
                let answer = try await caller.send(.get, "/api/v1/gonggus\(query)")
                #expect(answer.status == 200, "\(query)")
                return (answer.json["items"]?.list ?? []).compactMap { $0["title"]?.text }
            }
            #expect(try await titles("?status=active&sort=close_at&order=asc") == ["곧 마감", "열림"])
            #expect(
                try await titles("?status=scheduled&sort=gonggu_price&order=desc") == [
                    "먼 예정", "예정",
                ])
            #expect(try await titles("?status=closed") == ["마감"])
            #expect(try await titles("/active") == ["열림", "곧 마감"])
            #expect(try await titles("/upcoming") == ["예정", "먼 예정"])
            #expect(try await titles("/closing-soon") == ["곧 마감"])
            #expect(try await titles("?influencer_id=\(Identifier.new())") == [])
            for sort in GongguSort.allCases {
                let up = try await titles("?sort=\(sort.rawValue)&order=asc")
                let down = try await titles("?sort=\(sort.rawValue)&order=desc")
                #expect(up.count == 5 && up == down.reversed(), "\(sort)")
            }
            let first = try await caller.send(.get, "/api/v1/gonggus?size=2&sort=open_at&order=asc")
            #expect(first.json["total"]?.integer == 5 && first.json["pages"]?.integer == 3)
            var walked: [String] = []
            for page in 1...4 {
                walked += try await titles("?size=2&sort=open_at&order=asc&page=\(page)")
            }
            #expect(walked == ["마감", "곧 마감", "열림", "예정", "먼 예정"])
            let unknown = try await caller.send(.get, "/api/v1/gonggus?sort=title")
            #expect(unknown.status == 400 && unknown.code == "SORT_UNKNOWN")
            #expect(try await caller.send(.get, "/api/v1/gonggus?size=101").status == 422)
            #expect(try await caller.send(.get, "/api/v1/gonggus?status=gone").status == 422)
        }
    }

    @Test func `the count is of valid clicks, folded or not`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            let id = try #require(made.json["id"]?.text)
            let connection = try test.connect()
            let delta = Statement(
                "test_delta",
                """
                insert into click_stats_deltas (gonggu_id, hour, verdict, clicks)
                values ($1, date_trunc('hour', now()), $2, $3)
                """)
            try connection.execute(delta, [Identifier(id), 0, 5])
            try connection.execute(delta, [Identifier(id), 3, 7])
            try connection.run(script: "select fold_click_stats()")
            try connection.execute(delta, [Identifier(id), 0, 2])
            let shown = try await caller.send(.get, "/api/v1/gonggus/\(id)")
            #expect(shown.json["click_count"]?.integer == 7)
            #expect(shown.json["updated_at"] == made.json["updated_at"])
            let listed = try await caller.send(.get, "/api/v1/gonggus")
            #expect(listed.json["items"]?[0] == shown.json)
        }
    }

    @Test func `a suspended gonggu leaves the lists and keeps its page`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            try test.connect().run(script: "update gonggus set suspended_at = now()")
            #expect(try await caller.send(.get, "/api/v1/gonggus").json["total"]?.integer == 0)
            let page = try await caller.send(.get, "/api/v1/gonggus/\(made.json["id"]?.text ?? "")")
            #expect(page.status == 200 && page.json["is_suspended"] == .bool(true))
        }
    }

    @Test func `every change that the links file holds is announced`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let listener = try test.connect()
            try listener.listen(to: "links_changed")
            func isAnnounced() throws -> Bool {
                try !listener.waitForNotifications(timeoutMilliseconds: 2000).isEmpty
            }
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            #expect(try isAnnounced())
            let path = "/api/v1/gonggus/\(made.json["id"]?.text ?? "")"
            _ = try await owner.send(
                .put, path, draft(["external_url": "https://other.example/"]))
            #expect(try isAnnounced())
            _ = try await owner.send(.delete, path)
            #expect(try isAnnounced())
        }
    }

    @Test func `categories come as a tree`() async throws {
        try await test.call { [test] caller in
            _ = try DemoSeed.run(
                password: "x", passwordHash: "x", isForced: false, in: test.connect())
            let answer = try await caller.send(.get, "/api/v1/categories")
            #expect(answer.status == 200)
            let first = answer.json["items"]?[0]
            #expect(first?["name"]?.text == "기혼/가정")
            #expect(first?["children"]?[0]?["name"]?.text == "육아/키즈")
            #expect(first?["children"]?[0]?["children"]?.list == [])
        }
    }
}
