import Clicks
import TestSupport
import Testing

@testable import Edge

/// The table of the edge's HTTP contract, row by row, by a real socket; what was recorded is read
/// back from the spool.
@Suite struct ContractTests {
    private static let dated = "date"

    @Test(arguments: ["/go/", "/api/v1/go/"])
    func `a link by UUID or code redirects and is recorded as asked`(path: String) throws {
        let bench = try EdgeBench()
        let id = TestLinks.open.id.description
        for (number, name) in [id, id.uppercased(), "open-1"].enumerated() {
            let agent = TestAgent.browser(100 + number)
            let answer = try #require(
                try bench.ask(
                    request(
                        to: "\(path)\(name)?a=b&ch=insta_Story-1&ch=second",
                        agent: agent,
                        fields: ["Referer: https://blog.example/\(name)"])))
            #expect(answer.status == 302 && answer.body.isEmpty)
            let fields = answer.fields.filter { $0.name != ContractTests.dated }
            #expect(
                fields.map { "\($0.name): \($0.value)" }.sorted() == [
                    "cache-control: no-store", "content-length: 0",
                    "location: \(TestLinks.open.url)", "x-robots-tag: noindex",
                ])
            let stored = try #require(try bench.clicks().last)
            #expect(stored.userAgent == agent)
            #expect(stored.referer == "https://blog.example/\(name)")
            #expect(stored.channel == "insta_Story-1")
            #expect(stored.click.gongguID == TestLinks.open.id)
            #expect(stored.click.verdict == .valid && stored.click.path == .redirect)
            #expect(stored.click.address == NetworkAddress(ipv4: 0x7F00_0001))
            #expect(stored.click.count == 1 && stored.click.userID == .anonymous)
            #expect(stored.click.id.version == 7)
            #expect(
                stored.click.id.unixMilliseconds == UInt64(stored.click.time.microseconds / 1000))
        }
        let clicks = try bench.clicks()
        #expect(Set(clicks.map(\.click.id)).count == 3, "each click has an id of its own")
        #expect(Set(clicks.map(\.click.visitorKey)).count == 3, "a visitor has a user agent")
    }

    @Test func `the same visitor's second click is a duplicate, and is not told`() throws {
        let bench = try EdgeBench()
        let first = try bench.ask(request(to: "/go/open-1"))
        let second = try bench.ask(request(to: "/api/v1/go/open-1"))
        let other = try bench.ask(request(to: "/go/other-1"))
        #expect(first?.status == 302 && other?.status == 302)
        let isUndated = { (field: (name: String, value: String)) in field.name != "date" }
        #expect(
            first!.fields.filter(isUndated).elementsEqual(second!.fields.filter(isUndated)) {
                $0 == $1
            })
        #expect(try bench.clicks().map(\.click.verdict) == [.valid, .duplicate, .valid])
    }

    @Test func `HEAD is answered as GET without a body, and is malformed`() throws {
        let bench = try EdgeBench()
        for target in ["/go/open-1", "/go/over-1", "/go/nosuch", "/robots.txt", "/x"] {
            let get = try #require(try bench.ask(request(to: target)))
            let head = try #require(try bench.ask(request("HEAD", to: target), hasBody: false))
            #expect(head.status == get.status && head.body.isEmpty)
            #expect(head.fields.map(\.name) == get.fields.map(\.name), "\(target)")
            #expect(head.field("content-length") == get.field("content-length"))
            #expect(head.field("location") == get.field("location"))
        }
        #expect(
            try bench.clicks().map(\.click.verdict) == [.valid, .malformed, .inactive, .malformed])
    }

    @Test func `the order of judgement is malformed, prefetch, inactive, duplicate`() throws {
        let bench = try EdgeBench()
        let hint = "Sec-Purpose: prefetch;prerender"
        let cases: [(String, Int, Verdict)] = [
            (request(to: "/go/open-1", agent: nil), 302, .malformed),
            (request(to: "/go/open-1", agent: ""), 302, .malformed),
            (request(to: "/go/open-1", agent: nil, fields: [hint]), 503, .malformed),
            (request(to: "/go/open-1", fields: [hint]), 503, .prefetch),
            (request(to: "/go/open-1", fields: ["Purpose: Preview"]), 503, .prefetch),
            (request(to: "/go/open-1", fields: ["X-Purpose: prerender"]), 503, .prefetch),
            (request(to: "/go/open-1", fields: ["X-Moz: PREFETCH"]), 503, .prefetch),
            (request(to: "/go/over-1", fields: [hint]), 503, .prefetch),
            (request(to: "/go/over-1", agent: nil), 302, .malformed),
            (request(to: "/go/over-1"), 302, .inactive),
            (request(to: "/go/notyet-1"), 302, .inactive),
            (request(to: "/go/suspended-1"), 302, .inactive),
            // None of those spent the visitor's window.
            (request(to: "/go/open-1"), 302, .valid),
            (request(to: "/go/open-1"), 302, .duplicate),
        ]
        for (number, (request, status, verdict)) in cases.enumerated() {
            let answer = try bench.ask(request)
            #expect(answer?.status == status, "\(request)")
            #expect(answer?.field("cache-control") == "no-store")
            #expect(status != 503 || answer?.field("location") == nil)
            let clicks = try bench.clicks()
            #expect(clicks.count == number + 1 && clicks.last?.click.verdict == verdict)
        }
    }

    @Test func `who comes too early or too late is sent to the gonggu's page`() throws {
        let bench = try EdgeBench(["FRONTEND_URL": EdgeBench.frontendURL + "//"])
        for link in [TestLinks.notYet, TestLinks.over, TestLinks.suspended] {
            let followed = try bench.ask(request(to: "/go/\(link.shortCode)"))
            #expect(followed?.status == 302 && followed?.field("location") == link.page)
            let reported = try bench.ask(report(#"{"gonggu_id":"\#(link.id)"}"#))
            #expect(reported?.status == 200)
            #expect(reported?.body.contains(#""redirect_url":"\#(link.page)""#) == true)
        }
        #expect(try bench.clicks().allSatisfy { $0.click.verdict == .inactive })
    }

    @Test func `a report is answered with the stored click's id and its address`() throws {
        let bench = try EdgeBench()
        let types = ["application/json", "text/plain;charset=UTF-8", "Application/JSON ; x=y"]
        for (number, type) in types.enumerated() {
            let answer = try bench.ask(
                report(
                    #" {"channel" : "beacon","more":[1,{}],"gonggu_id":"long-1"} "#, type: type,
                    fields: ["User-Agent: second one is ignored"]))
            #expect(answer?.status == 200)
            #expect(answer?.field("content-type") == "application/json")
            let clicks = try bench.clicks()
            let stored = try #require(clicks.last)
            #expect(clicks.count == number + 1)
            let url = TestLinks.long.url
            #expect(
                answer?.body == #"{"click_id":"\#(stored.click.id)","redirect_url":"\#(url)"}"#)
            #expect(stored.click.path == .report && stored.channel == "beacon")
            #expect(stored.click.verdict == (number == 0 ? .valid : .duplicate))
        }
        let prefetched = try bench.ask(
            report(#"{"gonggu_id":"open-1"}"#, fields: ["Sec-Purpose: prefetch"]))
        #expect(prefetched?.status == 503)
        #expect(try bench.clicks().last?.click.verdict == .prefetch)
    }

    @Test func `what is no click is refused in words and stored nowhere`() throws {
        let bench = try EdgeBench()
        let unknown = "00000000-0000-4000-8000-000000000000"
        let long = String(repeating: "x", count: 17_000)
        let cases: [(String, Int, String)] = [
            (request(to: "/go/\(unknown)"), 404, "GONGGU_NOT_FOUND"),
            (request(to: "/api/v1/go/nosuch"), 404, "GONGGU_NOT_FOUND"),
            (report(#"{"gonggu_id":"\#(unknown)"}"#), 404, "GONGGU_NOT_FOUND"),
            (request(to: "/go/"), 404, "NOT_FOUND"), (request(to: "/go/a/b"), 404, "NOT_FOUND"),
            (request(to: "/go/open%2D1"), 404, "NOT_FOUND"), (request(to: "/"), 404, "NOT_FOUND"),
            (request(to: "/GO/open-1"), 404, "NOT_FOUND"),
            (request("POST", to: "/x"), 404, "NOT_FOUND"),
            (request("POST", to: "/go/open-1"), 405, "METHOD_NOT_ALLOWED"),
            (request("OPTIONS", to: "/go/open-1"), 405, "METHOD_NOT_ALLOWED"),
            (request("get", to: "/go/open-1"), 405, "METHOD_NOT_ALLOWED"),
            (request(to: "/api/v1/tracking/click"), 405, "METHOD_NOT_ALLOWED"),
            (report("{}", type: "text/html"), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (report("{}", type: nil), 415, "UNSUPPORTED_MEDIA_TYPE"),
            (report("{}"), 400, "INVALID_GONGGU_ID"), (report(""), 400, "INVALID_BODY"),
            (report("[]"), 400, "INVALID_BODY"), (report("{"), 400, "INVALID_BODY"),
            (report(#"{"gonggu_id":7}"#), 400, "INVALID_GONGGU_ID"),
            (report(#"{"gonggu_id":"open-1","channel":"a b"}"#), 400, "INVALID_CHANNEL"),
            (request(to: "/go/open-1", fields: ["X: \(long)"]), 431, "HEADER_TOO_LARGE"),
            (request(to: "/go/open-1?\(long)"), 431, "HEADER_TOO_LARGE"),
            (request(to: "/go/open-1", version: "HTTP/2.0"), 505, "VERSION_NOT_SUPPORTED"),
            ("GET /go/open-1 HTTP/1.1\r\n\r\n", 400, "BAD_REQUEST"),
        ]
        for (request, status, code) in cases {
            let answer = try bench.ask(request)
            #expect(answer?.status == status, "\(request.prefix(200))")
            #expect(answer?.body.hasPrefix(#"{"detail":""#) == true)
            #expect(answer?.body.hasSuffix(#"","code":"\#(code)"}"#) == true)
            #expect(answer?.field("content-type") == "application/json")
            #expect(answer?.field("cache-control") == "no-store")
            let allow = request.contains("tracking") ? "POST, OPTIONS" : "GET, HEAD"
            #expect(answer?.field("allow") == (status == 405 ? allow : nil))
        }
        #expect(try bench.clicks().isEmpty)
        #expect(try bench.metrics().sum("edge_responses_total") == Double(cases.count))
    }

    @Test func `a body of 4,096 bytes is read, one of 4,097 is refused unread`() throws {
        let bench = try EdgeBench()
        let start = #"{"gonggu_id":"open-1","x":""#
        let body = { (bytes: Int) in
            start + String(repeating: "x", count: bytes - start.utf8.count - 2) + "\"}"
        }
        let client = try bench.client()
        try client.send(report(body(4096)))
        #expect(try client.receive()?.status == 200)
        try client.send(report(body(4097)))
        let refusal = try client.receive()
        #expect(refusal?.status == 413 && refusal?.field("connection") == "close")
        #expect(try client.isClosed())
        // Of a huge one not a byte is waited for.
        let claim = request(
            "POST", to: "/api/v1/tracking/click",
            fields: ["Content-Type: text/plain", "Content-Length: 99999999999999999"])
        #expect(try bench.ask(claim)?.status == 413)
        #expect(try bench.clicks().count == 1)
    }

    @Test func `a preflight allows the origins that are set, and no other`() throws {
        let bench = try EdgeBench()
        let preflight = { (origin: String) in
            request(
                "OPTIONS", to: "/api/v1/tracking/click",
                fields: ["Origin: \(origin)", "Access-Control-Request-Method: POST"])
        }
        let allowed = try #require(try bench.ask(preflight(EdgeBench.origin)))
        #expect(allowed.status == 204 && allowed.body.isEmpty)
        #expect(allowed.field("access-control-allow-origin") == EdgeBench.origin)
        #expect(allowed.field("access-control-allow-methods")?.contains("POST") == true)
        #expect(allowed.field("access-control-allow-headers")?.contains("content-type") == true)
        #expect(allowed.field("vary") == "Origin")
        let refused = try bench.ask(preflight("https://elsewhere.example"))
        #expect(refused?.status == 204)
        #expect(refused?.fields.contains { $0.name.hasPrefix("access-control") } == false)
        for (origin, header) in [
            (EdgeBench.origin, EdgeBench.origin), ("https://elsewhere.example", nil),
        ] {
            for body in [#"{"gonggu_id":"open-1"}"#, "{}", #"{"gonggu_id":"nosuch"}"#] {
                let answer = try bench.ask(report(body, fields: ["Origin: \(origin)"]))
                #expect(answer?.field("access-control-allow-origin") == header, "also errors")
            }
        }
        let any = try EdgeBench(["CORS_ORIGINS": "*"])
        let answer = try any.ask(preflight("https://elsewhere.example"))
        #expect(answer?.field("access-control-allow-origin") == "*")
        #expect(answer?.field("access-control-allow-credentials") == nil)
    }

    @Test func `robots are asked to stay off the links`() throws {
        let answer = try EdgeBench().ask(request(to: "/robots.txt"))
        #expect(answer?.status == 200)
        #expect(answer?.field("content-type") == "text/plain; charset=utf-8")
        #expect(answer?.body == "User-agent: *\nDisallow: /go/\nDisallow: /api/v1/go/\n")
    }
}
