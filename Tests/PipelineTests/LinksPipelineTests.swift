import Clicks
import Glibc
import Linux
import Links
import Postgres
import Schema
import TestSupport
import Testing

/// The way down with real processes that die, and a banner's whole way.
@Suite(.serialized) struct LinksPipelineTests {
    private static func target(_ id: String, on pipeline: Pipeline) -> String? {
        (try? pipeline.follow(id))??.field("location")
    }

    private static let setURL = Statement(
        "test_set_url", "update gonggus set external_url = $1 where id = $2::uuid")

    @Test func `an Ingest killed while it writes leaves a whole file, and the next goes on`() throws
    {
        // Processes inherit what is ignored, and what the thread that starts them has blocked.
        signal(SIGXFSZ, SIG_DFL)
        var (none, before) = (sigset_t(), sigset_t())
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let database = try TestDatabase()
        let pipeline = try Pipeline(databaseURL: database.url)
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        // So many that a kill at any moment mostly meets a write.
        try db.run(
            script: """
                insert into gonggus (influencer_id, title, original_price, gonggu_price,
                    external_url, open_at, close_at)
                select influencer_id, 't', 2, 1, 'https://shop.example/' || repeat('a', 200),
                    open_at, close_at
                from gonggus, generate_series(1, 8000) as n
                """)
        try pipeline.startBoth()
        let links = pipeline.folder.path + "/down/links"
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SplitMix(state: seed)
        var torn = 0
        for round in 1...8 {
            let ingest = try #require(pipeline.ingest)
            let isInTheMiddle = round % 2 == 0
            if isInTheMiddle {
                // The kernel ends who writes more than that into a file, at that byte.
                let bytes = 1000 + random.next() % 2_000_000
                let limit = try ChildProcess(
                    "prlimit", ["--pid", "\(ingest.pid)", "--fsize=\(bytes)"],
                    logPath: pipeline.folder.path + "/prlimit.log")
                #expect(limit.wait() == 0, "\(limit.log)")
            }
            let url = "https://shop.example/round/\(round)?"
            try db.execute(Self.setURL, [url, PostgresUUID(gonggu)])
            if isInTheMiddle {
                #expect(ingest.wait(seconds: 30) == -SIGXFSZ)
                torn += pipeline.files(in: "down").contains { $0.hasPrefix("links.tmp-") } ? 1 : 0
            } else {
                usleep(UInt32(random.next() % 80_000))
                ingest.killNow()
            }
            #expect(try LinkTable(path: links).linkCount == 8001, "seed \(seed)")
            try pipeline.start(.ingest)
            try eventually("round \(round) at the edge, seed \(seed)", within: 30) {
                Self.target(gonggu, on: pipeline)?.hasPrefix(url) == true
            }
        }
        #expect(torn == 4, "seed \(seed)")
        #expect(pipeline.files(in: "down") == ["links"], "what the killed have left is swept")
    }

    @Test func `a database that was restarted is read anew, and listened to again`() throws {
        let server = try PrivatePostgres()
        let pipeline = try Pipeline(databaseURL: server.url())
        func connect() throws -> Connection {
            try Connection(url: server.url(), applicationName: "test")
        }
        _ = try Migrator.migrate(connect())
        let gonggu = try Ledger.addGonggu(in: connect())
        try pipeline.startBoth()
        func set(_ path: String) throws {
            try connect().run(
                script: "update gonggus set external_url = 'https://shop.example/\(path)'")
        }
        func awaitTarget(_ path: String) throws {
            try eventually("\(path) at the edge") {
                Self.target(gonggu, on: pipeline)?.hasPrefix("https://shop.example/\(path)?")
                    == true
            }
        }
        try set("before")
        try awaitTarget("before")
        for round in 1...3 {
            server.stop()
            #expect(Self.target(gonggu, on: pipeline) != nil, "the edge redirects on")
            try server.start()
            // Before Ingest is back, most likely: nobody is told.
            try set("during-\(round)")
            try awaitTarget("during-\(round)")
            try set("after-\(round)")
            try awaitTarget("after-\(round)")
        }
    }

    private static let clicks = Statement(
        "test_banner_clicks",
        "select verdict::int from clicks where gonggu_id = $1::uuid order by clicked_at limit 10")

    @Test func `a banner's click goes through the edge, is stored, and is no gonggu's`() throws {
        let database = try TestDatabase()
        let pipeline = try Pipeline(databaseURL: database.url)
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        let banner = "00000000-0000-4000-8000-00000000000b"
        try db.run(
            script: """
                insert into banners (id, gonggu_id, slot, title, image_url, target_url)
                values ('\(banner)', '\(gonggu)', 'home', '봄', '/b.webp',
                    'https://ad.example/?a=1')
                """)
        try pipeline.startBoth()
        #expect(
            try pipeline.follow(banner)?.field("location")
                == "https://ad.example/?a=1&utm_source=gonggumoa&utm_campaign=\(banner)")
        try db.run(script: "update banners set is_active = false")
        try eventually("taken off") {
            try pipeline.follow(banner, userAgent: "curl/8")?.field("location")
                == "\(Pipeline.frontendURL)/"
        }
        try eventually("both kinds of click are stored") {
            let stored = try db.query(Self.clicks, [PostgresUUID(banner)])
                .map { try $0.get(0, as: Int.self) }
            return stored.first == Int(Verdict.valid.rawValue) && stored.count > 1
        }
        let counts = Statement(
            "test_counts", "select gonggu_id::text, click_count from gonggu_click_counts limit 9")
        let row = try db.query(counts)
        #expect(try row.count == 1 && row[0].get("click_count", as: Int.self) == 0)
        try db.run(script: "delete from banners")
        try eventually("gone") { try pipeline.follow(banner)?.status == 404 }
    }
}
