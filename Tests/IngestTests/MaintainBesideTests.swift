import Clicks
import Linux
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

/// What maintain and others do to the same tables at the same time.
@Suite struct MaintainBesideTests {
    private let bench: MaintainBench
    private let old = MaintainBench.old
    private let erasable = MaintainBench.today.advanced(byDays: -91)

    init() throws { bench = try MaintainBench() }

    @Test func `clicks that come while a day is erased are erased with it, and none is lost`()
        throws
    {
        try bench.addClicks(erasable)
        try bench.maintain { [bench, erasable] point in
            guard point.hasPrefix("copied without") else { return }
            try bench.addClicks(erasable, 40, seed: 3)
        }
        #expect(try bench.digest(erasable).hasPrefix("340 "))
        let raw = try bench.number(
            "test_raw_left", "select count(ip_address) + count(user_agent_id) from click_trackings")
        #expect(raw == 0)
        #expect(
            try bench.number(
                "test_heap_pages",
                """
                select pg_relation_size('click_trackings_\(erasable.digits)')
                    / (340 * 160 + 2 * 8192)
                """) == 0, "it is not bloated")
    }

    @Test func `who uses the day is waited for, and does not wait long`() throws {
        try bench.addClicks(erasable)
        let reads = try WakeSignal()
        let url = bench.database.url
        let reader = SystemThread(name: "reader") {
            guard let db = try? Connection(url: url, applicationName: "test-reader") else { return }
            try? db.run(script: "begin; select count(*) from click_trackings")
            reads.raise()
            // It goes after the first attempt has failed.
            try? eventually("an attempt waits", within: 30) {
                try Connection(url: url, applicationName: "test-look").query(Self.waiting).count > 0
            }
            Clock.sleep(milliseconds: 1000)
            try? db.run(script: "commit")
        }
        #expect(reads.wait(milliseconds: 10_000))
        let began = Clock.monotonic()
        #expect(try bench.maintain() == 0)
        reader.join()
        #expect(Clock.monotonic() - began > 1_000_000)
        #expect(
            try bench.number("test_left", "select count(ip_address) from click_trackings") == 0)
    }

    private static let waiting = Statement(
        "test_waiting",
        """
        select 1 as one from pg_locks
        where not granted and relation = 'click_trackings'::regclass
        """)

    /// A snapshot that is older than the detaching makes it wait, and then time out: as a death
    /// would leave it.
    private func leaveDetachingPending() throws {
        try bench.addClicks(old, 30)
        let reader = try bench.database.connect()
        try reader.run(script: "begin; select count(*) from click_trackings")
        let session = try MaintainRun.connect(bench.settings.databaseURL, as: "test")
        try session.run(script: "set lock_timeout = '200ms'")
        #expect(throws: PostgresError.self) { try MaintainQueries.detach(old, in: session) }
        #expect(try MaintainQueries.days(in: bench.db).map(\.table) == [.pending])
        try reader.run(script: "commit")
    }

    @Test func `a detaching that was cut off is ended by the next run`() throws {
        try leaveDetachingPending()
        try bench.maintain()
        #expect(try bench.parts(old) == "1 archived")
    }

    @Test func `a click is not turned away by a detaching that was cut off`() throws {
        try leaveDetachingPending()
        let maintaining = try bench.database.connect()
        #expect(try MaintainQueries.takeLock(in: maintaining))
        #expect {
            try bench.addClicks(old, 20, seed: 2)
        } throws: {
            ($0 as? PostgresError)?.sqlState == "55006"
        }
        try maintaining.run(script: "select pg_advisory_unlock_all()")
        try bench.addClicks(old, 20, seed: 2)
        #expect(try bench.parts(old) == "1 detached")
        try bench.maintain()
        #expect(try bench.parts(old) == "1 archived, 2 archived")
        #expect(try bench.restore(old) == 50)
    }

    @Test func `a partition that somebody detached by hand is archived as well`() throws {
        let day = MaintainBench.today.advanced(byDays: -5)
        try bench.addClicks(day, 30)
        try bench.db.run(
            script: "alter table click_trackings detach partition click_trackings_\(day.digits)")
        try bench.maintain()
        #expect(try bench.parts(day) == "1 archived")
    }

    @Test func `an Ingest that knew the partition stores what comes after the archive`() throws {
        let ingest = try PumpBench()
        let pump = ingest.pump()
        ingest.write([[.numbered(1)], [.numbered(2)]])
        try ingest.drain(pump)
        let session = try MaintainRun.connect(Secret(ingest.database.url), as: "test")
        let settings = MaintainSettings(
            databaseURL: Secret(ingest.database.url), archiveDirectory: bench.folder.path)
        let later = Timestamp(microseconds: WholeClick.noon).koreanDay.advanced(byDays: 401)
        let run = MaintainRun(db: session, settings: settings, today: later, reached: { _ in })
        #expect(try run.runOnce() == 0)
        #expect(try ingest.storedIDs() == [])
        ingest.write([[.numbered(3)], [.numbered(4)], [.numbered(5)]])
        try ingest.drain(pump)
        #expect(try ingest.storedIDs() == [3, 4, 5])
        #expect(ingest.quarantined == [])
        #expect(try run.runOnce() == 0)
        let day = later.advanced(byDays: -401)
        #expect(try run.restore(day, keepDays: 1) == 5)
        #expect(try ingest.storedIDs() == [1, 2, 3, 4, 5])
        #expect(try ingest.statisticsDifferencesButTexts() == 0)
    }

    @Test func `one maintains at a time`() throws {
        let first = try bench.database.connect()
        let second = try bench.database.connect()
        #expect(try MaintainQueries.takeLock(in: first))
        #expect(try !MaintainQueries.takeLock(in: second))
        try first.run(script: "select pg_advisory_unlock_all()")
        #expect(try MaintainQueries.takeLock(in: second))
    }
}

extension PumpBench {
    /// The numbers of clicks that `numbered` made, as they are stored, in order; with addresses or
    /// without.
    fileprivate func storedIDs() throws -> [Int] {
        try db.query(
            Statement("test_stored_ids", "select id from click_trackings order by id limit 1000")
        ).map { Int(try $0.get("id", as: PostgresUUID.self).low) }
    }

    /// Clicks that the statistics have and the ledger has not, or the other way round.
    fileprivate func statisticsDifferencesButTexts() throws -> Int {
        try number(
            "test_sums_differ",
            """
            select abs((select sum(clicks) from click_stats)
                - (select sum(click_count) from click_trackings))
            """)
    }
}
