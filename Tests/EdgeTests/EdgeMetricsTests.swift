import Clicks
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

    @Test func `the checker of scrapes refuses what Prometheus would`() {
        let good = "# HELP a b c\n# TYPE a counter\na{x=\"\\\\,}\\\"\"} 1\na{x=\"2\"} 2\n"
        #expect((try? PrometheusText(good))?.sum("a") == 3)
        for bad in [
            "a 1\n", "# TYPE a counter\na 1\n", "# HELP a b\n# TYPE a counter\nb 1\n",
            "# HELP a b\n# TYPE a counter\na 1\na 2\n", "# HELP a b\n# TYPE a counter\na x\n",
            "# HELP a b\n# TYPE a counter\na{x=1} 1\n", "# HELP a b\n# TYPE a counter\na 1",
            "# HELP a b\n# TYPE a counter\na{x=\"\\y\"} 1\n", "# HELP 1 b\n# TYPE 1 counter\n1 1\n",
        ] {
            #expect(throws: PrometheusText.Malformed.self) { try PrometheusText(bad) }
        }
    }
}
