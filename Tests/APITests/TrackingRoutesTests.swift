import Clicks
import HTTPTypes
import Hummingbird
import Postgres
import Testing

@testable import API

@Suite struct TrackingRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private static let delta = Statement(
        "test_delta",
        """
        insert into click_stats_deltas (
            gonggu_id, hour, verdict, clicks, country, channel, referer_host
        )
        values ($1, $2::text::timestamptz, $3, $4, $5, $6, $7)
        """)

    /// An influencer's gonggu with clicks round a Korean midnight, half of them folded.
    private func clicked(
        _ caller: Caller
    ) async throws -> (owner: Caller, path: String, id: Identifier) {
        let owner = try await caller.member(.influencer, on: test)
        let made = try await owner.send(.post, "/api/v1/gonggus", draft())
        let id = try #require(made.json["id"]?.text.flatMap { Identifier($0) })
        let connection = try test.connect()
        let rows: [(String, Verdict, Int, String, String, String)] = [
            ("2026-11-19T14:00:00Z", .valid, 3, "KR", "insta", "l.instagram.com"),
            ("2026-11-19T15:00:00Z", .valid, 5, "KR", "", ""),
            ("2026-11-19T15:00:00Z", .bot, 2, "US", "", ""),
            ("2026-11-20T14:00:00Z", .flood, 7, "ZZ", "", "blog.naver.com"),
            ("2026-11-20T14:00:00Z", .duplicate, 1, "KR", "insta", "l.instagram.com"),
            ("2026-11-20T15:00:00Z", .valid, 100, "KR", "", ""),
        ]
        for (index, row) in rows.enumerated() {
            try connection.execute(
                Self.delta,
                [id, row.0, Int(row.1.rawValue), row.2, row.3, row.4, row.5])
            if index == 2 { try connection.run(script: "select fold_click_stats()") }
        }
        // Somebody else's, which must not show.
        try connection.execute(
            Self.delta, [Identifier.new(), "2026-11-19T15:00:00Z", 0, 1000, "KR", "", ""])
        return (owner, "/api/v1/tracking/stats/\(id)", id)
    }

    @Test func `days are Korean and have no gaps`() async throws {
        try await test.call { caller in
            let (owner, path, id) = try await clicked(caller)
            let answer = try await owner.send(.get, path + "?from=2026-11-18&to=2026-11-20")
            #expect(answer.status == 200)
            #expect(answer.json["gonggu_id"]?.text == id.description)
            #expect(answer.json["timezone"]?.text == "Asia/Seoul")
            let series = answer.json["series"]?.list ?? []
            #expect(
                series.map { $0["start"]?.text } == [
                    "2026-11-18T00:00:00+09:00", "2026-11-19T00:00:00+09:00",
                    "2026-11-20T00:00:00+09:00",
                ])
            #expect(series.map { $0["clicks"]?["gross"]?.integer } == [0, 3, 15])
            let total = answer.json["total"]
            #expect(total?["gross"]?.integer == 18)
            #expect(total?["valid"]?.integer == 8)
            #expect(total?["held"]?.integer == 7)
            #expect(total?["rejected"]?.integer == 3)
            #expect(total?["held_by"] == .object([.init("flood", 7), .init("datacenter", 0)]))
            #expect(total?["rejected_by"]?["bot"]?.integer == 2)
            #expect(total?["rejected_by"]?["duplicate"]?.integer == 1)
            #expect(answer.json["breakdown"] == .null)
        }
    }

    @Test func `hours are cut at the same midnight`() async throws {
        try await test.call { caller in
            let (owner, path, _) = try await clicked(caller)
            let answer = try await owner.send(
                .get, path + "?from=2026-11-20&to=2026-11-20&interval=hour")
            let series = answer.json["series"]?.list ?? []
            #expect(series.count == 24)
            #expect(series[0]["start"]?.text == "2026-11-20T00:00:00+09:00")
            #expect(series[0]["clicks"]?["gross"]?.integer == 7)
            #expect(series[23]["clicks"]?["gross"]?.integer == 8)
            #expect(answer.json["total"]?["gross"]?.integer == 15)
        }
    }

    @Test(arguments: [
        (StatsDimension.country, ["KR 9", "ZZ 7", "US 2"]), (.channel, [" 14", "insta 4"]),
        (.referer, [" 7", "blog.naver.com 7", "l.instagram.com 4"]), (.device, ["0 18"]),
        (.verdict, ["valid 8", "flood 7", "bot 2", "duplicate 1"]),
    ])
    func `a breakdown adds up to the totals`(
        dimension: StatsDimension, expected: [String]
    ) async throws {
        try await test.call { caller in
            let (owner, path, _) = try await clicked(caller)
            let answer = try await owner.send(
                .get, path + "?from=2026-11-19&to=2026-11-20&by=\(dimension.rawValue)")
            let parts = (answer.json["breakdown"]?.list ?? []).map {
                "\($0["key"]?.text ?? "null") \($0["clicks"]?["gross"]?.integer ?? -1)"
            }
            #expect(parts == expected)
        }
    }

    @Test func `values beyond the hundred largest are one part without a name`() async throws {
        try await test.call { [test] caller in
            let (owner, path, id) = try await clicked(caller)
            let many = Statement(
                "test_many",
                """
                insert into click_stats_deltas (gonggu_id, hour, verdict, clicks, referer_host)
                select $1, '2026-10-01T00:00:00Z', 0, 1000 - n, 'host' || n
                from generate_series(1, 150) as n
                """)
            try test.connect().execute(many, [id])
            let answer = try await owner.send(
                .get, path + "?from=2026-10-01&to=2026-10-01&by=referer")
            let parts = answer.json["breakdown"]?.list ?? []
            #expect(parts.count == 101)
            #expect(parts[0]["key"]?.text == "host1")
            #expect(parts[99]["key"]?.text == "host100")
            #expect(parts[100]["key"] == .null)
            let sum = parts.reduce(0) { $0 + ($1["clicks"]?["gross"]?.integer ?? 0) }
            #expect(sum == answer.json["total"]?["gross"]?.integer)
        }
    }

    @Test func `statistics outlive their gonggu and are nobody else's`() async throws {
        try await test.call { [test] caller in
            let (owner, path, id) = try await clicked(caller)
            let period = "?from=2026-11-19&to=2026-11-20"
            _ = try await owner.send(.delete, "/api/v1/gonggus/\(id)")
            for role in [Role.finance, .admin] {
                let reader = try await caller.member(role, on: test)
                let answer = try await reader.send(.get, path + period)
                #expect(answer.json["total"]?["gross"]?.integer == 18, "\(role)")
            }
            #expect(try await owner.send(.get, path + period).status == 200)
            let other = try await caller.member(.influencer, on: test)
            let refused = try await other.send(.get, path + period)
            #expect(refused.status == 403 && refused.code == "NOT_OWNER")
            let unknown = try await owner.send(.get, "/api/v1/tracking/stats/\(Identifier.new())")
            #expect(unknown.status == 404 && unknown.code == "GONGGU_NOT_FOUND")
        }
    }

    @Test(arguments: [
        ("?from=2026-11-21&to=2026-11-20", "to BEFORE_FROM"),
        ("?from=2024-01-01&to=2026-01-01", "to PERIOD_TOO_LONG"),
        ("?from=2026-10-01&to=2026-11-20&interval=hour", "to PERIOD_TOO_LONG"),
        ("?from=2026-02-30", "from MALFORMED"), ("?from=20261121", "from TOO_SHORT"),
        ("?interval=week", "interval NOT_LISTED"), ("?by=city", "by NOT_LISTED"),
    ])
    func `a faulty question is told which part of it`(query: String, fault: String) async throws {
        try await test.call { caller in
            let (owner, path, _) = try await clicked(caller)
            let answer = try await owner.send(.get, path + query)
            #expect(answer.status == 422 && answer.faults == [fault])
        }
    }

    @Test func `a month without clicks is thirty zeros`() async throws {
        try await test.call { [test] caller in
            let owner = try await caller.member(.influencer, on: test)
            let made = try await owner.send(.post, "/api/v1/gonggus", draft())
            let answer = try await owner.send(
                .get, "/api/v1/tracking/stats/\(made.json["id"]?.text ?? "")")
            let series = answer.json["series"]?.list ?? []
            #expect(series.count == 30)
            #expect(series.allSatisfy { $0["clicks"]?["gross"]?.integer == 0 })
        }
    }
}
