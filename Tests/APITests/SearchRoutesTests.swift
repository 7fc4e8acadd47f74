import Clicks
import Foundation
import Hummingbird
import Postgres
import Testing

@testable import API

@Suite struct SearchRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private struct Found {
        let answer: Caller.Answer
        var titles: [String] {
            (answer.json["items"]?.list ?? []).compactMap {
                $0["gonggu"]?["title"]?.text ?? $0["influencer"]?["nickname"]?.text
            }
        }
    }

    private static func search(
        _ text: String, _ rest: String = "", by caller: Caller
    ) async throws -> Found {
        let query = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return Found(answer: try await caller.send(.get, "/api/v1/search?q=\(query)\(rest)"))
    }

    private static func make(
        _ title: String, _ description: String = "", by owner: Caller
    ) async throws -> String {
        let made = try await owner.send(
            .post, "/api/v1/gonggus",
            draft(["title": .text(title), "description": .text(description)]))
        return try #require(made.json["id"]?.text)
    }

    @Test func `pieces of longer words, one syllable, Latin words and several words are found`()
        async throws
    {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            for title in ["여름공구특가", "LED 스탠드 육아용", "차박 텐트", "전기자동차 충전기"] {
                _ = try await Self.make(title, by: owner)
            }
            _ = try await Self.make("원두 1kg", "육아하는 분께", by: owner)
            let cases: [(String, Set<String>)] = [
                ("공구", ["여름공구특가"]), ("구특", ["여름공구특가"]), ("공구특가", ["여름공구특가"]),
                ("공구".decomposedStringWithCanonicalMapping, ["여름공구특가"]),
                ("육아", ["LED 스탠드 육아용", "원두 1kg"]), ("led", ["LED 스탠드 육아용"]),
                ("ＬＥＤ", ["LED 스탠드 육아용"]), ("차", ["차박 텐트"]), ("여", ["여름공구특가"]),
                ("스탠드 LED", ["LED 스탠드 육아용"]), ("led 차", []), ("공가", []), ("구공", []),
                ("자동차 충전", ["전기자동차 충전기"]), ("1kg", ["원두 1kg"]), ("육아용원두", []),
            ]
            for (text, titles) in cases {
                let found = try await Self.search(text, by: caller)
                #expect(found.answer.status == 200)
                #expect(Set(found.titles) == titles, "\(text)")
                #expect(found.answer.json["total"]?.integer == titles.count, "\(text)")
                #expect(found.answer.json["is_total_exact"] == .bool(true))
            }
        }
    }

    @Test func `a title's beginning comes before its middle, and the description last`()
        async throws
    {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let ids = [
                try await Self.make("캠핑 의자", "공구합니다", by: owner),
                try await Self.make("봄 공구 둘", by: owner), try await Self.make("공구 하나", by: owner),
                try await Self.make("공구 셋", by: owner), try await Self.make("공구 넷", by: owner),
            ]
            let connection = try test.connect()
            // A hundred clicks outweigh a day, not a year.
            try connection.run(
                script: """
                    update gonggu_click_totals set clicks = 100 where gonggu_id = '\(ids[2])';
                    update search_entries set created_at = now() - interval '1 year'
                    where id = '\(ids[3])';
                    update gonggu_click_totals set clicks = 1000 where gonggu_id = '\(ids[3])';
                    """)
            let found = try await Self.search("공구", by: caller)
            #expect(found.titles == ["공구 하나", "공구 넷", "공구 셋", "봄 공구 둘", "캠핑 의자"])
            let second = try await Self.search("공구", "&size=2&page=2", by: caller)
            #expect(second.titles == ["공구 셋", "봄 공구 둘"])
            #expect(second.answer.json["total"]?.integer == 5)
            let beyond = try await Self.search("공구", "&size=2&page=9", by: caller)
            #expect(beyond.titles == [] && beyond.answer.json["total"]?.integer == 5)
        }
    }

    @Test func `any input is answered, and marks find nothing`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            _ = try await Self.make("100% 면_티 \\ 'x' 🎉", by: owner)
            for text in ["%", "_", "\\", "%%%", "🎉", "'", "--", "(", "[", "{", "?!", "", " "] {
                let found = try await Self.search(text, by: caller)
                #expect(found.answer.status == 200 && found.titles == [], "\(text)")
                #expect(found.answer.json["total"]?.integer == 0, "\(text)")
            }
            #expect(try await Self.search("%100%", by: caller).titles.count == 1)
            #expect(try await Self.search("면%티", by: caller).titles.count == 1)
            #expect(try await Self.search("면_없", by: caller).titles.count == 0)
            for text in ["nul\u{0}", String(repeating: "가", count: 3400)] {
                #expect(try await Self.search(text, by: caller).answer.status == 422)
            }
            #expect(try await caller.send(.get, "/api/v1/search").status == 422)
            #expect(try await caller.send(.get, "/api/v1/search?q=%FF").status == 422)
            let deep = try await Self.search("면", "&size=100&page=21", by: caller)
            #expect(deep.answer.faults == ["page TOO_DEEP"])
        }
    }

    @Test func `a change is found at once, and what is hidden is not`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let id = try await Self.make("로봇청소기", by: owner)
            let path = "/api/v1/gonggus/\(id)"
            _ = try await owner.send(.put, path, draft(["title": "무선청소기"]))
            #expect(try await Self.search("로봇", by: caller).titles == [])
            #expect(try await Self.search("무선", by: caller).titles == ["무선청소기"])
            let connection = try test.connect()
            try connection.run(script: "update gonggus set suspended_at = now()")
            #expect(try await Self.search("무선", by: caller).titles == [])
            try connection.run(script: "update gonggus set suspended_at = null")
            let catchUp = SearchCatchUp(pool: test.server.pool, logger: test.server.logger)
            _ = try await catchUp.runOnce()
            #expect(try await Self.search("무선", by: caller).titles == ["무선청소기"])
            _ = try await owner.send(.delete, path)
            #expect(try await Self.search("무선", by: caller).titles == [])
        }
    }

    @Test func `influencers are found by name and bio until they are suspended`() async throws {
        try await test.call { [test] caller in
            _ = try await caller.member(.influencer, on: test)
            let catchUp = SearchCatchUp(pool: test.server.pool, logger: test.server.logger)
            let connection = try test.connect()
            try connection.run(
                script: """
                    update users set nickname = '육아맘민트';
                    update influencer_profiles set bio = '캠핑을 좋아합니다';
                    """)
            while try await catchUp.runOnce() > 0 {}
            #expect(try await Self.search("아맘", by: caller).titles == ["육아맘민트"])
            #expect(try await Self.search("캠핑", "&type=influencer", by: caller).titles.count == 1)
            #expect(try await Self.search("캠핑", "&type=gonggu", by: caller).titles == [])
            let id = Statement("test_influencer", "select id from users")
            let influencer: Identifier = try connection.query(id)[0].get(0)
            try connection.run(script: "update users set nickname = '여름이'")
            try connection.transaction { try SearchIndex.put(influencer: influencer, in: $0) }
            #expect(try await Self.search("여름", by: caller).titles == ["여름이"])
            try connection.run(script: "update users set status = 'suspended'")
            #expect(try await Self.search("여름", by: caller).titles == [])
            #expect(try await catchUp.runOnce() == 0)
            try connection.run(script: "update users set status = 'active'")
            _ = try await catchUp.runOnce()
            #expect(try await Self.search("여름", by: caller).titles == ["여름이"])
        }
    }

    @Test func `what is written past the API is found after a while, whoever else writes`()
        async throws
    {
        let connection = try test.connect()
        try connection.run(
            script: """
                insert into users (id, nickname, role)
                values ('00000000-0000-7000-8000-000000000001', '하나', 'influencer');
                insert into gonggus (influencer_id, title, original_price, gonggu_price, open_at,
                    close_at, external_url)
                select '00000000-0000-7000-8000-000000000001', '봄공구 ' || n, 2, 1, now(),
                    now() + interval '1 day', 'https://shop.example/'
                from generate_series(1, 450) n;
                """)
        let catchUp = SearchCatchUp(pool: test.server.pool, logger: test.server.logger)
        // Somebody holds a few of the changes; they are passed over and stay.
        let other = try test.connect()
        try other.run(
            script: """
                begin;
                select from search_pending where id in (select id from gonggus limit 10) for update;
                """)
        while try await catchUp.runOnce() > 0 {}
        let left = Statement("test_left", "select count(*) from search_pending")
        #expect(try connection.query(left)[0].get(0, as: Int.self) == 10)
        try other.run(script: "rollback")
        while try await catchUp.runOnce() > 0 {}
        try await test.call { caller in
            let found = try await Self.search("공구", by: caller)
            #expect(found.answer.json["total"]?.integer == 450)
        }
    }
}
