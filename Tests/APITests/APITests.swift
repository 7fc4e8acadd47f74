import Clicks
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Postgres
import Settings
import Testing
import TestSupport

@testable import API

// What the tests of the domains share: the whole service on a migrated database of its own, called
// through the router as a client would.

/// The service under test. Keep it in a stored property, as its database goes with it.
final class TestAPI: Sendable {
    static let secret = "a secret of the tests, 32 bytes or more"

    let testDatabase: TestDatabase
    let server: APIServer

    init(
        environment extra: [String: String] = [:], loginClock: (@Sendable () -> Timestamp)? = nil
    ) async throws {
        testDatabase = try TestDatabase()
        let url = testDatabase.url
        let environment = [
            "DATABASE_URL": url, "DATABASE_CONNECTIONS": "4",
            "REDIS_URL": try TestServers.redisURL(), "JWT_SECRET_KEY": TestAPI.secret,
            "BCRYPT_COST": "4", "PUBLIC_EDGE_URL": "https://go.gonggumoa.example",
        ].merging(extra) { $1 }
        var reader = SettingsReader(environment: environment)
        let settings = APISettings(reading: &reader)
        try reader.finish()
        var logger = Logger(label: "api-tests")
        logger.logLevel = .critical
        server = try await APIServer(
            settings: settings, logger: logger, loginClock: loginClock)
    }

    deinit { server.pool.close() }

    func connect() throws -> Connection { try testDatabase.connect() }

    /// Runs a test against the router, without a socket.
    func call(_ test: @escaping @Sendable (Caller) async throws -> Void) async throws {
        try await Application(router: server.router()).test(.router) {
            try await test(Caller(client: $0))
        }
    }
}

/// Sends JSON and reads JSON, signed in or not.
struct Caller: Sendable {
    struct Answer: Sendable {
        let status: Int
        let json: JSON
        let headers: HTTPFields

        var code: String? { json["code"]?.text }
        var faults: [String] {
            (json["errors"]?.list ?? []).map {
                "\($0["field"]?.text ?? "") \($0["code"]?.text ?? "")"
            }
        }
    }

    let client: any TestClientProtocol
    var token: String?

    func send(
        _ method: HTTPRequest.Method, _ uri: String, _ body: JSON? = nil,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        var headers = headers
        if let token { headers[.authorization] = "Bearer \(token)" }
        if body != nil { headers[.contentType] = "application/json" }
        return try await client.execute(
            uri: uri, method: method, headers: headers,
            body: body.map { ByteBuffer(bytes: $0.bytes) }
        ) { response in
            let json = try? JSON(reading: response.body.readableBytesView)
            return Answer(
                status: response.status.code, json: json ?? .null, headers: response.headers)
        }
    }

    func signUp(
        _ email: String, role: String = "buyer", password: String = "correct horse"
    ) async throws -> Answer {
        try await send(
            .post, "/api/v1/auth/signup",
            [
                "email": .text(email), "password": .text(password), "nickname": "하나",
                "role": .text(role),
            ])
    }

    func logIn(_ email: String, password: String = "correct horse") async throws -> Answer {
        try await send(
            .post, "/api/v1/auth/login", ["email": .text(email), "password": .text(password)])
    }

    /// Another caller, signed in.
    func signedIn(_ email: String, password: String = "correct horse") async throws -> Caller {
        let answer = try await logIn(email, password: password)
        let token = try #require(answer.json["access_token"]?.text)
        return Caller(client: client, token: token)
    }

    /// A new account, signed in; roles that nobody signs up for are given in SQL.
    func member(_ role: Role, verified: Bool = true, on test: TestAPI) async throws -> Caller {
        let email = "\(role.rawValue)-\(UInt64.random(in: .min ... .max))@example.com"
        _ = try await signUp(email, role: role == .influencer ? "influencer" : "buyer")
        let connection = try test.connect()
        let setRole = Statement("test_role", "update users set role = $2 where email = $1")
        try connection.execute(setRole, [email, role.rawValue])
        if role == .influencer, verified {
            _ = try AccountQueries.verify(email: email, in: connection)
        }
        return try await signedIn(email)
    }
}

/// The body of a gonggu that is open now.
func draft(
    _ changes: [String: JSON] = [:], opensInSeconds: Int64 = -3600, closesInSeconds: Int64 = 3600
) -> JSON {
    var members: [String: JSON] = [
        "title": "로봇청소기 공구", "description": "일주일만", "original_price": 299_000,
        "gonggu_price": 199_000, "external_url": "https://shop.example/items/1?a=b#c",
        "open_at": .text(Timestamp.now.advanced(bySeconds: opensInSeconds).rfc3339()),
        "close_at": .text(Timestamp.now.advanced(bySeconds: closesInSeconds).rfc3339()),
    ]
    members.merge(changes) { $1 }
    return .object(members.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
}
