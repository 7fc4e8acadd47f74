import Clicks
import Logging
import Postgres
import ServiceLifecycle
import Synchronization

// Runs that were asked for by the API are rows, and so is what a decision on a flag has left to do;
// this takes them up, one after the other, also those that a process has left behind. Several APIs
// may do so at once: a lock says whose a run is, and another who applies decisions.

/// Makes the runs and applies the decisions that wait, until the service stops.
package struct AdjudicationDesk: Service {
    private let pool: ConnectionPool
    private let runners: ConnectionPool
    private let logger: Logger
    private let pauseMilliseconds: Int
    private let isStopping = StopMark()

    /// Runs or decisions looked at in one round.
    private static let runsMax = 20

    /// - Parameters:
    ///   - runners: connections, one for runs and one for decisions, kept for as long as they take.
    ///   - pauseMilliseconds: how long it waits before it looks for work again.
    package init(
        pool: ConnectionPool, runners: ConnectionPool, logger: Logger,
        pauseMilliseconds: Int = 1000
    ) {
        self.pool = pool
        self.runners = runners
        self.logger = logger
        self.pauseMilliseconds = pauseMilliseconds
    }

    /// Runs and decisions side by side, so that a decision does not wait for a month's run.
    package func run() async throws {
        await withGracefulShutdownHandler {
            async let runs: Void = goRound { try await makeRuns() }
            async let decisions: Void = goRound { try await applyDecisions() }
            _ = await (runs, decisions)
        } onGracefulShutdown: {
            isStopping.set()
        }
    }

    private func goRound(_ work: @Sendable () async throws -> Int) async {
        var isFailing = false
        while !isStopping.isSet && !Task.isCancelled {
            do {
                _ = try await work()
                isFailing = false
            } catch {
                // Said once: while the database is away it is so every second.
                if !isFailing {
                    logger.error("adjudication waits", metadata: ["reason": "\(error)"])
                }
                isFailing = true
            }
            // Ends early when the service stops, and then the loop does too.
            try? await cancelWhenGracefulShutdown {
                try await Task.sleep(for: .milliseconds(pauseMilliseconds))
            }
        }
    }

    /// Does all that waits or was left behind; how many runs and decisions it finished.
    package func runOnce() async throws -> Int {
        try await applyDecisions() + makeRuns()
    }

    private func makeRuns() async throws -> Int {
        let runs = try await pool.run { connection in
            try RunQueries.runs(
                onlyUnfinished: true, limit: AdjudicationDesk.runsMax, in: connection)
        }
        return try await finish(runs.map(\.id)) { id, isStopping, connection in
            try AdjudicationWork.run(id, in: connection, isStopping: isStopping)
        }
    }

    private func applyDecisions() async throws -> Int {
        let decisions = try await pool.run { connection in
            try DecisionQueries.unfinished(limit: AdjudicationDesk.runsMax, in: connection)
        }
        return try await finish(decisions) { id, isStopping, connection in
            try DecisionWork.run(id, in: connection, isStopping: isStopping)
        }
    }

    private func finish(
        _ ids: [Identifier],
        _ work: @escaping @Sendable (Identifier, () -> Bool, Connection) throws -> WorkOutcome
    ) async throws -> Int {
        let isStopping = isStopping
        var finished = 0
        for id in ids where !isStopping.isSet {
            do {
                let outcome = try await runners.run { connection in
                    try work(id, { isStopping.isSet }, connection)
                }
                if outcome == .finished { finished += 1 }
            } catch let error as AdjudicationFault {
                noteFailure(of: id, "\(error)")
            } catch let error as AdjudicationRefusal {
                noteFailure(of: id, "\(error)")
            }
        }
        return finished
    }

    private func noteFailure(of id: Identifier, _ reason: String) {
        logger.error("an adjudication failed", metadata: ["id": "\(id)", "reason": "\(reason)"])
    }
}

/// Set once, from any thread.
private final class StopMark: Sendable {
    private let mark = Atomic<Bool>(false)

    var isSet: Bool { mark.load(ordering: .relaxed) }

    func set() { mark.store(true, ordering: .relaxed) }
}
