import Clicks
import Glibc
import Linux
import Links
import Postgres
import Settings
import TestSupport
import Testing

@testable import Ingest

@Suite struct LinkPublisherTests {
    private let database: TestDatabase
    private let db: Connection
    private let folder: TestFolder
    private let gauges = IngestGauges()
    private let publisher: LinkPublisher

    private var path: String { folder.path + "/down/links" }

    init() throws {
        database = try TestDatabase()
        db = try database.connect()
        folder = try TestFolder()
        publisher = LinkPublisher(
            path: folder.path + "/down/links", databaseURL: Secret(database.url), gauges: gauges)
        try db.run(
            script: """
                insert into users (id, nickname, role)
                values ('00000000-0000-0000-0000-000000000009', 't', 'influencer')
                """)
    }

    private static let insert = Statement(
        "test_insert_gonggu",
        """
        insert into gonggus (
            id, influencer_id, title, original_price, gonggu_price, short_code, external_url,
            open_at, close_at, suspended_at, hidden_at)
        select $1, '00000000-0000-0000-0000-000000000009', 't', 2, 1, $2, $3, now() + $4::interval,
            now() + $5::interval, case when $6 then now() end, case when $7 then now() end
        """)

    private func add(
        _ number: Int, code: String? = nil, url: String = "https://shop.example/",
        opens: String = "-1 hour", closes: String = "1 hour", suspended: Bool = false,
        hidden: Bool = false
    ) throws {
        try db.execute(
            Self.insert,
            [
                PostgresUUID(high: 1, low: UInt64(number)), code ?? "code\(number)", url, opens,
                closes, suspended, hidden,
            ])
    }

    private static let times = Statement(
        "test_times", "select open_at, close_at from gonggus where id = $1")

    /// What the published file says of a link, nil if it does not have it.
    private func published<T>(_ number: Int, _ body: (LinkRecord) -> T) throws -> T? {
        let table = try LinkTable(path: path)
        return withExtendedLifetime(table) {
            table.find(id: Identifier(high: 1, low: UInt64(number))).map(body)
        }
    }

    private func location(_ number: Int) throws -> String? {
        try published(number) { link in
            let start = String(decoding: link.location, as: UTF8.self)
            guard link.separator != 0 else { return start }
            let separator = String(UnicodeScalar(link.separator))
            return start + separator + Campaign.parameters.description + link.id.description
        }
    }

    @Test func `what is published is what the table says`() throws {
        try add(1)
        try add(2, opens: "1 hour", closes: "2 hours")
        try add(3, opens: "-2 hours", closes: "-1 hour")
        try add(4, suspended: true)
        try add(5, hidden: true)
        try add(6, url: "https://shop.example/p?utm_source=x&a=1&utm_campaign=y&utm_medium=z#top")
        let round = try publisher.runOnce()
        #expect(round == LinkPublisher.Round(links: 6, refused: 0, isWritten: true))
        let now = Timestamp(microseconds: Clock.now())
        let open = try (1...6).map { number in try published(number) { $0.isOpen(at: now) } }
        #expect(open == [true, false, false, false, false, true])
        #expect(
            try (1...6).map { try published($0, \.isSuspended) }
                == [false, false, false, true, true, false])
        for number in 1...6 {
            let id = Identifier(high: 1, low: UInt64(number))
            let row = try db.query(Self.times, [PostgresUUID(high: id.high, low: id.low)])[0]
            let (opens, closes): (PostgresTimestamp, PostgresTimestamp) = (
                try row.get("open_at"), try row.get("close_at")
            )
            #expect(try published(number, \.opensAt.microseconds) == opens.microseconds)
            #expect(try published(number, \.closesAt.microseconds) == closes.microseconds)
            #expect(try published(number, \.influencerID) == Identifier(high: 0, low: 9))
            let table = try LinkTable(path: path)
            let code = Array("code\(number)".utf8)
            let byCode = withExtendedLifetime(table) {
                code.withUnsafeBytes { table.find(code: $0)?.id }
            }
            #expect(byCode == id)
        }
        #expect(
            try location(6) == "https://shop.example/p?a=1&utm_medium=z&utm_source=gonggumoa"
                + "&utm_campaign=00000000-0000-0001-0000-000000000006#top")
    }

    @Test func `a gonggu that cannot be sent to anybody is left out, the others are not`() throws {
        try add(1)
        try add(2, url: "https://user@shop.example/")
        try add(3, url: "https://shop.example/" + String(repeating: "가", count: 900))
        try add(4)
        #expect(
            try publisher.runOnce()
                == LinkPublisher.Round(links: 2, refused: 2, isWritten: true))
        #expect(try location(1) != nil && location(4) != nil)
        #expect(try location(2) == nil && location(3) == nil)
    }

    @Test func `the same content is not written again, unless its file is not ours any more`()
        throws
    {
        try add(1)
        #expect(try publisher.runOnce().isWritten)
        let first = File.identity(of: path)
        // Another title is not the edge's affair.
        try db.run(script: "update gonggus set title = 'other'")
        #expect(try !publisher.runOnce().isWritten)
        #expect(File.identity(of: path) == first)
        // A publisher that starts anew finds the file as it left it.
        let second = LinkPublisher(
            path: path, databaseURL: Secret(database.url), gauges: IngestGauges())
        #expect(try !second.runOnce().isWritten)
        try File.remove(path)
        #expect(try publisher.runOnce().isWritten)
        #expect(try location(1) != nil)
        _ = try File.open(path, .createOrTruncate)
        #expect(try publisher.runOnce().isWritten, "emptied by somebody")
        #expect(try location(1) != nil)
        try db.run(script: "delete from gonggus")
        #expect(try publisher.runOnce().isWritten)
        #expect(try LinkTable(path: path).linkCount == 0)
    }

    @Test func `more links than a page holds are all published`() throws {
        try db.run(
            script: """
                insert into gonggus (influencer_id, title, original_price, gonggu_price,
                    short_code, external_url, open_at, close_at)
                select '00000000-0000-0000-0000-000000000009', 't', 2, 1, 'c' || n + 1000,
                    'https://shop.example/' || n, now(), now() + interval '1 hour'
                from generate_series(1, 20000) as n
                """)
        #expect(try publisher.runOnce().links == 20_000)
        #expect(try LinkTable(path: path).linkCount == 20_000)
    }

    /// Runs the publisher beside the body.
    private func whileRunning(_ body: () throws -> Void) throws {
        let stopping = try WakeSignal()
        let publisher = publisher
        let thread = SystemThread(name: "publisher") { publisher.run(until: stopping) }
        defer {
            stopping.raise()
            thread.join()
        }
        try eventually("the first file") { gauges.values.linksProblem == nil }
        try body()
    }

    private func setURL(_ url: String) throws {
        try db.execute(
            Statement("test_set_url", "update gonggus set external_url = $1"), [url])
    }

    @Test func `a change is told and published long before anybody looks for it`() throws {
        try add(1)
        try whileRunning {
            for part in 1...5 {
                try setURL("https://shop.example/\(part)")
                try eventually("change \(part)") {
                    try location(1)?.hasPrefix("https://shop.example/\(part)?") == true
                }
            }
        }
    }

    @Test func `a thousand changes are few files, and the last one counts`() throws {
        try add(1)
        try whileRunning {
            let before = gauges.values.links.files
            for part in 1...1000 { try setURL("https://shop.example/\(part)") }
            try eventually("the last") {
                try location(1)?.hasPrefix("https://shop.example/1000?") == true
            }
            // The gauges are told a moment after the file.
            try eventually("told") { gauges.values.links.files > before }
            let files = gauges.values.links.files - before
            #expect(1...100 ~= files, "\(files) files")
        }
    }

    @Test func `a database that goes away leaves the file, and is taken up again`() throws {
        try add(1)
        try whileRunning {
            let first = File.identity(of: path)
            try db.run(
                script: """
                    update gonggus set external_url = 'https://shop.example/away';
                    select pg_terminate_backend(pid) from pg_stat_activity
                    where application_name = 'gonggumoa-ingest-links'
                        and datname = current_database();
                    """)
            try eventually("the change that was told to nobody") {
                try location(1)?.hasPrefix("https://shop.example/away?") == true
            }
            #expect(File.identity(of: path) != first)
            try eventually("all is well again") { gauges.values.linksProblem == nil }
            try setURL("https://shop.example/back")
            try eventually("listening again") {
                try location(1)?.hasPrefix("https://shop.example/back?") == true
            }
        }
    }

    @Test func `a schema of another version is not published from`() throws {
        try add(1)
        try db.run(script: "delete from schema_migrations where version > 1")
        #expect(throws: (any Error).self) { try publisher.runOnce() }
        #expect(!File.exists(path))
    }
}
