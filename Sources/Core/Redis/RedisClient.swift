import Glibc

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
///
/// Sendable because every variable is touched between `lock` and `unlock` only.
private final class ClientCore: @unchecked Sendable {
    private struct Job {
        let command: [[UInt8]]
        let finish: @Sendable (Result<RedisReply, any Error>) -> Void
    }

    private static let pipelineMax = 256
    private static let backOffMicroseconds = 200_000

    private let queueMax: Int
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let work: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [Job] = []
    private var isClosed = false

    init(queueMax: Int) {
        self.queueMax = queueMax
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        work = .allocate(capacity: 1)
        pthread_cond_init(work, nil)
    }

    deinit {
        pthread_cond_destroy(work)
        work.deallocate()
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func enqueue(
        _ command: [[UInt8]], finish: @escaping @Sendable (Result<RedisReply, any Error>) -> Void
    ) {
        pthread_mutex_lock(mutex)
        let refusal: String? =
            isClosed
            ? "the client is closed"
            : queue.count >= queueMax ? "\(queue.count) commands wait already" : nil
        if refusal == nil {
            queue.append(Job(command: command, finish: finish))
            pthread_cond_signal(work)
        }
        pthread_mutex_unlock(mutex)
        if let refusal { finish(.failure(RedisError(kind: .queue, message: refusal))) }
    }

    func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        pthread_cond_signal(work)
        pthread_mutex_unlock(mutex)
    }

    func start(_ connect: @escaping @Sendable () throws -> RedisConnection) {
        let start = Unmanaged.passRetained(ThreadStart { [self] in serve(connect) })
        var handle = pthread_t()
        let code = pthread_create(
            &handle, nil,
            { argument in
                Unmanaged<ThreadStart>.fromOpaque(argument!).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
        precondition(code == 0, "the machine has room for one more thread")
        pthread_detach(handle)
    }

    private func serve(_ connect: () throws -> RedisConnection) {
        guard let connection = try? connect() else {
            // The URL was tried before the thread was started.
            preconditionFailure("a URL that was read once can be read again")
        }
        var failure: RedisError?
        var retryAt = 0
        while let jobs = take() {
            if let failure, ClientCore.now() < retryAt {
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
                if failure != nil { retryAt = ClientCore.now() + ClientCore.backOffMicroseconds }
                failure = error
                for job in jobs { job.finish(.failure(error)) }
            }
        }
    }

    /// At most a pipeline of waiting jobs; nil when the client is closed and none wait.
    private func take() -> [Job]? {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while queue.isEmpty {
            if isClosed { return nil }
            pthread_cond_wait(work, mutex)
        }
        let jobs = Array(queue.prefix(ClientCore.pipelineMax))
        queue.removeFirst(jobs.count)
        return jobs
    }

    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    }
}

private final class ThreadStart: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}
