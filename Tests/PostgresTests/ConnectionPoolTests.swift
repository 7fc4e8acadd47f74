import Glibc
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite struct ConnectionPoolTests {
    private static let kill = Statement(
        "terminate_self", "select pg_terminate_backend(pg_backend_pid())")
    private static let pid = Statement("pid", "select pg_backend_pid()")

    private func makePool(
        connections: Int, queueMax: Int = 1000, waitTimeoutSeconds: Double = 30
    ) throws -> ConnectionPool {
        ConnectionPool(
            url: try TestServers.databaseURL(), applicationName: "ConnectionPoolTests",
            connections: connections, queueMax: queueMax, waitTimeoutSeconds: waitTimeoutSeconds)
    }

    /// How many are inside, and the most there ever were.
    private final class Tally: Sendable {
        private let state = Mutex((now: 0, most: 0))

        func enter() {
            state.withLock {
                $0.now += 1
                $0.most = max($0.most, $0.now)
            }
        }

        func leave() { state.withLock { $0.now -= 1 } }

        var most: Int { state.withLock { $0.most } }
    }

    /// A closure that holds its connection until it is let go.
    private final class Gate: Sendable {
        private let state = Mutex((entered: 0, isOpen: false))

        func pass() {
            state.withLock { $0.entered += 1 }
            while !state.withLock({ $0.isOpen }) { usleep(500) }
        }

        func open() { state.withLock { $0.isOpen = true } }

        /// Where they do not come in time the gate opens, so that the failure does not wait for
        /// them for ever. Looks are counted, and not time: beside tests that block the threads of
        /// tasks a task gets its turn late.
        func waitForEntries(_ count: Int) async throws {
            for _ in 0..<60_000 {
                if state.withLock({ $0.entered }) >= count { return }
                try await Task.sleep(for: .milliseconds(1))
            }
            let entered = state.withLock { $0.entered }
            open()
            try #require(entered >= count, "the closures run")
        }
    }

    @Test func `as many closures run at a time as there are connections, and all get through`()
        async throws
    {
        let pool = try makePool(connections: 3, waitTimeoutSeconds: 600)
        let running = Tally()
        let gate = Gate()
        let pids = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    try await pool.run { connection in
                        running.enter()
                        defer { running.leave() }
                        gate.pass()
                        return try connection.query(Self.pid)[0].get(0)
                    }
                }
            }
            try await gate.waitForEntries(3)
            gate.open()
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(pids.count == 60)
        #expect(Set(pids).count <= 3)
        #expect(running.most == 3)
        pool.close()
        await pool.drained()
    }

    /// What four callers at once get while the only connection is taken; the gate opens when as
    /// many as `refused` have an answer.
    private func answers(_ pool: ConnectionPool, refused: Int) async throws -> [PostgresError?] {
        let gate = Gate()
        // Connecting itself may take longer than a short wait allows: then again.
        let holder = Task {
            while true {
                do {
                    return try await pool.run { _ in gate.pass() }
                } catch let error as PostgresError where error.kind == .pool {}
            }
        }
        try await gate.waitForEntries(1)
        let answers = await withTaskGroup(of: PostgresError?.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    do {
                        try await pool.run { _ in }
                        return nil
                    } catch {
                        return error as? PostgresError
                    }
                }
            }
            var answers: [PostgresError?] = []
            while let answer = await group.next() {
                answers.append(answer)
                if answers.count == refused { gate.open() }
            }
            return answers
        }
        try await holder.value
        return answers
    }

    @Test func `who finds the queue full is refused, who is in it is served`() async throws {
        let pool = try makePool(connections: 1, queueMax: 1, waitTimeoutSeconds: 600)
        let answers = try await answers(pool, refused: 3)
        #expect(answers.prefix(3).allSatisfy { $0?.kind == .pool })
        #expect(answers[0]?.message == "1 callers wait for a connection already")
        #expect(answers[3] == nil)
        pool.close()
        await pool.drained()
    }

    @Test func `who has waited too long is refused`() async throws {
        let pool = try makePool(connections: 1, waitTimeoutSeconds: 0.05)
        let answers = try await answers(pool, refused: 4)
        #expect(answers.allSatisfy { $0?.message == "no connection became free in time" })
        pool.close()
        await pool.drained()
    }

    @Test func `a lost connection fails who was using it, and the next caller has a new one`()
        async throws
    {
        let pool = try makePool(connections: 1)
        for _ in 0..<3 {
            let before = try await pool.run { try $0.query(Self.pid)[0].get(0, as: Int.self) }
            let error = await #expect(throws: PostgresError.self) {
                try await pool.transaction { _ = try $0.query(Self.kill) }
            }
            #expect(error?.isConnectionLost == true)
            let after = try await pool.run { try $0.query(Self.pid)[0].get(0, as: Int.self) }
            #expect(after != before)
        }
        // One that is lost while nobody uses it is nobody's error.
        let idle = try await pool.run { try $0.query(Self.pid)[0].get(0, as: Int.self) }
        try connect().execute(
            Statement("kill", "select pg_terminate_backend($1, 5000)"), [idle])
        let next = try await pool.run { try $0.query(Self.pid)[0].get(0, as: Int.self) }
        #expect(next != idle)
    }

    @Test func `while the server is away callers get the reason, not a wait`() async throws {
        let pool = ConnectionPool(
            url: "postgres://127.0.0.1:1/postgres", applicationName: "away", connections: 3,
            waitTimeoutSeconds: 600)
        let start = microseconds()
        for _ in 0..<100 {
            let error = await #expect(throws: PostgresError.self) { try await pool.run { _ in } }
            #expect(error?.isConnectionLost == true)
        }
        // Had each waited for the next try, it would be three minutes. (Other tests are slow at
        // times, so the bound is not the few milliseconds that it takes alone.)
        #expect(microseconds() - start < 60_000_000)
        pool.close()
        await pool.drained()
    }

    @Test func `a transaction left open by hand is not the next caller's`() async throws {
        let pool = try makePool(connections: 1)
        try await pool.run { try $0.run(script: "begin; create temporary table open (n int)") }
        let left = try await pool.run {
            try $0.query(Statement("left", "select to_regclass('open')::text"))[0].get(
                0, as: String?.self)
        }
        #expect(left == nil)
    }

    @Test func `a closed pool serves who waits and refuses who comes`() async throws {
        let pool = try makePool(connections: 1)
        let gate = Gate()
        let served = Tally()
        let tasks = (0..<5).map { _ in
            Task {
                try await pool.run { _ in
                    gate.pass()
                    served.enter()
                }
            }
        }
        try await gate.waitForEntries(1)
        pool.close()
        let error = await #expect(throws: PostgresError.self) { try await pool.run { _ in } }
        #expect(error?.message == "the pool is closed")
        gate.open()
        await pool.drained()
        var refused = 0
        for task in tasks { if case .failure = await task.result { refused += 1 } }
        // Tasks that had not queued yet when the pool closed are refused; nobody is forgotten.
        #expect(served.most + refused == 5)
        #expect(served.most >= 1)
    }
}
