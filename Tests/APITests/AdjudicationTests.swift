import Clicks
import Linux
import Postgres
import TestSupport
import Testing

@testable import API

@Suite struct AdjudicationTests {
    let ledger: AdjudicationLedger

    init() throws {
        ledger = try AdjudicationLedger()
        let day = try #require(KoreanDay(text: "2026-11-10"))
        period = try AdjudicationPeriod(from: day, to: day)
    }

    private let period: AdjudicationPeriod

    /// What is in the ledger and what must count.
    private struct Expected {
        var clicks: [StoredClick]
        var evidence: ClickEvidence
        var counts: [Identifier: Finding] = [:]

        /// What a judgement finds now, which then counts.
        mutating func judge() {
            let now = clicks.sorted { $0.place < $1.place }.map { click in
                StoredClick(
                    id: click.id, gonggu: click.gonggu, time: click.time, visitor: click.visitor,
                    user: click.user, agent: click.agent, address: click.address,
                    count: click.count, edge: click.edge, current: counts[click.id])
            }
            let findings = PlainJudge.findings(now, evidence, testRules)
            for (click, finding) in zip(now, findings) { counts[click.id] = finding }
        }
    }

    /// Runs to the end, interrupted any number of times, each time on a new session.
    private func adjudicate(
        rowsMax: Int, stopping random: inout SplitMix
    ) throws -> AdjudicationRun {
        let first = try ledger.connect()
        let id = try RunQueries.request(period, rules: testRules, by: nil, in: first)
        while true {
            let connection = try ledger.connect()
            let isLast = Int.random(in: 0..<4, using: &random) == 0
            let outcome = try AdjudicationWork.run(
                id, rowsMax: rowsMax, in: connection, isStopping: { !isLast })
            if outcome == .finished { break }
            #expect(outcome == .stopped)
            // Whoever asks again gets the run that is there.
            let again = try RunQueries.request(period, rules: testRules, by: nil, in: first)
            #expect(again == id)
        }
        return try #require(try RunQueries.run(id, in: first))
    }

    private func compare(_ expected: Expected, _ note: String) throws {
        let connection = try ledger.connect()
        let faults = try ledger.faults(connection)
        #expect(faults == [], "\(note): \(faults)")
        let found = try ledger.verdicts(connection)
        let wrong = expected.counts.filter { found[$0.key] != $0.value }
        #expect(
            wrong.isEmpty && found.count == expected.counts.count,
            "\(note): \(wrong.count) wrong, \(wrong.prefix(2)), \(found.count) in all"
        )
    }

    /// Decides some of the open flags.
    private func decide(
        _ expected: inout Expected, _ world: inout TestWorld, order: inout Int, _ note: String
    ) throws {
        let connection = try ledger.connect()
        let ids = try connection.query(
            Statement(
                "test_open_flags",
                """
                select id from click_flags
                where status = 'open'
                order by day, gonggu_id, ip_address
                limit 10
                """
            )
        )
        .map { row throws(PostgresError) in try row.get(0, as: Identifier.self) }
        for id in ids where Bool.random(using: &world.random) {
            let flag = try #require(try FlagQueries.flag(id, in: connection))
            let outcome = ClickDecision.Outcome.allCases.randomElement(using: &world.random)!
            try apply(id, outcome, &world.random, in: connection)
            order += 1
            expected.evidence.decisions[flag.gonggu, default: []].insert(
                ClickDecision(
                    order: order, gonggu: flag.gonggu, from: flag.firstClickAt,
                    to: flag.lastClickAt, verdict: .flood, address: flag.address,
                    outcome: outcome), at: 0)
            expected.judge()
            try compare(expected, "\(note), \(outcome)")
        }
    }

    /// At once, or by the desk, page by page and stopped anywhere.
    private func apply(
        _ flag: Identifier, _ outcome: ClickDecision.Outcome, _ random: inout SplitMix,
        in connection: Connection
    ) throws {
        let run = try FlagDecisions.decide(
            flag, outcome, reason: "보고 정함", by: ledger.admin,
            atOnceRowsMax: [0, 30, 4000].randomElement(using: &random)!, in: connection)
        guard !run.isFinished else { return }
        let rowsMax = Int.random(in: 3...50, using: &random)
        while true {
            let isLast = Int.random(in: 0..<4, using: &random) == 0
            let outcome = try DecisionWork.run(
                run.decision, rowsMax: rowsMax, in: ledger.connect(), isStopping: { !isLast })
            if outcome == .finished { break }
            #expect(outcome == .stopped)
            #expect(throws: AdjudicationRefusal.underWay) {
                try RunQueries.request(period, rules: testRules, by: nil, in: connection)
            }
        }
    }

    @Test(arguments: 0..<4)
    func `the ledger ends where looking at everything ends`(round: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var world = ledger.world(seed: seed, clicks: 400)
        try ledger.prepare(world)
        var expected = Expected(clicks: [], evidence: world.evidence)
        var order = 0
        // Two waves: the second comes late, into what was judged already.
        let late = Set(
            world.clicks.filter { _ in Int.random(in: 0..<5, using: &world.random) == 0 }.map(\.id))
        for (wave, clicks) in [
            world.clicks.filter { !late.contains($0.id) },
            world.clicks.filter { late.contains($0.id) },
        ].enumerated() {
            let note = "seed \(seed) wave \(wave)"
            try ledger.insert(clicks)
            expected.clicks += clicks
            let rowsMax = Int.random(in: 5...60, using: &world.random)
            let run = try adjudicate(rowsMax: rowsMax, stopping: &world.random)
            #expect(run.state == .finished && run.rows == expected.clicks.count, "\(note)")
            #expect(run.changes > 0, "\(note)")
            expected.judge()
            try compare(expected, note)
            try decide(&expected, &world, order: &order, note)
            let again = try adjudicate(rowsMax: 1000, stopping: &world.random)
            #expect(again.changes == 0 && again.id != run.id, "\(note)")
            try compare(expected, note + ", again")
        }
    }

    @Test func `a rehearsal says what the run will say and writes nothing`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        let world = ledger.world(seed: seed, clicks: 300)
        try ledger.prepare(world)
        try ledger.insert(world.clicks)
        let connection = try ledger.connect()
        let before = try ledger.verdicts(connection)
        let rehearsed = try AdjudicationWork.rehearse(
            period, rules: testRules, rowsMax: 17, in: connection)
        #expect(try ledger.verdicts(connection) == before)
        var random = SplitMix(state: seed)
        let run = try adjudicate(rowsMax: 40, stopping: &random)
        let report = try RunQueries.report(of: run, in: connection)
        #expect(report == rehearsed, "seed \(seed)")
        #expect(report.text(period, testRules) == rehearsed.text(period, testRules))
        #expect(report.changes > 0 && !report.gonggus.isEmpty)
    }

    @Test func `one run at a time over any moment`() throws {
        try ledger.prepare(ledger.world(seed: 1, clicks: 0))
        let (one, two) = (try ledger.connect(), try ledger.connect())
        let id = try RunQueries.request(period, rules: testRules, by: nil, in: one)
        let days = try AdjudicationPeriod(
            from: KoreanDay(text: "2026-11-10")!, to: KoreanDay(text: "2026-11-12")!)
        #expect(throws: AdjudicationRefusal.underWay) {
            try RunQueries.request(days, rules: testRules, by: nil, in: two)
        }
        // Whose session has it, has it alone.
        #expect(try RunQueries.take(id, in: one))
        #expect(try AdjudicationWork.run(id, in: two) == .takenByAnother)
        try RunQueries.release(id, in: one)
        #expect(try AdjudicationWork.run(id, in: two) == .finished)
        #expect(try AdjudicationWork.run(id, in: one) == .takenByAnother)
        _ = try RunQueries.request(days, rules: testRules, by: nil, in: two)
    }

    @Test func `a period that is not over is covered until the run was asked for`() throws {
        try ledger.prepare(ledger.world(seed: 1, clicks: 0))
        let connection = try ledger.connect()
        let now = try RunQueries.now(in: connection)
        let days = try AdjudicationPeriod(
            from: now.koreanDay, to: now.koreanDay.advanced(byDays: 3))
        let id = try RunQueries.request(days, rules: testRules, by: nil, in: connection)
        let run = try #require(try RunQueries.run(id, in: connection))
        #expect(run.to > now && run.to < now.advanced(bySeconds: 60))
        #expect(try AdjudicationWork.run(id, in: connection) == .finished)
        let ahead = now.koreanDay.advanced(byDays: 5)
        #expect(throws: AdjudicationRefusal.notYet) {
            try RunQueries.request(
                AdjudicationPeriod(from: ahead, to: ahead), rules: testRules, by: nil,
                in: connection)
        }
    }

    @Test func `a flag is not decided while its clicks are being judged, and not twice`() throws {
        let world = ledger.world(seed: 3, clicks: 300)
        try ledger.prepare(world)
        try ledger.insert(world.clicks)
        let connection = try ledger.connect()
        let flag: Identifier = try connection.query(
            Statement("test_one_flag", "select id from click_flags order by clicks desc limit 1"))[
                0
            ]
            .get(0)
        let id = try RunQueries.request(period, rules: testRules, by: nil, in: connection)
        #expect(throws: AdjudicationRefusal.underWay) {
            try FlagDecisions.decide(
                flag, .release, reason: "사유", by: ledger.admin, in: connection)
        }
        #expect(try AdjudicationWork.run(id, in: connection) == .finished)
        #expect(
            try FlagDecisions.decide(
                flag, .refuse, reason: "사유", by: ledger.admin, in: connection
            ).changes > 0)
        #expect(throws: AdjudicationRefusal.flagDecided) {
            try FlagDecisions.decide(
                flag, .refuse, reason: "사유", by: ledger.admin, in: connection)
        }
        // A mind may be changed, and both decisions stay on record.
        #expect(
            try FlagDecisions.decide(
                flag, .release, reason: "다시 봄", by: ledger.admin, in: connection
            ).changes > 0)
        let decisions: Int = try connection.query(
            Statement("test_decisions", "select count(*) from click_decisions"))[0].get(0)
        #expect(decisions == 2)
        #expect(throws: AdjudicationRefusal.flagNotFound) {
            try FlagDecisions.decide(
                Identifier.new(), .release, reason: "사유", by: ledger.admin, in: connection)
        }
    }

    @Test func `a decision that is taken up again knows whose windows it has moved`() throws {
        try ledger.prepare(ledger.world(seed: 5, clicks: 0))
        let noon = try #require(Timestamp(rfc3339: "2026-11-10T12:00:00+09:00"))
        let connection = try ledger.connect()
        // By the edge's rules, as no run has judged this time by others.
        let window = try RunQueries.rules(over: noon, in: connection).windowSeconds
        let (held, other) = (NetworkAddress(ipv4: 0xC000_0201), NetworkAddress(ipv4: 0xC000_0202))
        let clicks = (0..<3).map { place in
            StoredClick(
                id: Identifier(high: UInt64(place) << 16 | 0x7000, low: 2 << 62 | 1),
                gonggu: ledger.gonggus[0],
                time: noon.advanced(bySeconds: Int64(place * (window - 1))),
                visitor: 7, address: place == 0 ? held : other,
                edge: Finding(place == 0 ? .flood : place == 1 ? .valid : .duplicate))
        }
        try ledger.insert(clicks)
        let flag: Identifier = try connection.query(
            Statement("test_one_flag", "select id from click_flags"))[0].get(0)
        let run = try FlagDecisions.decide(
            flag, .release, reason: "사유", by: ledger.admin, atOnceRowsMax: 0, in: connection)
        #expect(run.state == .waiting && run.changes == 0)
        var sessions = 0
        while try !#require(try DecisionQueries.run(run.decision, in: connection)).isFinished {
            sessions += 1
            _ = try DecisionWork.run(
                run.decision, rowsMax: 1, in: ledger.connect(), isStopping: { true })
        }
        // The second follows the released one within the window, the third does not.
        let verdicts = try ledger.verdicts(connection)
        #expect(
            clicks.map { verdicts[$0.id]?.verdict } == [.valid, .duplicate, .valid])
        #expect(sessions >= 3)
        #expect(try ledger.faults(connection) == [])
    }

    @Test func `adjudications and decisions are only ever added to`() throws {
        let world = ledger.world(seed: 4, clicks: 200)
        try ledger.prepare(world)
        try ledger.insert(world.clicks)
        let connection = try ledger.connect()
        var random = SplitMix(state: 4)
        _ = try adjudicate(rowsMax: 100, stopping: &random)
        for script in [
            "update click_adjudications set reason = 'x'", "delete from click_adjudications",
            "truncate click_adjudications", "update rule_sets set window_seconds = 1",
            "delete from rule_sets where version = 2",
        ] {
            let error = #expect(throws: PostgresError.self) { try connection.run(script: script) }
            #expect(error?.sqlState == "23001", "\(script)")
        }
        // One that does not begin where the click stands is refused.
        let error = #expect(throws: PostgresError.self) {
            try connection.run(
                script: """
                    insert into click_adjudications (clicked_at, click_id, gonggu_id, run_id,
                        from_verdict, to_verdict, rule_set, reason)
                    select final.clicked_at, final.id, final.gonggu_id, run.id,
                        (final.verdict + 1) % 9, 9, 3, 'x'
                    from final_clicks as final, adjudication_runs as run
                    limit 1
                    """)
        }
        #expect(error?.violates("click_adjudications_chained") == true)
    }
}
