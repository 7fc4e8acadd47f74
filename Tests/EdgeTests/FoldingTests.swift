import Clicks
import Glibc
import Guards
import Linux
import Spool
import Settings
import TestSupport
import Testing

@testable import Edge

/// Addresses far over the limit: few records, and every click in one.
@Suite struct FoldingTests {
    private static let settings = [
        "TRUSTED_PROXIES": "127.0.0.0/8", "FLOOD_CLICKS_PER_MINUTE": "60",
        "FLOOD_ROWS_PER_MINUTE": "600", "DEDUPE_WINDOW_SECONDS": "1",
    ]

    private func stored(_ binary: EdgeBinary) throws -> [StoredClick] {
        try StoredClick.all(in: binary.folder.path + "/spool", isOver: true)
    }

    private func sum(_ clicks: [StoredClick]) -> Int {
        clicks.reduce(0) { $0 + Int($1.click.count) }
    }

    private func metrics(_ binary: EdgeBinary) throws -> PrometheusText {
        try PrometheusText(
            PlainClient(port: binary.adminPort).ask("GET", "/metrics")?.body ?? "")
    }

    @Test func `a hundred thousand clicks of one address are few records that add up`() throws {
        let binary = try EdgeBinary(Self.settings)
        let edge = try binary.start()
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let flood = FloodClient(port: binary.port, target: "/go/open-1", address: "203.0.113.9")
        let began = Clock.monotonic()
        while flood.sent < 100_000 { #expect(flood.ask()) }
        let metrics = try metrics(binary)
        #expect(metrics.sum("edge_clicks_total") == 100_000)
        #expect(
            metrics.values["edge_events_total{worker=\"0\",event=\"click_folded\"}"] ?? 0 > 90_000)
        // With nobody there the edge ends at once, within the second of its last folds.
        flood.hangUp()
        edge.kill(SIGTERM)
        #expect(edge.wait(seconds: 60) == 0)
        let seconds = Int((Clock.monotonic() - began) / 1_000_000) + 2
        let clicks = try stored(binary)
        #expect(sum(clicks) == 100_000)
        // The first six hundred by themselves; then one a second, link, verdict.
        #expect(clicks.count >= 600 && clicks.count <= 600 + 3 * seconds)
        let folds = clicks.filter { $0.click.count > 1 }
        #expect(Set(folds.map(\.click.verdict)).isSubset(of: [.duplicate, .flood]))
        #expect(folds.allSatisfy { $0.userAgent.isEmpty && $0.referer.isEmpty })
        #expect(folds.allSatisfy { $0.click.address == NetworkAddress("203.0.113.9") })
        print("records \(clicks.count), \(folds.count) of them folds, in \(seconds) s")
    }

    @Test func `a fold is in the spool a moment after its second, without another click`() throws {
        let bench = try EdgeBench(Self.settings)
        let flood = FloodClient(
            port: bench.edge.port, target: "/go/open-1", address: "203.0.113.9")
        while flood.sent < 1000 { #expect(flood.ask()) }
        try eventually("all thousand are in the spool") {
            try sum(bench.clicks()) == 1000
        }
        // The neighbours of an address under attack are not folded with it.
        let other = request(to: "/go/open-1", fields: ["X-Forwarded-For: 203.0.113.10"])
        #expect(try bench.ask(other)?.status == 302)
        let last = try #require(try bench.clicks().last)
        #expect(last.click.verdict == .valid && last.userAgent == TestAgent.phone)
    }

    @Test func `killed in the middle of folding, the edge has every click that it answered`() throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        // Fewer workers at the end than at the beginning: somebody's folds are left over.
        let binary = try EdgeBinary(Self.settings)
        let flood = FloodClient(port: binary.port, target: "/go/open-1", address: "203.0.113.9")
        for life in 0..<12 {
            let edge = try binary.start(
                through: ["env", "EDGE_WORKERS=\(life < 11 ? 1 + life % 3 : 1)"])
            let before = flood.answered
            try eventually("the flood goes on: \(edge.log)") {
                _ = flood.ask()
                return flood.answered >= before + 3000
            }
            // Some deaths just after a second's end, when folds are being written.
            let target = (Clock.now() / 1_000_000 + 1) * 1_000_000 + Int64(random.next() % 300_000)
            while life % 2 == 0 && Clock.now() < target { _ = flood.ask() }
            if life < 11 { edge.killNow() } else { edge.kill(SIGTERM) }
            _ = edge.wait()
        }
        let clicks = try stored(binary)
        let sum = sum(clicks)
        #expect(sum >= flood.answered && sum <= flood.sent, "seed \(seed)")
        #expect(Set(clicks.map(\.click.id)).count == clicks.count, "none twice")
        #expect(clicks.count < sum / 10)
        print("sent \(flood.sent), answered \(flood.answered), stored \(sum) in \(clicks.count)")
        let left = try File.list(binary.folder.path + "/spool-state/" + EdgeBench.edgeID)
        #expect(left.filter { $0.hasPrefix("folds-") } == ["folds-0"])
    }

    @Test(arguments: ["always", "interval"])
    func `folds that found no room are written once there is some`(policy: String) throws {
        let binary = try EdgeBinary(
            Self.settings.merging(
                ["EDGE_FSYNC": policy, "SPOOL_BYTES_MAX": "1MiB", "EDGE_WORKERS": "1"]) { $1 })
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let spool = binary.folder.path + "/spool"
        let folder = "\(spool)/\(EdgeBench.edgeID)"
        // No two agents alike, so that no text stands in the spool once for many; and no address
        // often enough to be folded.
        var number = 0
        let client = try PlainClient(port: binary.port)
        try eventually("the spool is full") {
            for _ in 0..<50 {
                number += 1
                let agent = "\(number)" + String(repeating: "a", count: 1000)
                let address = "X-Forwarded-For: 192.0.2.\(number % 250)"
                try client.send(request(to: "/go/open-1", agent: agent, fields: [address]))
                _ = try client.receive()
            }
            return binary.readiness()?.status == 503
        }
        let before = try metrics(binary).sum("clicks_unrecorded_total")
        let flood = FloodClient(port: binary.port, target: "/go/open-1", address: "203.0.113.9")
        while flood.sent < 3000 { #expect(flood.ask()) }
        let folded = try metrics(binary).sum("edge_events_total", "click_folded")
        #expect(folded > 2000)
        // Several times a second they are tried in vain.
        let asked = Clock.monotonic()
        try eventually("their second is over") { Clock.monotonic() - asked > 2_500_000 }
        let lost = try metrics(binary).sum("clicks_unrecorded_total") - before
        #expect(lost == 3000 - folded)
        try eventually("recording resumes") {
            let names = try File.list(folder).compactMap { SegmentName($0) }
            for name in names where name.isClosed(among: names) {
                try File.remove("\(folder)/\(name)")
            }
            return binary.readiness()?.status == 200
        }
        try eventually("every fold is in the spool") {
            let clicks = try StoredClick.all(in: spool, isOver: false)
                .filter { $0.click.address == NetworkAddress("203.0.113.9") }
            return sum(clicks) == Int(folded)
        }
    }

    /// A death between the spool's write and the table's note of it.
    @Test func `a fold that was written down is not written again by the next process`() throws {
        let binary = try EdgeBinary(Self.settings)
        var edge = try binary.start()
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let flood = FloodClient(port: binary.port, target: "/go/open-1", address: "203.0.113.9")
        while flood.sent < 2000 { #expect(flood.ask()) }
        edge.kill(SIGTERM)
        #expect(edge.wait(seconds: 60) == 0)
        let before = try stored(binary)
        #expect(sum(before) == 2000)
        var unwritten = try #require(before.map(\.click).last { $0.count > 1 })
        var reader = SettingsReader(environment: binary.environment)
        let settings = EdgeSettings(&reader, cores: 1)
        do {
            let folder = try StateFolder(
                binary.folder.path + "/spool-state/" + EdgeBench.edgeID)
            let table = FoldTable(
                memory: try folder.open(
                    "folds-0", EdgeTables(settings.guards, settings.visitors).folds
                ).memory)
            #expect(table.isEmpty)
            for click in before.map(\.click) where click.count > 1 {
                let isKept = table.add(click, addressKey: 1)
                #expect(isKept)
            }
            unwritten.id = Identifier(high: 1, low: 1)
            unwritten.gongguID = Identifier(high: 2, low: 2)
            unwritten.count = 77
            let isKept = table.add(unwritten, addressKey: 1)
            #expect(isKept)
        }
        edge = try binary.start()
        try eventually("the other fold is written") {
            try sum(StoredClick.all(in: binary.folder.path + "/spool", isOver: false)) >= 2077
        }
        edge.kill(SIGTERM)
        #expect(edge.wait(seconds: 60) == 0)
        let after = try stored(binary)
        #expect(sum(after) == 2077 && after.count == before.count + 1)
        let last = try #require(after.last?.click)
        #expect(last == unwritten)
    }

    @Test func `limits out of order are refused, and zero folds nobody`() throws {
        let binary = try EdgeBinary([
            "FLOOD_CLICKS_PER_MINUTE": "100", "FLOOD_ROWS_PER_MINUTE": "99",
        ])
        let edge = try binary.start()
        #expect(edge.wait(seconds: 60) == 78)
        #expect(edge.log.contains("FLOOD_ROWS_PER_MINUTE"))
        #expect(edge.log.contains("no less than FLOOD_CLICKS_PER_MINUTE"))
        let bench = try EdgeBench(["FLOOD_CLICKS_PER_MINUTE": "60", "FLOOD_ROWS_PER_MINUTE": "0"])
        let flood = FloodClient(port: bench.edge.port, target: "/go/open-1")
        while flood.sent < 3000 { #expect(flood.ask()) }
        #expect(try bench.clicks().count == 3000)
    }
}
