import Clicks
import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

/// Peers of the TLS listener that are slow, rude or no TLS clients at all.
@Suite struct SecurePeersTests {
    private static let impatient: Patience = {
        var patience = Patience()
        patience.requestMicroseconds = 300_000
        patience.idleMicroseconds = 500_000
        return patience
    }()

    /// What a client of OpenSSL's says first.
    private static func hello() throws -> [UInt8] {
        let listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false)
        let client = try ChildProcess(
            "openssl", ["s_client", "-connect", "127.0.0.1:\(listener.port)"],
            logPath: "/dev/null")
        defer { client.killNow() }
        var peer = PeerAddress()
        var accepted = -1
        try eventually("it connects") {
            accepted = Socket.accept(listener.raw, peer: &peer)
            return accepted >= 0
        }
        let descriptor = Descriptor(owning: Int32(accepted))
        var bytes = [UInt8](repeating: 0, count: 4096)
        var count = 0
        try eventually("it speaks") {
            count = recv(descriptor.raw, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            return count > 0
        }
        return Array(bytes[..<count])
    }

    @Test func `a handshake that does not come whole in time is broken off`() throws {
        var patience = Patience()
        patience.requestMicroseconds = 300_000
        let bench = try SecureBench(patience: patience)
        let hello = try SecurePeersTests.hello()
        // Nothing at all, a beginning, and a whole hello whose answer nobody answers.
        for bytes in [[], Array(hello[..<1]), Array(hello[..<100]), hello] {
            let client = try PlainClient(port: bench.port)
            try client.send(bytes: bytes)
            let started = Clock.monotonic()
            _ = try client.receiveAll()
            let waited = Clock.monotonic() - started
            #expect(waited > 200_000 && waited < 5_000_000, "\(bytes.count): \(waited) µs")
        }
        // A byte now and then does not help: patience counts from accept.
        let drip = try PlainClient(port: bench.port)
        let started = Clock.monotonic()
        for byte in hello {
            guard (try? drip.send(bytes: [byte])) != nil else { break }
            Clock.sleep(milliseconds: 20)
            if Clock.monotonic() - started > 5_000_000 { break }
        }
        #expect(Clock.monotonic() - started < 3_000_000)
        #expect(try bench.events("tls_handshake_failed") == 4, "all who said something")
        #expect(try bench.click().output == "302")
    }

    @Test func `plain requests and garbage are sent away and do no harm`() throws {
        let bench = try SecureBench()
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let hello = try SecurePeersTests.hello()
        let plain = try PlainClient(port: bench.port)
        try plain.send(request(to: "/go/open-1"))
        #expect(try !plain.receiveAll().contains("302"))
        for _ in 0..<300 {
            var bytes = hello
            for _ in 0..<Int.random(in: 1...20, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = random.next8()
            }
            let client = try PlainClient(port: bench.port)
            try client.send(bytes: bytes)
            // An answer or an alert, and then we have heard enough.
            client.endSending()
            _ = try client.receiveAll()
        }
        for count in [1, 5, 100, 20_000] {
            let client = try PlainClient(port: bench.port)
            // A reset may come while it still sends.
            try? client.send(bytes: (0..<count).map { _ in random.next8() })
            client.endSending()
            _ = try? client.receiveAll()
        }
        #expect(try bench.edge.clicks().isEmpty)
        #expect(try bench.click().output == "302")
        try eventually("all connections are given back") {
            try bench.events("connection_accepted") == bench.events("connection_closed")
        }
        #expect(try bench.events("tls_handshake") == 1)
        #expect(try bench.events("tls_handshake_failed") >= 290)
    }

    @Test func `records damaged under way end their connection and nothing else`() throws {
        let bench = try SecureBench()
        // The proxy lets the handshake pass and then adds bytes that no key has made.
        let relay = try ByteRelay(to: bench.port, suffix: Array("GET / HTTP/1.1\r\n\r\n".utf8))
        defer { relay.stop() }
        let text = request(to: "/go/open-1")
        let run = try ShellRun.run(
            "printf '\(text.replacingEnds())' | openssl s_client -connect 127.0.0.1:\(relay.port) "
                + "-ign_eof")
        #expect(run.output.contains("alert"), "\(run.output)")
        #expect(try bench.click().output == "302")
    }

    @Test func `an idle client is told that it was for too long`() throws {
        let bench = try SecureBench(patience: SecurePeersTests.impatient)
        let run = try ShellRun.run(
            "openssl s_client -connect 127.0.0.1:\(bench.port) -ign_eof </dev/null")
        #expect(run.code == 0 && !run.output.contains("unexpected eof"), "\(run.output)")
        // Half a request by TLS gets the answer that one in plain gets.
        let half = try ShellRun.run(
            "printf 'GET /go/' | openssl s_client -connect 127.0.0.1:\(bench.port) -ign_eof")
        #expect(half.output.contains("HTTP/1.1 408") && !half.output.contains("unexpected eof"))
    }

    @Test func `hundreds of TLS connections share the places with plain ones`() throws {
        let bench = try SecureBench(["EDGE_CONNECTIONS_MAX": "16", "EDGE_WORKERS": "1"])
        var slow: [PlainClient] = []
        for _ in 0..<40 {
            slow.append(try PlainClient(port: bench.port))
            try slow.last!.send(bytes: [22, 3, 1])
        }
        try eventually("all have been let in, or sent away") {
            try bench.events("connection_accepted") >= 40
        }
        for _ in 0..<5 { #expect(try bench.click().output == "302") }
        #expect(try bench.edge.ask(request(to: "/go/open-1"))?.status == 302)
    }

    @Test func `SIGTERM ends TLS connections in order`() throws {
        let bench = try SecureBench()
        let path = bench.files.path + "/open"
        let client = try ChildProcess(
            "sh",
            [
                "-c",
                "printf '\(request(to: "/go/open-1").replacingEnds())' | "
                    + "openssl s_client -connect 127.0.0.1:\(bench.port) -ign_eof",
            ], logPath: path)
        try eventually("it is answered") { client.log.contains("302 Found") }
        bench.edge.stop()
        #expect(client.wait(seconds: 60) == 0 && !client.log.contains("unexpected eof"))
    }
}

extension String {
    /// For printf(1).
    fileprivate func replacingEnds() -> String {
        split(separator: "\r\n", omittingEmptySubsequences: false).joined(separator: "\\r\\n")
    }
}

extension SplitMix {
    fileprivate mutating func next8() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
