import Clicks
import Linux
import ObjectStore
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

/// Some days of clicks in a database of a test's own, and runs that maintain it.
final class MaintainBench {
    /// Where a run is to end as if it had been killed.
    struct Death: Error {}

    let database: TestDatabase
    let db: Connection
    let folder: TestFolder
    static let today = KoreanDay(text: "2026-11-21")!
    /// Beyond the days online.
    static let old = KoreanDay(text: "2025-10-01")!

    init() throws {
        database = try TestDatabase()
        db = try database.connect()
        folder = try TestFolder()
    }

    /// Where files go if not to the folder alone.
    var bucket: S3Bucket?

    var settings: MaintainSettings {
        MaintainSettings(
            databaseURL: Secret(database.url), archiveDirectory: folder.path + "/archives",
            archiveBucket: bucket)
    }

    /// Clicks of one Korean day from its first microsecond to its last, with what is hard about
    /// texts in a file: quotes, line ends, commas, nothing, and an empty one.
    func addClicks(_ day: KoreanDay, _ count: Int = 300, seed: Int = 1) throws {
        try IngestQueries.ensurePartition(day, in: db)
        try db.run(
            script: """
                insert into user_agents (agent, seen_on)
                select 'agent ' || n, '\(day)' from generate_series(1, 9) as n
                on conflict do nothing;
                insert into referers (referer, host)
                select text, host from (values
                    ('https://a.example/?q="x",y', 'a.example'), (E'line\\none\\r\\ntwo', ''),
                    ('', ''), ('공구, "여름"', ''), ('https://b.example/', 'b.example'), ('\\N', '')
                ) as new (text, host)
                on conflict do nothing;
                insert into click_trackings (
                    clicked_at, visitor_key, id, gonggu_id, user_id, user_agent_id, referer_id,
                    click_count, verdict, rule_set, reason, device, path, ip_address, country,
                    channel)
                select
                    case n when 1 then '\(day) 00:00+09'::timestamptz
                        when 2 then '\(day) 23:59:59.999999+09'::timestamptz
                        else '\(day) 00:00+09'::timestamptz + n * interval '86.4 s' end,
                    hashint8extended(n, \(seed)),
                    md5('\(day) \(seed) ' || n)::uuid, md5('gonggu ' || n % 7)::uuid,
                    case when n % 5 = 0 then md5('user ' || n)::uuid end,
                    (select id from user_agents where agent = 'agent ' || n % 9 + 1),
                    (select id from referers order by id offset n % 8 limit 1),
                    1 + n % 3, n % 9, 1, n % 4, n % 5, n % 2, '203.0.113.7',
                    case when n % 2 = 0 then 'KR' else 'ZZ' end,
                    case when n % 4 = 0 then 'kakao' else '' end
                from generate_series(1, \(count)) as n;
                """)
    }

    /// - Parameter reached: may throw ``Death``; the session is closed then.
    @discardableResult
    func maintain(
        _ today: KoreanDay = MaintainBench.today,
        reached: @escaping (String) throws -> Void = { _ in }
    ) throws -> Int {
        try run(today, reached) { try $0.runOnce() }
    }

    @discardableResult
    func restore(
        _ day: KoreanDay, keepDays: Int = 30, _ today: KoreanDay = MaintainBench.today,
        reached: @escaping (String) throws -> Void = { _ in }
    ) throws -> Int {
        try run(today, reached) { try $0.restore(day, keepDays: keepDays) }
    }

    private func run<T>(
        _ today: KoreanDay, _ reached: @escaping (String) throws -> Void,
        _ body: (MaintainRun) throws -> T
    ) throws -> T {
        try File.makeDirectories(settings.archiveDirectory)
        let session = try MaintainRun.connect(settings.databaseURL, as: "test-maintain")
        try eventually("the lock is free") { try MaintainQueries.takeLock(in: session) }
        return try body(
            MaintainRun(db: session, settings: settings, today: today, reached: reached))
    }

    /// The rows of a day but for what is erased, texts instead of their numbers: a digest and how
    /// many there are.
    func digest(_ day: KoreanDay) throws -> String {
        try db.query(MaintainBench.digestStatement, ["\(day) 00:00+09"])[0].get("digest")
    }

    private static let digestStatement = Statement(
        "test_digest",
        """
        select count(*) || ' ' || coalesce(md5(string_agg(
            row(clicked_at, visitor_key, click.id, gonggu_id, user_id, click_count, verdict,
                rule_set, reason, device, path, country, channel, referer.referer,
                referer.host)::text, E'\\n' order by clicked_at, click.id)), '') as digest
        from click_trackings as click
        left join referers as referer on referer.id = click.referer_id
        where clicked_at >= $1::text::timestamptz
            and clicked_at < $1::text::timestamptz + interval '1 day'
        """)

    /// What a query of one number says. The name stands for the query, as everywhere.
    func number(_ name: StaticString, _ sql: String) throws -> Int {
        try db.query(Statement(name, "select (\(sql))::bigint as n"))[0].get("n")
    }

    /// `1 archived, 2 detached`: the parts of a day.
    func parts(_ day: KoreanDay) throws -> String {
        try MaintainQueries.parts(of: day, in: db).map { "\($0.part.part) \($0.state)" }
            .joined(separator: ", ")
    }

    /// Tables of the clicks that are neither partitions nor anything else that should be there.
    func strayTables() throws -> Int {
        try number(
            "test_stray_tables",
            """
            select count(*) from pg_class
            where relkind = 'r' and relname ~ '^click_(detached|erasing|restoring|trackings_)'
                and oid not in (select inhrelid from pg_inherits)
            """)
    }

    func path(_ day: KoreanDay, part: Int = 1, _ ending: String = "csv.gz") -> String {
        settings.archiveDirectory + "/clicks-\(day)-\(part).\(ending)"
    }

    func overwrite(_ path: String, _ change: (inout [UInt8]) -> Void) throws {
        var bytes = try File.contents(of: path, bytesMax: 1 << 24)
        change(&bytes)
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }
}
