import Linux

/// One Redis connection on a thread of its own, for async callers.
///
/// Commands that wait at the same time travel together in one pipeline, so one connection is
/// enough: the thread spends its time in Redis, not between commands. Bounds: `queueMax` callers
/// wait, then the next is refused; each answer within the timeout of ``RedisConnection``. When
/// Redis cannot be reached, everyone who waits is told at once, and for 200 ms after
/// the second failure in a row newcomers are too.
package final class RedisClient: Sendable {
    private let core: ClientCore

    /// Connects with the first command.
    package init(
        url: String, timeoutSeconds: Double = 2, queueMax: Int = 10_000
    ) throws(RedisError) {
        core = ClientCore(queueMax: queueMax)
        // Throws for a bad URL here, where it can be read, instead of at the first command.
        _ = try RedisConnection(url: url)
        core.start { try RedisConnection(url: url, timeoutSeconds: timeoutSeconds) }
    }

    deinit { core.close() }

    /// Sends one command. A refusal by Redis is an answer, ``RedisReply/error(_:)``.
    package func send(_ arguments: [String]) async throws -> RedisReply {
        try await send(bytes: arguments.map { Array($0.utf8) })
    }

    /// The same with arguments that are not text.
    package func send(bytes arguments: [[UInt8]]) async throws -> RedisReply {
        try await withCheckedThrowingContinuation { continuation in
            core.enqueue(arguments) { continuation.resume(with: $0) }
        }
    }

    /// Throws unless Redis answers.
    package func ping() async throws {
        let reply = try await send(["PING"])
        guard reply.text == "PONG" else {
            throw RedisError(kind: .connection, message: "no PONG to a PING")
        }
    }

    /// Refuses new commands; those that wait are still sent.
    package func close() {
        core.close()
    }
}

/// What the thread and the callers share.
private final class ClientCore: Sendable {
    private struct Job {
        let command: [[UInt8]]
        let finish: @Sendable (Result<RedisReply, any Error>) -> Void
    }

    private struct State {
        var queue: [Job] = []
        var isClosed = false
    }

    private static let pipelineMax = 256
    private static let backOffMicroseconds: Int64 = 200_000

    private let queueMax: Int
    private let state = Monitor(State())

    init(queueMax: Int) {
        self.queueMax = queueMax
    }

    func enqueue(
        _ command: [[UInt8]], finish: @escaping @Sendable (Result<RedisReply, any Error>) -> Void
    ) {
        let refusal: String? = state.withLock { state in
            if state.isClosed { return "the client is closed" }
            if state.queue.count >= queueMax { return "\(state.queue.count) commands wait already" }
            state.queue.append(Job(command: command, finish: finish))
            return nil
        }
        if let refusal { finish(.failure(RedisError(kind: .queue, message: refusal))) }
    }

    func close() {
        state.withLock { $0.isClosed = true }
    }

    func start(_ connect: @escaping @Sendable () throws -> RedisConnection) {
        SystemThread.detach(name: "redis-commands") { [self] in serve(connect) }
    }

    private func serve(_ connect: () throws -> RedisConnection) {
        guard let connection = try? connect() else {
            // The URL was tried before the thread was started.
            preconditionFailure("a URL that was read once can be read again")
        }
        var failure: RedisError?
        var retryAt: Int64 = 0
        while true {
            let jobs = take()
            if jobs.isEmpty { return }
            if let failure, Clock.monotonic() < retryAt {
                for job in jobs { job.finish(.failure(failure)) }
                continue
            }
            do {
                let replies = try connection.pipeline(jobs.map(\.command))
                failure = nil
                for (job, reply) in zip(jobs, replies) { job.finish(.success(reply)) }
            } catch {
                // The first failure may be a lost session, so the next try comes at once; a second
                // in a row means that Redis is away.
                if failure != nil { retryAt = Clock.monotonic() + ClientCore.backOffMicroseconds }
                failure = error
                for job in jobs { job.finish(.failure(error)) }
            }
        }
    }

    /// At most a pipeline of waiting jobs; none when the client is closed and none wait.
    private func take() -> [Job] {
        state.wait { state in
            if state.queue.isEmpty { return state.isClosed ? [] : nil }
            let jobs = Array(state.queue.prefix(ClientCore.pipelineMax))
            state.queue.removeFirst(jobs.count)
            return jobs
        }
    }
}
