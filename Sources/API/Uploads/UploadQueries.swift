import Clicks
import Postgres

// SQL on uploads. A try is written down before its body is read, so that the hourly bound counts
// tries, over all APIs of a site, however many come at once.

/// SQL on uploads, with what it binds and what comes back.
package enum UploadQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [lockAccount, beginTry, forgetTry, keep]

    static let lockAccount = Statement(
        "uploads_lock_account", "select id from users where id = $1 for no key update")

    static let beginTry = Statement(
        "uploads_begin",
        """
        with forgotten as (
            delete from uploads
            where user_id = $1 and stored_at is null and created_at <= now() - interval '1 day'
            returning id, created_at
        ), discarded as (
            insert into discarded_images (id, created_at)
            select id, created_at from forgotten
        ), recent as (
            select count(*) as tries, min(created_at) as oldest
            from uploads
            where user_id = $1 and created_at > now() - interval '1 hour'
        ), begun as (
            insert into uploads (id, user_id)
            select $2, $1 from recent where tries < $3
            returning created_at
        )
        select begun.created_at,
            greatest(1, ceil(extract(epoch from recent.oldest + interval '1 hour' - now())))::int
                as wait_seconds
        from recent left join begun on true
        """)

    /// Notes a try of an account, by the index on (user_id, created_at); at most `perHour` rows
    /// of it are counted. Tries that came to nothing are dropped after a day, on the way, with the
    /// files that one may have left whose process died.
    /// - Throws: ``UploadRefusal/tooMany(retryAfterSeconds:)`` at the bound.
    static func begin(
        _ id: Identifier, by account: Identifier, perHour: Int, in connection: Connection
    ) throws -> Timestamp {
        // Two at once would each not see the other's row.
        try connection.execute(lockAccount, [account])
        let row = try connection.query(beginTry, [account, id, perHour])[0]
        guard let time: Timestamp = try row.get("created_at") else {
            throw UploadRefusal.tooMany(retryAfterSeconds: try row.get("wait_seconds") ?? 3600)
        }
        return time
    }

    static let forgetTry = Statement(
        "uploads_forget",
        """
        with forgotten as (
            delete from uploads
            where id = $1 and stored_at is null
            returning id, created_at
        )
        insert into discarded_images (id, created_at)
        select id, created_at from forgotten
        """)

    /// For a try that failed by our fault, which is nobody's to pay for. A bucket that went away
    /// may have one of its files.
    static func forget(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(forgetTry, [id])
    }

    static let keep = Statement(
        "uploads_keep",
        """
        update uploads
        set stored_at = now(), purpose = $2, width = $3, height = $4, sent_bytes = $5
        where id = $1
        """)

    static func keep(
        _ id: Identifier, purpose: ImagePurpose, width: Int, height: Int, sentBytes: Int,
        in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(keep, [id, purpose.rawValue, width, height, sentBytes])
    }
}
