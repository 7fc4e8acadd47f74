import Postgres
import Schema
import Settings

extension Connection {
    /// After which the ledger gives up on a statement, and on a session that has gone silent in the
    /// middle of a transaction: its locks would hold up whoever comes after it.
    private static let patienceSeconds = 60

    /// A connection to the ledger with this build's schema.
    ///
    /// - Throws: `PostgresError`, or what ``Migrator/requireCurrent(_:)`` says of another schema.
    static func toLedger(_ url: Secret, as name: String) throws -> Connection {
        let db = try Connection(
            url: url.text, applicationName: name, statementTimeoutSeconds: patienceSeconds)
        // A host of ours that vanished leaves a session that the server takes for alive, for two
        // hours by default, also in the middle of a COPY, where no timeout applies.
        try db.run(
            script: """
                set idle_in_transaction_session_timeout = '\(patienceSeconds)s';
                set tcp_keepalives_idle = 30;
                set tcp_keepalives_interval = 10;
                set tcp_keepalives_count = 3;
                """)
        try Migrator.requireCurrent(db)
        return db
    }
}
