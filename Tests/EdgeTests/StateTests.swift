import Clicks
import Glibc
import Guards
import Linux
import Settings
import Spool
import TestSupport
import Testing

@testable import Edge

/// What the edge remembers when its process has ended in the middle of it.
@Suite struct StateTests {
    /// What happens to the tables' files between two processes.
    enum Fate: String, CaseIterable {
        case kept
        case deleted
        case rebooted
        case truncated
        case foreign
        case damaged
        /// Another process has run meanwhile that had its files elsewhere.
        case stale
    }

    private static let tables = ["turns", "windows", "floods", "folds-0"]
    private static let settings = [
        "TRUSTED_PROXIES": "127.0.0.0/8", "DEDUPE_WINDOW_SECONDS": "1",
        "FLOOD_CLICKS_PER_MINUTE": "100", "FLOOD_ROWS_PER_MINUTE": "0",
    ]

    private func statePath(_ binary: EdgeBinary) -> String {
        binary.folder.path + "/spool-state/" + EdgeBench.edgeID
    }

    private func overwrite(_ path: String, at offset: off_t, with bytes: [UInt8]) throws {
        let file = try File.open(path, .createOrUpdate)
        var bytes = bytes
        #expect(pwrite(file.raw, &bytes, bytes.count, offset) == bytes.count)
    }

    private func meet(_ fate: Fate, _ binary: EdgeBinary) throws {
        for path in Self.tables.map({ statePath(binary) + "/" + $0 }) where File.exists(path) {
            switch fate {
            case .kept, .stale: break
            case .deleted: try File.remove(path)
            case .rebooted: try overwrite(path, at: 32, with: [1, 2, 3, 4, 5, 6, 7, 8])
            case .truncated:
                try File.truncate(
                    try File.open(path, .createOrUpdate), to: 5000, path: path)
            case .foreign:
                try overwrite(path, at: 0, with: [UInt8](repeating: 0x41, count: 9000))
            case .damaged: try overwrite(path, at: 24, with: [0xFF])
            }
        }
        guard fate == .stale else { return }
        // It makes a window for each visitor that the files know nothing of.
        try run(binary, state: binary.folder.path + "/elsewhere", seed: 1, requests: 60)
    }

    /// Starts an edge, asks it, and ends it without a warning.
    private func run(
        _ binary: EdgeBinary, state: String? = nil, seed: UInt64, requests: Int
    ) throws {
        var random = SplitMix(state: seed)
        let edge = try binary.start(
            through: state.map { ["env", "EDGE_STATE_DIRECTORY=\($0)"] } ?? [])
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let client = try PlainClient(port: binary.port)
        for _ in 0..<requests {
            let visitor = random.next() % 120
            try client.send(
                request(
                    to: random.next() % 2 == 0 ? "/go/open-1" : "/go/other-1",
                    agent: TestAgent.browser(100 + Int(visitor / 4)),
                    fields: ["X-Forwarded-For: 203.0.113.\(visitor % 4)"]))
            #expect(try client.receive()?.status == 302)
            if random.next() % 8 == 0 { usleep(UInt32(random.next() % 20_000)) }
        }
        edge.killNow()
    }

    /// The verdicts that an edge would have given that had never ended, by the rules' words.
    private func expected(_ clicks: [Click], windowSeconds: Int64, floodMax: Int) -> [Verdict] {
        struct Pair: Hashable { let visitor: UInt64; let gonggu: Identifier }
        var windows: [Pair: Int64] = [:]
        var seconds: [UInt64: [Int64]] = [:]
        return clicks.map { click in
            let now = click.time.microseconds
            let address = click.address.low
            seconds[address, default: []].append(now / 1_000_000)
            let inMinute = seconds[address]!.count { $0 > now / 1_000_000 - 60 }
            let pair = Pair(visitor: click.visitorKey, gonggu: click.gongguID)
            if let last = windows[pair], now - last < windowSeconds * 1_000_000 {
                return .duplicate
            }
            if inMinute > floodMax { return .flood }
            windows[pair] = now
            return .valid
        }
    }

    private func stored(_ binary: EdgeBinary) throws -> [Click] {
        try StoredClick.all(in: binary.folder.path + "/spool", isOver: true).map(\.click)
            .sorted { $0.time.microseconds < $1.time.microseconds }
    }

    @Test(arguments: Fate.allCases)
    func `killed within every window, the edge judges as one that never died`(fate: Fate) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        let binary = try EdgeBinary(Self.settings)
        for life in 0..<5 as Range<UInt64> {
            try run(binary, seed: seed &+ life, requests: 120)
            if life == 2 { try meet(fate, binary) }
        }
        let clicks = try stored(binary)
        #expect(clicks.count == 600 + (fate == .stale ? 60 : 0))
        let expected = expected(clicks, windowSeconds: 1, floodMax: 100)
        let wrong = zip(clicks, expected).count { $0.verdict != $1 }
        #expect(wrong == 0, "of \(clicks.count), seed \(seed)")
        for verdict in [Verdict.valid, .duplicate, .flood] {
            let isThere = expected.contains(verdict)
            #expect(isThere, "the trace has \(verdict)")
        }
        let log = try File.contents(of: binary.folder.path + "/log", bytesMax: 1 << 24)
        let kept = String(decoding: log, as: UTF8.self).split(separator: "\n")
            .filter { $0.contains("state ready") }.map { $0.contains("windows_kept=true") }
        let last = [false, true, true, fate == .kept, true]
        #expect(kept == (fate == .stale ? [false, true, true, false, false, true] : last))
    }

    /// The control: it is the memory that the verdicts above come from.
    @Test func `without its files and without the spool's past the edge forgets`() throws {
        let binary = try EdgeBinary(Self.settings.merging(["DEDUPE_WINDOW_SECONDS": "60"]) { $1 })
        let spool = binary.folder.path + "/spool/" + EdgeBench.edgeID
        try run(binary, seed: 1, requests: 30)
        let first = try stored(binary).count { $0.verdict == .valid }
        for name in try File.list(spool) { try File.remove(spool + "/" + name) }
        try meet(.deleted, binary)
        try run(binary, seed: 1, requests: 30)
        #expect(try stored(binary).count { $0.verdict == .valid } == first)
    }

    // MARK: Claims

    @Test func `a click that was claimed and never written down is no duplicate's first`() throws {
        let binary = try EdgeBinary(["TRUSTED_PROXIES": "127.0.0.0/8"])
        func ask(_ visitor: Int) throws {
            let client = try PlainClient(port: binary.port)
            try client.send(
                request(
                    to: "/go/open-1", fields: ["X-Forwarded-For: 203.0.113.\(visitor)"]))
            #expect(try client.receive()?.status == 302)
        }
        var edge = try binary.start()
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        try ask(1)
        edge.killNow()
        let written = try #require(try stored(binary).first)
        // A death between the claim and the write: of a turn that began when the first click came.
        var reader = SettingsReader(environment: binary.environment)
        let settings = EdgeSettings(&reader, cores: 1)
        let tables = EdgeTables(settings.guards, settings.visitors)
        do {
            let folder = try StateFolder(statePath(binary))
            let marks = TurnMarks(memory: try folder.open("turns", tables.turns).memory)
            let windows = DedupeWindow(
                windowSeconds: settings.guards.dedupeWindowSeconds,
                memory: try folder.open("windows", tables.windows).memory)
            marks.begin(worker: 0, now: written.time.microseconds)
            let agent = Array(TestAgent.phone.utf8)
            let visitor = agent.withUnsafeBytes {
                settings.visitors.of(
                    addressKey: settings.visitors.addressKey(NetworkAddress("203.0.113.2")!),
                    agent: settings.visitors.digest($0))
            }
            let key = settings.visitors.dedupeKey(visitor: visitor, gonggu: written.gongguID)
            #expect(windows.claim(key: key, now: written.time.microseconds + 1))
        }
        edge = try binary.start()
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        #expect(edge.log.contains("withdrawn_claims=1"))
        try ask(2)
        try ask(1)
        edge.killNow()
        #expect(try stored(binary).map(\.verdict) == [.valid, .valid, .duplicate])
    }

    /// Whoever gets no answer asks again with the next edge, as shoppers do.
    @Test func `however often the edge is killed, each visitor is paid for exactly once`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let binary = try EdgeBinary(["EDGE_WORKERS": "2", "TRUSTED_PROXIES": "127.0.0.0/8"])
        let shoppers = InsistentShoppers(port: binary.port, threads: 4)
        for _ in 0..<20 {
            let edge = try binary.start()
            let before = shoppers.answeredCount
            try eventually("clicks arrive") { shoppers.answeredCount > before + 100 }
            usleep(UInt32.random(in: 0...30_000, using: &random))
            edge.killNow()
        }
        let edge = try binary.start()
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        shoppers.stop()
        edge.kill(SIGTERM)
        #expect(edge.wait(seconds: 60) == 0)
        let clicks = try stored(binary)
        let visitors = Dictionary(grouping: clicks, by: \.address.low)
        #expect(visitors.count >= shoppers.answeredCount)
        let unpaid = visitors.values.count { clicks in clicks.count { $0.verdict == .valid } != 1 }
        #expect(unpaid == 0, "seed \(seed)")
        print("visitors \(visitors.count), clicks \(clicks.count)")
    }

    // MARK: The folder

    @Test func `two edges do not share a state folder`() throws {
        let first = try EdgeBinary()
        let one = try first.start()
        try eventually("ready: \(one.log)") { first.readiness()?.status == 200 }
        let second = try EdgeBinary(["EDGE_STATE_DIRECTORY": first.folder.path + "/spool-state"])
        let other = try second.start()
        #expect(other.wait(seconds: 60) == 1)
        #expect(other.log.contains("another Edge holds \(statePath(first))"))
        #expect(first.readiness()?.status == 200)
    }

    @Test func `a named folder that cannot be written to is a fault in the settings`() throws {
        let binary = try EdgeBinary(["EDGE_STATE_DIRECTORY": "/proc/nowhere"])
        let edge = try binary.start()
        #expect(edge.wait(seconds: 60) == 78)
        #expect(edge.log.contains("EDGE_STATE_DIRECTORY"))
    }

    @Test func `without room for the tables the edge serves on, remembers by the spool, says so`()
        throws
    {
        let binary = try EdgeBinary(
            Self.settings.merging(["DEDUPE_WINDOW_SECONDS": "60"]) { $1 })
        for life in 0..<2 {
            // Files of more than 512 KiB cannot be made.
            let edge = try binary.start(through: ["sh", "-c", "ulimit -f 512; exec \"$0\""])
            try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
            let metrics = try PrometheusText(
                PlainClient(port: binary.adminPort).ask("GET", "/metrics")?.body ?? "")
            #expect(metrics.sum("edge_state_in_files") == 0)
            #expect(metrics.sum("edge_state_restored_clicks") == Double(life))
            #expect(edge.log.contains("will not outlive this process"))
            #expect(try PlainClient(port: binary.port).ask("GET", "/go/open-1")?.status == 302)
            edge.killNow()
        }
        #expect(try stored(binary).map(\.verdict) == [.valid, .duplicate])
    }
}
