import Glibc
import Linux
import Postgres
import Schema
import Spool
import TestSupport
import Testing

/// A database that is away for longer than the spool has room for; and clicks that it refuses,
/// which an operator brings back.
@Suite(.serialized) struct BackPressureTests {
    private func connect(_ url: String) throws -> Connection {
        try Connection(url: url, applicationName: "test")
    }

    private func unrecorded(_ pipeline: Pipeline) throws -> Int {
        let text = try PlainClient(port: pipeline.edgeAdminPort).ask("GET", "/metrics")?.body ?? ""
        return text.split(separator: "\n").reduce(0) { sum, line in
            line.hasPrefix("clicks_unrecorded_total{")
                ? sum + (Int(line.split(separator: " ").last ?? "") ?? 0) : sum
        }
    }

    @Test func `the spool fills to its bound, the edge says so, and drains by itself`() throws {
        let server = try PrivatePostgres()
        let pipeline = try Pipeline(
            databaseURL: server.url(), settings: ["SPOOL_BYTES_MAX": "2MiB"])
        _ = try Migrator.migrate(try connect(server.url()))
        let gonggu = try Ledger.addGonggu(in: connect(server.url()))
        try pipeline.startBoth()
        server.stop()
        let load = LoadClients(
            port: pipeline.edgePort, gongguID: gonggu, prefix: "pressure-", clients: 2,
            pauseMicroseconds: 100)
        defer { load.stop() }
        func edgeReadiness() throws -> PlainClient.Answer? {
            try PlainClient(port: pipeline.edgeAdminPort).ask("GET", "/readyz")
        }
        try eventually("the edge says that nothing is recorded", within: 60) {
            try edgeReadiness()?.body.contains("SPOOL_BYTES_MAX") == true
        }
        let folder = pipeline.folder.path + "/spool/test-edge"
        #expect(try SpoolAllowance.bytes(in: folder) <= (2 << 20) + 1024)
        let before = load.sentCount
        try eventually("shoppers come on") { load.sentCount > before + 200 }
        #expect(try edgeReadiness()?.status == 503)
        try server.start()
        try eventually("recording resumes by itself", within: 60) {
            try edgeReadiness()?.status == 200
        }
        load.stop()
        try pipeline.awaitReady(pipeline.ingestAdminPort)
        // Every click that was answered is stored or was counted as unrecorded.
        let lost = try unrecorded(pipeline)
        let db = try connect(server.url())
        #expect(lost > 0)
        var stored: [String] = []
        try eventually("what was recorded is stored", within: 30) {
            stored = try Ledger.userAgents(prefix: "pressure-", in: db)
            return stored.count >= load.answered.count - lost
        }
        #expect(Set(stored).count == stored.count && stored.count + lost <= load.sentCount)
        #expect(try Ledger.statisticsSum(in: db) == stored.count)
        print("answered \(load.answered.count), stored \(stored.count), unrecorded \(lost)")
    }

    @Test func `clicks that PostgreSQL refuses come back by Ingest requeue, each once`() throws {
        let database = try TestDatabase()
        let pipeline = try Pipeline(databaseURL: database.url)
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        try db.run(
            script: """
                alter table click_trackings add constraint click_trackings_test
                    check (channel <> 'bad') not valid
                """)
        try pipeline.startBoth()
        let client = try PlainClient(port: pipeline.edgePort)
        func follow(_ agent: String, _ channel: String) throws {
            let path = "/go/\(gonggu)?ch=\(channel)"
            #expect(try client.ask("GET", path, userAgent: agent)?.status == 302)
        }
        for number in 0..<50 { try follow("requeue-\(number)", number % 10 == 3 ? "bad" : "good") }
        try eventually("the good ones are stored, the others set aside") {
            try Ledger.userAgents(prefix: "requeue-", in: db).count == 45
                && quarantined(pipeline).count == 5
        }
        #expect(try requeue(pipeline, ["--list"]).code == 0)
        #expect(try requeue(pipeline, ["--nonsense"]).code == 64)
        try db.run(script: "alter table click_trackings drop constraint click_trackings_test")
        let first = try requeue(pipeline, ["--all"])
        #expect(first.code == 0, "\(first.text)")
        try eventually("all are stored") {
            try Ledger.userAgents(prefix: "requeue-", in: db).count == 50
        }
        let agents = try Ledger.userAgents(prefix: "requeue-", in: db)
        #expect(Set(agents).count == 50 && quarantined(pipeline).isEmpty)
        #expect(try Ledger.statisticsSum(in: db) == 50)
        #expect(try requeue(pipeline, ["--all"]).text.contains("nothing is in quarantine"))
    }

    private func quarantined(_ pipeline: Pipeline) -> [String] {
        pipeline.files(in: "spool/test-edge/quarantine").filter { $0.hasSuffix(".refused") }
    }

    private func requeue(
        _ pipeline: Pipeline, _ arguments: [String]
    ) throws -> (code: Int32, text: String) {
        let process = try ChildProcess(
            TestServers.binary("Ingest"), ["requeue"] + arguments, environment: pipeline.settings,
            logPath: pipeline.folder.path + "/requeue.log")
        return (process.wait(), process.log)
    }
}
