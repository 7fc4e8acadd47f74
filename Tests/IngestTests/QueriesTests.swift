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
        for statement in [ClickBatch.copyClicks, ClickBatch.copyDeltas] {
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
}
