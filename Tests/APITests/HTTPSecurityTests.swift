import Clicks
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import API

/// What one place promises for all routes, asked of every route of the service.
@Suite struct HTTPSecurityTests {
    let test: TestAPI
    private static let listed = "https://shop.gonggumoa.example"
    /// Of https alone, and of a host that is ours.
    private static let environment = [
        "CORS_ORIGINS": listed, "FRONTEND_URL": "https://gonggumoa.example",
        "PUBLIC_API_URL": "https://api.gonggumoa.example",
    ]

    init() async throws { test = try await TestAPI(environment: Self.environment) }

    private var routes: [Route] { test.server.routes().table.withDocument().routes }

    /// An address of the route that nothing stands at.
    private static func address(_ route: Route) -> String {
        route.path.replacing(/\{[a-z_]+\}/) { _ in Identifier.new().description }
    }

    private static func expectHeaders(_ answer: Caller.Answer, _ what: String) {
        let headers = answer.headers
        #expect(headers[.xContentTypeOptions] == "nosniff", "\(what)")
        #expect(headers[HTTPField.Name("X-Frame-Options")!] == "DENY", "\(what)")
        #expect(
            headers[HTTPField.Name("Referrer-Policy")!] == "strict-origin-when-cross-origin",
            "\(what)")
        #expect(headers[values: .contentSecurityPolicy].count == 1, "\(what)")
        #expect(
            headers[.contentSecurityPolicy]?.hasPrefix("default-src 'none'") == true, "\(what)")
        #expect(headers[.strictTransportSecurity] == "max-age=31536000", "\(what)")
        #expect(headers[.cacheControl] != nil && headers[.vary] != nil, "\(what)")
        #expect(headers[RequestLog.requestIDName] != nil, "\(what)")
    }

    @Test func `every answer of every route has the security headers`() async throws {
        let routes = routes.filter { $0.id != "watchClicks" }
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            for route in routes {
                let path = Self.address(route)
                for who in [caller, admin] {
                    let answer = try await who.send(route.method, path)
                    Self.expectHeaders(answer, "\(route.id): \(answer.status)")
                }
                let unknown = try await caller.send(.trace, path)
                #expect(unknown.status == 405)
                Self.expectHeaders(unknown, "TRACE \(path)")
            }
            Self.expectHeaders(try await caller.send(.get, "/nowhere"), "404")
            let host = try await caller.send(
                .get, "/health", headers: [HTTPField.Name("Host")!: "two"])
            #expect(host.status == 400)
            Self.expectHeaders(host, "400")
        }
    }

    @Test func `every path says its methods, and refuses all others`() async throws {
        var methods: [String: Set<String>] = [:]
        for route in routes {
            methods[route.path, default: ["OPTIONS"]].insert(route.method.rawValue)
            if route.method == .get { methods[route.path]?.insert("HEAD") }
        }
        let paths = routes.map { (template: $0.path, address: Self.address($0)) }
        try await test.call { [methods] caller in
            for path in paths {
                let own = try #require(methods[path.template])
                for name in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY", "X"]
                where !own.contains(name) {
                    let method = try #require(HTTPRequest.Method(name))
                    let answer = try await caller.send(method, path.address)
                    #expect(answer.status == 405, "\(name) \(path.template)")
                    #expect(answer.code == "METHOD_NOT_ALLOWED")
                    let allow = (answer.headers[.allow] ?? "").split(separator: ", ")
                    #expect(Set(allow.map { String($0) }) == own, "\(name) \(path.template)")
                }
            }
        }
    }

    /// Each path × each origin × each method: who may ask is listed, and only the path's own
    /// methods are granted.
    @Test func `a preflight grants listed origins the path's methods and nobody anything else`()
        async throws
    {
        var methods: [String: Set<String>] = [:]
        for route in routes {
            methods[route.path, default: []].insert(route.method.rawValue)
            if route.method == .get { methods[route.path]?.insert("HEAD") }
        }
        let origins = [
            (Self.listed, true), ("https://gonggumoa.example", true),
            ("http://shop.gonggumoa.example", false), ("https://evil.example", false),
            ("https://gonggumoa.example.evil.example", false), ("null", false),
            ("https://gonggumoa.example:444", false), ("https://api.gonggumoa.example", false),
        ]
        try await test.call { [methods] caller in
            for (template, own) in methods {
                let path = template.replacing(/\{[a-z_]+\}/) { _ in "\(Identifier.new())" }
                for (origin, isListed) in origins {
                    for wanted in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                        let answer = try await caller.send(
                            .options, path,
                            headers: [.origin: origin, .accessControlRequestMethod: wanted])
                        let what = "\(wanted) \(template) from \(origin)"
                        #expect(answer.status == 204, "\(what)")
                        let headers = answer.headers
                        #expect(
                            headers[.accessControlAllowOrigin] == (isListed ? origin : nil),
                            "\(what)")
                        #expect(
                            (headers[.accessControlAllowCredentials] == "true") == isListed,
                            "\(what)")
                        let granted = Set(
                            (headers[.accessControlAllowMethods] ?? "").split(separator: ", ")
                                .map { String($0) })
                        #expect(
                            granted == (isListed && own.contains(wanted) ? own : []), "\(what)")
                    }
                }
            }
            let foreign = try await caller.send(
                .options, "/health",
                headers: [
                    .origin: Self.listed, .accessControlRequestMethod: "GET",
                    HTTPField.Name("Host")!: "two",
                ])
            #expect(foreign.status == 400 && foreign.code == "HOST_INVALID")
        }
    }

    @Test func `every JSON body is bounded, typed and read strictly before its handler runs`()
        async throws
    {
        let routes = routes.filter { $0.body?.shape != nil }
        #expect(routes.count > 10)
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            let deep =
                #"{"a":"# + String(repeating: "[", count: 32) + String(repeating: "]", count: 32)
                + "}"
            let cases: [(body: String, type: String, status: Int)] = [
                (#"{"a":1,"a":2}"#, "application/json", 400), (deep, "application/json", 400),
                ("{", "application/json", 400), ("\u{FEFF}{}", "application/json", 400),
                (#"{"a":"\ud800"}"#, "application/json", 400), ("", "application/json", 400),
                ("{}", "text/plain", 415), ("{}", "application/x-www-form-urlencoded", 415),
                ("{}", "application/json, text/plain", 415),
                ("[]", "application/json", 422), ("null", "application/json", 422),
                (#"{"no such member":1}"#, "application/json", 422),
            ]
            for route in routes {
                let path = Self.address(route)
                for (body, type, status) in cases {
                    let answer = try await admin.sendText(
                        route.method, path, body, [.contentType: type])
                    #expect(answer.status == status, "\(route.id): \(body.prefix(20)) \(type)")
                }
                let bound = try #require(route.body).bytesMax
                let large = try await admin.sendText(
                    route.method, path, String(repeating: " ", count: bound + 1),
                    [.contentType: "application/json"])
                #expect(large.status == 413 && large.code == "BODY_TOO_LARGE", "\(route.id)")
            }
        }
    }
}

extension Caller {
    fileprivate func sendText(
        _ method: HTTPRequest.Method, _ uri: String, _ text: String, _ headers: HTTPFields
    ) async throws -> Answer {
        var headers = headers
        if let token { headers[.authorization] = "Bearer \(token)" }
        return try await client.execute(
            uri: uri, method: method, headers: headers, body: ByteBuffer(string: text)
        ) { response in
            let json = try? JSON(reading: response.body.readableBytesView)
            return Answer(
                status: response.status.code, json: json ?? .null, headers: response.headers)
        }
    }
}
