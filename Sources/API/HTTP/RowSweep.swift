import Logging
import Postgres
import ServiceLifecycle

/// Deletes rows whose time is over, a bounded number at a time, every minute. Of several processes
/// each takes other rows.
package struct RowSweep: Service {
    let pool: ConnectionPool
    let logger: Logger
    /// What the log says of a round that failed.
    let failure: Logger.Message
    /// Deletes so many rows at most, and returns how many.
    let delete: @Sendable (_ limit: Int, _ connection: Connection) throws -> Int
    /// Rows a statement.
    static let batchMax = 1000
    /// Statements a round; more is left for the next one.
    static let batchesMax = 100
    static let pauseSeconds = 60

    package func run() async throws {
        await repeatRounds(pauseSeconds: RowSweep.pauseSeconds, logger, failure: failure) {
            _ = try await runOnce()
        }
    }

    /// Returns how many rows it deleted.
    package func runOnce() async throws -> Int {
        var deleted = 0
        for _ in 0..<RowSweep.batchesMax {
            let batch = try await pool.run { try delete(RowSweep.batchMax, $0) }
            deleted += batch
            if batch < RowSweep.batchMax { break }
        }
        return deleted
    }
}
