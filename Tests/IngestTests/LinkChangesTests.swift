import Clicks
import Glibc
import Linux
import Links
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

/// Whatever is done to the tables in whatever order it is committed: the file comes to say what
/// they say, without all links being read again.
@Suite struct LinkChangesTests {
    private let database: TestDatabase
    private let db: Connection
    private let folder: TestFolder
    private let gauges = IngestGauges()
    private let seed: UInt64

    private var path: String { folder.path + "/links" }

    init() throws {
        let given = getenv("TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        seed = given ?? UInt64.random(in: 0...UInt64.max)
        database = try TestDatabase()
        db = try database.connect()
        folder = try TestFolder()
        try db.run(
            script: """
                insert into users (id, nickname, role)
                values ('00000000-0000-0000-0000-000000000009', 't', 'influencer')
                """)
    }

    private static let gonggus = Statement(
        "test_gonggus",
        """
        select id::text, short_code, external_url,
            suspended_at is null and hidden_at is null as open,
            (extract(epoch from open_at) * 1000000)::bigint as opens,
            (extract(epoch from close_at) * 1000000)::bigint as closes
        from gonggus limit 1000000
        """)

    private static let banners = Statement(
        "test_banners",
        """
        select id::text, '' as short_code, target_url as external_url, is_active as open,
            (extract(epoch from starts_at) * 1000000)::bigint as opens,
            (extract(epoch from coalesce(ends_at, timestamptz '9999-12-31 00:00+00'))
                * 1000000)::bigint as closes
        from banners limit 1000000
        """)

    /// The checksum of a file of all that the tables say, read and written the plain way.
    private func wanted() throws -> UInt64 {
        let writer = try LinksWriter(
            path: folder.path + "/wanted", generatedAt: Timestamp(microseconds: 0))
        try db.transaction { db in
            try db.run(script: "set transaction isolation level repeatable read")
            for (kind, statement) in [(LinkKind.gonggu, Self.gonggus), (.banner, Self.banners)] {
                for row in try db.query(statement) {
                    let id = Identifier(try row.get("id", as: String.self))!
                    let location = try? TrackedURL.location(
                        externalURL: row.get("external_url"), gonggu: id)
                    guard let location else { continue }
                    try writer.add(
                        LinkSource(
                            kind: kind, id: id,
                            influencerID: kind == .gonggu
                                ? Identifier(high: 0, low: 9) : Identifier.anonymous,
                            shortCode: row.get("short_code"),
                            opensAt: Timestamp(microseconds: row.get("opens")),
                            closesAt: Timestamp(microseconds: row.get("closes")),
                            isSuspended: try !row.get("open", as: Bool.self), location: location))
                }
            }
        }
        return writer.contentChecksum
    }

    private func awaitSame(_ hint: String) throws {
        let wanted = try wanted()
        try eventually("\(hint): the file says what the tables say") {
            (try? LinkTable(path: path).contentChecksum) == wanted
        }
    }

    /// The gauges are told a moment after the file.
    private func awaitTold(_ isSo: (LinkTotals) -> Bool) throws {
        do {
            try eventually("the gauges tell of it") { isSo(gauges.values.links) }
        } catch {
            throw TimedOut(description: "seed \(seed), told: \(gauges.values.links)")
        }
    }

    private func whileRunning(_ body: () throws -> Void) throws {
        let stopping = try WakeSignal()
        let publisher = LinkPublisher(
            path: path, databaseURL: Secret(database.url), gauges: gauges)
        let thread = SystemThread(name: "publisher") { publisher.run(until: stopping) }
        defer {
            stopping.raise()
            thread.join()
        }
        try eventually("the first file") { gauges.values.linksProblem == nil }
        try body()
    }

    /// What one session does next to its own links, those whose number ends as its own.
    private func change(
        _ session: Int, _ random: inout SplitMix
    ) -> String {
        let number = { (random: inout SplitMix) in
            Int.random(in: 0..<40, using: &random) * 4 + session
        }
        let (one, other) = (number(&random), number(&random))
        let id = "'00000000-0000-0001-0000-\(padded(one))'"
        let url = [
            "https://shop.example/\(random.next())", "https://naver.com@evil.example/",
            "https://shop.example/\(String(repeating: "가", count: 900))",
            "https://shop.example/?utm_source=x\u{7F}&a=\\r", "https://shop.example",
        ].randomElement(using: &random)!
        switch Int.random(in: 0..<14, using: &random) {
        case 0...2:
            return """
                insert into gonggus (id, influencer_id, title, original_price, gonggu_price,
                    short_code, external_url, open_at, close_at)
                values (\(id), '00000000-0000-0000-0000-000000000009', 't', 2, 1, 'code\(other)',
                    '\(url)', now(), now() + interval '1 hour')
                on conflict do nothing
                """
        case 3: return "delete from gonggus where id = \(id)"
        case 4: return "update gonggus set external_url = '\(url)' where id = \(id)"
        case 5: return "update gonggus set close_at = close_at + interval '1 s' where id = \(id)"
        case 6: return "update gonggus set suspended_at = now() where id = \(id)"
        case 7: return "update gonggus set hidden_at = null, suspended_at = null where id = \(id)"
        case 8:
            return """
                update gonggus set short_code = 'code\(other)'
                where id = \(id)
                    and not exists (select from gonggus where short_code = 'code\(other)')
                """
        case 9:
            return """
                update gonggus set id = '00000000-0000-0001-0000-\(padded(other))'
                where id = \(id) and not exists (
                    select from gonggus where id = '00000000-0000-0001-0000-\(padded(other))')
                """
        case 10:
            return """
                insert into banners (id, slot, title, image_url, target_url)
                values ('00000000-0000-0002-0000-\(padded(one))', 'home', 't', 'i', '\(url)')
                on conflict do nothing
                """
        case 11:
            return """
                update banners set is_active = not is_active, target_url = '\(url)'
                where id = '00000000-0000-0002-0000-\(padded(one))'
                """
        case 12:
            return "delete from banners where id = '00000000-0000-0002-0000-\(padded(one))'"
        default:
            return "update gonggus set title = 'another' where id = \(id)"
        }
    }

    private func padded(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: 12 - text.count) + text
    }

    @Test func `transactions that overlap are all published, in whatever order they commit`()
        throws
    {
        var random = SplitMix(state: seed)
        let hint = "TEST_SEED=\(seed)"
        try whileRunning {
            let sessions = try (0..<4).map { _ in try database.connect() }
            var isOpen = [Bool](repeating: false, count: 4)
            for step in 1...1500 {
                let session = Int.random(in: 0..<4, using: &random)
                if !isOpen[session] {
                    try sessions[session].run(script: "begin; set local lock_timeout = '2s'")
                    isOpen[session] = true
                }
                let end = Int.random(in: 0..<8, using: &random)
                if end < 2 {
                    try sessions[session].run(script: end == 0 ? "commit" : "rollback")
                    isOpen[session] = false
                } else {
                    try sessions[session].run(script: change(session, &random))
                }
                if step % 300 == 0 {
                    for session in 0..<4 where isOpen[session] {
                        try sessions[session].run(script: "commit")
                        isOpen[session] = false
                    }
                    try awaitSame("\(hint), step \(step)")
                }
            }
            try awaitTold { $0.readings == 1 && $0.named > 100 }
        }
    }

    @Test func `two links that change codes are both found by them`() throws {
        try db.run(
            script: """
                insert into gonggus (id, influencer_id, title, original_price, gonggu_price,
                    short_code, external_url, open_at, close_at)
                select ('00000000-0000-0001-0000-00000000000' || n)::uuid,
                    '00000000-0000-0000-0000-000000000009', 't', 2, 1, 'code' || n,
                    'https://shop.example/', now(), now() + interval '1 hour'
                from generate_series(1, 2) as n
                """)
        try whileRunning {
            for round in 1...5 {
                try db.run(
                    script: """
                        update gonggus set short_code = 'spare' where short_code = 'code1';
                        update gonggus set short_code = 'code1' where short_code = 'code2';
                        update gonggus set short_code = 'code2' where short_code = 'spare';
                        """)
                try awaitSame("round \(round)")
                let table = try LinkTable(path: path)
                let first = Array("code1".utf8).withUnsafeBytes { table.find(code: $0)?.id }
                #expect(first == Identifier(high: 1, low: round % 2 == 0 ? 1 : 2))
            }
        }
    }

    @Test func `changes by the thousand are read at once, and so is what a truncation leaves`()
        throws
    {
        try whileRunning {
            try db.run(
                script: """
                    insert into gonggus (influencer_id, title, original_price, gonggu_price,
                        external_url, open_at, close_at)
                    select '00000000-0000-0000-0000-000000000009', 't', 2, 1,
                        'https://shop.example/' || n, now(), now() + interval '1 hour'
                    from generate_series(1, 3000) as n
                    """)
            try awaitSame("many inserted")
            try awaitTold { $0.readings == 2 && $0.named == 0 }
            try db.run(script: "update gonggus set close_at = close_at + interval '1 hour'")
            try awaitSame("all updated")
            try awaitTold { $0.readings == 2 && $0.named == 3000 }
            try db.run(script: "delete from gonggus")
            try awaitSame("all deleted")
            try db.run(
                script: "insert into banners (slot, title, image_url, target_url) "
                    + "values ('home', 't', 'i', 'https://shop.example/')")
            try awaitSame("a banner")
            #expect(try LinkTable(path: path).linkCount == 1)
            try db.run(script: "truncate banners")
            try awaitSame("truncated")
            #expect(try LinkTable(path: path).linkCount == 0)
        }
    }

    @Test func `times that no file can hold are its latest and earliest`() throws {
        try db.run(
            script: """
                insert into gonggus (id, influencer_id, title, original_price, gonggu_price,
                    short_code, external_url, open_at, close_at)
                values ('00000000-0000-0001-0000-000000000001',
                    '00000000-0000-0000-0000-000000000009', 't', 2, 1, 'code1',
                    'https://shop.example/', '-infinity', 'infinity')
                """)
        func isOpenAlways() throws -> Bool {
            let table = try LinkTable(path: path)
            return withExtendedLifetime(table) {
                let link = table.find(id: Identifier(high: 1, low: 1))
                return link?.opensAt == Timestamp(microseconds: 0)
                    && link!.closesAt > Timestamp(microseconds: Clock.now())
            }
        }
        try whileRunning {
            #expect(try isOpenAlways())
            // Also when it is read by its id.
            try db.run(
                script: """
                    update gonggus set open_at = '4000-01-01 BC', close_at = '294270-01-01',
                        external_url = 'https://shop.example/2'
                    """)
            try awaitTold { $0.readings == 1 && $0.files == 2 }
            #expect(try isOpenAlways())
        }
    }
}
