import Clicks
import HTTPTypes
import Hummingbird
import Testing

@testable import API

@Suite struct HTTPGuardTests {
    private let jar = "/api/v1/jars/0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10"

    @Test(arguments: [
        ("example.com", true), ("EXAMPLE.com:8080", true), ("127.0.0.1", true), ("[::1]", true),
        ("[::1]:80", true), ("a_b.kr", true), ("", false), ("a/b", false), ("u@h", false),
        ("a b", false), (":80", false), ("a:", false), ("a:0", false), ("a:65536", false),
        ("a:8x", false), ("[::1", false), ("[a]", false), ("::1", false), ("a..b", false),
        ("-a.kr", false), ("a.", false), ("a,b", false), ("한글.kr", false), ("a#b", false),
        ("a?b", false), (String(repeating: "a", count: 64), false), ("[::1]x", false),
    ])
    func `a host is a name or an address with a port or without`(text: String, isHost: Bool) {
        #expect((HostName(text) != nil) == isHost)
    }

    @Test func `a host that is not ours, and a second Host, are refused`() async throws {
        let host = HTTPField.Name("Host")!
        try await withJars { [jar] jars async throws in
            let twice = try await jars.send(.get, jar, headers: [host: "localhost"])
            #expect(twice.status == 400 && twice.json["code"] == "HOST_INVALID")
        }
        try await withJars(settings: HTTPSettings(allowedHosts: ["api.example"])) {
            [jar] jars async throws in
            let answer = try await jars.send(.get, jar)
            #expect(answer.json["code"] == "HOST_INVALID")
        }
        try await withJars(settings: HTTPSettings(allowedHosts: ["LOCALHOST"])) {
            [jar] jars async throws in
            let answer = try await jars.send(.get, jar)
            #expect(answer.status == 200)
        }
    }

    @Test(arguments: ["TRACE", "QUERY", "PROPFIND", "PUT", "CONNECT", "get", "X-Y"])
    func `a method that a path does not have is a 405 that says what it has`(name: String)
        async throws
    {
        try await withJars { [jar] jars async throws in
            let method = try #require(HTTPRequest.Method(name))
            let answer = try await jars.send(method, jar)
            #expect(answer.status == 405 && answer.json["code"] == "METHOD_NOT_ALLOWED")
            #expect(answer.headers[.allow] == "DELETE, GET, HEAD, OPTIONS")
            // The literal path wins over the parameter, in the router and here alike.
            let best = try await jars.send(.delete, "/api/v1/jars/best", as: .admin)
            #expect(best.status == 405 && best.headers[.allow] == "GET, HEAD, OPTIONS")
        }
    }

    @Test(arguments: ["/", "/api", "/api/v1/jars/a/b", "/api/v2/jars", "/%2e%2e/etc", "//"])
    func `an address that nobody declared is a 404 in our format`(uri: String) async throws {
        try await withJars { jars async throws in
            for method in [HTTPRequest.Method.get, .post, .options, .trace] {
                let answer = try await jars.send(method, uri, headers: [.acceptLanguage: "en"])
                #expect(answer.status == 404)
                #expect(
                    answer.json == [
                        "detail": "There is nothing at this address", "code": "ROUTE_NOT_FOUND",
                    ])
            }
        }
    }

    @Test func `HEAD has the head of GET and no body`() async throws {
        try await withJars { [jar] jars async throws in
            let get = try await jars.client.execute(uri: jar, method: .get)
            let head = try await jars.client.execute(uri: jar, method: .head)
            #expect(head.status == .ok && head.body.readableBytes == 0)
            #expect(head.headers[.contentLength] == "\(get.body.readableBytes)")
            #expect(head.headers[.contentType] == get.headers[.contentType])
            let posted = try await jars.client.execute(uri: jar + "/picture", method: .head)
            #expect(posted.status == .methodNotAllowed)
        }
    }

    @Test func `OPTIONS tells the methods of a path`() async throws {
        try await withJars { [jar] jars async throws in
            let answer = try await jars.send(.options, jar)
            #expect(answer.status == 204)
            #expect(answer.headers[.allow] == "DELETE, GET, HEAD, OPTIONS")
        }
    }

    @Test func `pages of listed origins may call with credentials, of others not at all`()
        async throws
    {
        let origins = try #require(Origins(#"["https://a.example","http://b.example:3000/"]"#))
        try await withJars(settings: HTTPSettings(origins: origins)) { [jar] jars async throws in
            for origin in ["https://a.example", "http://b.example:3000"] {
                let answer = try await jars.send(.get, jar, headers: [.origin: origin])
                #expect(answer.headers[.accessControlAllowOrigin] == origin)
                #expect(answer.headers[.accessControlAllowCredentials] == "true")
                #expect(answer.headers[.vary]?.contains("Origin") == true)
            }
            for origin in [
                "http://a.example", "https://a.example:444", "https://a.example.evil", "null",
                "https://b.example:3000", "*",
            ] {
                let answer = try await jars.send(.get, jar, headers: [.origin: origin])
                #expect(answer.status == 200)
                #expect(answer.headers[.accessControlAllowOrigin] == nil, "\(origin)")
                #expect(answer.headers[.accessControlAllowCredentials] == nil)
            }
            let error = try await jars.send(
                .delete, jar, headers: [.origin: "https://a.example"])
            #expect(error.status == 401)
            #expect(error.headers[.accessControlAllowOrigin] == "https://a.example")
            #expect(try await jars.send(.get, jar).headers[.vary]?.contains("Origin") == true)
        }
    }

    @Test func `a preflight is told the path's methods, and only to listed origins`()
        async throws
    {
        let origins = try #require(Origins("https://a.example, https://c.example"))
        try await withJars(settings: HTTPSettings(origins: origins)) { [jar] jars async throws in
            let ask = { (origin: String, method: String, uri: String) in
                try await jars.send(
                    .options, uri,
                    headers: [.origin: origin, .accessControlRequestMethod: method])
            }
            let yes = try await ask("https://c.example", "DELETE", jar)
            #expect(yes.status == 204)
            #expect(yes.headers[.accessControlAllowMethods] == "DELETE, GET, HEAD")
            #expect(
                yes.headers[.accessControlAllowHeaders]?.contains("authorization") == true)
            #expect(yes.headers[.accessControlAllowOrigin] == "https://c.example")
            let no = try await ask("https://evil.example", "DELETE", jar)
            #expect(no.status == 204 && no.headers[.accessControlAllowMethods] == nil)
            #expect(no.headers[.accessControlAllowOrigin] == nil)
            #expect(try await ask("https://c.example", "GET", "/nowhere").status == 404)
        }
    }

    @Test func `origins are read from a JSON array or a comma list, and nothing else`() {
        #expect(Origins("") != nil && Origins("[]") != nil && Origins("*") != nil)
        for setting in [
            "a.example", "https://", "https://a.example/path", "[1]", "[", "ftp://a.example",
            "https://a.example https://b.example", "https://u@a.example",
        ] {
            #expect(Origins(setting) == nil, "\(setting)")
        }
    }

    @Test func `an open setting never comes with credentials`() async throws {
        let settings = HTTPSettings(origins: try #require(Origins("*")))
        try await withJars(settings: settings) { [jar] jars async throws in
            let answer = try await jars.send(.get, jar, headers: [.origin: "https://x.example"])
            #expect(answer.headers[.accessControlAllowOrigin] == "*")
            #expect(answer.headers[.accessControlAllowCredentials] == nil)
        }
    }

    @Test func `every answer carries the security headers, HSTS on https only`() async throws {
        for isHTTPS in [false, true] {
            try await withJars(settings: HTTPSettings(isHTTPS: isHTTPS)) {
                [jar] jars async throws in
                for uri in [jar, "/nowhere", "/docs"] {
                    let headers = try await jars.send(.get, uri).headers
                    #expect(headers[.xContentTypeOptions] == "nosniff")
                    #expect(headers[HTTPField.Name("X-Frame-Options")!] == "DENY")
                    #expect(headers[HTTPField.Name("Referrer-Policy")!] != nil)
                    #expect(headers[values: .contentSecurityPolicy].count == 1)
                    #expect((headers[.strictTransportSecurity] != nil) == isHTTPS)
                }
            }
        }
    }

    @Test func `a request's id is the client's if it is well-formed, in answer and log`()
        async throws
    {
        let log = LogRecorder()
        let name = RequestLog.requestIDName
        try await withJars(logger: log.logger) { [jar] jars async throws in
            let good = "abc_DEF-0123456789"
            #expect(try await jars.send(.get, jar, headers: [name: good]).headers[name] == good)
            for bad in ["", "a b", "a;b", "é", String(repeating: "a", count: 65)] {
                let answer = try await jars.send(.get, jar, headers: [name: bad])
                let id = try #require(answer.headers[name])
                #expect(id != bad && id.utf8.count == 36)
            }
            var twice = HTTPFields()
            twice.append(HTTPField(name: name, value: "a"))
            twice.append(HTTPField(name: name, value: "b"))
            let answer = try await jars.send(.get, jar, headers: twice)
            #expect(answer.headers[name]?.utf8.count == 36)
        }
        #expect(log.lines.first?.metadata["request_id"] == "abc_DEF-0123456789")
        #expect(Set(log.lines.compactMap { $0.metadata["request_id"] }).count == log.lines.count)
    }

    @Test func `the client is the right-most hop that no proxy of ours wrote`() throws {
        let proxies = try #require(TrustedProxies("10.0.0.0/8, 2001:db8::/32,192.0.2.7"))
        let cases: [(String, [String], String)] = [
            ("203.0.113.9", ["1.2.3.4"], "203.0.113.9"), ("10.1.2.3", [], "10.1.2.3"),
            ("10.1.2.3", ["1.2.3.4"], "1.2.3.4"), ("10.1.2.3", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            ("10.1.2.3", ["6.6.6.6", "1.2.3.4, 10.9.9.9"], "1.2.3.4"),
            ("192.0.2.7", ["1.2.3.4:5678"], "1.2.3.4"), ("192.0.2.8", ["1.2.3.4"], "192.0.2.8"),
            ("2001:db8:1::1", ["[2001:dead::5]:443"], "2001:dead::5"),
            ("2001:db9::1", ["1.2.3.4"], "2001:db9::1"), ("10.1.2.3", ["1.2.3.4, x"], "10.1.2.3"),
            ("10.1.2.3", ["1.2.3.4, unknown, 10.0.0.1"], "10.0.0.1"),
            ("::ffff:10.1.2.3", ["1.2.3.4"], "1.2.3.4"),
        ]
        for (peer, forwarded, client) in cases {
            let address = proxies.client(
                peer: try #require(NetworkAddress(text: peer)), forwarded: forwarded)
            #expect(address.description == client, "\(peer) \(forwarded)")
        }
        for setting in ["10.0.0.0/33", "a", "10.0.0/8", "::/129", "10.0.0.0/-1", "1.2.3.4/8/8"] {
            #expect(TrustedProxies(setting) == nil, "\(setting)")
        }
        #expect(TrustedProxies("") != nil)
        let all = try #require(TrustedProxies("0.0.0.0/0"))
        #expect(all.contains(NetworkAddress(ipv4: 1)) && !all.contains(.unknown))
    }

    @Test func `a log line has method, template, status and time, and no secret`() async throws {
        let log = LogRecorder()
        try await withJars(logger: log.logger) { [jar] jars async throws in
            _ = try await jars.send(
                .get, jar + "?token=s3cret", headers: [.authorization: "Bearer s3cret"])
            _ = try await jars.send(.get, "/nowhere/s3cret")
            _ = try await jars.send(.trace, jar)
        }
        let lines = log.lines
        #expect(lines.map(\.message) == ["request", "request", "request"])
        #expect(
            lines.compactMap { $0.metadata["route"] } == [
                "/api/v1/jars/{jar_id}", "none", "none",
            ])
        #expect(lines.compactMap { $0.metadata["status"] } == ["200", "404", "405"])
        #expect(lines.allSatisfy { Int($0.metadata["microseconds"] ?? "") != nil })
        #expect(lines.allSatisfy { !"\($0.metadata)".contains("s3cret") })
    }
}
