import Clicks
import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

/// The spool when the process dies, the disk is full or the folder is gone.
@Suite struct SpoolTroubleTests {
    @Test func `killed twenty times, the edge has recorded every click it answered`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let binary = try EdgeBinary(["EDGE_WORKERS": "2"])
        let load = LoadClients(
            port: binary.port, gongguID: "open-1", prefix: "kill-", clients: 3,
            pauseMicroseconds: 0)
        for _ in 0..<20 {
            let edge = try binary.start()
            let before = load.sentCount
            try eventually("clicks arrive") {
                // An attempt while nothing listens is no click, so a rise is an edge that serves.
                load.sentCount > before + 50
            }
            usleep(UInt32.random(in: 0...40_000, using: &random))
            edge.killNow()
            #expect(edge.wait() == -SIGKILL, "it was alive: \(edge.log)")
        }
        load.stop()
        let stored = try StoredClick.all(in: binary.folder.path + "/spool", isOver: true)
            .map(\.userAgent)
        let answered = Set(load.answered.map(load.userAgent))
        #expect(answered.count > 1000 && answered.subtracting(stored).isEmpty)
        #expect(Set(stored).count == stored.count, "none twice")
        #expect(stored.count <= load.sentCount)
    }

    @Test func `while the spool's folder is no folder redirects go on, and recording resumes`()
        throws
    {
        let bench = try EdgeBench()
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        for name in try File.list(bench.spoolPath) { try File.remove(bench.spoolPath + "/" + name) }
        rmdir(bench.spoolPath)
        _ = try File.open(bench.spoolPath, .createNew)
        try eventually("readiness says why") {
            #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
            let answer = try bench.admin("/readyz")
            return answer.status == 503 && answer.body.contains("spool")
        }
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        let lost = try bench.metrics().sum("clicks_unrecorded_total")
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        #expect(try bench.metrics().sum("clicks_unrecorded_total") == lost + 1 && lost > 0)
        try File.remove(bench.spoolPath)
        // By itself: a server that is not ready gets no clicks.
        try eventually("ready again") { try bench.admin("/readyz").status == 200 }
        #expect(try bench.ask(request(to: "/go/open-1", agent: "after"))?.status == 302)
        #expect(try bench.clicks().map(\.userAgent) == ["after"])
        #expect(try bench.metrics().sum("clicks_unrecorded_total") == lost + 1)
    }

    @Test(.enabled(if: hasNamespaces, "no namespace with a tmpfs of its own may be made"))
    func `on a full disk redirects go on, and recording resumes when there is room`() throws {
        let binary = try EdgeBinary()
        let spool = binary.folder.path + "/spool"
        try File.makeDirectories(spool)
        let mount = "mount -t tmpfs -o size=512k small \(spool) && exec \"$0\""
        let edge = try binary.start(
            through: ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount])
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let inside = "/proc/\(edge.pid)/root\(spool)"
        let filler = try File.open(inside + "/filler", .createNew)
        let block = [UInt8](repeating: 1, count: 4096)
        var isFull = false
        while !isFull {
            isFull = block.withUnsafeBytes { write(filler.raw, $0.baseAddress, $0.count) } < 0
        }
        let client = try PlainClient(port: binary.port)
        let agent = String(repeating: "a", count: 400)
        var asked = 0
        try eventually("readiness says why") {
            for _ in 0..<20 {
                let answer = try client.ask("GET", "/go/open-1", userAgent: agent)
                #expect(answer?.status == 302)
                asked += 1
            }
            return binary.readiness()?.body.contains("spool cannot be written") == true
        }
        let metrics = try PrometheusText(
            PlainClient(port: binary.adminPort).ask("GET", "/metrics")?.body ?? "")
        let unrecorded = Int(metrics.sum("clicks_unrecorded_total"))
        #expect(unrecorded > 0)
        #expect(try StoredClick.all(in: inside, isOver: false).count == asked - unrecorded)
        try File.remove(inside + "/filler")
        try File.truncate(filler, to: 0, path: "filler")
        try eventually("ready again") { binary.readiness()?.status == 200 }
        #expect(try client.ask("GET", "/go/open-1", userAgent: "after")?.status == 302)
        let stored = try StoredClick.all(in: inside, isOver: false)
        #expect(stored.count == asked - unrecorded + 1 && stored.last?.userAgent == "after")
    }

    /// What a full disk does to write(2), without one: a limit on the size of the process's files.
    @Test
    func `at the limit of its files redirects go on, and recording resumes`()
        throws
    {
        let binary = try EdgeBinary()
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        // Not even a segment's header fits.
        try limitFiles(to: 100, edge)
        let client = try PlainClient(port: binary.port)
        var asked = 0
        try eventually("readiness says why") {
            asked += 1
            let answer = try client.ask("GET", "/go/open-1")
            #expect(answer?.status == 302)
            return binary.readiness()?.body.contains("spool cannot be written") == true
        }
        #expect(try client.ask("GET", "/go/open-1")?.status == 302)
        let scrape = try PlainClient(port: binary.adminPort).ask("GET", "/metrics")?.body
        let unrecorded = try PrometheusText(scrape ?? "").sum("clicks_unrecorded_total")
        #expect(Int(unrecorded) == asked + 1, "all that were asked under the limit")
        try limitFiles(to: 1 << 30, edge)
        try eventually("ready again") { binary.readiness()?.status == 200 }
        #expect(try client.ask("GET", "/go/open-1", userAgent: "after")?.status == 302)
        let stored = try StoredClick.all(in: binary.folder.path + "/spool", isOver: false)
        #expect(stored.map(\.userAgent) == ["after"])
    }

    private func limitFiles(to bytes: Int, _ edge: ChildProcess) throws {
        let words = ["--pid", "\(edge.pid)", "--fsize=\(bytes):"]
        #expect(try ChildProcess("prlimit", words, logPath: "/dev/null").wait() == 0)
    }

    private static let hasNamespaces: Bool = {
        let words = ["--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "x", "/mnt"]
        return (try? ChildProcess("unshare", words, logPath: "/dev/null"))?.wait() == 0
    }()
}
