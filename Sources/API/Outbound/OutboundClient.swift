import AsyncHTTPClient
import Glibc
import Logging
import NIOCore
import NIOPosix
import Synchronization

// Every request of the API to somebody else's server goes through here, under the name of a party.
// A party has a circuit, a bound on its calls under way and its counts, so that one that hangs
// costs only what is asked of it.

/// Bounds of all outbound requests.
package struct OutboundLimits: Sendable {
    /// To connect and agree on TLS; part of the request's own limit.
    package var connectTimeoutSeconds: Double = 2
    /// Open at once to one host and port; more requests wait, as part of their own limit.
    package var connectionsMax = 8
    /// A call that would be one more for its party is refused.
    package var callsMax = 32
    /// A connection without a request is closed. Below what servers grant, so that a request meets
    /// a connection that is being closed as rarely as can be.
    package var idleSeconds = 10
    package var circuit = Circuit.Limits()

    package init() {}
}

/// What was asked of a party so far, for metrics.
package struct OutboundCounts: Sendable, Equatable {
    /// Requests of the service, whatever came of them.
    package var requests = 0
    /// Attempts beyond each request's first.
    package var retries = 0
    /// Attempts that failed, a status of 500 or above included.
    package var failures = 0
    /// Requests that an open circuit refused.
    package var refusedByCircuit = 0
    /// Requests that the bound on calls under way refused.
    package var refusedAsBusy = 0
    /// Times the circuit opened.
    package var openings = 0
}

/// Asks outside servers: certificates are verified, redirects are not followed, every wait and
/// every answer is bounded. Thread-safe.
package final class OutboundClient: Sendable {
    /// One outside party as this process knows it.
    private struct Party: Sendable {
        var circuit: Circuit
        var callsUnderWay = 0
        var counts = OutboundCounts()
    }

    private let client: HTTPClient
    private let limits: OutboundLimits
    private let logger: Logger
    private let parties = Mutex<[String: Party]>([:])

    /// Connects to nothing yet, and has no threads of its own: it runs on the server's.
    package init(limits: OutboundLimits = OutboundLimits(), logger: Logger) {
        self.limits = limits
        self.logger = logger
        // No TLS configuration means the library's own: the system's authorities, names checked.
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .milliseconds(Int64(limits.connectTimeoutSeconds * 1000))),
            connectionPool: .init(
                idleTimeout: .seconds(Int64(limits.idleSeconds)),
                concurrentHTTP1ConnectionsPerHostSoftLimit: limits.connectionsMax),
            decompression: .disabled)
        // A failed connection is for the circuit to see, and for our rule to repeat.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// Closes what is open, after this object is gone; nothing is under way by then.
    deinit { client.shutdown { _ in } }

    /// What was asked so far, by party.
    package var counts: [String: OutboundCounts] {
        parties.withLock { $0.mapValues(\.counts) }
    }

    /// Asks a party, again where that is safe, and returns its answer whatever its status.
    ///
    /// - Parameter party: a fixed name such as `kakao`, never a client's word: each is kept.
    /// - Throws: ``OutboundFailure``, or `CancellationError` if the caller's task was cancelled.
    package func send(
        _ request: OutboundRequest, to party: String
    ) async throws -> OutboundAnswer {
        try enter(party)
        defer { leave(party) }
        let deadline = ContinuousClock.now + .milliseconds(Int64(request.timeoutSeconds * 1000))
        var attempt = 1
        while true {
            let ending = try await tried(request, to: party, until: deadline)
            let delay = RetryRule.delay(
                after: attempt, ending.rule, isRepeatable: request.isRepeatable,
                spread: Double.random(in: 0...1))
            guard let delay, ContinuousClock.now + delay < deadline else {
                return try ending.get()
            }
            try await Task.sleep(for: delay)
            attempt += 1
            change(party) { $0.counts.retries += 1 }
            logger.info(
                "asking an outside server again",
                metadata: ["party": "\(party)", "attempt": "\(attempt)"])
        }
    }

    // MARK: One attempt

    private typealias Ending = Result<OutboundAnswer, OutboundFailure>

    /// One attempt, under the party's circuit.
    private func tried(
        _ request: OutboundRequest, to party: String, until deadline: ContinuousClock.Instant
    ) async throws(CancellationError) -> Ending {
        let pass: Circuit.Pass
        switch change(party, { $0.circuit.admit(now: .now) }) {
        case .go(let given): pass = given
        case .refused(let wait):
            change(party) { $0.counts.refusedByCircuit += 1 }
            return .failure(.circuitOpen(retryAfterSeconds: Int(wait.components.seconds) + 1))
        }
        let ending: Ending
        do {
            ending = .success(try await exchange(request, until: deadline))
        } catch {
            guard !Task.isCancelled else {
                report(.abandoned, of: pass, to: party)
                throw CancellationError()
            }
            ending = .failure(OutboundClient.failure(error))
        }
        report(ending.isFailure ? .failed : .answered, of: pass, to: party)
        return ending
    }

    /// Sends it and reads the answer. The library's own deadline ends with the answer's head, so a
    /// body that drips in would be waited for without end: here the clock runs beside all of it.
    private func exchange(
        _ request: OutboundRequest, until deadline: ContinuousClock.Instant
    ) async throws -> OutboundAnswer {
        try await withThrowingTaskGroup(of: OutboundAnswer.self) { [client] group in
            defer { group.cancelAll() }
            group.addTask {
                let rest = ContinuousClock.now.duration(to: deadline)
                let response = try await client.execute(
                    request.prepared, timeout: .nanoseconds(rest.nanoseconds))
                let body = try await response.body.collect(upTo: request.answerBytesMax)
                let headers = response.headers.map { ($0.name.lowercased(), $0.value) }
                return OutboundAnswer(
                    status: Int(response.status.code),
                    headers: Dictionary(headers, uniquingKeysWith: { $1 }),
                    body: Array(body.readableBytesView))
            }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                throw OutboundFailure.timedOut
            }
            guard let answer = try await group.next() else {
                preconditionFailure("a group of two tasks has a first result")
            }
            return answer
        }
    }

    private static func failure(_ error: any Error) -> OutboundFailure {
        switch error {
        case let failure as OutboundFailure: failure
        case is NIOTooManyBytesError: .answerTooLarge
        case is NIOConnectionError: .unreachable
        case ChannelError.connectTimeout: .unreachable
        // What connect(2) says of an address; the same type tells of a connection that was lost.
        case let error as IOError
        where [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH].contains(error.errnoCode):
            .unreachable
        case let error as HTTPClientError where error == .connectTimeout: .unreachable
        case let error as HTTPClientError where error == .tlsHandshakeTimeout: .unreachable
        case let error as HTTPClientError
        where error == .deadlineExceeded || error == .readTimeout || error == .writeTimeout
            || error == .getConnectionFromPoolTimeout:
            .timedOut
        // Cut connections, what is no HTTP, and certificates that do not hold.
        default: .broken
        }
    }

    // MARK: The party's book

    private func enter(_ party: String) throws(OutboundFailure) {
        let isAdmitted = change(party) { [limits] state in
            state.counts.requests += 1
            guard state.callsUnderWay < limits.callsMax else {
                state.counts.refusedAsBusy += 1
                return false
            }
            state.callsUnderWay += 1
            return true
        }
        if !isAdmitted { throw .busy }
    }

    private func leave(_ party: String) {
        change(party) { $0.callsUnderWay -= 1 }
    }

    private func report(_ outcome: Circuit.Outcome, of pass: Circuit.Pass, to party: String) {
        let turn = change(party) { state in
            if outcome == .failed { state.counts.failures += 1 }
            let turn = state.circuit.report(outcome, of: pass, now: .now)
            if turn == .opened { state.counts.openings += 1 }
            return turn
        }
        switch turn {
        case .none: break
        case .opened: logger.warning("a circuit has opened", metadata: ["party": "\(party)"])
        case .closed: logger.notice("a circuit has closed", metadata: ["party": "\(party)"])
        }
    }

    @discardableResult
    private func change<Value: Sendable>(
        _ party: String, _ body: (inout Party) -> Value
    ) -> Value {
        parties.withLock {
            body(&$0[party, default: Party(circuit: Circuit(limits: limits.circuit))])
        }
    }
}

extension Result where Success == OutboundAnswer, Failure == OutboundFailure {
    fileprivate var rule: RetryRule.Ending {
        switch self {
        case .success(let answer): .status(answer.status)
        case .failure(let failure): .failure(failure)
        }
    }

    /// Whether the party is unwell: no answer, or one that says so.
    fileprivate var isFailure: Bool {
        switch self {
        case .success(let answer): answer.status >= 500
        case .failure: true
        }
    }
}

extension OutboundRequest {
    fileprivate var prepared: HTTPClientRequest {
        var request = HTTPClientRequest(url: url)
        request.method = .init(rawValue: method.rawValue)
        for header in headers { request.headers.add(name: header.name, value: header.value) }
        if let body { request.body = .bytes(body) }
        return request
    }
}

extension Duration {
    /// At least 0; at most what fits, 292 years.
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }
}
