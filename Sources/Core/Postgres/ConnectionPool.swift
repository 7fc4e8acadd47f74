import Glibc
import Linux

// libpq blocks, and Swift's cooperative pool has as many threads as the machine has cores: two slow
// queries on it would stop everything. So each connection has a thread of its own, callers queue
// for the next free one and suspend meanwhile, and what runs there is one synchronous closure.
//
// Bounds: `connections` closures run, `queueMax` callers wait, each at most `waitTimeoutSeconds`.
// At either bound the caller gets a `.pool` error at once. A closure that runs is not interrupted;
// the server's statement timeout bounds it.
//
// Loss: the closure that was running gets the error, since nobody else can know whether its work
// took effect. The thread then connects again before it takes the next job. While no connection
// can be made at all, waiting callers get the reason at once, and tries are spaced by a back-off.

/// Connections to one database, each owned by a thread, shared by async callers.
package final class ConnectionPool: Sendable {
    private let core: PoolCore

    /// Connects when the first caller comes, not here.
    ///
    /// - Parameters:
    ///   - url: as for ``Connection``.
    ///   - connections: threads, and so closures at a time. All processes share the server's
    ///     `max_connections`.
    ///   - queueMax: callers that may wait for a free connection.
    ///   - waitTimeoutSeconds: how long they wait.
    ///   - statementTimeoutSeconds: after which the server gives a statement up; 0 is never.
    package init(
        url: String, applicationName: String, connections: Int, queueMax: Int = 1000,
        waitTimeoutSeconds: Double = 5, connectTimeoutSeconds: Int = 5,
        statementTimeoutSeconds: Int = 30
    ) {
        precondition(connections > 0, "a pool has a connection")
        core = PoolCore(
            threads: connections, queueMax: queueMax,
            waitTimeoutMicroseconds: Int(waitTimeoutSeconds * 1_000_000)
        ) { () throws(PostgresError) in
            try Connection(
                url: url, applicationName: applicationName,
                connectTimeoutSeconds: connectTimeoutSeconds,
                statementTimeoutSeconds: statementTimeoutSeconds)
        }
        core.start()
    }

    deinit { core.close() }

    /// Runs `body` with a connection that nobody else uses meanwhile. No transaction: each
    /// statement is one by itself.
    ///
    /// Cancelling the calling task does not stop `body`.
    package func run<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            let refusal = core.enqueue(
                run: { connection in
                    continuation.resume(with: Result { try body(connection) })
                },
                fail: { continuation.resume(throwing: $0) })
            if let refusal { continuation.resume(throwing: refusal) }
        }
    }

    /// Runs `body` in one transaction, see ``Connection/transaction(_:)``.
    package func transaction<T: Sendable>(
        _ body: @escaping @Sendable (Connection) throws -> T
    ) async throws -> T {
        try await run { try $0.transaction(body) }
    }

    /// Refuses new callers from now on; those that wait or run are served. Returns at once.
    package func close() {
        core.close()
    }

    /// After ``close()``: returns when the last closure has run and the last connection is shut.
    package func drained() async {
        await withCheckedContinuation { continuation in
            core.whenDrained { continuation.resume() }
        }
    }
}

/// What the threads of a pool share. Outlives the pool until they are done.
///
/// Sendable because every variable is touched between `lock()` and `unlock()` only.
private final class PoolCore: @unchecked Sendable {
    private struct Job {
        let deadline: Int
        let run: @Sendable (Connection) -> Void
        let fail: @Sendable (PostgresError) -> Void
    }

    private static let backOffMicrosecondsMin = 50_000
    private static let backOffMicrosecondsMax = 2_000_000

    private let threads: Int
    private let queueMax: Int
    private let waitTimeoutMicroseconds: Int
    private let connect: @Sendable () throws(PostgresError) -> Connection

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    /// A job came (one thread is woken), or the pool was closed.
    private let work: UnsafeMutablePointer<pthread_cond_t>
    /// Waits that end by the clock: the back-off's and the deadlines'. Signalled for what cannot
    /// wait for it: the last connection was lost, the pool was closed, its last job was taken.
    private let clock: UnsafeMutablePointer<pthread_cond_t>
    /// In order of arrival, so also of deadline.
    private var queue: [Job] = []
    private var isClosed = false
    private var threadsLeft: Int
    private var connectionsOpen = 0
    private var backOffMicroseconds = backOffMicrosecondsMin
    private var retryAt = 0
    private var lastFailure: PostgresError?
    private var drainWaiters: [@Sendable () -> Void] = []

    init(
        threads: Int, queueMax: Int, waitTimeoutMicroseconds: Int,
        connect: @escaping @Sendable () throws(PostgresError) -> Connection
    ) {
        self.threads = threads
        self.queueMax = queueMax
        self.waitTimeoutMicroseconds = waitTimeoutMicroseconds
        self.connect = connect
        threadsLeft = threads + 1
        mutex = .allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        work = .allocate(capacity: 1)
        pthread_cond_init(work, nil)
        clock = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(clock, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        for condition in [work, clock] {
            pthread_cond_destroy(condition)
            condition.deallocate()
        }
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func start() {
        for _ in 0..<threads { startThread { $0.serve() } }
        startThread { $0.watchDeadlines() }
    }

    // MARK: Called by the callers

    /// The reason, if the job is refused.
    func enqueue(
        run: @escaping @Sendable (Connection) -> Void,
        fail: @escaping @Sendable (PostgresError) -> Void
    ) -> PostgresError? {
        lock()
        defer { unlock() }
        guard !isClosed else { return PostgresError(kind: .pool, message: "the pool is closed") }
        guard queue.count < queueMax else {
            return PostgresError(
                kind: .pool, message: "\(queue.count) callers wait for a connection already")
        }
        let deadline = Int(Clock.monotonic()) + waitTimeoutMicroseconds
        queue.append(Job(deadline: deadline, run: run, fail: fail))
        pthread_cond_signal(work)
        return nil
    }

    func close() {
        lock()
        isClosed = true
        pthread_cond_broadcast(work)
        pthread_cond_broadcast(clock)
        unlock()
    }

    func whenDrained(_ body: @escaping @Sendable () -> Void) {
        lock()
        let isDrained = threadsLeft == 0
        if !isDrained { drainWaiters.append(body) }
        unlock()
        if isDrained { body() }
    }

    // MARK: A connection's thread

    private func serve() {
        var connection: Connection?
        while true {
            guard waitForWork(isConnected: connection != nil) else { break }
            if let present = connection, !present.isStillThere() {
                connection = nil
                noteClosed()
            }
            if connection == nil { connection = open() }
            guard let present = connection, let job = takeJob() else { continue }
            job.run(present)
            if present.isLost || !present.isIdle {
                connection = nil
                noteClosed()
            }
        }
    }

    /// False when the pool is closed and nothing is left to do.
    private func waitForWork(isConnected: Bool) -> Bool {
        lock()
        defer { unlock() }
        while true {
            if queue.isEmpty {
                if isClosed { return false }
                pthread_cond_wait(work, mutex)
            } else if !isConnected, connectionsOpen > 0, Int(Clock.monotonic()) < retryAt {
                // Others can serve: one of them is woken instead, and this thread tries again when
                // it may.
                pthread_cond_signal(work)
                wait(until: retryAt)
            } else {
                return true
            }
        }
    }

    /// Connects, unless the last try was a moment ago. If there is no other connection either, one
    /// waiting caller gets the reason.
    private func open() -> Connection? {
        lock()
        let mayTry = Int(Clock.monotonic()) >= retryAt
        unlock()
        var opened: Connection?
        var failure: PostgresError?
        if mayTry {
            do {
                opened = try connect()
            } catch {
                failure = error
            }
        }
        lock()
        if opened != nil {
            connectionsOpen += 1
            backOffMicroseconds = PoolCore.backOffMicrosecondsMin
            retryAt = 0
        } else if let failure {
            lastFailure = failure
            retryAt = Int(Clock.monotonic()) + backOffMicroseconds
            backOffMicroseconds = min(backOffMicroseconds * 2, PoolCore.backOffMicrosecondsMax)
        }
        let isHopeless = opened == nil && connectionsOpen == 0 && !queue.isEmpty
        let refused = isHopeless ? queue.removeFirst() : nil
        let reason =
            lastFailure ?? PostgresError(kind: .connection, message: "the connection was lost")
        noteIfLastTaken()
        unlock()
        refused?.fail(reason)
        return opened
    }

    private func noteClosed() {
        lock()
        connectionsOpen -= 1
        if connectionsOpen == 0 { pthread_cond_broadcast(clock) }
        unlock()
    }

    private func takeJob() -> Job? {
        lock()
        defer { unlock() }
        guard !queue.isEmpty else { return nil }
        defer { noteIfLastTaken() }
        return queue.removeFirst()
    }

    /// Lets the threads of a closed pool end once nothing is left to do. The lock is held.
    private func noteIfLastTaken() {
        guard isClosed, queue.isEmpty else { return }
        pthread_cond_broadcast(work)
        pthread_cond_broadcast(clock)
    }

    // MARK: The thread that refuses who has waited too long

    private func watchDeadlines() {
        lock()
        while !(isClosed && queue.isEmpty) {
            // An empty queue's next job comes later than now, so its deadline is not earlier than a
            // whole wait from now: enqueueing need not wake this thread.
            let now = Int(Clock.monotonic())
            guard let first = queue.first, first.deadline <= now else {
                let next = queue.first?.deadline ?? now + waitTimeoutMicroseconds
                wait(until: max(next, now + 1000))
                continue
            }
            queue.removeFirst()
            unlock()
            first.fail(
                PostgresError(kind: .pool, message: "no connection became free in time"))
            lock()
            noteIfLastTaken()
        }
        unlock()
    }

    // MARK: Threads and locks

    private func startThread(_ body: @escaping @Sendable (PoolCore) -> Void) {
        SystemThread.detach(name: "postgres") { [self] in
            body(self)
            endThread()
        }
    }

    private func endThread() {
        lock()
        threadsLeft -= 1
        let waiters = threadsLeft == 0 ? drainWaiters : []
        unlock()
        for waiter in waiters { waiter() }
    }

    private func lock() {
        pthread_mutex_lock(mutex)
    }

    private func unlock() {
        pthread_mutex_unlock(mutex)
    }

    /// Sleeps with the lock released, until `clock` is signalled or `deadline` comes.
    private func wait(until deadline: Int) {
        var time = timespec(tv_sec: deadline / 1_000_000, tv_nsec: deadline % 1_000_000 * 1000)
        pthread_cond_timedwait(clock, mutex, &time)
    }
}
