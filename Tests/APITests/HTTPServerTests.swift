import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import Testing

@testable import API

/// What only a socket shows: the bytes of a request that no client library would send.
@Suite struct HTTPServerTests {
    private func withServer<Result: Sendable>(
        _ limits: ServerLimits = ServerLimits(),
        _ test: @escaping @Sendable (Int) async throws -> Result
    ) async throws -> Result {
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        var table = jarTable()
        table.add(
            .get, "/stream", id: "stream", tag: .jars, Wording("흐름", "A stream"),
            access: .everyone, answer: .raw(.bytes("text/plain"))
        ) { _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "drop"))
                    try await writer.finish(nil)
                })
        }
        let server = makeServer(
            router: table.router(settings: HTTPSettings(), tokens: testTokens),
            address: .hostname("127.0.0.1", port: 0), limits: limits, logger: LogRecorder().logger,
            onServerRunning: { channel in
                continuation.yield(channel.localAddress?.port ?? 0)
            })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.runService(gracefulShutdownSignals: []) }
            let port = try #require(await ports.first { _ in true })
            defer { group.cancelAll() }
            return try await test(port)
        }
    }

    @Test(arguments: [
        ("GET /docs HTTP/1.1\r\n\r\n", 400),
        ("GET /docs HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET /docs HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        ("GET /docs HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", 400),
        ("GET /docs HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
        ("GET /docs HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET /docs HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("HEAD /docs HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 200),
        ("TRACE /docs HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("PROPFIND /docs HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        // A method that NIO's parser has no name for does not get as far as our guards.
        ("BREW /docs HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET http://a/docs HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        (
            "POST /api/v1/jars HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n"
                + "Content-Type: application/json\r\nContent-Length: 65537\r\n\r\n", 413
        ),
    ])
    func `a raw request is answered with its status`(request: String, status: Int) async throws {
        try await withServer { port async throws in
            let answer = try await exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(answer.prefix(200))")
        }
    }

    /// A body behind HEAD would be read as the beginning of the next answer.
    @Test(arguments: [
        ("/nowhere", "404"), ("/api/v1/jars/7", "422"), ("/api/v1/jars/best", "401"),
        ("/api/v1/jars/0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10/picture", "405"),
        ("/openapi.json", "200"), ("/stream", "200"),
    ])
    func `no answer to HEAD has a body, not even an error`(path: String, status: String)
        async throws
    {
        try await withServer { port async throws in
            let answers = try await exchange(
                "HEAD \(path) HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                port: port, untilClosed: true)
            let parts = answers.split(separator: "\r\n\r\n", maxSplits: 1)
            #expect(parts.first?.hasPrefix("HTTP/1.1 \(status) ") == true, "\(answers)")
            #expect(parts.last?.hasPrefix("HTTP/1.1 404 ") == true, "\(answers)")
            #expect(parts.first?.lowercased().contains("\r\ncontent-length: ") == true)
        }
    }

    @Test func `a body that never says its length is cut off at the bound`() async throws {
        try await withServer { port async throws in
            let chunk = "1000\r\n" + String(repeating: " ", count: 0x1000) + "\r\n"
            let request =
                "POST /api/v1/jars HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer admin\r\n"
                + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                + String(repeating: chunk, count: 20) + "0\r\n\r\n"
            let answer = try await exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer.prefix(200))")
        }
    }

    @Test func `an error's body is ours over the socket too, with length and id`() async throws {
        try await withServer { port async throws in
            let answer = try await exchange(
                "GET /x HTTP/1.1\r\nHost: a\r\nX-Request-ID: q-1\r\nAccept-Language: en\r\n\r\n",
                port: port)
            let lower = answer.lowercased()
            #expect(lower.contains("\r\nx-request-id: q-1\r\n"))
            #expect(
                answer.hasSuffix(
                    #"{"detail":"There is nothing at this address","code":"ROUTE_NOT_FOUND"}"#))
        }
    }

    @Test func `a head larger than the bound is refused`() async throws {
        try await withServer { port async throws in
            let field = "X-Long: " + String(repeating: "a", count: 20_000) + "\r\n"
            let answer = try await exchange(
                "GET /docs HTTP/1.1\r\nHost: a\r\n\(field)\r\n", port: port)
            #expect(!answer.hasPrefix("HTTP/1.1 2"), "\(answer.prefix(100))")
        }
    }

    @Test(arguments: [
        "", "GET /do", "GET /docs HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
    ])
    func `a connection that sends no whole request is closed`(start: String) async throws {
        var limits = ServerLimits()
        limits.idleTimeoutSeconds = 0.3
        try await withServer(limits) { port async throws in
            // Ends when the server closes; `exchange` gives up with an error after its own bound.
            _ = try await exchange(start, port: port, untilClosed: true)
        }
    }

    @Test func `connections over the bound wait until one ends`() async throws {
        var limits = ServerLimits()
        limits.connectionsMax = 1
        limits.idleTimeoutSeconds = 0.5
        try await withServer(limits) { port async throws in
            let request = "GET /docs HTTP/1.1\r\nHost: a\r\n\r\n"
            let first = try RawConnection(port: port)
            try await first.send(request)
            #expect(try await first.receive().hasPrefix("HTTP/1.1 200"))
            let start = ContinuousClock.now
            // The first one holds the only place until it has been idle for long enough.
            let answer = try await exchange(request, port: port)
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(ContinuousClock.now - start > .milliseconds(200))
        }
    }
}

/// Sends bytes and returns what comes back until the answer is whole, or the server closes.
private func exchange(_ request: String, port: Int, untilClosed: Bool = false) async throws
    -> String
{
    let connection = try RawConnection(port: port)
    try await connection.send(request)
    return try await connection.receive(
        untilClosed: untilClosed, hasBody: !request.hasPrefix("HEAD"))
}

/// A blocking socket used off the cooperative threads, so that a waiting test blocks no server.
private final class RawConnection: Sendable {
    struct Failure: Error {
        let call: String
        let code: Int32
    }

    private let socket: Int32

    init(port: Int) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Failure(call: "connect", code: errno) }
    }

    deinit { close(socket) }

    func send(_ text: String) async throws {
        try await offThePool { [socket] in
            var bytes = Array(text.utf8)[...]
            while !bytes.isEmpty {
                let sent = bytes.withUnsafeBytes {
                    Foundation.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                // A server that refuses may close while we still send: the answer is what counts.
                guard sent > 0 else { return }
                bytes = bytes.dropFirst(sent)
            }
        }
    }

    func receive(untilClosed: Bool = false, hasBody: Bool = true) async throws -> String {
        try await offThePool { [socket] in
            var received: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = recv(socket, &buffer, buffer.count, 0)
                if count == 0 || count < 0 && errno == ECONNRESET { break }
                guard count > 0 else { throw Failure(call: "recv", code: errno) }
                received += buffer[..<count]
                let text = String(decoding: received, as: UTF8.self)
                if !untilClosed, isWhole(text, hasBody: hasBody) { break }
            }
            return String(decoding: received, as: UTF8.self)
        }
    }

    private func offThePool<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result)
        async throws -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result { try body() }) }
        }
    }
}

/// Whether a head and as much body as it announces are there.
private func isWhole(_ text: String, hasBody: Bool) -> Bool {
    guard let end = text.range(of: "\r\n\r\n") else { return false }
    let head = text[..<end.lowerBound].lowercased()
    let length = head.components(separatedBy: "\r\ncontent-length: ").dropFirst().first
        .flatMap { Int($0.prefix { $0.isNumber }) }
    return !hasBody || text[end.upperBound...].utf8.count >= length ?? 0
}
