import Clicks
import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

/// Peers that are slow, rude or many.
@Suite struct PeersTests {
    private static let impatient: Patience = {
        var patience = Patience()
        patience.requestMicroseconds = 200_000
        return patience
    }()

    @Test func `a request that does not come whole in time is told so`() throws {
        let bench = try EdgeBench(patience: PeersTests.impatient)
        let head = request(to: "/go/open-1")
        let body = report(#"{"gonggu_id":"open-1"}"#)
        for partial in [String(head.dropLast(2)), "G", String(body.dropLast())] {
            let client = try bench.client()
            try client.send(partial)
            let answer = try client.receive()
            #expect(answer?.status == 408 && answer?.field("connection") == "close")
            #expect(answer?.body.contains("REQUEST_TIMEOUT") == true)
            #expect(try client.isClosed())
        }
        #expect(try bench.metrics().sum("edge_events_total", "request_timeout") == 3)
        #expect(try bench.clicks().isEmpty)
    }

    @Test func `one who always has the next request half sent is never timed out`() throws {
        let bench = try EdgeBench(patience: PeersTests.impatient)
        let client = try bench.client()
        let whole = Array(request(to: "/go/open-1").utf8)
        try client.send(bytes: Array(whole[..<20]))
        let deadline = Clock.monotonic() + 800_000
        while Clock.monotonic() < deadline {
            // The rest of this one, and the beginning of the next.
            try client.send(bytes: Array(whole[20...]) + Array(whole[..<20]))
            try #require(try client.receive()?.status == 302)
        }
    }

    @Test func `a peer that asks and does not read is served when it reads, and harms no one`()
        throws
    {
        let count = 10_000
        // In a process of its own, whose memory is its own.
        let binary = try EdgeBinary()
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let before = try residentBytes(edge)
        let greedy = try PlainClient(port: binary.port, receiveBufferBytes: 4096)
        let batch = String(
            repeating: request(to: "/go/long-1", agent: nil), count: count / 100)
        // One thread sends and one receives, which are two things of a client that do not touch.
        nonisolated(unsafe) let sending = greedy
        let sender = SystemThread(name: "greedy") {
            // Blocks while the edge reads no more of it, until the answers below are read.
            for _ in 0..<100 { try? sending.send(batch) }
        }
        let recorded = {
            try StoredClick.all(in: binary.folder.path + "/spool", isOver: false).count
        }
        try eventually("the edge has stopped reading") {
            let first = try recorded()
            Clock.sleep(milliseconds: 30)
            return try first > 100 && first == recorded()
        }
        #expect(try recorded() < count, "the edge does not take all that is asked unread")
        let grown = try residentBytes(edge) - before
        #expect(grown < 1 << 20, "\(grown) bytes for one connection's answers and requests")
        let other = try PlainClient(port: binary.port)
        #expect(try other.ask("GET", "/go/open-1")?.status == 302)
        for _ in 0..<count {
            try #require(try greedy.receive()?.field("location") == TestLinks.long.url)
        }
        sender.join()
        #expect(try recorded() == count + 1)
    }

    @Test func `a half-closed client gets all its answers`() throws {
        let bench = try EdgeBench()
        for count in [1, 50] {
            let client = try bench.client()
            let text = String(repeating: request(to: "/go/open-1"), count: count)
            try client.send(text + "GET /half")
            client.endSending()
            for _ in 0..<count { #expect(try client.receive()?.status == 302) }
            #expect(try client.isClosed())
        }
        #expect(try bench.clicks().count == 51)
    }

    @Test func `resets at any moment leave the edge as it was`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let bench = try EdgeBench()
        let text = String(repeating: request(to: "/go/open-1"), count: 20)
        for _ in 0..<300 {
            let client = try bench.client()
            let bytes = Int.random(in: 0...text.utf8.count, using: &random)
            try client.send(String(text.utf8.prefix(bytes))!)
            if bytes >= text.utf8.count / 20 && Bool.random(using: &random) {
                #expect(try client.receive()?.status == 302)
            }
            if Bool.random(using: &random) { client.reset() }
        }
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        try eventually("all connections are given back") {
            let metrics = try bench.metrics()
            return metrics.sum("edge_events_total", "connection_accepted") == 301
                && metrics.sum("edge_events_total", "connection_closed") == 301
        }
    }

    @Test func `at the bound the connection that has waited longest gives way`() throws {
        let bench = try EdgeBench(["EDGE_CONNECTIONS_MAX": "16"])
        var clients: [PlainClient] = []
        for _ in 0..<16 {
            clients.append(try bench.client())
            #expect(try clients.last!.ask("GET", "/go/open-1")?.status == 302)
        }
        // So exactly, and no more, the edge knows who has waited longer.
        let asked = Clock.monotonic()
        try eventually("the grain of waiting is over") { Clock.monotonic() - asked > 8000 }
        #expect(try clients[0].ask("GET", "/go/open-1")?.status == 302)
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        #expect(try clients[1].isClosed(), "the second, since the first has asked again")
        for client in clients[2...] + [clients[0]] {
            #expect(try client.ask("GET", "/go/open-1")?.status == 302)
        }
        #expect(try bench.metrics().sum("edge_events_total", "connection_evicted") == 1)
    }

    /// All that arrives while the edge is stopped meets it in one turn, the newcomer last.
    @Test func `at the bound a newcomer takes no place whose request has just come`() throws {
        let binary = try EdgeBinary(["EDGE_CONNECTIONS_MAX": "16"])
        let edge = try binary.start()
        defer { edge.kill(SIGTERM) }
        try eventually("ready: \(edge.log)") { binary.readiness()?.status == 200 }
        let clients = try (0..<16).map { _ in try PlainClient(port: binary.port) }
        for _ in 0..<30 {
            for client in clients { try client.send(request(to: "/go/open-1")) }
            for client in clients { #expect(try client.receive()?.status == 302) }
            edge.kill(SIGSTOP)
            for client in clients { try client.send(request(to: "/go/open-1")) }
            let newcomer = try PlainClient(port: binary.port)
            edge.kill(SIGCONT)
            for client in clients { #expect(try client.receive()?.status == 302) }
            #expect(try newcomer.isClosed())
        }
    }

    /// Waiting since first to last: half a request, an answer not read, silence. Each gives way in
    /// its turn, whatever it waits for.
    @Test func `at the bound all kinds of waiting are one queue`() throws {
        let bench = try EdgeBench(["EDGE_CONNECTIONS_MAX": "16"])
        let half = try bench.client()
        try half.send("GET /go/")
        try eventually("it has begun") {
            try bench.metrics().sum("edge_connections", #"wait="rest_of_request""#) == 1
        }
        let greedy = try bench.client(receiveBufferBytes: 4096)
        let many = String(repeating: request(to: "/go/long-1", agent: nil), count: 200)
        nonisolated(unsafe) let sending = greedy
        // Blocks once the edge reads no more of it; ends when the edge closes the connection.
        let sender = SystemThread(name: "greedy") {
            for _ in 0..<100 { guard (try? sending.send(many)) != nil else { return } }
        }
        try eventually("its answers do not fit") {
            try bench.metrics().sum("edge_connections", #"wait="peer_reading""#) == 1
        }
        var silent: [PlainClient] = []
        for _ in 0..<14 {
            silent.append(try bench.client())
            #expect(try silent.last!.ask("GET", "/go/open-1")?.status == 302)
        }
        for number in 1...3 {
            silent.append(try bench.client())
            #expect(try silent.last!.ask("GET", "/go/open-1")?.status == 302)
            #expect(
                try bench.metrics().sum("edge_events_total", "connection_evicted") == Double(number)
            )
            let waits = try bench.metrics()
            #expect(waits.sum("edge_connections", #"wait="rest_of_request""#) == 0)
            #expect(
                waits.sum("edge_connections", #"wait="peer_reading""#) == (number == 1 ? 1 : 0))
        }
        #expect(try half.isClosed())
        #expect(try silent[0].isClosed())
        for client in silent[1...] {
            #expect(try client.ask("GET", "/go/open-1")?.status == 302)
        }
        sender.join()
    }

    @Test func `slow senders cannot hold all places`() throws {
        let bench = try EdgeBench(["EDGE_CONNECTIONS_MAX": "16"])
        var slow: [PlainClient] = []
        for _ in 0..<40 {
            slow.append(try bench.client())
            try slow.last!.send("GET /go/")
        }
        try eventually("all have been let in, or sent away") {
            try bench.metrics().sum("edge_events_total", "connection_accepted") == 40
        }
        for _ in 0..<20 { #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302) }
    }

    @Test func `two thousand idle connections are in no one's way`() throws {
        DescriptorLimit.raise()
        let bench = try EdgeBench()
        var idle: [PlainClient] = []
        for _ in 0..<2000 { idle.append(try bench.client()) }
        #expect(try bench.ask(request(to: "/go/open-1"))?.status == 302)
        for client in idle { try client.send(request(to: "/go/open-1")) }
        #expect(try idle.allSatisfy { try $0.receive()?.status == 302 })
        #expect(try bench.clicks().count == 2001)
    }

    @Test func `all that was recorded before SIGTERM is answered, and the last answer says so`()
        throws
    {
        // Many short lives, since what is under test is what happens at one moment.
        for _ in 0..<20 {
            let bench = try EdgeBench(["EDGE_WORKERS": "2"])
            let load = LoadClients(
                port: bench.edge.port, gongguID: "open-1", prefix: "drain-", clients: 4,
                pauseMicroseconds: 0)
            try eventually("load runs") { load.sentCount > 100 }
            bench.stop()
            load.stop()
            let answered = Set(load.answered.map(load.userAgent))
            let stored = try bench.clicks().map(\.userAgent)
            #expect(Set(stored) == answered && stored.count == answered.count)
        }
    }

    /// The memory a process has in use.
    private func residentBytes(_ process: ChildProcess) throws -> Int {
        let path = "/proc/\(process.pid)/statm"
        let file = try File.open(path, .read)
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = try buffer.withUnsafeMutableBytes {
            try File.read(file, into: $0, at: 0, path: path)
        }
        let words = String(decoding: buffer[..<count], as: UTF8.self).split(separator: " ")
        return (Int(words[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
