import Clicks
import Glibc
import Linux
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite(.serialized) struct PipelineTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    @Test func `a click goes from link to ledger and statistics`() throws {
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(url: "https://shop.example/p/1?utm_source=x#top", in: db)
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let first = try pipeline.follow(gonggu)
        #expect(first?.status == 302)
        #expect(
            first?.field("location")
                == "https://shop.example/p/1?utm_source=gonggumoa&utm_campaign=\(gonggu)#top")
        #expect(first?.field("cache-control") == "no-store")
        #expect(first?.field("x-robots-tag") == "noindex")
        #expect(first?.field("content-length") == "0")
        let second = try pipeline.follow(gonggu)
        #expect(second?.field("location") == first?.field("location"))
        try eventually("both clicks are in the ledger") {
            try Ledger.verdicts(in: db) == [.valid, .duplicate]
        }
        #expect(try Ledger.statisticsSum(in: db) == 2)
    }

    @Test func `a script's report is answered with the click's id, which is the ledger's`() throws {
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let client = try PlainClient(port: pipeline.edgePort)
        let body = #"{"gonggu_id":"\#(gonggu)","channel":"insta_story"}"#
        try client.send(
            "POST /api/v1/tracking/click HTTP/1.1\r\nHost: x\r\nUser-Agent: \(TestAgent.phone)\r\n"
                + "Content-Type: application/json\r\nReferer: https://blog.naver.com/x?y\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        let answer = try client.receive()
        #expect(answer?.status == 200)
        let stored = Statement(
            "test_click",
            """
            select id::text as id, channel, referer, referer_host, path::int as path,
                host(ip_address) as ip
            from clicks limit 10
            """)
        try eventually("the click is in the ledger") {
            try !db.query(stored).isEmpty
        }
        let row = try db.query(stored)[0]
        let id: String = try row.get("id")
        #expect(answer?.body.contains("\"click_id\":\"\(id)\"") == true)
        #expect(answer?.body.contains("\"redirect_url\":\"https://shop.example/p/1?") == true)
        #expect(try row.get("channel") == "insta_story")
        #expect(try row.get("referer") == "https://blog.naver.com/x?y")
        #expect(try row.get("referer_host") == "blog.naver.com")
        #expect(try row.get("path") == 1)
        #expect(try row.get("ip") == "127.0.0.1")
    }

    @Test func `an edit comes to the edge, a closed gonggu leads to its page`() throws {
        let db = try database.connect()
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let gonggu = try Ledger.addGonggu(url: "https://shop.example/old", in: db)
        try eventually("a new link redirects") {
            try pipeline.follow(gonggu)?.status == 302
        }
        try db.run(
            script: """
                update gonggus set external_url = 'https://shop.example/new' where id = '\(gonggu)'
                """)
        try eventually("an edited link leads elsewhere") {
            try pipeline.follow(gonggu)?.field("location")?
                .hasPrefix("https://shop.example/new?") == true
        }
        try db.run(script: "update gonggus set close_at = now() where id = '\(gonggu)'")
        let page = "\(Pipeline.frontendURL)/gonggus/\(gonggu)"
        try eventually("a closed link leads to the page") {
            try pipeline.follow(gonggu)?.field("location") == page
        }
        try eventually("its click is inactive") {
            try Ledger.verdicts(in: db).last == .inactive
        }
    }

    @Test func `an unknown link is told apart and not stored`() throws {
        let db = try database.connect()
        _ = try Ledger.addGonggu(in: db)
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let answer = try pipeline.follow("00000000-0000-4000-8000-000000000000")
        #expect(answer?.status == 404)
        #expect(answer?.body == #"{"detail":"Gonggu not found","code":"GONGGU_NOT_FOUND"}"#)
        #expect(try pipeline.follow("no/such/thing")?.status == 404)
        #expect(try Ledger.verdicts(in: db).isEmpty)
    }

    @Test func `SIGTERM under load loses nothing and ends both in time`() throws {
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let load = LoadClients(
            port: pipeline.edgePort, gongguID: gonggu, prefix: "drain-", clients: 4,
            pauseMicroseconds: 200)
        try eventually("load runs") { load.sentCount > 500 }
        pipeline.edge?.kill(SIGTERM)
        #expect(pipeline.edge?.wait(seconds: 60) == 0)
        load.stop()
        try Conservation(load, db).awaitStored()
        pipeline.ingest?.kill(SIGTERM)
        #expect(pipeline.ingest?.wait(seconds: 60) == 0)
    }

    /// The money test: whatever dies whenever, an answered click is stored once and no click is
    /// stored that nobody sent.
    @Test func `fifty times killed each, Edge and Ingest lose, double and invent nothing`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        // What is consumed goes at once.
        let pipeline = try Pipeline(
            databaseURL: database.url, settings: ["INGEST_KEPT_BYTES_MAX": "0"])
        try pipeline.startBoth()
        let load = LoadClients(
            port: pipeline.edgePort, gongguID: gonggu, prefix: "kill-", clients: 4,
            pauseMicroseconds: 300)
        let kills = Mutex<[Int]>([])
        let killers = [Pipeline.Program.edge, .ingest].map { program in
            SystemThread(name: "kill-\(program)") {
                let count = try? pipeline.killRepeatedly(
                    program, times: 50, seed: seed &+ UInt64(program.rawValue.utf8.count))
                kills.withLock { $0.append(count ?? 0) }
            }
        }
        for killer in killers { killer.join() }
        load.stop()
        let conservation = Conservation(load, db)
        try conservation.awaitStored()
        print(try conservation.report())
        #expect(kills.withLock { $0 } == [50, 50], "each was alive whenever it was killed")
        #expect(load.answered.count > 5000, "the load was real")
        try eventually("consumed segments are deleted") {
            pipeline.files(in: "spool/test-edge").filter { $0.hasSuffix(".clicks") }.count <= 2
        }
        #expect(pipeline.files(in: "spool/test-edge/quarantine").isEmpty)
    }
}
