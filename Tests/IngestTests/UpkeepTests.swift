import Clicks
import Linux
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

@Suite struct UpkeepTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    private func upkeep() -> Upkeep {
        Upkeep(
            intake: bench.intake, databaseURL: Secret(bench.database.url), gauges: bench.gauges)
    }

    private static let partitions = Statement(
        "test_partition_names",
        """
        select inhrelid::regclass::text as name
        from pg_inherits
        where inhparent = 'click_trackings'::regclass
        order by 1
        """)

    @Test func `partitions are there from today to a week ahead`() throws {
        let before = Timestamp(microseconds: Clock.now()).koreanDay
        let upkeep = upkeep()
        let round = try upkeep.runOnce()
        // At midnight the day may change in between.
        let today = try [before, Timestamp(microseconds: Clock.now()).koreanDay].first { day in
            let expected = (Int32(0)...7).map {
                "click_trackings_\(day.advanced(byDays: $0).digits)"
            }
            return try bench.db.query(Self.partitions).map { try $0.get("name") } == expected
        }
        #expect(today != nil)
        #expect(round.daysEnsured == 8)
        #expect(try upkeep.runOnce().daysEnsured == 0, "once an hour is enough")
    }

    private static let sums = Statement(
        "test_sums",
        """
        select string_agg(
            concat_ws(' ', gonggu_id, hour, verdict, channel, referer_host, clicks), '\n'
            order by gonggu_id, hour, verdict, channel, referer_host) as sums
        from (
            select gonggu_id, hour, verdict, channel, referer_host, sum(clicks) as clicks
            from click_stats
            group by 1, 2, 3, 4, 5
        ) as line
        """)

    private func sums() throws -> String { try bench.db.query(Self.sums)[0].get("sums") }

    @Test func `folding changes no sum and moves the gonggus' counts`() throws {
        try bench.db.run(
            script: """
                insert into users (id, nickname, role)
                values ('00000000-0000-0000-0000-000000000009', 't', 'influencer');
                insert into gonggus (
                    id, influencer_id, title, original_price, gonggu_price, open_at, close_at,
                    external_url)
                values ('00000000-0000-0001-0000-000000000001',
                    '00000000-0000-0000-0000-000000000009', 't', 2, 1, now(),
                    now() + interval '1 day', 'https://shop.example/')
                """)
        let pump = bench.pump(batchRecordsMax: 40)
        let upkeep = upkeep()
        var random = SplitMix(state: 5)
        var valid = 0
        for part in 0..<3 {
            let clicks = (part * 200..<(part + 1) * 200).map { number in
                let verdict = Verdict.allCases.randomElement(using: &random)!
                let gonggu = Int.random(in: 1...2, using: &random)
                if gonggu == 1 && verdict == .valid { valid += 1 }
                return WholeClick.numbered(
                    number, gonggu: gonggu, verdict: verdict,
                    referer: "https://h\(random.next() % 5).example/",
                    channel: "c\(random.next() % 3)")
            }
            bench.write(clicks.map { [$0] })
            try bench.drain(pump)
            let before = try sums()
            #expect(try upkeep.runOnce().deltasFolded > 0)
            #expect(try sums() == before)
            #expect(try upkeep.runOnce().deltasFolded == 0)
            #expect(try bench.statisticsDifferences() == 0)
            let counted = try bench.number(
                "test_click_count",
                """
                select click_count from gonggu_click_counts
                where gonggu_id = '00000000-0000-0001-0000-000000000001'
                """)
            #expect(counted == valid)
        }
    }

    @Test func `offsets of segments that are there are never forgotten`() throws {
        bench.write([[.numbered(0)]])
        try bench.drain(bench.pump())
        try bench.db.run(
            script: """
                alter table spool_offsets disable trigger spool_offsets_touch;
                insert into spool_offsets (edge_id, segment, committed_bytes)
                values ('edge-1', '0000-0000000000000001-0000000001.clicks', 9),
                    ('edge-2', '0000-0000000000000001-0000000001.clicks', 9);
                update spool_offsets set updated_at = now() - interval '8 days';
                """)
        #expect(try upkeep().runOnce().offsetsForgotten == 1)
        #expect(
            try bench.number("test_offsets", "select count(*) from spool_offsets") == 2,
            "that of the open segment, and another edge's")
    }

    @Test func `upkeep that fails says so until it succeeds`() throws {
        let upkeep = upkeep()
        try bench.db.run(script: "alter table click_stats_deltas rename to hidden")
        let stopping = try WakeSignal()
        let thread = SystemThread(name: "upkeep") { upkeep.run(until: stopping) }
        try eventually("it is told") {
            bench.gauges.values.upkeepProblem?.contains("click_stats_deltas") == true
        }
        let reports = IngestReports(
            gauges: bench.gauges, countries: Countries(path: nil),
            quarantine: bench.intake.quarantine)
        #expect(reports.unmetConditions.contains { $0.hasPrefix("upkeep fails") })
        try bench.db.run(script: "alter table hidden rename to click_stats_deltas")
        try eventually("it is over") { bench.gauges.values.upkeepProblem == nil }
        stopping.raise()
        thread.join()
    }
}
