import Clicks
import Glibc
import Linux
import TestSupport
import Testing

@testable import Edge

/// Where one request ends and the next begins, and what becomes of the connection.
@Suite struct FramingTests {
    @Test(arguments: [
        ("HTTP/1.1", nil, true), ("HTTP/1.1", "keep-alive", true), ("HTTP/1.1", "close", false),
        ("HTTP/1.1", "keep-alive, Close", false), ("HTTP/1.0", nil, false),
        ("HTTP/1.0", "Keep-Alive", true), ("HTTP/1.0", "close", false),
    ])
    func `a connection stays open as its version and wish have it`(
        version: String, wish: String?, staysOpen: Bool
    ) throws {
        let bench = try EdgeBench()
        let client = try bench.client()
        let fields = wish.map { ["Connection: \($0)"] } ?? []
        try client.send(request(to: "/go/open-1", fields: fields, version: version))
        let answer = try client.receive()
        #expect(answer?.status == 302)
        let said = answer?.field("connection")
        #expect(said == (staysOpen ? (version == "HTTP/1.0" ? "keep-alive" : nil) : "close"))
        if staysOpen {
            try client.send(request(to: "/go/open-1", fields: fields, version: version))
            #expect(try client.receive()?.status == 302)
        } else {
            #expect(try client.isClosed())
        }
    }

    @Test func `an HTTP/1.0 request needs no Host, and a blank line before is stepped over`() throws
    {
        let bench = try EdgeBench()
        #expect(try bench.ask("GET /go/open-1 HTTP/1.0\r\n\r\n")?.status == 302)
        #expect(try bench.ask("\r\n" + request(to: "/go/open-1"))?.status == 302)
        #expect(
            try bench.ask(request(to: "https://edge.example/go/open-1?ch=x"))?.status == 302)
    }

    @Test func `who expects it is told to continue, once, and not where the body came along`()
        throws
    {
        let bench = try EdgeBench()
        let body = #"{"gonggu_id":"open-1"}"#
        let head = request(
            "POST", to: "/api/v1/tracking/click",
            fields: [
                "Content-Type: text/plain", "Expect: 100-continue",
                "Content-Length: \(body.utf8.count)",
            ])
        let client = try bench.client()
        try client.send(head)
        let interim = try client.receive()
        #expect(interim?.status == 100 && interim?.fields.isEmpty == true)
        for byte in body.utf8 { try client.send(bytes: [byte]) }
        #expect(try client.receive()?.status == 200)
        try client.send(head + body)
        #expect(try client.receive()?.status == 200, "no 100 before it")
        #expect(try bench.clicks().map(\.click.verdict) == [.valid, .duplicate])
    }

    private static let codes = ["open-1", "other-1", "notyet-1", "nosuch", "long-1"]

    /// What a code is answered with: a Location, or that there is none.
    private static func location(_ code: String) -> String? {
        switch code {
        case "open-1": TestLinks.open.url
        case "other-1": TestLinks.other.url
        case "notyet-1": TestLinks.notYet.page
        case "long-1": TestLinks.long.url
        default: nil
        }
    }

    @Test(arguments: [1, 2, 3, 17, 64, 200])
    func `requests sent at once are answered in order and recorded in order`(count: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let codes = (0..<count).map { _ in FramingTests.codes.randomElement(using: &random)! }
        let bench = try EdgeBench()
        let client = try bench.client()
        var text = ""
        for (number, code) in codes.enumerated() {
            text += request(to: "/go/\(code)?ch=n\(number)", agent: nil)
        }
        try client.send(text)
        for code in codes {
            let answer = try client.receive()
            #expect(answer?.status == (code == "nosuch" ? 404 : 302))
            #expect(answer?.field("location") == FramingTests.location(code))
        }
        let known = codes.indices.filter { codes[$0] != "nosuch" }
        #expect(try bench.clicks().map(\.channel) == known.map { "n\($0)" })
    }

    @Test func `however the bytes are cut, the answers are the same`() throws {
        let bench = try EdgeBench()
        let stream =
            request(to: "/go/\(TestLinks.open.id)?ch=a") + report(#"{"gonggu_id":"other-1"}"#)
            + request("HEAD", to: "/go/open-1") + request(to: "/nothing", body: "ignored")
            + request("OPTIONS", to: "/api/v1/tracking/click")
            + request(to: "/go/over-1", fields: ["Connection: close"])
        let bytes = Array(stream.utf8)
        let whole = try answers(bench, [bytes])
        #expect(whole.filter { $0.contains("HTTP/1.1 ") }.count == 6)
        for cut in 1..<bytes.count {
            let got = try answers(bench, [Array(bytes[..<cut]), Array(bytes[cut...])])
            #expect(got == whole, "cut at \(cut)")
        }
        #expect(try answers(bench, bytes.map { [$0] }) == whole, "byte by byte")
        let verdicts = try bench.clicks().map(\.click.verdict)
        #expect(verdicts.count == 4 * (bytes.count + 1))
        let expected: [Verdict] = [.duplicate, .duplicate, .malformed, .inactive]
        #expect(
            (1...bytes.count).allSatisfy { Array(verdicts[$0 * 4..<$0 * 4 + 4]) == expected })
    }

    /// The lines of all answers to a stream sent in pieces, but for what no two have alike: the
    /// date and the click's id.
    private func answers(_ bench: EdgeBench, _ pieces: [[UInt8]]) throws -> [Substring] {
        let client = try bench.client()
        for piece in pieces {
            try client.send(bytes: piece)
            // Lets the edge see this piece alone, mostly; the answers must not depend on it.
            if pieces.count == 2 { usleep(200) }
        }
        let text = try client.receiveAll()
        return text.split(separator: "\r\n", omittingEmptySubsequences: false).map { line in
            guard let id = line.firstRange(of: #""click_id":""#) else {
                return line.hasPrefix("Date: ") ? "Date" : line
            }
            return line[..<id.upperBound] + line[id.upperBound...].dropFirst(36)
        }
    }

    /// The classic shapes that make one intermediary see another request than the next.
    @Test(arguments: [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding : chunked\r\n", "Transfer-Encoding\n: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n", "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n", "Content-Length : 5\r\n",
        "Content-Length: 0x5\r\n", "X: a\rContent-Length: 5\r\n", "X: a\nContent-Length: 5\r\n",
        "X: a\0\r\n", "Host: twice\r\n", ": no name\r\n",
    ])
    func `a request that two could read differently ends the connection after one 400`(
        fields: String
    ) throws {
        let bench = try EdgeBench()
        let client = try bench.client()
        let smuggled = request(to: "/go/other-1?ch=smuggled")
        let first = request(to: "/go/open-1?ch=first")
        try client.send(
            first + "POST /api/v1/tracking/click HTTP/1.1\r\nHost: a\r\n\(fields)\r\n0\r\n\r\n"
                + smuggled + smuggled)
        #expect(try client.receive()?.status == 302)
        let refusal = try client.receive()
        #expect(refusal?.status == 400 && refusal?.field("connection") == "close")
        #expect(try client.isClosed())
        #expect(try bench.clicks().map(\.channel) == ["first"])
    }

    /// Each alone on its connection, with what a proxy that took it for one would send next.
    @Test(arguments: [
        ("GET /go/open-1%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /go/open-1%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /go/open-1% HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /go/{open-1} HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /go\\open-1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET http://a/go/open-1 HTTP/1.1\r\nHost: b\r\n\r\n", 400),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET /go/open-1\r\n\r\n", 400),
        ("\r\n\r\nGET /go/open-1 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (String(repeating: "A", count: 20_000) + " / HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        ("GET /" + String(repeating: "a", count: 20_000) + " HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        ("POST /go/open-1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", 413),
    ])
    func `what is no request is refused, and its connection ends`(text: String, status: Int) throws
    {
        let bench = try EdgeBench()
        let client = try bench.client()
        // The edge may end the connection before it has read all this.
        try? client.send(text + request(to: "/go/other-1?ch=smuggled"))
        let refusal = try client.receive()
        #expect(refusal?.status == status && refusal?.field("connection") == "close")
        #expect(try client.isClosed())
        #expect(try bench.clicks().isEmpty)
    }

    /// Odd, but good: the connection goes on.
    @Test(arguments: [
        ("GET http://edge.example/go/open-1 HTTP/1.1\r\nHost: Edge.example:80\r\n", 302),
        ("GET /go/open-1?a=%zz&b={x}|y^`\\[] HTTP/1.1\r\nHost: a\r\n", 302),
        ("GET /go/open-1? HTTP/1.1\r\nhOsT:a\r\n", 302),
        ("GET /go/open-1 HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nUpgrade: h2c\r\n", 302),
        ("GET /go%2Fopen-1 HTTP/1.1\r\nHost: a\r\n", 404),
        ("GET /go/../go/open-1 HTTP/1.1\r\nHost: a\r\n", 404),
        ("GET //go/open-1 HTTP/1.1\r\nHost: a\r\n", 404),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n", 404),
        ("get /go/open-1 HTTP/1.1\r\nHost: a\r\n", 405),
        (
            "GET /go/open-1 HTTP/1.1\r\nHost: a\r\nCookie: "
                + String(repeating: "c=d; ", count: 3240) + "\r\n", 302
        ),
    ])
    func `what is odd but good is answered, and the connection goes on`(
        head: String, status: Int
    ) throws {
        let bench = try EdgeBench()
        let client = try bench.client()
        try client.send(head + "User-Agent: \(TestAgent.phone)\r\n\r\n")
        #expect(try client.receive()?.status == status)
        try client.send(request(to: "/go/open-1?ch=next"))
        #expect(try client.receive()?.status == 302)
        #expect(try bench.clicks().last?.channel == "next")
    }

    @Test func `a thousand requests in one piece are a thousand answers`() throws {
        let bench = try EdgeBench()
        let client = try bench.client()
        let short = "GET /go/open-1 HTTP/1.1\r\nHost: a\r\n\r\n"
        try client.send(String(repeating: short, count: 1000))
        for _ in 0..<1000 { try #require(try client.receive()?.status == 302) }
        #expect(try bench.clicks().count == 1000)
    }

    @Test func `however much lies there at once, all of it is answered`() throws {
        let bench = try EdgeBench()
        let client = try bench.client()
        // Several times what is received at once; the kernel's window grows from round to round.
        let many = 8000
        let short = "GET /go/open-1 HTTP/1.1\r\nHost: a\r\n\r\n"
        let piece = String(repeating: short, count: many)
        for _ in 0..<8 {
            try client.send(piece)
            for _ in 0..<many { try #require(try client.receive()?.status == 302) }
        }
        client.endSending()
        #expect(try client.isClosed())
    }
}
