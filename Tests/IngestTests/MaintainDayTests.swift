import Clicks
import Linux
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

/// Stands for a death at a named point.
private struct DaySwapRefused: Error {}

/// A day's end, and what is erased besides its rows.
@Suite struct MaintainDayTests {
    private let bench: MaintainBench
    private let yesterday = MaintainBench.today.advanced(byDays: -1)

    init() throws { bench = try MaintainBench() }

    private func keyBytes() throws -> Int {
        try bench.number(
            "test_key_bytes", "select pg_relation_size('click_trackings_20261120_pkey')")
    }

    @Test func `a key whose pages were split is made anew, once`() throws {
        try IngestQueries.ensurePartition(yesterday, in: bench.db)
        // In no order, so that each page is split in its middle.
        try bench.db.run(
            script: """
                insert into click_trackings (
                    clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path)
                select '2026-11-20 00:00+09'::timestamptz + n * interval '1 ms', n,
                    md5(n::text)::uuid, md5('g')::uuid, 0, 1, 0
                from generate_series(1, 40000) as n
                order by md5(n::text)
                """)
        let before = try keyBytes()
        var points: [String] = []
        try bench.maintain { points.append($0) }
        #expect(points.contains("key made anew: 2026-11-20"))
        #expect(try keyBytes() < before * 4 / 5)
        points = []
        try bench.maintain { points.append($0) }
        #expect(!points.contains { $0.contains("2026-11-20") })
    }

    @Test func `an index that a death left half made is made anew`() throws {
        try bench.addClicks(yesterday)
        try bench.db.run(
            script: """
                create index click_trackings_20261120_gonggu_idx
                on click_trackings_20261120 (gonggu_id, clicked_at);
                update pg_index set indisvalid = false
                where indexrelid = 'click_trackings_20261120_gonggu_idx'::regclass
                """)
        try bench.maintain()
        let valid = try bench.number(
            "test_valid",
            """
            select count(*) from pg_index
            where indexrelid = 'click_trackings_20261120_gonggu_idx'::regclass and indisvalid
            """)
        #expect(valid == 1)
    }

    @Test func `addresses of flags go with their day's`() throws {
        try bench.db.run(
            script: """
                insert into click_flags (
                    first_clicked_at, last_clicked_at, clicks, gonggu_id, day, ip_address)
                select now(), now(), 1, md5('g')::uuid, date '2026-11-21' - n, '203.0.113.1'
                from generate_series(88, 92) as n
                """)
        try bench.maintain()
        let kept = try bench.number(
            "test_flags",
            """
            select count(*) from click_flags
            where (day >= '2026-08-23') = (ip_address is not null)
            """
        )
        #expect(kept == 5)
        #expect(
            try bench.number(
                "test_flags_kept", "select count(*) from click_flags where ip_address is not null")
                == 3)
    }

    @Test func `a flag keeps its address as long as its day's clicks have theirs`() throws {
        let day = MaintainBench.today.advanced(byDays: -95)
        try bench.addClicks(day)
        try bench.db.run(
            script: """
                insert into click_flags (
                    first_clicked_at, last_clicked_at, clicks, gonggu_id, day, ip_address)
                values (now(), now(), 1, md5('g')::uuid, '\(day)', '203.0.113.1')
                """)
        let kept = "select count(*) from click_flags where ip_address is not null"
        #expect(throws: DaySwapRefused.self) {
            try bench.maintain { point in
                if point.hasPrefix("copied without addresses") { throw DaySwapRefused() }
            }
        }
        #expect(try bench.number("test_flag_kept", kept) == 1)
        #expect(try MaintainQueries.eraseFlags(before: MaintainBench.today, in: bench.db) == 0)
        try bench.maintain()
        #expect(try bench.number("test_flag_kept", kept) == 0)
    }

    @Test func `agents are deleted when nobody came with them in the retention`() throws {
        // Sightings are noted by the database's clock.
        let today = Timestamp(microseconds: Clock.now()).koreanDay
        try bench.db.run(
            script: """
                insert into user_agents (agent, seen_on)
                select 'agent ' || n, date '\(today)' - n from generate_series(88, 96) as n
                """)
        let before = try IngestQueries.userAgentIDs(["agent 96"], in: bench.db)
        try bench.maintain(today)
        let left = try bench.db.query(
            Statement("test_left_agents", "select agent from user_agents order by seen_on, agent"))
        #expect(
            try left.map { try $0.get("agent", as: String.self) }
                == ["agent 92", "agent 91", "agent 90", "agent 89", "agent 88", "agent 96"])
        #expect(try IngestQueries.userAgentIDs(["agent 96"], in: bench.db) == before)
        let again = try IngestQueries.userAgentIDs(["agent 95", "agent 92"], in: bench.db)
        #expect(again[0] > before[0], "it is a new one")
        try bench.db.run(script: "update user_agents set seen_on = '2026-01-01'")
        _ = try IngestQueries.userAgentIDs(["agent 88", "agent 95"], in: bench.db)
        let unseen = try bench.number(
            "test_unseen", "select count(*) from user_agents where seen_on < now()::date - 2")
        #expect(unseen == 5)
    }

    @Test func `numbers of agents are known for a day and no longer`() {
        let texts = KnownTexts()
        let day: Int64 = 86_400 * 1_000_000
        func add() { Array("agent".utf8).withUnsafeBytes { _ = texts.userAgents.place(of: $0) } }
        add()
        let bytes = texts.bytes
        texts.beginBatch(now: Clock.now() + day - 60_000_000)
        #expect(texts.bytes == bytes)
        texts.beginBatch(now: Clock.now() + day + 60_000_000)
        #expect(texts.bytes < bytes)
        add()
        texts.beginBatch(now: Clock.now() - day)
        #expect(texts.bytes < bytes, "a clock that was set back says nothing about an age")
    }
}
