import Clicks
import Postgres

/// SQL on login_attempts. Where `time` is nil, the database's clock is meant.
package enum LoginAttemptQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [lockKnown, lockNew, save, clear, sweep]

    static let lockKnown = Statement(
        "login_attempts_lock",
        """
        select counts_until, coalesce($2::timestamptz, clock_timestamp()) as now
        from login_attempts
        where key = $1
        for update
        """)

    static let lockNew = Statement(
        "login_attempts_lock_new",
        """
        insert into login_attempts as l (key, counts_until, expires_at)
        values ($1, '{}', coalesce($2::timestamptz, clock_timestamp()))
        on conflict on constraint login_attempts_pkey do update
        set expires_at = l.expires_at
        returning counts_until, coalesce($2::timestamptz, clock_timestamp()) as now
        """)

    /// What is counted, with the row held until the transaction ends. One that is refused writes
    /// nothing, hence the look before the insert.
    static func lock(
        _ key: [UInt8], at time: Timestamp?, in connection: Connection
    ) throws(PostgresError) -> (attempts: CountedAttempts, now: Timestamp) {
        var rows = try connection.query(lockKnown, [key, time])
        if rows.isEmpty { rows = try connection.query(lockNew, [key, time]) }
        let until: [PostgresTimestamp] = try rows[0].get("counts_until")
        return (
            CountedAttempts(until: until.map { Timestamp(microseconds: $0.microseconds) }),
            try rows[0].get("now")
        )
    }

    static let save = Statement(
        "login_attempts_save",
        "update login_attempts set counts_until = $2, expires_at = $3 where key = $1")

    static func save(
        _ attempts: CountedAttempts, of key: [UInt8], at now: Timestamp, in connection: Connection
    ) throws(PostgresError) {
        let until = attempts.until.map { PostgresTimestamp(microseconds: $0.microseconds) }
        try connection.execute(save, [key, until, attempts.until.last ?? now])
    }

    static let clear = Statement(
        "login_attempts_clear", "delete from login_attempts where key = $1")

    static func clear(_ key: [UInt8], in connection: Connection) throws(PostgresError) {
        try connection.execute(clear, [key])
    }

    static let sweep = Statement(
        "login_attempts_sweep",
        """
        delete from login_attempts
        where key in (
            select key
            from login_attempts
            where expires_at < coalesce($1::timestamptz, clock_timestamp())
            order by expires_at
            limit 20
            for update skip locked
        )
        """)

    /// Removes some rows of which nothing counts any more, by the index on expires_at; waits for
    /// nobody.
    static func sweep(
        at time: Timestamp?, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(sweep, [time])
    }
}
