import Clicks
import Glibc
import Linux
import Settings
import TestSupport
import Testing

@testable import Edge

/// Connections behind a balancer that speaks the PROXY protocol.
@Suite struct ProxyProtocolTests {
    private static let trusting = [
        "EDGE_PROXY_PROTOCOL": "v2", "TRUSTED_PROXIES": "127.0.0.0/8,198.51.100.0/24",
    ]

    private static func header(_ command: UInt8, _ family: UInt8, _ rest: [UInt8]) -> [UInt8] {
        [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10, command, family]
            + [UInt8(rest.count >> 8), UInt8(rest.count & 255)] + rest
    }

    /// 203.0.113.7 has come through.
    private static let four = header(0x21, 0x11, [203, 0, 113, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80])
    private static let six = header(
        0x21, 0x21,
        [0x20, 1, 0x0D, 0xB8] + .init(repeating: 0, count: 11) + [9]
            + .init(repeating: 1, count: 16) + [0x30, 0x39, 0, 80])
    private static let local = header(0x20, 0x00, [])

    private static func events(_ bench: EdgeBench, _ label: String) throws -> Double {
        try bench.metrics().sum("edge_events_total", #"event="\#(label)""#)
    }

    private static func address(_ text: String) -> NetworkAddress {
        Array(text.utf8).withUnsafeBytes { NetworkAddress(hop: $0)! }
    }

    @Test func `the header's address is the click's`() throws {
        let bench = try EdgeBench(ProxyProtocolTests.trusting)
        let cases: [(header: [UInt8], fields: [String], address: String)] = [
            (ProxyProtocolTests.four, [], "203.0.113.7"),
            (ProxyProtocolTests.six, [], "2001:db8::9"),
            (ProxyProtocolTests.local, [], "127.0.0.1"),
            // A stranger's X-Forwarded-For is not believed, a trusted proxy's is.
            (ProxyProtocolTests.four, ["X-Forwarded-For: 192.0.2.1"], "203.0.113.7"),
            (ProxyProtocolTests.local, ["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"),
            (
                ProxyProtocolTests.header(
                    0x21, 0x11, [198, 51, 100, 4, 10, 0, 0, 1, 0x30, 0x39, 0, 80]),
                ["X-Forwarded-For: 192.0.2.1"], "192.0.2.1"
            ),
        ]
        for (header, fields, address) in cases {
            let client = try bench.client()
            let text = Array(request(to: "/go/open-1", fields: fields).utf8)
            try client.send(bytes: header + text)
            #expect(try client.receive()?.status == 302)
            // The header is for the connection, not for its first request.
            try client.send(bytes: text)
            #expect(try client.receive()?.status == 302)
            let clicks = try bench.clicks().suffix(2)
            #expect(
                clicks.allSatisfy { $0.click.address == ProxyProtocolTests.address(address) },
                "\(address)")
        }
        #expect(try ProxyProtocolTests.events(bench, "proxy_header_refused") == 0)
    }

    @Test func `a header may come in pieces, and with anything behind it`() throws {
        let bench = try EdgeBench(ProxyProtocolTests.trusting)
        let text = Array(request(to: "/go/open-1").utf8)
        let whole = ProxyProtocolTests.four + text + text
        for split in 1..<(ProxyProtocolTests.four.count + 40) {
            let client = try bench.client()
            try client.send(bytes: Array(whole[..<split]))
            // Until the edge has surely read the first piece: it has read a later connection's.
            let later = try bench.client()
            try later.send(bytes: ProxyProtocolTests.local + text)
            try #require(try later.receive()?.status == 302)
            try client.send(bytes: Array(whole[split...]))
            #expect(try client.receive()?.status == 302)
            #expect(try client.receive()?.status == 302)
        }
        let four = ProxyProtocolTests.address("203.0.113.7")
        let clicks = try bench.clicks()
        #expect(clicks.filter { $0.click.address == four }.count == clicks.count / 3 * 2)
    }

    @Test func `what does not begin with a header is closed, counted and not recorded`() throws {
        let bench = try EdgeBench(ProxyProtocolTests.trusting)
        let wrong: [[UInt8]] = [
            Array(request(to: "/go/open-1").utf8),
            Array("PROXY TCP4 203.0.113.7 10.0.0.1 12345 80\r\n".utf8)
                + Array(request(to: "/go/open-1").utf8),
            ProxyProtocolTests.header(0x22, 0x11, .init(repeating: 0, count: 12)),
            ProxyProtocolTests.header(0x21, 0x12, .init(repeating: 0, count: 12)),
            ProxyProtocolTests.header(0x21, 0x11, .init(repeating: 0, count: 11)),
            ProxyProtocolTests.header(0x21, 0x11, .init(repeating: 0, count: 4000)),
            [22, 3, 1, 2, 0],
        ]
        for bytes in wrong {
            let client = try bench.client()
            try client.send(bytes: bytes)
            #expect(try client.receiveAll().isEmpty)
        }
        let refused = try ProxyProtocolTests.events(bench, "proxy_header_refused")
        #expect(refused == Double(wrong.count))
        #expect(try bench.clicks().isEmpty)
    }

    @Test func `a header that does not come whole in time is not waited for`() throws {
        var patience = Patience()
        patience.requestMicroseconds = 200_000
        let bench = try EdgeBench(ProxyProtocolTests.trusting, patience: patience)
        for count in [0, 1, 15, 27] {
            let client = try bench.client()
            try client.send(bytes: Array(ProxyProtocolTests.four[..<count]))
            #expect(try client.receiveAll().isEmpty)
        }
        #expect(try ProxyProtocolTests.events(bench, "proxy_header_refused") == 4)
        #expect(try ProxyProtocolTests.events(bench, "request_timeout") == 0)
    }

    @Test func `nobody who is not trusted can name an address`() throws {
        let bench = try EdgeBench([
            "EDGE_PROXY_PROTOCOL": "v2", "TRUSTED_PROXIES": "198.51.100.0/24",
        ])
        let client = try bench.client()
        // It may be closed before it has said all.
        try? client.send(bytes: ProxyProtocolTests.four + Array(request(to: "/go/open-1").utf8))
        #expect(try client.receiveAll().isEmpty)
        #expect(try ProxyProtocolTests.events(bench, "proxy_header_refused") == 1)
        #expect(try bench.clicks().isEmpty)
    }

    @Test func `without the setting a header is a malformed request`() throws {
        let bench = try EdgeBench(["TRUSTED_PROXIES": "127.0.0.0/8"])
        let client = try bench.client()
        try client.send(bytes: ProxyProtocolTests.four + Array(request(to: "/go/open-1").utf8))
        #expect(try client.receive()?.status == 400)
        #expect(try bench.clicks().isEmpty)
    }

    @Test(arguments: [1, 65_536])
    func `the header goes before the handshake`(pieceBytes: Int) throws {
        let files = try TestFolder()
        let certificate = try TestCertificate("first", in: files)
        var settings = ProxyProtocolTests.trusting
        settings["EDGE_TLS_CERT"] = certificate.certificate
        settings["EDGE_TLS_KEY"] = certificate.key
        let bench = try EdgeBench(settings)
        let relay = try ByteRelay(
            to: bench.edge.tlsPort!, prefix: ProxyProtocolTests.six, pieceBytes: pieceBytes)
        defer { relay.stop() }
        let run = try ShellRun.run(
            "curl -sSk -o /dev/null -w '%{http_code}' https://127.0.0.1:\(relay.port)/go/open-1")
        #expect(run.output == "302")
        let click = try #require(try bench.clicks().first)
        #expect(click.click.address == ProxyProtocolTests.address("2001:db8::9"))
        // Without it the handshake is what a header is not.
        let bare = try ShellRun.run(
            "curl -sSk -o /dev/null https://127.0.0.1:\(bench.edge.tlsPort!)/go/open-1")
        #expect(bare.code != 0)
        #expect(try ProxyProtocolTests.events(bench, "proxy_header_refused") == 1)
    }

    @Test func `the setting needs somebody to trust`() {
        var reader = SettingsReader(environment: ["EDGE_PROXY_PROTOCOL": "v2"])
        _ = EdgeSettings(&reader, cores: 1)
        #expect {
            try reader.finish()
        } throws: {
            "\($0)".contains("EDGE_PROXY_PROTOCOL is v2; must be off, or TRUSTED_PROXIES must")
        }
    }
}
