import Logging
import Postgres
import ServiceLifecycle
import Synchronization

// Runs that were asked for by the API are rows; this takes them up, one after the other, also those
// that a process has left behind. Several APIs may do so at once: a lock says whose a run is.

/// Makes the runs that wait, until the service stops.
package struct AdjudicationDesk: Service {
    private let pool: ConnectionPool
    private let runners: ConnectionPool
    private let logger: Logger
    private let pauseMilliseconds: Int
    private let isStopping = StopMark()

    /// Runs looked at in one round.
    private static let runsMax = 20

    /// - Parameters:
    ///   - runners: connections that runs may keep for as long as they take.
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

    package func run() async throws {
        await withGracefulShutdownHandler {
            var isFailing = false
            while !isStopping.isSet && !Task.isCancelled {
                do {
                    _ = try await runOnce()
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
        } onGracefulShutdown: {
            isStopping.set()
        }
    }

    /// Makes every run that waits or was left behind; how many it finished.
    package func runOnce() async throws -> Int {
        let isStopping = isStopping
        let runs = try await pool.run { connection in
            try RunQueries.runs(
                onlyUnfinished: true, limit: AdjudicationDesk.runsMax, in: connection)
        }
        var finished = 0
        for run in runs where !isStopping.isSet {
            do {
                let outcome = try await runners.run { connection in
                    try AdjudicationWork.run(
                        run.id, in: connection, isStopping: { isStopping.isSet })
                }
                if outcome == .finished { finished += 1 }
            } catch let error as AdjudicationFault {
                logger.error(
                    "an adjudication failed",
                    metadata: ["id": "\(run.id)", "reason": "\(error)"])
            } catch let error as AdjudicationRefusal {
                logger.error(
                    "an adjudication failed",
                    metadata: ["id": "\(run.id)", "reason": "\(error)"])
            }
        }
        return finished
    }
}

/// Set once, from any thread.
private final class StopMark: Sendable {
    private let mark = Atomic<Bool>(false)

    var isSet: Bool { mark.load(ordering: .relaxed) }

    func set() { mark.store(true, ordering: .relaxed) }
}
