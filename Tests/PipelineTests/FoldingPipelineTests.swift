import Clicks
import Glibc
import Linux
import Postgres
import TestSupport
import Testing

/// A flood on its way into the ledger: every click counted once, however few records say so.
@Suite(.serialized) struct FoldingPipelineTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    private static let books = Statement(
        "test_fold_books",
        """
        select count(*)::bigint as rows, coalesce(sum(click_count), 0)::bigint as clicks,
            coalesce(sum(click_count) filter (where verdict = 0), 0)::bigint as valid
        from click_trackings
        """)

    private static let billable = Statement(
        "test_fold_billable",
        "select coalesce(sum(click_count), 0)::bigint as n from gonggu_click_counts")

    @Test func `a flood is counted to the last click, also when both are killed in it`() throws {
        let db = try database.connect()
        let gonggu = try Ledger.addGonggu(in: db)
        let pipeline = try Pipeline(
            databaseURL: database.url,
            settings: [
                "FLOOD_CLICKS_PER_MINUTE": "60", "FLOOD_ROWS_PER_MINUTE": "600",
                "EDGE_WORKERS": "1",
            ])
        try pipeline.startBoth()
        let flood = FloodClient(port: pipeline.edgePort, target: "/go/\(gonggu)")
        for round in 1...6 {
            try eventually("the flood goes on") {
                _ = flood.ask()
                return flood.answered >= round * 15_000
            }
            if round % 2 == 0 {
                pipeline.ingest?.killNow()
                try pipeline.start(.ingest)
            } else {
                pipeline.edge?.killNow()
                try pipeline.start(.edge)
            }
        }
        while flood.answered < 100_000 { #expect(flood.ask()) }
        pipeline.edge?.kill(SIGTERM)
        #expect(pipeline.edge?.wait(seconds: 60) == 0)
        var rows = 0
        var clicks = 0
        var valid = 0
        try eventually("every answered click is in the ledger", within: 30) {
            let row = try db.query(Self.books)[0]
            (rows, clicks, valid) = (
                try row.get("rows"), try row.get("clicks"), try row.get("valid")
            )
            return clicks >= flood.answered
        }
        #expect(clicks <= flood.sent, "none is counted twice")
        #expect(rows < 3000)
        #expect(try Ledger.statisticsSum(in: db) == clicks, "statistics count what rows stand for")
        #expect(try db.query(Self.billable)[0].get("n", as: Int.self) == valid)
        #expect(pipeline.files(in: "spool/test-edge/quarantine").isEmpty)
        print("sent \(flood.sent), answered \(flood.answered), counted \(clicks) in \(rows) rows")
    }
}
