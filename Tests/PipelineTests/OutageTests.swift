import Glibc
import Linux
import Postgres
import Schema
import TestSupport
import Testing

/// A database that is really gone, not merely slow: shoppers must not notice, and no click may.
@Suite(.serialized) struct OutageTests {
    private let server: PrivatePostgres
    private let pipeline: Pipeline

    init() throws {
        server = try PrivatePostgres()
        pipeline = try Pipeline(databaseURL: server.url())
        _ = try Migrator.migrate(try OutageTests.connect(server))
    }

    private static func connect(_ server: PrivatePostgres) throws -> Connection {
        try Connection(url: server.url(), applicationName: "test")
    }

    private func readiness(_ port: UInt16) throws -> PlainClient.Answer? {
        try PlainClient(port: port).ask("GET", "/readyz")
    }

    @Test func `while PostgreSQL is stopped the edge redirects on and nothing is lost`() throws {
        let gonggu = try Ledger.addGonggu(in: OutageTests.connect(server))
        try pipeline.startBoth()
        let load = LoadClients(
            port: pipeline.edgePort, gongguID: gonggu, prefix: "outage-", clients: 2,
            pauseMicroseconds: 1000)
        defer { load.stop() }
        try eventually("clicks go up") {
            try Ledger.userAgents(prefix: "outage-", in: OutageTests.connect(server)).count > 50
        }
        server.stop()
        let before = load.sentCount
        try eventually("Ingest says that it is not ready, and why") {
            guard let answer = try readiness(pipeline.ingestAdminPort) else { return false }
            return answer.status == 503 && answer.body.contains("clicks do not go up")
                && answer.body.contains("links do not go down")
        }
        try eventually("shoppers come on") { load.sentCount > before + 500 }
        let during = before..<load.sentCount
        #expect(try readiness(pipeline.edgeAdminPort)?.status == 200)
        try server.start()
        try pipeline.awaitReady(pipeline.ingestAdminPort)
        load.stop()
        let db = try OutageTests.connect(server)
        let conservation = Conservation(load, db)
        try conservation.awaitStored()
        print(try conservation.report())
        // Whoever asked was redirected; the last of each client may have been on its way.
        #expect(load.answered.filter(during.contains).count >= during.count - 2)
        #expect(pipeline.files(in: "spool/test-edge/quarantine").isEmpty)
    }

    @Test func `Ingest that starts before PostgreSQL waits for it and then works`() throws {
        let gonggu = try Ledger.addGonggu(in: OutageTests.connect(server))
        server.stop()
        try pipeline.start(.ingest)
        try eventually("it says that it waits") {
            guard let client = try? PlainClient(port: pipeline.ingestAdminPort) else {
                return false
            }
            return try client.ask("GET", "/readyz")?.status == 503
        }
        #expect(pipeline.ingest?.wait(seconds: 0) == nil, "it runs")
        try server.start()
        try pipeline.start(.edge)
        try pipeline.awaitReady(pipeline.ingestAdminPort)
        try pipeline.awaitReady(pipeline.edgeAdminPort)
        #expect(try pipeline.follow(gonggu)?.status == 302)
        let db = try OutageTests.connect(server)
        try eventually("the click is stored") { try Ledger.verdicts(in: db) == [.valid] }
    }

    @Test func `SIGTERM ends Ingest in time also while the ledger is locked, and loses nothing`()
        throws
    {
        let db = try OutageTests.connect(server)
        let gonggu = try Ledger.addGonggu(in: db)
        try pipeline.startBoth()
        try db.run(script: "begin; lock table spool_offsets in access exclusive mode")
        #expect(try pipeline.follow(gonggu)?.status == 302)
        let other = try OutageTests.connect(server)
        let waiting = Statement(
            "test_waiting",
            """
            select count(*)::int as n from pg_stat_activity
            where application_name = 'gonggumoa-ingest-clicks' and wait_event_type = 'Lock'
            """)
        try eventually("Ingest waits for the lock") {
            try other.query(waiting)[0].get("n", as: Int.self) == 1
        }
        pipeline.ingest?.kill(SIGTERM)
        #expect(pipeline.ingest?.wait(seconds: 60) == 0)
        try db.run(script: "rollback")
        try pipeline.start(.ingest)
        try eventually("the click is stored") { try Ledger.verdicts(in: db) == [.valid] }
    }
}
