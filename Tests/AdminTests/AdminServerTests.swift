import Admin
import Linux
import Testing
import TestSupport

@Suite struct AdminServerTests {
    /// A server that answers while the body runs.
    private func serving(_ body: (UInt16) throws -> Void) throws {
        let server = try AdminServer(
            host: "127.0.0.1", port: 0,
            routes: [
                "/healthz": { .probe(unmet: []) },
                "/readyz": { .probe(unmet: ["no links file yet", "draining"]) },
                "/long": { AdminAnswer(status: 200, body: AdminServerTests.long) },
            ])
        let thread = SystemThread(name: "admin") { try? server.run() }
        defer {
            server.stop()
            thread.join()
        }
        try body(server.port)
    }

    @Test func `a probe is 200 when nothing is unmet, else 503 with every reason`() throws {
        try serving { port in
            let healthy = try PlainClient(port: port).ask("GET", "/healthz")
            #expect(healthy?.status == 200)
            #expect(healthy?.body == "ok\n")
            let unready = try PlainClient(port: port).ask("GET", "/readyz")
            #expect(unready?.status == 503)
            #expect(unready?.body == "no links file yet\ndraining\n")
        }
    }

    private static let long = String(repeating: "edge_clicks_total 1\n", count: 500_000)

    @Test func `an answer longer than the sockets' buffers arrives whole`() throws {
        try serving { port in
            let client = try PlainClient(port: port)
            #expect(try client.ask("GET", "/long")?.body == AdminServerTests.long)
        }
    }

    @Test func `what it does not have it says, and what it has`() throws {
        try serving { port in
            let answer = try PlainClient(port: port).ask("GET", "/metric")
            #expect(answer?.status == 404)
            #expect(answer?.body == "not found; there is /healthz /long /readyz\n")
            #expect(try PlainClient(port: port).ask("POST", "/healthz")?.status == 405)
        }
    }

    @Test func `bytes that are no request are refused and the next client is served`() throws {
        try serving { port in
            let hostile = try PlainClient(port: port)
            try hostile.send("\u{0}\u{1}\r\n\r\n")
            #expect(try hostile.receive()?.status == 400)
            #expect(try PlainClient(port: port).ask("GET", "/healthz")?.status == 200)
        }
    }
}

@Suite struct MetricsTextTests {
    @Test func `a family is help, type and samples with escaped labels`() {
        var text = MetricsText()
        text.family(
            "clicks_total", .counter, "Clicks.",
            [([("verdict", "valid")], 3), ([("verdict", "a\"b\\c\nd")], 0.5)])
        text.single("links", .gauge, "Links.", 7)
        #expect(
            text.text == """
                # HELP clicks_total Clicks.
                # TYPE clicks_total counter
                clicks_total{verdict="valid"} 3
                clicks_total{verdict="a\\"b\\\\c\\nd"} 0.5
                # HELP links Links.
                # TYPE links gauge
                links 7

                """)
    }
}
