import Clicks
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@testable import API

@Suite struct HTTPRouteTests {
    private let good = """
        {"title":"장","price":5000,"open_at":"2026-11-21T18:00:00+09:00","colours":[]}
        """
    private let jar = "/api/v1/jars/0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10"
    private let other = "/api/v1/jars/0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a11"

    @Test func `a made thing is answered with 201, its address and its members in order`()
        async throws
    {
        try await withJars { [good] jars async throws in
            let answer = try await jars.send(.post, "/api/v1/jars", as: .influencer, body: good)
            #expect(answer.status == 201)
            let id = try #require(answer.json["id"]?.text)
            #expect(answer.headers[.location] == "/api/v1/jars/\(id)")
            #expect(answer.headers[.contentType] == "application/json; charset=utf-8")
            let names = answer.json.members?.map(\.name)
            #expect(names == ["id", "title", "price", "open_at", "note"])
            #expect(answer.json["open_at"] == "2026-11-21T18:00:00+09:00")
        }
    }

    @Test func `a 422 names every fault of path, query and body in the reader's language`()
        async throws
    {
        try await withJars { jars async throws in
            let korean = try await jars.send(
                .post, "/api/v1/jars", as: .influencer, body: #"{"title":7,"price":1,"x":1}"#)
            #expect(korean.status == 422)
            #expect(korean.json["code"] == "FIELDS_INVALID")
            #expect(korean.json["detail"]?.text == ProblemCode.fieldsInvalid.detail.korean)
            let faults = korean.json["errors"]?.list ?? []
            #expect(
                faults.compactMap { $0["field"]?.text } == [
                    "title", "price", "open_at", "colours", "x",
                ])
            #expect(faults.first?["detail"] == "형식이 다릅니다: 문자열이어야 합니다")
            let english = try await jars.send(
                .get, "/api/v1/jars?page=0&size=101&deep=yes&colour=blue&order=up",
                headers: [.acceptLanguage: "en"])
            #expect(english.status == 422)
            #expect(english.headers[.contentLanguage] == "en")
            #expect(
                english.json["errors"]?.list?.compactMap { $0["field"]?.text } == [
                    "colour", "deep", "page", "size", "order",
                ])
            #expect(english.json["errors"]?[0]?["detail"] == "Use one of: red, green")
            let path = try await jars.send(.get, "/api/v1/jars/7")
            #expect(path.status == 422 && path.json["errors"]?[0]?["field"] == "jar_id")
        }
    }

    @Test(arguments: ["{", "", "{\"title\":1,\"title\":2}", "nope", "\u{0}"])
    func `what is no JSON is a 400, never a decoder's words`(body: String) async throws {
        try await withJars { jars async throws in
            let answer = try await jars.send(.post, "/api/v1/jars", as: .admin, body: body)
            #expect(answer.status == 400)
            #expect(answer.json["code"] == "JSON_MALFORMED")
            #expect(answer.json.members?.count == 2)
        }
    }

    @Test func `only JSON of bounded size is taken as a JSON body`() async throws {
        try await withJars { [good] jars async throws in
            for type in [
                "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "",
            ] {
                let answer = try await jars.send(
                    .post, "/api/v1/jars", as: .admin, body: good, headers: [.contentType: type])
                #expect(answer.status == 415 && answer.json["code"] == "MEDIA_TYPE_UNSUPPORTED")
            }
            let answer = try await jars.send(
                .post, "/api/v1/jars", as: .admin, body: good,
                headers: [.contentType: "Application/JSON ; charset=utf-8"])
            #expect(answer.status == 201)
            let packed = try await jars.send(
                .post, "/api/v1/jars", as: .admin, body: good,
                headers: [.contentEncoding: "gzip", .contentType: "application/json"])
            #expect(packed.status == 415)
            let blanks = String(repeating: " ", count: RouteTable.bodyBytesMax)
            let large = try await jars.send(
                .post, "/api/v1/jars", as: .admin, body: good + blanks)
            #expect(large.status == 413 && large.json["code"] == "BODY_TOO_LARGE")
        }
    }

    @Test func `a streamed body is bounded and typed as declared`() async throws {
        try await withJars { [jar] jars async throws in
            let uri = jar + "/picture"
            let send = { (type: String, count: Int) in
                try await jars.send(
                    .put, uri, as: .buyer, body: String(repeating: "x", count: count),
                    headers: [.contentType: type])
            }
            #expect(try await send("image/png", 1000).json == 1000)
            #expect(try await send("image/png", 1001).status == 413)
            #expect(try await send("image/gif", 10).status == 415)
        }
    }

    @Test func `the list answers pages, an unknown sort is a 400`() async throws {
        try await withJars { jars async throws in
            let page = try await jars.send(.get, "/api/v1/jars?page=2&size=20&sort=price&order=asc")
            #expect(page.status == 200)
            #expect(page.json["total"] == 41 && page.json["pages"] == 3)
            #expect(page.json["page"] == 2 && page.json["size"] == 20)
            let none = try await jars.send(.get, "/api/v1/jars?deep=true&unheard=of")
            #expect(
                none.json == ["items": [], "total": 0, "page": 1, "size": 20, "pages": 0])
            for query in ["sort=title", "sort=title&page=x", "sort=price&sort=price"] {
                let answer = try await jars.send(.get, "/api/v1/jars?" + query)
                #expect(answer.status == 400 && answer.json["code"] == "SORT_UNKNOWN", "\(query)")
            }
        }
    }

    @Test func `parameters are decoded strictly and once`() async throws {
        try await withJars { jars async throws in
            let cases = [
                ("colour=%67reen", 200), ("colo%75r=green", 200), ("colour=%zz", 422),
                ("colour=%ff", 422), ("colour=%", 422), ("colour=green&colour=green", 422),
                ("page=+1", 422), ("page=01", 422), ("page=1e0", 422), ("page=", 422),
                ("deep=1", 422), ("page=99999999999999999999", 422), ("&&=&", 200),
            ]
            for (query, status) in cases {
                let answer = try await jars.send(.get, "/api/v1/jars?" + query)
                #expect(answer.status == status, "\(query)")
            }
        }
    }

    @Test func `roles are checked from the declaration alone`() async throws {
        let cases: [(HTTPRequest.Method, String, Role?, Int)] = [
            (.post, "/api/v1/jars", nil, 401), (.post, "/api/v1/jars", .buyer, 403),
            (.post, "/api/v1/jars", .influencer, 201), (.post, "/api/v1/jars", .finance, 403),
            (.post, "/api/v1/jars", .admin, 201), (.delete, jar, .influencer, 403),
            (.delete, jar, .finance, 204), (.delete, jar, .admin, 204), (.get, jar, nil, 200),
        ]
        try await withJars { [good] jars async throws in
            for (method, uri, role, status) in cases {
                let body = method == .post ? good : nil
                let answer = try await jars.send(method, uri, as: role, body: body)
                #expect(answer.status == status, "\(method) \(role?.rawValue ?? "-")")
                if status == 401 {
                    #expect(answer.headers[.wwwAuthenticate] == "Bearer")
                    #expect(answer.json["code"] == "NOT_SIGNED_IN")
                }
            }
            // Who may not ask is not told what is wrong with the question.
            let blind = try await jars.send(.post, "/api/v1/jars", body: "{")
            #expect(blind.status == 401)
        }
    }

    @Test func `an account covers what the order of roles says`() {
        for role in Role.allCases {
            #expect(role.covers(role) && Role.admin.covers(role))
            #expect(Access.signedIn.allows(role))
            #expect(Access.role(.buyer).allows(role) == (role != .finance))
            #expect(Access.role(.admin).allows(role) == (role == .admin))
        }
    }

    @Test func `a token may come as a cookie, but not from a stranger's page`() async throws {
        let settings = HTTPSettings(origins: try #require(Origins("https://app.example")))
        try await withJars(settings: settings) { [jar] jars async throws in
            let send = { (origin: String?) in
                var headers: HTTPFields = [.cookie: "a=b; access_token=admin"]
                headers[.origin] = origin
                return try await jars.send(.delete, jar, headers: headers)
            }
            #expect(try await send(nil).status == 204)
            #expect(try await send("https://app.example").status == 204)
            #expect(try await send("http://localhost").status == 204)
            #expect(try await send("https://evil.example").json["code"] == "ORIGIN_REFUSED")
            #expect(try await send("null").status == 403)
            let bearer = try await jars.send(
                .delete, jar, as: .admin, headers: [.origin: "https://evil.example"])
            #expect(bearer.status == 204)
        }
        // Behind https the same name by http is whoever sits on the wire.
        try await withJars(settings: HTTPSettings(isHTTPS: true)) { [jar] jars async throws in
            for (origin, status) in [("https://localhost", 204), ("http://localhost", 403)] {
                let answer = try await jars.send(
                    .delete, jar, headers: [.cookie: "access_token=admin", .origin: origin])
                #expect(answer.status == status, "\(origin)")
            }
        }
    }

    @Test func `a token that is not valid says so, in a header as well`() async throws {
        try await withJars { [jar] jars async throws in
            for token in ["Bearer forged", "bearer " + String(repeating: "a", count: 5000)] {
                let answer = try await jars.send(
                    .delete, jar, headers: [.authorization: token])
                #expect(answer.status == 401 && answer.json["code"] == "TOKEN_INVALID")
                #expect(answer.headers[.wwwAuthenticate] == "Bearer error=\"invalid_token\"")
            }
            let basic = try await jars.send(.delete, jar, headers: [.authorization: "Basic x"])
            #expect(basic.json["code"] == "NOT_SIGNED_IN")
        }
    }

    @Test func `a domain's refusal is answered as its switch says, with its headers`()
        async throws
    {
        try await withJars { [good, other] jars async throws in
            let missing = try await jars.send(
                .get, other, headers: [.acceptLanguage: "en-GB, ko;q=0.1"])
            #expect(missing.status == 404)
            #expect(
                missing.json == ["detail": "There is no such jar", "code": "JAR_NOT_FOUND"])
            let broken = try await jars.send(
                .post, "/api/v1/jars", as: .admin,
                body: good.replacing("장", with: "깨진"))
            #expect(broken.status == 409 && broken.headers[.retryAfter] == "5")
        }
    }

    @Test func `a database that is away is a 503 worth another try, without its words`()
        async throws
    {
        let log = LogRecorder()
        try await withJars(logger: log.logger) { jars async throws in
            let answer = try await jars.send(
                .get, "/api/v1/jars/best", headers: [.authorization: "Bearer away"])
            #expect(answer.status == 503 && answer.headers[.retryAfter] == "5")
            #expect(answer.json["code"] == "TEMPORARILY_UNAVAILABLE")
            #expect(!String(decoding: answer.json.bytes, as: UTF8.self).contains("refused"))
        }
        #expect(log.lines.filter { $0.level >= .error }.count == 1)
    }

    @Test func `what nobody foresaw is a 500 with the request's id, logged once`() async throws {
        let log = LogRecorder()
        try await withJars(logger: log.logger) { jars async throws in
            let id = "trace_me-1"
            let answer = try await jars.send(
                .get, "/api/v1/jars/best", as: .buyer, headers: [RequestLog.requestIDName: id])
            #expect(answer.status == 500)
            #expect(
                answer.json == [
                    "detail": .text(ProblemCode.unexpected.detail.korean),
                    "code": "INTERNAL_ERROR", "request_id": .text(id),
                ])
            let token = try await jars.send(
                .get, "/api/v1/jars/best", headers: [.authorization: "Bearer broken"])
            #expect(token.status == 500)
        }
        let errors = log.lines.filter { $0.level >= .error }
        #expect(errors.count == 2)
        #expect(errors.first?.metadata["request_id"] == "trace_me-1")
        #expect(errors.first?.metadata["error"]?.contains("Unforeseen") == true)
    }
}
