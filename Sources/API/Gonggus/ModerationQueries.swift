import Clicks
import Postgres

/// SQL on suspensions.
package enum ModerationQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [lock, setSuspended]

    static let lock = Statement(
        "gonggus_lock_moderated",
        """
        select influencer_id, title, suspended_at is not null as is_suspended
        from gonggus
        where id = $1 and hidden_at is null
        for no key update
        """)

    static let setSuspended = Statement(
        "gonggus_set_suspended",
        "update gonggus set suspended_at = case when $2::boolean then now() end where id = $1")

    /// Suspends or restores a gonggu that is not so already.
    ///
    /// - Returns: whose it is and what it is called.
    static func set(
        _ id: Identifier, isSuspended: Bool, in connection: Connection
    ) throws -> (owner: Identifier, title: String) {
        guard let row = try connection.query(lock, [id]).first else {
            throw ModerationRefusal.notFound
        }
        guard try row.get("is_suspended", as: Bool.self) != isSuspended else {
            throw isSuspended ? ModerationRefusal.alreadySuspended : .notSuspended
        }
        try connection.execute(setSuspended, [id, isSuspended])
        return try (row.get("influencer_id"), row.get("title"))
    }
}
