import Clicks
import Postgres
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
        for statement in [ClickBatch.copyClicks(), StatisticsDeltas.copy] {
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
