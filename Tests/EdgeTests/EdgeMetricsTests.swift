import Clicks
import Linux
import TestSupport
import Testing

@testable import Edge

@Suite struct EdgeMetricsTests {
    @Test func `a scrape is well-formed and its figures are what was sent`() throws {
        let bench = try EdgeBench(["EDGE_WORKERS": "2"])
        let hint = ["Sec-Purpose: prefetch"]
        for number in 0..<5 {
            _ = try bench.ask(request(to: "/go/open-1", agent: TestAgent.browser(100 + number)))
        }
        for _ in 0..<3 {
            _ = try bench.ask(request(to: "/go/open-1", agent: TestAgent.browser(100)))
        }
        for _ in 0..<4 { _ = try bench.ask(request(to: "/go/open-1", fields: hint)) }
        for _ in 0..<2 { _ = try bench.ask(request(to: "/go/over-1")) }
        _ = try bench.ask(request("HEAD", to: "/go/open-1"), hasBody: false)
        _ = try bench.ask(request(to: "/go/nosuch"))
        _ = try bench.ask(report(#"{"gonggu_id":"open-1"}"#))
        let metrics = try bench.metrics()
        let verdicts: [Verdict: Double] = [
            .valid: 6, .duplicate: 3, .prefetch: 4, .inactive: 2, .malformed: 1,
        ]
        for verdict in Verdict.allCases {
            let label = #"verdict="\#(verdict.name)""#
            #expect(metrics.sum("edge_clicks_total", label) == verdicts[verdict] ?? 0, "\(label)")
        }
        for (status, count) in [("302", 11), ("404", 1), ("503", 4), ("200", 1), ("400", 0)] {
            #expect(
                metrics.sum("edge_responses_total", #"status="\#(status)""#) == Double(count),
                "\(status)")
        }
        #expect(metrics.sum("edge_spool_records_total") == 16)
        #expect(metrics.sum("edge_spool_failing") == 0 && metrics.sum("edge_links") == 6)
        #expect(metrics.families["edge_clicks_total"] == "counter")
        #expect(try bench.clicks().count == 16)
    }

    @Test func `turns, open connections and the spool's folder are told as they are`() throws {
        // Tables so small that no sample is taken of them.
        let bench = try EdgeBench(["DEDUPE_ENTRIES": "1024", "FLOOD_ENTRIES": "1024"])
        var clients: [PlainClient] = []
        for number in 0..<5 {
            let client = try bench.client()
            try client.send(number < 3 ? request(to: "/go/open-1") : "GET /go/")
            if number < 3 { #expect(try client.receive()?.status == 302) }
            clients.append(client)
        }
        try eventually("connections are told by what they wait for") {
            let metrics = try bench.metrics()
            return metrics.sum("edge_connections", #"wait="next_request""#) == 3
                && metrics.sum("edge_connections", #"wait="rest_of_request""#) == 2
                && metrics.sum("edge_connections") == 5
        }
        clients = []
        try eventually("and when they are gone") {
            try bench.metrics().sum("edge_connections") == 0
        }
        // Of two workers before this one, as one start of the edge follows another.
        let names = ["0000-0000000000000001-0000000001", "0001-0000000000000001-0000000007"]
        for (number, name) in names.enumerated() {
            let path = "\(bench.spoolPath)/\(name).clicks"
            let file = try File.open(path, .createNew)
            try [UInt8](repeating: 0, count: 100 + number).withUnsafeBytes {
                try File.writeWhole($0, to: file, path: path)
            }
        }
        let metrics = try bench.metrics()
        #expect(metrics.families["edge_turn_seconds"] == "histogram")
        let turns = metrics.sum("edge_turn_seconds_count")
        #expect(turns == metrics.sum("edge_turn_ready_descriptors_count") && turns >= 5)
        #expect(metrics.sum("edge_turn_seconds_sum") > 0)
        // Who comes may do so in company, and is received from without another event.
        #expect(metrics.sum("edge_turn_ready_descriptors_sum") >= 6, "some came, five left")
        #expect(metrics.sum("edge_accept_queue") == 0)
        #expect(metrics.sum("edge_accept_queue_max") > 0)
        #expect(metrics.sum("edge_spool_segments", #"state="closed""#) == 2)
        #expect(metrics.sum("edge_spool_segment_bytes", #"state="closed""#) == 201)
        #expect(metrics.sum("edge_spool_segments", #"state="open""#) == 1)
        #expect(metrics.sum("edge_spool_segment_bytes", #"state="open""#) > 128)
        #expect(metrics.sum("edge_spool_lag_seconds") == 0)
        let later = SpoolGlance(
            of: bench.spoolPath, now: Clock.now() + 500_000_000, keptSeconds: 420)
        #expect(later.overdue == (2, 201) && later.closed == (0, 0) && later.open.count == 1)
        #expect((79...90).contains(later.lagSeconds))
        #expect(metrics.sum("edge_spool_free_bytes") > 0)
        #expect(metrics.sum("edge_dedupe_entries") == 1)
        #expect(metrics.sum("edge_dedupe_entries_max") == 1024)
        #expect(metrics.sum("edge_flood_entries") == 1, "all came from one address")
        #expect(metrics.sum("edge_links_info") == 1 && metrics.sum("edge_links_bytes") > 0)
    }

    @Test func `a turn falls into the buckets that hold it`() {
        let metrics = TurnMetrics()
        var durations: [(Int, Double)] = []
        var queues: [Int] = []
        for place in 0..<23 {
            for microseconds in [1 << place - 1, 1 << place, 1 << place + 1] {
                metrics.note(events: microseconds % 514, microseconds: UInt64(microseconds))
                durations.append((microseconds, Double(microseconds) / 1e6))
                queues.append(microseconds % 514)
            }
        }
        let seen = metrics.durations
        let bounds = TurnMetrics.durationBounds + [.infinity]
        var total: UInt64 = 0
        for (bound, count) in zip(bounds, seen.counts) {
            total += count
            // A clock of whole microseconds has cut what is behind the point.
            let expected = durations.count { $0.1 + 0.5e-6 < bound }
            #expect(total == UInt64(expected), "up to \(bound)")
        }
        #expect(abs(seen.sum - durations.reduce(0) { $0 + $1.1 }) < 1e-9)
        total = 0
        for (bound, count) in zip(TurnMetrics.eventBounds + [.infinity], metrics.events.counts) {
            total += count
            #expect(total == UInt64(queues.count { Double($0) <= bound }), "up to \(bound)")
        }
        #expect(metrics.events.sum == Double(queues.reduce(0, +)))
    }

    @Test func `the checker of scrapes refuses what Prometheus would`() {
        let good =
            "# HELP a_total b c\n# TYPE a_total counter\na_total{x=\"\\\\,}\\\"\"} 1\n"
            + "a_total{x=\"2\"} 2\n"
            + "# HELP h b\n# TYPE h histogram\nh_bucket{w=\"0\",le=\"0.5\"} 1\n"
            + "h_bucket{w=\"0\",le=\"+Inf\"} 3\nh_sum{w=\"0\"} 4\nh_count{w=\"0\"} 3\n"
        #expect((try? PrometheusText(good))?.sum("a_total") == 3)
        for bad in [
            "a 1\n", "# TYPE a gauge\na 1\n", "# HELP a b\n# TYPE a gauge\nb 1\n",
            "# HELP a b\n# TYPE a gauge\na 1\na 2\n", "# HELP a b\n# TYPE a gauge\na x\n",
            "# HELP a b\n# TYPE a gauge\na{x=1} 1\n", "# HELP a b\n# TYPE a gauge\na 1",
            "# HELP a b\n# TYPE a gauge\na{x=\"\\y\"} 1\n", "# HELP 1 b\n# TYPE 1 gauge\n1 1\n",
            "# HELP a b\n# TYPE a counter\na 1\n",
            "# HELP a_total b\n# TYPE a_total gauge\na_total 1\n",
            "# HELP a_ms b\n# TYPE a_ms gauge\na_ms 1\n",
            "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
            "# HELP a b\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\n"
                + "a_sum 1\na_count 1\n",
            "# HELP a b\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
            "# HELP a b\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_count 1\n",
        ] {
            #expect(throws: PrometheusText.Malformed.self) { try PrometheusText(bad) }
        }
    }
}
