import Logging
import Postgres
import ServiceLifecycle
import Synchronization

// What was written past ``SearchIndex`` and noted by the database: imports, other writers, and
// after the migration everything there was. A command for that would have to be thought of; this
// needs no thinking of, and no second implementation of the folding in SQL, which would have to
// agree with the one in Swift to the last character of Unicode.
//
// Several APIs may do it at once: each takes rows that no other has.

/// Enters what is pending, until the service stops.
package struct SearchCatchUp: Service {
    private let pool: ConnectionPool
    private let logger: Logger
    private let pauseMilliseconds: Int
    private let isStopping = SearchStopMark()

    /// Changes in one transaction, so that its locks are short.
    static let batchMax = 200

    /// - Parameter pauseMilliseconds: how long it waits before it looks for changes again.
    package init(pool: ConnectionPool, logger: Logger, pauseMilliseconds: Int = 1000) {
        self.pool = pool
        self.logger = logger
        self.pauseMilliseconds = pauseMilliseconds
    }

    package func run() async throws {
        await withGracefulShutdownHandler {
            var isFailing = false
            while !isStopping.isSet && !Task.isCancelled {
                do {
                    // A full batch has more behind it.
                    if try await runOnce() > 0 { continue }
                    isFailing = false
                } catch {
                    // Said once: while the database is away it is so every second.
                    if !isFailing {
                        logger.error("search is not brought up", metadata: ["reason": "\(error)"])
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

    /// Enters one batch; how many entries were pending in it.
    package func runOnce() async throws -> Int {
        try await pool.transaction {
            try SearchQueries.enterPending(limit: SearchCatchUp.batchMax, in: $0)
        }
    }
}

private final class SearchStopMark: Sendable {
    private let mark = Atomic(false)

    var isSet: Bool { mark.load(ordering: .acquiring) }

    func set() { mark.store(true, ordering: .releasing) }
}
