import Clicks
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Postgres
import Synchronization
import Testing

@testable import API

// What the tests of the room share: the jars served behind every guard, a client that speaks JSON,
// and a log that can be read.

/// Log lines as they were written, for tests that read them.
final class LogRecorder: Sendable {
    struct Line: Sendable {
        let level: Logger.Level
        let message: String
        let metadata: [String: String]
    }

    private let recorded = Mutex<[Line]>([])

    var lines: [Line] { recorded.withLock { $0 } }

    func append(_ line: Line) { recorded.withLock { $0.append(line) } }

    var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    private struct Handler: LogHandler {
        let recorder: LogRecorder
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.info

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            recorder.append(
                Line(
                    level: event.level, message: "\(event.message)",
                    metadata: all.mapValues { "\($0)" }))
        }
    }
}

/// Tokens that are their role's name; `broken` stands for a database that is down.
let testTokens = AccessTokens { token in
    if token == "broken" { throw Unforeseen() }
    if token == "away" { throw PostgresError(kind: .connection, message: "connection refused") }
    return Role(rawValue: token).map {
        Account(id: Identifier(high: 0x7000, low: UInt64($0.rawValue.utf8.count)), role: $0)
    }
}

func jarTable() -> RouteTable {
    var routes = RouteTable()
    JarRoutes().add(to: &routes)
    return routes
}

struct JarClient: Sendable {
    let client: any TestClientProtocol

    /// Sends JSON where there is a body, signed by a role where one is given.
    func send(
        _ method: HTTPRequest.Method, _ uri: String, as role: Role? = nil, body: String? = nil,
        headers: HTTPFields = [:]
    ) async throws -> (status: Int, json: JSON, headers: HTTPFields) {
        var headers = headers
        if let role { headers[.authorization] = "Bearer \(role.rawValue)" }
        if body != nil, !headers.contains(.contentType) {
            headers[.contentType] = "application/json"
        }
        let response = try await client.execute(
            uri: uri, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        let json = try? JSON(reading: response.body.readableBytesView)
        return (response.status.code, json ?? .null, response.headers)
    }
}

func withJars<Result: Sendable>(
    settings: HTTPSettings = HTTPSettings(), logger: Logger? = nil,
    _ test: @escaping @Sendable (JarClient) async throws -> Result
) async throws -> Result {
    let router = jarTable().router(settings: settings, tokens: testTokens)
    let server = makeServer(
        router: router, address: .hostname("127.0.0.1", port: 0),
        logger: logger ?? LogRecorder().logger)
    return try await server.test(.router) { try await test(JarClient(client: $0)) }
}

/// A small generator whose runs can be repeated from the seed that a failure prints.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
