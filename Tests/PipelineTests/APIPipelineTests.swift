import Foundation
import Glibc
import Linux
import TestSupport
import Testing

/// All three processes, used as an influencer and a shopper use them.
@Suite struct APIPipelineTests {
    private let database: TestDatabase

    init() throws {
        database = try TestDatabase()
    }

    @Test func `a gonggu made, edited and closed by the API is so at the edge`()
        throws
    {
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let api = try RunningAPI(pipeline)
        let token = try api.signUpInfluencer(email: "maker@shop.example")
        let made = try api.send(
            "POST", "/api/v1/gonggus", token: token, gonggu(url: "https://shop.example/old"))
        #expect(made.status == 201)
        let id = try #require(made.body["id"] as? String)
        let code = try #require(made.body["short_code"] as? String)
        try eventually("the new gonggu redirects") {
            try pipeline.follow(code)?.field("location")
                == "https://shop.example/old?utm_source=gonggumoa&utm_campaign=\(id)"
        }
        let edited = try api.send(
            "PUT", "/api/v1/gonggus/\(id)", token: token, gonggu(url: "https://shop.example/new"))
        #expect(edited.status == 200)
        try eventually("the edited URL is followed") {
            try pipeline.follow(id)?.field("location")?.hasPrefix("https://shop.example/new?")
                == true
        }
        let closed = try api.send(
            "PUT", "/api/v1/gonggus/\(id)", token: token,
            gonggu(url: "https://shop.example/new", opens: -7200, closes: -3600))
        #expect(closed.body["status"] as? String == "closed")
        try eventually("the closed gonggu leads to its page") {
            try pipeline.follow(id)?.field("location")
                == "\(Pipeline.frontendURL)/gonggus/\(id)"
        }
        try expectStatistics(of: id, valid: 1, api, token)
    }

    @Test func `a click at the edge is seen by who watches`() throws {
        let pipeline = try Pipeline(databaseURL: database.url)
        try pipeline.startBoth()
        let api = try RunningAPI(pipeline)
        let token = try api.signUpInfluencer(email: "watcher@shop.example")
        let made = try api.send(
            "POST", "/api/v1/gonggus", token: token, gonggu(url: "https://shop.example/live"))
        let id = try #require(made.body["id"] as? String)
        try eventually("the new gonggu redirects") {
            try pipeline.follow(id)?.field("location")?.hasPrefix("https://shop.example/") == true
        }
        let watcher = try api.watch(id, token: token)
        #expect(try watcher.receive(until: ": watching\n\n")?.contains("text/event-stream") == true)
        _ = try pipeline.follow(id, userAgent: TestAgent.browser(131))
        let event = try watcher.receive(until: "\"verdict\":\"valid\"")
        #expect(event?.contains("event: click") == true)
        // The API stops although somebody watches.
        #expect(api.stop() == 0)
    }

    /// Every click that the steps above made is in the answer, the valid one exactly once.
    private func expectStatistics(
        of id: String, valid: Int, _ api: RunningAPI, _ token: String
    ) throws {
        var total: [String: Any] = [:]
        try eventually("the statistics have every click") {
            let answer = try api.send("GET", "/api/v1/tracking/stats/\(id)", token: token)
            total = answer.body["total"] as? [String: Any] ?? [:]
            let rejected = total["rejected_by"] as? [String: Any]
            return (rejected?["inactive"] as? Int ?? 0) > 0
        }
        #expect(total["valid"] as? Int == valid)
        let rejected = total["rejected_by"] as? [String: Any]
        #expect((rejected?["duplicate"] as? Int ?? 0) > 0)
    }

    private func gonggu(url: String, opens: Double = -60, closes: Double = 3600) -> [String: Any] {
        let format = ISO8601DateFormatter()
        return [
            "title": "여름 공구", "original_price": 10000, "gonggu_price": 9000,
            "open_at": format.string(from: Date(timeIntervalSinceNow: opens)),
            "close_at": format.string(from: Date(timeIntervalSinceNow: closes)),
            "external_url": url,
        ]
    }

    @Test func `the API reports every wrong setting at once`() throws {
        let folder = try TestFolder()
        let process = try ChildProcess(
            TestServers.binary("API"), ["serve"],
            environment: ["API_PORT": "seventy", "JWT_SECRET_KEY": "short"],
            logPath: folder.path + "/log")
        #expect(process.wait(seconds: 60) == 78)
        for name in ["API_PORT", "JWT_SECRET_KEY", "DATABASE_URL"] {
            #expect(process.log.contains(name))
        }
        #expect(!process.log.contains("short\""))
    }
}

/// A served API over a pipeline's database.
final class RunningAPI {
    private let settings: [String: String]
    let port: UInt16
    private let folder: String
    private let process: ChildProcess

    init(_ pipeline: Pipeline) throws {
        port = try freePort()
        folder = pipeline.folder.path
        settings = try [
            "DATABASE_URL": pipeline.databaseURL, "REDIS_URL": TestServers.redisURL(),
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "API_PORT": "\(port)", "BCRYPT_COST": "4",
            "PUBLIC_EDGE_URL": "http://127.0.0.1:\(pipeline.edgePort)",
        ]
        process = try ChildProcess(
            TestServers.binary("API"), ["serve"], environment: settings,
            logPath: folder + "/API.log")
        try eventually("the API is ready") {
            (try? PlainClient(port: port).ask("GET", "/ready"))??.status == 200
        }
    }

    func send(
        _ method: String, _ path: String, token: String? = nil, _ body: [String: Any]? = nil
    ) throws -> (status: Int, body: [String: Any]) {
        var head = "\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n"
        if let token { head += "Authorization: Bearer \(token)\r\n" }
        var text = ""
        if let body {
            text = String(decoding: try JSONSerialization.data(withJSONObject: body), as: UTF8.self)
            head += "Content-Type: application/json\r\nContent-Length: \(text.utf8.count)\r\n"
        }
        let client = try PlainClient(port: port)
        try client.send(head + "\r\n" + text)
        let answer = try #require(try client.receive())
        let object = try? JSONSerialization.jsonObject(with: Data(answer.body.utf8))
        return (answer.status, object as? [String: Any] ?? [:])
    }

    /// A connection on which clicks of a gonggu are streamed.
    func watch(_ gonggu: String, token: String) throws -> PlainClient {
        let client = try PlainClient(port: port)
        try client.send(
            "GET /api/v1/tracking/live?gonggu_id=\(gonggu) HTTP/1.1\r\nHost: localhost\r\n"
                + "Authorization: Bearer \(token)\r\n\r\n")
        return client
    }

    /// Asks it to stop; its exit code, nil if it does not.
    func stop() -> Int32? {
        process.kill(SIGTERM)
        return process.wait(seconds: 60)
    }

    /// - Returns: an access token of a verified influencer.
    func signUpInfluencer(email: String) throws -> String {
        let password = "correct horse battery"
        let signedUp = try send(
            "POST", "/api/v1/auth/signup", token: nil,
            ["email": email, "password": password, "nickname": "공구장", "role": "influencer"])
        #expect(signedUp.status == 201)
        let verification = try ChildProcess(
            TestServers.binary("API"), ["verify-influencer", "--email", email],
            environment: settings, logPath: folder + "/verify.log")
        #expect(verification.wait() == 0)
        let session = try send(
            "POST", "/api/v1/auth/login", token: nil, ["email": email, "password": password])
        return try #require(session.body["access_token"] as? String)
    }
}
