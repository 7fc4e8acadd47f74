import Hummingbird
import Logging
import Postgres
import ServiceLifecycle
import Settings

/// How long an inbox remembers.
package struct InboxSettings: Sendable {
    /// Days that a notification stays, read or not.
    package let keptDays: Int

    init(reading reader: inout SettingsReader) {
        keptDays = reader.integer(
            "NOTIFICATION_DAYS", default: 180, in: 7...3650, unit: "days",
            "How long a notification stays in an inbox, read or not.")
    }
}

/// Deletes notifications that are old, a bounded number at a time, every minute. Of several
/// processes each takes other rows.
package struct InboxSweep: Service {
    let pool: ConnectionPool
    let logger: Logger
    let keptDays: Int
    let pauseSeconds: Int
    /// Rows a statement.
    static let batchMax = 1000
    /// Statements a round; more is left for the next one.
    static let batchesMax = 100

    package init(
        pool: ConnectionPool, logger: Logger, settings: InboxSettings, pauseSeconds: Int = 60
    ) {
        self.pool = pool
        self.logger = logger
        keptDays = settings.keptDays
        self.pauseSeconds = pauseSeconds
    }

    package func run() async throws {
        await repeatRounds(pauseSeconds: pauseSeconds, logger, failure: "inboxes are not swept") {
            _ = try await runOnce()
        }
    }

    /// Returns how many rows it deleted.
    package func runOnce() async throws -> Int {
        var deleted = 0
        for _ in 0..<InboxSweep.batchesMax {
            let batch = try await pool.run {
                try InboxQueries.deleteOld(
                    keptDays: keptDays, limit: InboxSweep.batchMax, in: $0)
            }
            deleted += batch
            if batch < InboxSweep.batchMax { break }
        }
        return deleted
    }
}
