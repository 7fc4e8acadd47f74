import Hummingbird
import Logging
import Testing
import TestSupport

@testable import API

@Suite struct OutboundClientTests {
    private func withFaults(
        _ change: (inout OutboundLimits) -> Void = { _ in }, logger: Logger? = nil,
        _ test: @escaping @Sendable (OutboundClient, FaultyServer, String) async throws -> Void
    ) async throws {
        var limits = OutboundLimits()
        // Out of the way where a test is not about it.
        limits.circuit.failuresMax = 1000
        change(&limits)
        let client = OutboundClient(limits: limits, logger: logger ?? LogRecorder().logger)
        let server = FaultyServer()
        try await withLoopbackServer(server.router) { try await test(client, server, $0) }
    }

    @Test func `an answer comes with its status, its headers and its body`() async throws {
        try await withFaults { client, _, base async throws in
            let fine = try await client.send(.form(base + "/ok", [("a", "b&c=ü")]), to: "x")
            #expect(fine.status == 200 && fine.json?["is"]?.text == "fine")
            #expect(fine.retryAfterSeconds == 7)
            #expect(try await client.send(.init(.get, base + "/404"), to: "x").status == 404)
            #expect(client.counts["x"]?.requests == 2 && client.counts["x"]?.failures == 0)
        }
    }

    @Test func `a redirect is an answer, and nobody goes there`() async throws {
        try await withFaults { client, server, base async throws in
            let answer = try await client.send(.init(.get, base + "/redirect"), to: "x")
            #expect(answer.status == 302 && answer.headers["location"] == "/ok")
            #expect(server.hits("/ok") == 0)
        }
    }

    @Test(arguments: ["/hang", "/drip"])
    func `a server that hangs or drips is given up in time`(path: String) async throws {
        try await withFaults { client, server, base async throws in
            var request = OutboundRequest(.get, base + path)
            request.timeoutSeconds = 0.4
            let start = ContinuousClock.now
            await #expect(throws: OutboundFailure.timedOut) {
                try await client.send(request, to: "x")
            }
            #expect(ContinuousClock.now - start < .seconds(5))
            #expect(server.hits(path) == 1)
        }
    }

    @Test func `no more of an answer is read than was asked for`() async throws {
        try await withFaults { client, _, base async throws in
            var request = OutboundRequest(.get, base + "/huge")
            request.answerBytesMax = 100_000
            await #expect(throws: OutboundFailure.answerTooLarge) {
                try await client.send(request, to: "x")
            }
            request.answerBytesMax = 160 * 65_536
            #expect(try await client.send(request, to: "x").body.count == 160 * 65_536)
        }
    }

    @Test func `a cut answer is asked for again unless it was a POST`() async throws {
        try await withFaults { client, server, base async throws in
            await #expect(throws: OutboundFailure.broken) {
                try await client.send(.form(base + "/cut", []), to: "x")
            }
            #expect(server.hits("/cut") == 1)
            await #expect(throws: OutboundFailure.broken) {
                try await client.send(.init(.get, base + "/cut"), to: "x")
            }
            #expect(server.hits("/cut") == 4)
            #expect(client.counts["x"]?.retries == 2 && client.counts["x"]?.failures == 4)
        }
    }

    @Test func `a server that is busy for a moment is asked again unless it was a POST`()
        async throws
    {
        try await withFaults { client, server, base async throws in
            #expect(try await client.send(.form(base + "/flaky", []), to: "x").status == 503)
            #expect(server.hits("/flaky") == 1)
            #expect(try await client.send(.init(.get, base + "/flaky"), to: "x").status == 200)
            #expect(server.hits("/flaky") == 3)
        }
    }

    @Test func `where nobody listens, a POST too is tried three times`() async throws {
        try await withFaults { client, _, _ async throws in
            let nowhere = "http://127.0.0.1:\(try freePort())/"
            await #expect(throws: OutboundFailure.unreachable) {
                try await client.send(.form(nowhere, []), to: "x")
            }
            #expect(client.counts["x"]?.retries == 2 && client.counts["x"]?.failures == 3)
        }
    }

    @Test func `a failing party is left alone for a while, then tried, and others are not`()
        async throws
    {
        try await withFaults {
            $0.circuit.failuresMax = 3
            $0.circuit.openSeconds = 1
        } _: { client, server, base async throws in
            let request = OutboundRequest.form(base + "/recovering", [])
            for _ in 0..<3 { #expect(try await client.send(request, to: "x").status == 500) }
            await #expect(throws: OutboundFailure.circuitOpen(retryAfterSeconds: 1)) {
                try await client.send(request, to: "x")
            }
            #expect(server.hits("/recovering") == 3)
            #expect(try await client.send(.init(.get, base + "/ok"), to: "y").status == 200)
            try await eventuallyTrue("the circuit closes") {
                // try?: refusals are what is waited for to end.
                (try? await client.send(request, to: "x"))?.status == 200
            }
            #expect(server.hits("/recovering") == 4)
            let counts = try #require(client.counts["x"])
            #expect(counts.openings == 1 && counts.failures == 3 && counts.refusedByCircuit > 0)
        }
    }

    @Test func `calls under way to a party are bounded`() async throws {
        try await withFaults {
            $0.callsMax = 2
        } _: { client, server, base async throws in
            var slow = OutboundRequest(.get, base + "/hang")
            slow.timeoutSeconds = 2
            let request = slow
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<2 {
                    group.addTask { _ = try? await client.send(request, to: "x") }
                }
                try await eventuallyTrue("both hang") { server.hits("/hang") == 2 }
                await #expect(throws: OutboundFailure.busy) {
                    try await client.send(.init(.get, base + "/ok"), to: "x")
                }
                #expect(try await client.send(.init(.get, base + "/ok"), to: "y").status == 200)
                try await group.waitForAll()
            }
            #expect(try await client.send(.init(.get, base + "/ok"), to: "x").status == 200)
            #expect(client.counts["x"]?.refusedAsBusy == 1)
        }
    }

    @Test func `a caller who goes away says nothing about the party`() async throws {
        try await withFaults { client, server, base async throws in
            let caller = Task { try await client.send(.init(.get, base + "/hang"), to: "x") }
            try await eventuallyTrue("it hangs") { server.hits("/hang") == 1 }
            caller.cancel()
            await #expect(throws: CancellationError.self) { try await caller.value }
            #expect(client.counts["x"]?.failures == 0)
        }
    }

    @Test func `a certificate that nobody vouches for is refused`() async throws {
        let folder = try TestFolder()
        let certificate = try TestCertificate("localhost", in: folder)
        let port = try freePort()
        let server = try ChildProcess(
            "openssl",
            [
                "s_server", "-accept", "\(port)", "-cert", certificate.certificate, "-key",
                certificate.key, "-www", "-naccept", "3",
            ], logPath: folder.path + "/log")
        let client = OutboundClient(logger: LogRecorder().logger)
        try await eventuallyTrue("openssl listens") { server.log.contains("ACCEPT") }
        await #expect(throws: OutboundFailure.broken) {
            try await client.send(
                .form("https://localhost:\(port)/", [("client_secret", "hidden")]), to: "x")
        }
    }

    @Test func `secrets are in no description and in no line of the log`() async throws {
        let recorder = LogRecorder()
        try await withFaults(
            { $0.circuit.failuresMax = 1 }, logger: recorder.logger
        ) { client, _, base async throws in
            let request = OutboundRequest.form(
                base + "/500?code=hidden", [("client_secret", "hidden")],
                headers: [("Authorization", "Bearer hidden")])
            var dumped = ""
            dump(request, to: &dumped)
            for text in ["\(request)", String(reflecting: request), dumped] {
                #expect(!text.contains("hidden"))
            }
            #expect(try await client.send(request, to: "x").status == 500)
            await #expect(throws: OutboundFailure.self) {
                try await client.send(request, to: "x")
            }
        }
        #expect(recorder.lines.contains { $0.message == "a circuit has opened" })
        for line in recorder.lines {
            #expect(!"\(line.message) \(line.metadata)".contains("hidden"))
        }
    }
}
