import Clicks
import Linux
import Spool
import TestSupport
import Testing

@testable import Ingest

/// What operators are told, against what was done.
@Suite struct IngestReportsTests {
    private let bench: PumpBench
    private let reports: IngestReports

    init() throws {
        bench = try PumpBench()
        reports = IngestReports(
            gauges: bench.gauges, countries: Countries(path: nil),
            quarantine: bench.intake.quarantine)
    }

    private func scrape() throws -> PrometheusText {
        let route = try #require(reports.routes["/metrics"])
        let answer = route()
        #expect(answer.status == 200)
        return try PrometheusText(answer.body)
    }

    @Test func `a scrape is well-formed from the first, and counts what was moved`() throws {
        #expect(try scrape().sum("ingest_clicks_committed_total") == 0)
        bench.write((0..<40).map { [.numbered($0)] })
        let pump = bench.pump(batchRecordsMax: 10)
        _ = try pump.runOnce()
        let half = try scrape()
        #expect(half.sum("ingest_clicks_committed_total") == 10)
        let segment = try #require(try bench.intake.segments().first)
        let frameBytes = (try bench.bytes(of: segment).count - 128) / 40
        #expect(half.sum("ingest_pending_bytes") == Double(30 * frameBytes))
        let age = Double(Clock.now() - WholeClick.numbered(9).click.time.microseconds) / 1e6
        #expect(abs(half.sum("ingest_lag_seconds") - max(0, age)) < 5)
        try bench.drain(pump)
        let all = try scrape()
        #expect(all.sum("ingest_clicks_committed_total") == 40)
        #expect(all.sum("ingest_batches_committed_total") == 4)
        #expect(all.families["ingest_batch_seconds"] == "histogram")
        #expect(all.values["ingest_batch_seconds_count"] == 4)
        #expect(all.sum("ingest_lag_seconds") == 0 && all.sum("ingest_pending_bytes") == 0)
        #expect(all.sum("ingest_backlog_seconds") == 0)
    }

    @Test func `a closed segment that waits is a backlog as old as its last click`() throws {
        bench.write((0..<40).map { [.numbered($0)] })
        let segment = try #require(try bench.intake.segments().first)
        try bench.restartEdge()
        let pump = bench.pump(batchRecordsMax: 10)
        #expect(
            try ChildProcess(
                "touch", ["-d", "1 hour ago", bench.intake.path(of: segment)], logPath: "/dev/null"
            ).wait() == 0)
        _ = try pump.runOnce()
        let seconds = try scrape().sum("ingest_backlog_seconds")
        #expect(seconds >= 3600 && seconds < 3660)
        try bench.drain(pump)
        #expect(try scrape().sum("ingest_backlog_seconds") == 0)
    }

    @Test func `quarantine is told as it is, and empty again after a requeue`() throws {
        bench.write([(0..<5).map { .numbered($0) }, [.numbered(5)]])
        try bench.db.run(
            script: """
                alter table click_trackings add constraint click_trackings_test
                    check (visitor_key not in (2, 3)) not valid
                """)
        let pump = bench.pump()
        try bench.drain(pump)
        let full = try scrape()
        #expect(full.sum("ingest_quarantined_records_total") == 2)
        #expect(full.sum("ingest_quarantined_ranges_total") == 1)
        #expect(full.sum("ingest_quarantine_files") == 1)
        let file = try #require(bench.intake.quarantine.files().first)
        #expect(full.sum("ingest_quarantine_bytes") == Double(file.bytes))
        #expect(full.sum("ingest_quarantine_bytes_max") == Double(1 << 30))
        try bench.db.run(
            script: "alter table click_trackings drop constraint click_trackings_test")
        let command = try #require(RequeueCommand(["--all"]))
        let code = command.run(
            spool: bench.intake.path, edgeID: "edge-1", say: { _ in }, complain: { _ in })
        #expect(code == 0)
        try bench.drain(pump)
        let after = try scrape()
        #expect(after.sum("ingest_quarantine_files") == 0)
        #expect(after.sum("ingest_clicks_committed_total") == 6)
        #expect(after.sum("ingest_quarantined_records_total") == 2, "a counter never falls")
    }

    @Test func `readiness says what does not work, each in words, and nothing once all does`()
        throws
    {
        let gauges = bench.gauges
        #expect(reports.unmetConditions.count == 2, "neither way has begun")
        gauges.noteUp(0)
        gauges.notePublished(LinkTotals(links: 1, files: 1))
        #expect(reports.unmetConditions.isEmpty)
        gauges.noteDown("no route to host", 0)
        gauges.noteLinksDown("no space")
        _ = gauges.noteSpoolProblem("a segment is foreign")
        _ = gauges.noteUpkeepDown("locked")
        let route = try #require(reports.routes["/readyz"])
        let answer = route()
        #expect(answer.status == 503)
        for word in ["no route to host", "no space", "a segment is foreign", "locked"] {
            #expect(answer.body.contains(word))
        }
        let health = try #require(reports.routes["/healthz"])
        #expect(health().status == 200, "it lives all the same")
    }

    @Test func `what is kept for the edge makes way when the spool's bound is near`() throws {
        let bounds = SpoolBounds(bytesMax: 40_000, diskFreeMin: 0)
        let policy = KeepingPolicy(windowSeconds: 300, bytesMax: 1 << 20, bounds: bounds)
        let pump = bench.pump(keeping: policy)
        for start in 0..<3 {
            bench.write((0..<50).map { [.numbered(start * 50 + $0)] })
            try bench.restartEdge()
            try bench.drain(pump)
        }
        // A quarter of what would be free without them: one of three segments of 6.8 kB.
        #expect(bench.gauges.values.segmentsKept == 1)
        #expect(bench.gauges.values.segmentsDroppedEarly == 2)
        #expect(try bench.storedNumbers() == Array(0..<150))
    }
}
