import Clicks
import HTTPTypes
import Hummingbird
import Logging
import Postgres
import Testing

@testable import API

@Suite struct AdjudicationRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private static let insert = Statement(
        "test_click",
        """
        insert into click_trackings (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set,
            path, ip_address)
        select $2::text::timestamptz + n * interval '1 second', $3 + n, gen_random_uuid(), $1, $4,
            2, 0, '203.0.113.7'
        from generate_series(0, $5 - 1) as n
        """)

    /// An influencer's gonggu with ten valid clicks, then ten held as a flood, and their flag.
    private func flooded(
        _ caller: Caller
    ) async throws -> (owner: Caller, admin: Caller, gonggu: Identifier, flag: String) {
        let owner = try await caller.member(.influencer, on: test)
        let admin = try await caller.member(.admin, on: test)
        let made = try await owner.send(
            .post, "/api/v1/gonggus", draft(["open_at": "2026-11-01T00:00:00+09:00"]))
        let id = try #require(made.json["id"]?.text.flatMap { Identifier($0) })
        let connection = try test.connect()
        try connection.run(script: "select ensure_click_partition('2026-11-10')")
        try connection.execute(
            Self.insert, [id, "2026-11-10T12:00:00+09:00", 100, Int(Verdict.valid.rawValue), 10])
        try connection.execute(
            Self.insert, [id, "2026-11-10T12:00:30+09:00", 200, Int(Verdict.flood.rawValue), 10])
        try connection.run(
            script: """
                insert into click_stats_deltas (gonggu_id, hour, verdict, clicks)
                select gonggu_id, date_trunc('hour', clicked_at), verdict, count(*)
                from click_trackings group by 1, 2, 3;
                insert into click_flags
                    (day, gonggu_id, ip_address, first_clicked_at, last_clicked_at, clicks)
                select '2026-11-10', gonggu_id, ip_address, min(clicked_at), max(clicked_at), 10
                from click_trackings where verdict = 2 group by 2, 3;
                """)
        let flags = try await admin.send(.get, "/api/v1/flags?status=open")
        let flag = try #require(flags.json["items"]?[0])
        #expect(flag["gonggu_id"]?.text == "\(id)" && flag["ip_address"]?.text == "203.0.113.7")
        return (owner, admin, id, flag["id"]?.text ?? "")
    }

    private func desk() -> AdjudicationDesk {
        AdjudicationDesk(
            pool: test.server.pool, runners: test.server.pool, logger: Logger(label: "test"))
    }

    private func counts(_ owner: Caller, _ gonggu: Identifier) async throws -> [Int?] {
        let answer = try await owner.send(
            .get, "/api/v1/tracking/stats/\(gonggu)?from=2026-11-10&to=2026-11-10")
        let total = answer.json["total"]
        return [
            total?["valid"]?.integer, total?["held"]?.integer, total?["rejected"]?.integer,
            total?["rejected_by"]?["refused"]?.integer,
        ]
    }

    @Test func `a released flag's clicks are paid, a confirmed one's are refused`() async throws {
        try await test.call { caller in
            let (owner, admin, gonggu, flag) = try await flooded(caller)
            #expect(try await counts(owner, gonggu) == [10, 10, 0, 0])
            let reason: JSON = ["reason": "지하철 와이파이"]
            let released = try await admin.send(.post, "/api/v1/flags/\(flag)/release", reason)
            #expect(released.status == 200 && released.json["changed"]?.integer == 10)
            #expect(released.json["flag"]?["status"]?.text == "released")
            #expect(released.json["flag"]?["reason"]?.text == "지하철 와이파이")
            #expect(released.json["state"]?.text == "finished")
            #expect(try await counts(owner, gonggu) == [20, 0, 0, 0])
            let again = try await admin.send(.post, "/api/v1/flags/\(flag)/release", reason)
            #expect(again.status == 409 && again.code == "FLAG_DECIDED")
            let confirmed = try await admin.send(.post, "/api/v1/flags/\(flag)/confirm", reason)
            #expect(confirmed.json["changed"]?.integer == 10)
            #expect(try await counts(owner, gonggu) == [10, 0, 10, 10])
            let list = try await admin.send(
                .get, "/api/v1/flags?status=confirmed&gonggu_id=\(gonggu)&sort=clicks&order=asc")
            #expect(list.json["total"]?.integer == 1)
            let unknown = try await admin.send(
                .post, "/api/v1/flags/\(Identifier.new())/release", reason)
            #expect(unknown.status == 404 && unknown.code == "FLAG_NOT_FOUND")
            let silent = try await admin.send(
                .post, "/api/v1/flags/\(flag)/release", ["reason": ""])
            #expect(silent.status == 422 && silent.faults == ["reason EMPTY"])
        }
    }

    @Test func `a decision over many clicks is written down at once and applied by the desk`()
        async throws
    {
        try await test.call { [test] caller in
            let (owner, admin, gonggu, flag) = try await flooded(caller)
            let path = "/api/v1/flags/\(flag)"
            #expect(try await admin.send(.get, path).json["state"] == .null)
            // In the flag's period, of another gonggu: they have to be passed by all the same.
            try test.connect().execute(
                Self.insert,
                [
                    Identifier.new(), "2026-11-10T12:00:28+09:00", 1000,
                    Int(Verdict.valid.rawValue), FlagDecisions.atOnceRowsMax,
                ])
            try test.connect().run(
                script: """
                    update click_trackings
                    set clicked_at = '2026-11-10T12:00:31+09:00', ip_address = '198.51.100.1'
                    where visitor_key >= 1000
                    """)
            let reason: JSON = ["reason": "지하철 와이파이"]
            let released = try await admin.send(.post, path + "/release", reason)
            #expect(released.status == 200 && released.json["state"]?.text == "waiting")
            #expect(released.json["changed"] == 0 && released.json["rows"] == 0)
            #expect(released.json["flag"]?["status"]?.text == "released")
            #expect(try await counts(owner, gonggu) == [10, 10, 0, 0])
            let confirmed = try await admin.send(.post, path + "/confirm", reason)
            #expect(confirmed.status == 409 && confirmed.code == "ADJUDICATION_UNDER_WAY")
            let run = try await admin.send(
                .post, "/api/v1/adjudications",
                ["from": "2026-11-10", "to": "2026-11-10", "rule_set": "standard-3"])
            #expect(run.status == 409 && run.code == "ADJUDICATION_UNDER_WAY")
            #expect(try await desk().runOnce() == 1)
            let done = try await admin.send(.get, path)
            #expect(done.json["state"]?.text == "finished" && done.json["changed"] == 10)
            #expect(done.json["rows"]?.integer == FlagDecisions.atOnceRowsMax + 10)
            #expect(try await counts(owner, gonggu) == [20, 0, 0, 0])
            #expect(
                try await admin.send(.get, "/api/v1/flags/\(Identifier.new())").code
                    == "FLAG_NOT_FOUND")
        }
    }

    @Test func `an adjudication is asked for, made, and reported`() async throws {
        try await test.call { caller in
            let (owner, admin, gonggu, _) = try await flooded(caller)
            let body: JSON = ["from": "2026-11-10", "to": "2026-11-10", "rule_set": "standard-3"]
            let asked = try await admin.send(.post, "/api/v1/adjudications", body)
            #expect(asked.status == 202 && asked.json["state"]?.text == "waiting")
            let id = asked.json["id"]?.text ?? ""
            let twice = try await admin.send(.post, "/api/v1/adjudications", body)
            #expect(twice.json["id"]?.text == id)
            let other = try await admin.send(
                .post, "/api/v1/adjudications",
                ["from": "2026-11-09", "to": "2026-11-11", "rule_set": "standard-3"])
            #expect(other.status == 409 && other.code == "ADJUDICATION_UNDER_WAY")
            let desk = desk()
            #expect(try await desk.runOnce() == 1)
            #expect(try await desk.runOnce() == 0)
            let made = try await admin.send(.get, "/api/v1/adjudications/\(id)")
            #expect(made.json["state"]?.text == "finished" && made.json["rows"]?.integer == 20)
            // Twenty a minute are no flood by these rules.
            let moves = made.json["moves"]?.list ?? []
            #expect(moves.count == 1 && moves.first?["from"]?.text == "flood")
            #expect(moves.first?["to"]?.text == "valid" && moves.first?["clicks"]?.integer == 10)
            #expect(made.json["gonggus"]?[0]?["valid_gained"]?.integer == 10)
            #expect(try await counts(owner, gonggu) == [20, 0, 0, 0])
            let list = try await admin.send(.get, "/api/v1/adjudications")
            #expect(list.json["items"]?.list?.count == 1)
            let sets = try await admin.send(.get, "/api/v1/rule-sets")
            // A build whose rules changed brings their row, or its own clicks could not be judged.
            let edges = "standard-\(RuleSet.current.version)"
            #expect(sets.json["items"]?[0]?["name"]?.text == edges)
            let unknown = try await admin.send(.get, "/api/v1/adjudications/\(Identifier.new())")
            #expect(unknown.status == 404 && unknown.code == "ADJUDICATION_NOT_FOUND")
        }
    }

    @Test(
        arguments: [
            (
                ["from": "2026-11-10", "to": "2026-11-09", "rule_set": "standard-3"],
                "to BEFORE_FROM"
            ),
            (
                ["from": "2024-11-10", "to": "2026-11-09", "rule_set": "standard-3"],
                "to PERIOD_TOO_LONG"
            ),
            (["from": "2126-11-10", "to": "2126-11-10", "rule_set": "standard-3"], "from NOT_YET"),
            (["from": "2026-11-10", "to": "2026-11-10", "rule_set": "none"], "rule_set UNKNOWN"),
        ] as [(JSON, String)])
    func `a faulty wish is told which part of it`(body: JSON, fault: String) async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            let answer = try await admin.send(.post, "/api/v1/adjudications", body)
            #expect(answer.status == 422 && answer.faults == [fault])
        }
    }

    @Test func `an accepted appeal counts from the next adjudication on`() async throws {
        try await test.call { [test] caller in
            let (owner, admin, gonggu, _) = try await flooded(caller)
            let finance = try await caller.member(.finance, on: test)
            try test.connect().execute(
                Self.insert,
                [gonggu, "2026-11-10T13:00:00+09:00", 300, Int(Verdict.prefetch.rawValue), 5])
            try test.connect().run(
                script: """
                    insert into click_stats_deltas (gonggu_id, hour, verdict, clicks)
                    select gonggu_id, date_trunc('hour', clicked_at), verdict, count(*)
                    from click_trackings where verdict = 4 group by 1, 2, 3
                    """)
            let body: JSON = [
                "gonggu_id": .text("\(gonggu)"), "from": "2026-11-10T13:00:00+09:00",
                "to": "2026-11-10T13:00:03+09:00", "verdict": "prefetch", "grounds": "직접 눌렀습니다",
            ]
            let made = try await owner.send(.post, "/api/v1/tracking/appeals", body)
            #expect(made.status == 201 && made.json["status"]?.text == "open")
            let path = "/api/v1/tracking/appeals/\(made.json["id"]?.text ?? "")"
            #expect(try await owner.send(.get, path).status == 200)
            let other = try await caller.member(.influencer, on: test)
            #expect(try await other.send(.get, path).code == "APPEAL_NOT_FOUND")
            #expect(
                try await other.send(.post, "/api/v1/tracking/appeals", body).code == "NOT_OWNER")
            #expect(
                try await other.send(.get, "/api/v1/tracking/appeals").json["total"]?.integer == 0)
            let open = try await finance.send(
                .get, "/api/v1/tracking/appeals?status=open&gonggu_id=\(gonggu)")
            #expect(open.json["total"]?.integer == 1)
            let answer: JSON = ["outcome": "accepted", "answer": "확인했습니다"]
            let answered = try await finance.send(.post, path + "/answer", answer)
            #expect(answered.status == 200 && answered.json["status"]?.text == "accepted")
            #expect(
                try await finance.send(.post, path + "/answer", answer).code == "APPEAL_ANSWERED")
            #expect(try await counts(owner, gonggu)[0] == 10)
            _ = try await admin.send(
                .post, "/api/v1/adjudications",
                ["from": "2026-11-10", "to": "2026-11-10", "rule_set": "standard-3"])
            _ = try await desk().runOnce()
            // The three within the appealed period, and the ten that are no flood by these rules.
            #expect(try await counts(owner, gonggu) == [23, 0, 2, 0])
            let nothing = try await owner.send(
                .post, "/api/v1/tracking/appeals",
                [
                    "gonggu_id": .text("\(gonggu)"), "from": "2026-11-10T13:00:00+09:00",
                    "to": "2026-11-10T14:00:00+09:00", "verdict": "bot", "grounds": "사람입니다",
                ])
            #expect(nothing.status == 409 && nothing.code == "NOTHING_TO_APPEAL")
        }
    }

    private static let gonggu = "00000000-0000-4000-8000-000000000001"
    /// Method, path, body, and who gets past the door.
    private static let doors: [(HTTPRequest.Method, String, JSON?, Set<Role>)] = [
        (.get, "/api/v1/flags", nil, [.admin]), (.get, "/api/v1/flags/\(gonggu)", nil, [.admin]),
        (.post, "/api/v1/flags/\(gonggu)/release", ["reason": "이유"], [.admin]),
        (.post, "/api/v1/flags/\(gonggu)/confirm", ["reason": "이유"], [.admin]),
        (.get, "/api/v1/rule-sets", nil, [.finance, .admin]),
        (.get, "/api/v1/adjudications", nil, [.finance, .admin]),
        (.get, "/api/v1/adjudications/\(gonggu)", nil, [.finance, .admin]),
        (
            .post, "/api/v1/adjudications",
            ["from": "2026-11-10", "to": "2026-11-10", "rule_set": "none"], [.admin]
        ),
        (.get, "/api/v1/tracking/appeals", nil, [.influencer, .finance, .admin]),
        (.get, "/api/v1/tracking/appeals/\(gonggu)", nil, [.influencer, .finance, .admin]),
        (
            .post, "/api/v1/tracking/appeals",
            [
                "gonggu_id": .text(gonggu), "from": "2026-11-10T13:00:00+09:00",
                "to": "2026-11-10T14:00:00+09:00", "verdict": "bot", "grounds": "사람입니다",
            ], [.influencer, .admin]
        ),
        (
            .post, "/api/v1/tracking/appeals/\(gonggu)/answer",
            ["outcome": "declined", "answer": "아닙니다"], [.finance, .admin]
        ),
        (
            .get, "/api/v1/tracking/clicks?gonggu_id=\(gonggu)", nil,
            [.influencer, .finance, .admin]
        ),
        (
            .get, "/api/v1/tracking/clicks.csv?gonggu_id=\(gonggu)", nil,
            [.influencer, .finance, .admin]
        ),
        (.get, "/api/v1/tracking/overview", nil, [.influencer, .finance, .admin]),
        (.get, "/api/v1/tracking/live?gonggu_id=\(gonggu)", nil, [.influencer, .finance, .admin]),
        (.get, "/api/v1/tracking/stats/\(gonggu)", nil, [.influencer, .finance, .admin]),
    ]

    @Test func `each route lets in whom it is for`() async throws {
        try await test.call { [test] caller in
            var members: [Role: Caller] = [:]
            for role in Role.allCases { members[role] = try await caller.member(role, on: test) }
            for (method, path, body, admitted) in Self.doors {
                #expect(try await caller.send(method, path, body).status == 401, "\(path)")
                for role in Role.allCases {
                    let answer = try await members[role]!.send(method, path, body)
                    let isRefused = answer.status == 403 && answer.code == "ROLE_MISSING"
                    #expect(isRefused != admitted.contains(role), "\(path) \(role) \(answer)")
                    #expect(answer.status < 500, "\(path) \(role)")
                }
            }
        }
    }
}
