import Glibc
import Linux
import Postgres
import TestSupport
import Testing

/// `Ingest maintain` and `Ingest restore` as they are run, killed at any instant.
@Suite struct MaintainDeathTests {
    private let database: TestDatabase
    private let db: Connection
    private let folder: TestFolder
    private static let oldDays = ["2025-09-30", "2025-10-01", "2025-10-02"]
    private static let erasableDay = "2026-08-22"

    init() throws {
        database = try TestDatabase()
        db = try database.connect()
        folder = try TestFolder()
        try db.run(script: "create table shadow (like click_trackings)")
    }

    /// Both to the ledger and to a table that nobody maintains.

    private func addClicks(_ day: String, _ count: Int, seed: Int) throws {
        try db.run(
            script: """
                select ensure_click_partition('\(day)');
                insert into referers (referer, host) values ('https://a.example/', 'a.example')
                on conflict do nothing;
                with added as (
                    insert into shadow (
                        clicked_at, visitor_key, id, gonggu_id, referer_id, click_count, verdict,
                        rule_set, reason, device, path, ip_address, country, channel)
                    select '\(day) 00:00+09'::timestamptz + n * interval '1 s', n,
                        md5('\(day) \(seed) ' || n)::uuid, md5('g' || n % 9)::uuid,
                        case when n % 3 = 0 then (select min(id) from referers) end, 1, n % 9, 1,
                        0, 0, 0, '203.0.113.7', 'KR', ''
                    from generate_series(1, \(count)) as n
                    returning shadow.*
                )
                insert into click_trackings select * from added;
                """)
    }

    /// Late clicks, as soon as nobody is in the middle of detaching their day.
    private func addLateClicks(_ day: String, seed: Int) throws {
        try eventually("they are taken", within: 30) {
            do {
                try addClicks(day, 20, seed: seed)
                return true
            } catch let error as PostgresError where ["55006", "23514"].contains(error.sqlState) {
                return false
            }
        }
    }

    private static let differences = Statement(
        "test_differences",
        """
        with stored as (
            select row(clicked_at, visitor_key, click.id, gonggu_id, referer_id, verdict,
                country)::text as click
            from click_trackings as click
        ),
        expected as (
            select row(clicked_at, visitor_key, id, gonggu_id, referer_id, verdict,
                country)::text as click
            from shadow
        )
        select ((select count(*) from (table stored except all table expected) as more)
            + (select count(*) from (table expected except all table stored) as less)) as n
        """)

    private func number(_ name: StaticString, _ sql: String) throws -> Int {
        try db.query(Statement(name, "select (\(sql))::bigint as n"))[0].get("n")
    }

    private func start(_ arguments: [String], number: Int) throws -> ChildProcess {
        try ChildProcess(
            TestServers.binary("Ingest"), arguments + ["--today", "2026-11-21"],
            environment: [
                "DATABASE_URL": database.url, "ARCHIVE_DIRECTORY": folder.path + "/archives",
            ], logPath: "\(folder.path)/log-\(number)")
    }

    /// Kills it when it has said so much, or later. - Returns: whether it lived until then.
    private func kill(_ process: ChildProcess, afterLines lines: Int, milliseconds: Int) throws
        -> Bool
    {
        var code: Int32?
        try eventually("it speaks or ends", within: 60) {
            code = process.wait(seconds: 0)
            return code != nil || process.log.split(separator: "\n").count >= lines
        }
        if code == nil { code = process.wait(seconds: Double(milliseconds) / 1000) }
        if code == nil { process.killNow() }
        return code == nil
    }

    /// A server notices a death within a second; until then the session's lock is held.
    private func finish(_ arguments: [String], number: inout Int) throws {
        try eventually("it gets through", within: 60) {
            number += 1
            let process = try start(arguments, number: number)
            guard process.wait() == 0 else { return false }
            return !process.log.contains("at work")
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `killed at any instant, no click is lost and each is there once`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for day in Self.oldDays + [Self.erasableDay] { try addClicks(day, 4000, seed: 1) }
        var (deaths, run) = (0, 0)
        while deaths < 10, run < 100 {
            run += 1
            let process = try start(["maintain"], number: run)
            let (lines, pause) = (Int(random.next() % 8), Int(random.next() % 30))
            if try kill(process, afterLines: lines, milliseconds: pause) { deaths += 1 }
            if random.next() % 2 == 0 {
                try addLateClicks(
                    Self.oldDays.randomElement(using: &random)!, seed: run + 1)
            }
        }
        #expect(deaths >= 5, "seed \(seed): the others came through")
        try finish(["maintain"], number: &run)
        #expect(
            try number("test_online", "select count(*) from click_trackings") == 4000,
            "the erased day alone is in the ledger")
        #expect(try number("test_unfinished", Self.unfinished) == 0, "seed \(seed)")
        for day in Self.oldDays {
            for _ in 0..<3 {
                run += 1
                let process = try start(["restore", day], number: run)
                let (lines, pause) = (Int(random.next() % 5), Int(random.next() % 40))
                _ = try kill(process, afterLines: lines, milliseconds: pause)
            }
            try finish(["restore", day], number: &run)
        }
        let stored = try number("test_stored_count", "select count(*) from click_trackings")
        #expect(stored > 16_000, "late clicks came as well")
        #expect(try db.query(Self.differences)[0].get("n", as: Int.self) == 0, "seed \(seed)")
    }

    /// Whatever is neither a partition nor a file, and addresses.
    private static let unfinished = """
        select (select count(*) from click_archives where state <> 'archived')
            + (select count(*) from pg_class where relkind = 'r'
                and relname ~ '^click_(detached|erasing|trackings_)'
                and oid not in (select inhrelid from pg_inherits))
            + (select count(*) from click_trackings where ip_address is not null)
        """

    @Test func `the commands say what they would do, and how they end`() throws {
        try addClicks(Self.oldDays[0], 10, seed: 1)
        let dry = try start(["maintain", "--dry-run"], number: 1)
        #expect(dry.wait() == 0)
        #expect(dry.log.contains("detach 2025-09-30, archive it and drop its table\n"))
        #expect(dry.log.contains("make the partition of 2026-11-28\n"))
        #expect(
            try number("test_there", "select count(*) from click_trackings") == 10,
            "nothing was done")
        #expect(try start(["maintain", "--now"], number: 2).wait() == 64)
        #expect(try start(["restore", "2025-02-30"], number: 3).wait() == 64)
        #expect(try start(["restore", "2025-09-30"], number: 4).wait() == 1)
        let help = try start(["restore", "--help"], number: 5)
        #expect(help.wait() == 0)
        #expect(help.log.contains("--keep-days") && help.log.contains("ARCHIVE_DIRECTORY"))
        let unset = try ChildProcess(
            TestServers.binary("Ingest"), ["maintain"], logPath: folder.path + "/log-6")
        #expect(unset.wait() == 78)
        try db.run(script: "select pg_advisory_lock(hashtextextended('ingest_maintain', 0))")
        #expect(try start(["maintain"], number: 7).wait() == 0)
        #expect(try start(["restore", "2025-09-30"], number: 8).wait() == 75)
        #expect(
            try number("test_there", "select count(*) from click_trackings") == 10,
            "another is at work")
    }
}
