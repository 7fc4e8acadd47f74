import Clicks
import Linux
import Postgres
import Synchronization
import TestSupport
import Testing

@testable import Ingest

@Suite struct QueriesTests {
    private let database: TestDatabase

    init() throws { database = try TestDatabase() }

    @Test func `every statement is one that the migrated schema can prepare`() throws {
        let db = try database.connect()
        let all = IngestQueries.all + LinkQueries.all
        #expect(Set(all.map(\.name)).count == all.count)
        for statement in all { try db.prepare(statement) }
    }

    @Test func `every COPY names columns that are there`() throws {
        let db = try database.connect()
        let tables = [
            IngestQueries.userAgents, IngestQueries.referers, IngestQueries.dimensions,
        ]
        for statement in [ClickBatch.copyClicks(), StatisticsDeltas.copy] + tables.map(\.copy) {
            #expect(try db.copyIn(statement) { _ in } == 0)
        }
        for statement in LinkQueries.copies {
            #expect(try db.copyOut(statement) { _ in } == 0)
        }
    }

    /// An insert that meets a conflict uses up a number, and there are 2³¹ of them: a client with a
    /// few hundred thousand texts could use them up in a day.
    @Test func `texts that are known cost no numbers`() throws {
        let db = try database.connect()
        let agents = (0..<100).map { "agent \($0)" }
        let first = try IngestQueries.userAgentIDs(agents, in: db)
        #expect(Set(first).count == 100)
        for _ in 0..<10 {
            #expect(try IngestQueries.userAgentIDs(agents.reversed(), in: db) == first.reversed())
        }
        let next = try IngestQueries.userAgentIDs(["another"] + agents, in: db)
        #expect(next[0] == first.max()! + 1)
        let referers = try IngestQueries.refererIDs(["https://a.example/x", "b"], in: db)
        let hosts = Statement(
            "test_hosts", "select host from referers where id = any ($1) order by id limit 9")
        #expect(
            try db.query(hosts, [referers.map { Int($0) }]).map { try $0.get("host") }
                == ["a.example", ""])
    }

    private static let insertAgent = Statement(
        "test_insert_agent", "insert into user_agents (agent) values ($1) returning id")

    private static let blocked = Statement(
        "test_blocked",
        """
        select 1 as one
        from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'
        """)

    /// Our copy is refused when the other has committed; or takes the text if it has not.
    @Test(arguments: [true, false])
    func `a text that two store at the same time has one number`(otherCommits: Bool) throws {
        let (other, watcher) = try (database.connect(), database.connect())
        try other.run(script: "begin")
        let others: Int32 = try other.query(Self.insertAgent, ["b"])[0].get("id")
        let answer = Mutex<[Int32]>([])
        let thread = SystemThread(name: "storing") { [database] in
            let numbers = try? IngestQueries.userAgentIDs(
                ["a", "b", "c"], in: database.connect())
            answer.withLock { $0 = numbers ?? [] }
        }
        try eventually("the copy waits for the other transaction") {
            try !watcher.query(Self.blocked).isEmpty
        }
        try other.run(script: otherCommits ? "commit" : "rollback")
        thread.join()
        let numbers = answer.withLock { $0 }
        #expect(Set(numbers).count == 3)
        #expect((numbers.dropFirst().first == others) == otherCommits)
        #expect(try IngestQueries.userAgentIDs(["a", "b", "c"], in: watcher) == numbers)
    }

    @Test func `a text that is neither found nor taken is an error, after a few attempts`() throws {
        let db = try database.connect()
        let first = try IngestQueries.refererIDs(["a"], in: db)
        #expect(throws: PumpError.textsContended) {
            _ = try IngestQueries.numbers(
                of: ["b", "a"], in: IngestQueries.referers, db, look: { _ in [] }
            ) {
                $1.writeText($0)
                $1.writeText("")
            }
        }
        let next = try IngestQueries.refererIDs(["b"], in: db)
        #expect(next[0] - first[0] <= 11, "nothing is stored by halves, and few numbers are lost")
    }

    private static let hashes = Statement(
        "test_hashes",
        """
        select count(*) as same
        from unnest($1::text[]) as entry
        where dictionary_hash(entry) = substring(sha256(convert_to(entry, 'UTF8')) for 16)
        """)

    /// Stored rows have it, and other writers may compute it by themselves.
    @Test func `a text is found by the first half of its SHA-256`() throws {
        let texts = ["", "a", "\\x61", "카카오톡", "\u{1F601}", String(repeating: "a", count: 2000)]
        let same: Int = try database.connect().query(Self.hashes, [texts])[0].get("same")
        #expect(same == texts.count)
    }

    @Test func `dimensions that are known cost no numbers, and each differs by one of five`()
        throws
    {
        let db = try database.connect()
        let texts = KnownTexts()
        var click = WholeClick.numbered(0).click
        let other = "other".utf8.withContiguousStorageIfAvailable {
            texts.channels.place(of: UnsafeRawBufferPointer($0))
        }
        let place = try #require(other)
        var lines: [StatisticsLine] = []
        for verdict in [Verdict.valid, .bot] {
            click.verdict = verdict
            for device in 0...1 as ClosedRange<UInt8> {
                for country in [0x4B52, 0x5A5A] as [UInt16] {
                    for (channel, host) in [(0, 0), (place, 0), (0, KnownTexts.otherHost)] {
                        lines.append(
                            StatisticsLine(
                                click, country: country, device: device, channel: Int32(channel),
                                host: Int32(host)))
                    }
                }
            }
        }
        func numbers(_ lines: [StatisticsLine]) throws -> [Int32] {
            try IngestQueries.dimensionIDs(
                lines.map { StatisticsDimensions($0, texts) }, in: db)
        }
        let first = try numbers(lines)
        #expect(Set(first) == Set(1...Int32(lines.count)))
        #expect(try numbers(lines.reversed()) == first.reversed())
        let known = KnownDimensions()
        let places = lines.map { known.place(of: $0) }
        var questions = 0
        for _ in 0..<2 {
            try known.takeUnnumbered(of: texts).number {
                questions += 1
                return try IngestQueries.dimensionIDs($0, in: db)
            }
            known.learnNumbers()
        }
        #expect(questions == 1)
        #expect(places.map { known.number($0) } == first)
        click.verdict = .self
        let next = try numbers([
            StatisticsLine(click, country: 0x4B52, device: 0, channel: 0, host: 0)
        ])
        #expect(next == [Int32(lines.count) + 1])
    }
}
