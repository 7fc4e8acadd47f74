import Logging
import Postgres
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

extension RowSweep {
    /// Of notifications that are old.
    package static func ofInboxes(
        pool: ConnectionPool, logger: Logger, settings: InboxSettings
    ) -> RowSweep {
        RowSweep(pool: pool, logger: logger, failure: "inboxes are not swept") {
            try InboxQueries.deleteOld(keptDays: settings.keptDays, limit: $0, in: $1)
        }
    }
}
