import Clicks
import Linux
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

@Suite struct MaintainTests {
    private let bench: MaintainBench
    private let today = MaintainBench.today
    private let old = MaintainBench.old

    init() throws { bench = try MaintainBench() }

    @Test func `every statement is one that the migrated schema can prepare`() throws {
        #expect(Set(MaintainQueries.all.map(\.name)).count == MaintainQueries.all.count)
        for statement in MaintainQueries.all { try bench.db.prepare(statement) }
    }

    @Test func `an old day becomes a file that says what the ledger said`() throws {
        try bench.addClicks(old)
        try bench.addClicks(old.advanced(byDays: -1))
        try bench.addClicks(old.advanced(byDays: 200))
        let before = try bench.digest(old)
        #expect(try bench.maintain() == 0)
        #expect(try bench.digest(old) == "0 ")
        #expect(try bench.parts(old) == "1 archived")
        #expect(try bench.digest(old.advanced(byDays: 200)).hasPrefix("300 "))
        #expect(try bench.strayTables() == 0)
        let names = try File.list(bench.settings.archiveDirectory).sorted()
        #expect(
            names == [
                "clicks-2025-09-30-1.csv.gz", "clicks-2025-09-30-1.json",
                "clicks-2025-10-01-1.csv.gz",
                "clicks-2025-10-01-1.json",
            ])
        // Judged by others' programs: gzip, sha256sum, and PostgreSQL as the reader of CSV.
        let plain = bench.folder.path + "/plain.csv"
        #expect(
            try ChildProcess("gzip", ["-dc", bench.path(old)], logPath: plain).wait() == 0)
        let manifest = String(
            decoding: try File.contents(of: bench.path(old, "json"), bytesMax: 1 << 16),
            as: UTF8.self)
        for (file, name) in [(plain, "content_sha256"), (bench.path(old), "file_sha256")] {
            let log = bench.folder.path + "/sum-" + name
            #expect(try ChildProcess("sha256sum", [file], logPath: log).wait() == 0)
            let sum = String(decoding: try File.contents(of: log, bytesMax: 999), as: UTF8.self)
            #expect(manifest.contains("\"\(name)\": \"\(sum.prefix(64))\""))
        }
        #expect(manifest.contains("\"rows\": 300,"))
        let text = String(
            decoding: try File.contents(of: plain, bytesMax: 1 << 24), as: UTF8.self)
        #expect(!text.contains("203.0.113.7") && !text.contains("agent "))
        // From the first microsecond of the Korean day to its last.
        let lines = text.split(separator: "\n")
        #expect(lines[1].hasPrefix("2025-09-30 15:00:00+00,"))
        #expect(lines.last?.hasPrefix("2025-10-01 14:59:59.999999+00,") == true)
        #expect(try bench.restore(old) == 300)
        #expect(try bench.digest(old) == before)
        #expect(try bench.parts(old) == "1 restored")
    }

    @Test func `maintaining twice is maintaining once`() throws {
        for back in [0, 1, 90, 91, 400, 401] as [Int32] {
            try bench.addClicks(today.advanced(byDays: -back))
        }
        #expect(try bench.maintain() == 0)
        var steps: [String] = []
        #expect(try bench.maintain { steps.append($0) } == 0)
        #expect(steps.filter { $0.hasPrefix("begun") }.count == 2, "flags and agents: \(steps)")
        for (back, erased) in [(0, 0), (1, 0), (90, 0), (91, 300), (400, 300)] as [(Int32, Int)] {
            let day = today.advanced(byDays: -back)
            let row = try bench.db.query(
                Statement(
                    "test_raw",
                    """
                    select count(*)::int as rows,
                        count(*) filter (where ip_address is null and user_agent_id is null)::int
                            as erased
                    from click_trackings
                    where clicked_at >= $1::text::timestamptz
                        and clicked_at < $1::text::timestamptz + interval '1 day'
                    """), ["\(day) 00:00+09"])[0]
            #expect(try row.get("rows") == 300, "\(back) days ago")
            #expect(try row.get("erased") == erased, "\(back) days ago")
        }
        let indexes = try bench.number(
            "test_gonggu_indexes",
            """
            select count(*) from pg_index join pg_class on pg_class.oid = indexrelid
            where relname ~ '^click_trackings_.*_gonggu_idx$' and indisvalid
            """)
        #expect(indexes == 4, "every day that is over and online")
        #expect(
            try bench.number("test_agents", "select count(*) from user_agents") == 9,
            "they were seen today")
    }

    @Test func `after a death at any point the next run ends with the same`() throws {
        var point = 0
        var points: [String] = []
        while true {
            let bench = try MaintainBench()
            try bench.addClicks(old, 50)
            let before = try bench.digest(old)
            var reached = 0
            do {
                try bench.maintain { name in
                    if name.contains("make the partition") { return }
                    if reached == point {
                        points.append(name)
                        throw MaintainBench.Death()
                    }
                    reached += 1
                }
                break
            } catch is MaintainBench.Death {}
            // Nobody has lost a click in between: it is in the ledger, in a table, or in a file.
            #expect(try bench.maintain() == 0, "after \(points[point])")
            #expect(try bench.parts(old) == "1 archived", "after \(points[point])")
            #expect(try bench.strayTables() == 0, "after \(points[point])")
            #expect(try bench.digest(old) == "0 ")
            var restored = 0
            do {
                try bench.restore(old) { _ in
                    restored += 1
                    if restored == 1 + point % 5 { throw MaintainBench.Death() }
                }
            } catch is MaintainBench.Death {}
            try bench.restore(old)
            #expect(try bench.digest(old) == before, "after \(points[point])")
            point += 1
        }
        #expect(points.count >= 18, "\(points)")
    }

    @Test func `a click that comes after its day was archived becomes a second part`() throws {
        try bench.addClicks(old)
        let first = try bench.digest(old)
        try bench.maintain()
        try bench.addClicks(old, 20, seed: 2)
        let raw = try bench.number(
            "test_late_raw", "select count(ip_address) + count(user_agent_id) from click_trackings")
        #expect(raw == 0, "what comes late for an erased day is erased on arrival")
        #expect(try bench.digest(old).hasPrefix("20 "))
        try bench.maintain()
        #expect(try bench.parts(old) == "1 archived, 2 archived")
        #expect(try bench.restore(old) == 320)
        #expect(try bench.restore(old) == 0, "it is there")
        #expect(try bench.digest(old).hasPrefix("320 "))
        try bench.db.run(script: "delete from click_trackings where id in (\(Self.lateIDs(old)))")
        #expect(try bench.digest(old) == first)
    }

    private static func lateIDs(_ day: KoreanDay) -> String {
        "select md5('\(day) 2 ' || n)::uuid from generate_series(1, 20) as n"
    }

    @Test func `a restored day stays for its time and goes again whole`() throws {
        try bench.addClicks(old)
        let before = try bench.digest(old)
        try bench.maintain()
        try bench.restore(old, keepDays: 10)
        try bench.maintain(today.advanced(byDays: 9))
        #expect(try bench.digest(old) == before)
        try bench.restore(old, keepDays: 20)
        try bench.maintain(today.advanced(byDays: 19))
        #expect(try bench.digest(old) == before, "it was asked for again")
        try bench.addClicks(old, 20, seed: 2)
        try bench.maintain(today.advanced(byDays: 20))
        #expect(try bench.digest(old) == "0 ")
        #expect(try bench.parts(old) == "1 superseded, 2 archived")
        #expect(try bench.restore(old) == 320)
    }

    @Test func `a table is not dropped for a file that is not right`() throws {
        try bench.addClicks(old)
        let before = try bench.digest(old)
        let path = bench.path(old)
        for bit in [0, 100_000] {
            let failures = try bench.maintain { [bench] point in
                guard point == "written down: \(path)" else { return }
                try bench.overwrite(path) { $0[min($0.count - 1, 15 + bit)] ^= 1 }
            }
            #expect(failures == 1)
            #expect(try bench.parts(old) == "1 detached")
            #expect(try bench.strayTables() == 1)
        }
        #expect(try bench.maintain() == 0)
        try bench.restore(old)
        #expect(try bench.digest(old) == before)
    }

    @Test func `a table that changed behind the file is not dropped`() throws {
        try bench.addClicks(old)
        let failures = try bench.maintain { [bench] point in
            guard point.hasPrefix("read back") else { return }
            try bench.db.run(script: "update click_detached_20251001_1 set visitor_key = 1")
        }
        #expect(failures == 1)
        #expect(try bench.strayTables() == 1)
        #expect(try bench.maintain() == 0)
        #expect(try bench.parts(old) == "1 archived")
    }

    @Test func `a file that is not what was written down is not restored`() throws {
        try bench.addClicks(old)
        try bench.maintain()
        for damage in [{ $0.removeLast() }, { $0[30] ^= 4 }] as [(inout [UInt8]) -> Void] {
            let good = try File.contents(of: bench.path(old), bytesMax: 1 << 24)
            try bench.overwrite(bench.path(old), damage)
            #expect(throws: MaintainError.self) { try bench.restore(old) }
            #expect(try bench.digest(old) == "0 ")
            #expect(try bench.parts(old) == "1 archived")
            try bench.overwrite(bench.path(old)) { $0 = good }
        }
        // Exchanged between the look and the load.
        #expect(throws: (any Error).self) {
            try bench.restore(old) { [bench, old] point in
                guard point.hasPrefix("partition made") else { return }
                try bench.overwrite(bench.path(old)) { $0[30] ^= 4 }
            }
        }
        #expect(try bench.digest(old) == "0 ")
        #expect(throws: MaintainError.self) { try bench.restore(today) }
    }

    @Test func `a month that is not settled stays in the ledger`() throws {
        let next = KoreanDay(text: "2025-09-30")!
        try bench.addClicks(old, 10)
        try bench.addClicks(next, 10)
        try bench.db.run(
            script: """
                create or replace function click_month_is_settled(day date) returns boolean
                language sql stable as
                $$ select date_trunc('month', day) <> date '2025-10-01' $$
                """)
        try bench.maintain()
        #expect(try bench.parts(old) == "" && bench.parts(next) == "1 archived")
        #expect(try bench.digest(old).hasPrefix("10 "))
    }
}
