import Clicks
import Glibc
import Linux
import Spool
import TestSupport
import Testing

@testable import Edge

/// A database that is away for so long that the spool comes to its bound.
@Suite struct SpoolBoundTests {
    @Test func `at SPOOL_BYTES_MAX redirects go on, it is said once, and recording resumes`() throws
    {
        let binary = try EdgeBinary(["SPOOL_BYTES_MAX": "1MiB", "EDGE_WORKERS": "2"])
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let spool = binary.folder.path + "/spool"
        let folder = "\(spool)/\(EdgeBench.edgeID)"
        let client = try PlainClient(port: binary.port)
        let agent = String(repeating: "a", count: 400)
        var asked = 0
        func ask(_ count: Int) throws {
            for _ in 0..<count {
                #expect(try client.ask("GET", "/go/open-1", userAgent: agent)?.status == 302)
                asked += 1
            }
        }
        func metrics() throws -> PrometheusText {
            let scrape = try PlainClient(port: binary.adminPort).ask("GET", "/metrics")
            return try PrometheusText(scrape?.body ?? "")
        }
        try eventually("readiness says why") {
            try ask(50)
            return binary.readiness()?.body.contains("SPOOL_BYTES_MAX") == true
        }
        #expect(binary.readiness()?.status == 503)
        // Both workers, whoever of them the connections meet.
        for _ in 0..<20 {
            #expect(try PlainClient(port: binary.port).ask("GET", "/go/open-1")?.status == 302)
            asked += 1
        }
        let stopped = try metrics()
        let unrecorded = Int(stopped.sum("clicks_unrecorded_total"))
        #expect(unrecorded >= 20 && stopped.sum("edge_spool_stopped") == 1)
        #expect(stopped.sum("edge_spool_bytes_max") == Double(1 << 20))
        #expect(stopped.sum("edge_spool_bytes_held") <= Double(1 << 20) + 1024)
        let held = try SpoolAllowance.bytes(in: folder)
        #expect(900_000...(1 << 20) + 1024 ~= held)
        #expect(try StoredClick.all(in: spool, isOver: false).count == asked - unrecorded)
        // Ingest comes back: closed segments go. That the full ones are closed is the edge's doing.
        try eventually("recording resumes by itself, ready again") {
            let names = try File.list(folder).compactMap { SegmentName($0) }
            for name in names where name.isClosed(among: names) {
                try File.remove("\(folder)/\(name)")
            }
            return binary.readiness()?.status == 200
        }
        #expect(try client.ask("GET", "/go/open-1", userAgent: "after")?.status == 302)
        let stored = try StoredClick.all(in: spool, isOver: false)
        #expect(stored.contains { $0.userAgent == "after" })
        let after = try metrics()
        #expect(Int(after.sum("clicks_unrecorded_total")) == unrecorded)
        #expect(after.sum("edge_spool_stopped") == 0 && after.sum("edge_spool_stops_total") == 1)
        let log = edge.log
        #expect(log.split(separator: "\n").filter { $0.contains("recording stopped") }.count == 1)
        #expect(log.contains("recording resumed"))
    }

    @Test func `a worker begins its next file after EDGE_SEGMENT_BYTES_MAX`() throws {
        let bench = try EdgeBench(["EDGE_SEGMENT_BYTES_MAX": "4096"])
        for _ in 0..<100 {
            #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        }
        let names = try File.list(bench.spoolPath).compactMap { SegmentName($0) }
        #expect(names.count > 2)
        for name in names {
            #expect(File.identity(of: "\(bench.spoolPath)/\(name)")!.bytes <= 4096)
        }
        #expect(try bench.clicks().count == 100)
    }

    @Test func `an edge that starts where the disk has no room redirects and says so`() throws {
        let bench = try EdgeBench(["SPOOL_DISK_FREE_MIN": "1048576GiB"])
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        let answer = try bench.admin("/readyz")
        #expect(answer.status == 503 && answer.body.contains("SPOOL_DISK_FREE_MIN"))
        #expect(try bench.metrics().sum("clicks_unrecorded_total") == 1)
        #expect(try bench.clicks().isEmpty)
    }
}
