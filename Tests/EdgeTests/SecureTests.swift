import Clicks
import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

/// TLS as real clients see it: `openssl s_client` and curl.
@Suite struct SecureTests {
    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a click by TLS is redirected and recorded, and its end is said`(version: String) throws {
        let bench = try SecureBench()
        let run = try bench.converse("\(version) -alpn h2,http/1.1 -verify_return_error")
        #expect(run.code == 0, "\(run.output)")
        #expect(run.output.contains("HTTP/1.1 302 Found"))
        #expect(run.output.contains("Verify return code: 0 (ok)"))
        #expect(run.output.contains("ALPN protocol: http/1.1"))
        #expect(run.output.contains("Secure Renegotiation IS"))
        #expect(run.output.contains("Compression: NONE"))
        #expect(!run.output.contains("unexpected eof"), "the end is said, not cut off")
        let click = try #require(try bench.edge.clicks().first)
        #expect(click.click.address.high == 0 && click.click.verdict == .valid)
        #expect(try bench.events("tls_handshake") == 1)
        #expect(try bench.events("tls_handshake_failed") == 0)
    }

    @Test func `old versions, other protocols and weak ciphers are refused`() throws {
        let bench = try SecureBench()
        let refused = [
            "-tls1_1 -cipher ALL:@SECLEVEL=0", "-alpn h2", "-tls1_2 -cipher AES128-SHA",
            "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256",
            "-groups secp521r1",
        ]
        for options in refused {
            let run = try bench.converse(options)
            #expect(run.code != 0 && !run.output.contains("302 Found"), "\(options)")
        }
        #expect(try bench.events("tls_handshake") == 0)
        #expect(try bench.events("tls_handshake_failed") == Double(refused.count))
        #expect(try bench.edge.clicks().isEmpty)
        #expect(try bench.converse("").output.contains("302 Found"))
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a session is resumed by its ticket, at any worker and after a reload`(version: String)
        throws
    {
        let bench = try SecureBench(["EDGE_WORKERS": "2"])
        let ticket = bench.files.path + "/ticket"
        let first = try bench.converse("\(version) -sess_out \(ticket)")
        #expect(first.output.contains("New, TLSv1"))
        for number in 0..<16 {
            if number == 8 { bench.edge.edge.reload() }
            let run = try bench.converse("\(version) -sess_in \(ticket)")
            #expect(run.output.contains("Reused, TLSv1") && run.output.contains("302 Found"))
        }
        #expect(try bench.events("tls_handshake_resumed") == 16)
        #expect(try bench.events("tls_handshake") == 17)
        #expect(try bench.edge.metrics().sum("edge_tls_reloads_total") == 1)
    }

    @Test func `requests sent at once are answered in order, whatever records they come in`() throws
    {
        let bench = try SecureBench()
        let count = 400
        let text =
            (0..<count).map { request(to: "/go/open-1?ch=n\($0)") }.joined() + SecureBench.closing
        for pieceBytes in [65_536, 1000, 7] {
            let relay = try ByteRelay(to: bench.port, pieceBytes: pieceBytes)
            defer { relay.stop() }
            let run = try bench.converse("-quiet", text, port: relay.port)
            #expect(run.count(of: "HTTP/1.1 302 Found") == count + 1, "\(pieceBytes)")
        }
        let channels = try bench.edge.clicks().map(\.channel)
        let expected = (0..<count).map { "n\($0)" } + [""]
        #expect(channels == expected + expected + expected)
    }

    @Test func `a report's body comes by TLS as well`() throws {
        let bench = try SecureBench()
        let run = try ShellRun.run(
            "curl -sS --cacert \(bench.certificate.certificate) "
                + "--connect-to first:443:127.0.0.1:\(bench.port) "
                + "-H 'Content-Type: application/json' -d '{\"gonggu_id\":\"open-1\"}' "
                + "https://first/api/v1/tracking/click")
        #expect(run.code == 0 && run.output.contains("redirect_url"), "\(run.output)")
    }

    @Test func `a peer that asks and does not read is served when it reads`() throws {
        let bench = try SecureBench()
        let count = 4000
        let asked = bench.files.path + "/many"
        let pipe = bench.files.path + "/pipe"
        let text = String(repeating: request(to: "/go/long-1", agent: nil), count: count)
        try SecureBench.write(text + SecureBench.closing, to: asked)
        #expect(mkfifo(pipe, 0o600) == 0)
        let client = try ChildProcess(
            "sh",
            [
                "-c",
                "openssl s_client -quiet -connect 127.0.0.1:\(bench.port) <\(asked) >\(pipe)",
            ], logPath: bench.files.path + "/log")
        // Opening it for reading lets the client start; nobody reads yet.
        let raw = open(pipe, O_RDONLY)
        try eventually("the edge has stopped reading") {
            let first = try bench.edge.clicks().count
            Clock.sleep(milliseconds: 50)
            return try first > 100 && first == bench.edge.clicks().count
        }
        #expect(try bench.edge.clicks().count < count, "not all that is asked is taken unread")
        #expect(try bench.edge.ask(request(to: "/go/open-1"))?.status == 302)
        var answers: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let got = read(raw, &buffer, buffer.count)
            guard got > 0 else { break }
            answers += buffer[..<got]
        }
        close(raw)
        #expect(client.wait(seconds: 60) == 0, "\(client.log)")
        let text302 = String(decoding: answers, as: UTF8.self)
        #expect(text302.split(separator: "HTTP/1.1 302 Found").count == count + 1)
        #expect(try bench.edge.clicks().count == count + 2)
    }
}
