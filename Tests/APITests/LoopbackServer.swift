import Hummingbird
import Logging
import Synchronization
import Testing

@testable import API

/// A server of somebody else's on the loopback, made of a router; ends with its test, whatever it
/// is doing then.
func withLoopbackServer<Result: Sendable>(
    _ router: Router<BasicRequestContext>,
    _ test: @escaping @Sendable (String) async throws -> Result
) async throws -> Result {
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = Application(
        router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in continuation.yield(channel.localAddress?.port ?? 0) },
        logger: LogRecorder().logger)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.runService(gracefulShutdownSignals: []) }
        let port = try #require(await ports.first { _ in true })
        defer { group.cancelAll() }
        return try await test("http://127.0.0.1:\(port)")
    }
}

/// Asks again every few milliseconds until it is so, without holding a thread.
func eventuallyTrue(
    _ what: String, within seconds: Double = 60, _ isSo: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !isSo() {
        try #require(ContinuousClock.now < deadline, "not within \(seconds) s: \(what)")
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// A server with every fault that a provider's can have.
final class FaultyServer: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    /// Requests so far, by path.
    func hits(_ path: String) -> Int { counts.withLock { $0[path, default: 0] } }

    private struct Cut: Error {}

    var router: Router<BasicRequestContext> {
        let router = Router(context: BasicRequestContext.self)
        for method in [HTTPRequest.Method.get, .post] {
            router.on("/{what}", method: method) { [self] request, context in
                let what = context.parameters.get("what") ?? ""
                let hit = counts.withLock { counts in
                    counts["/" + what, default: 0] += 1
                    return counts["/" + what, default: 0]
                }
                return try await answer(to: what, hit: hit)
            }
        }
        return router
    }

    private func answer(to what: String, hit: Int) async throws -> Response {
        switch what {
        case "500": return Response(status: .internalServerError)
        case "404": return Response(status: .notFound)
        case "flaky": return Response(status: hit < 3 ? .serviceUnavailable : .ok)
        case "recovering": return Response(status: hit <= 3 ? .internalServerError : .ok)
        case "redirect": return Response(status: .found, headers: [.location: "/ok"])
        case "hang":
            try await Task.sleep(for: .seconds(60))
            return Response(status: .ok)
        case "drip":
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    for _ in 0..<600 {
                        try await writer.write(ByteBuffer(string: "."))
                        try await Task.sleep(for: .milliseconds(100))
                    }
                    try await writer.finish(nil)
                })
        case "huge":
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    let chunk = ByteBuffer(repeating: 0x78, count: 65_536)
                    for _ in 0..<160 { try await writer.write(chunk) }
                    try await writer.finish(nil)
                })
        case "cut":
            return Response(
                status: .ok,
                body: ResponseBody(contentLength: 100) { writer in
                    try await writer.write(ByteBuffer(string: "half"))
                    throw Cut()
                })
        default:
            return Response(
                status: .ok, headers: [.retryAfter: "7"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: #"{"is":"fine"}"#)))
        }
    }
}
