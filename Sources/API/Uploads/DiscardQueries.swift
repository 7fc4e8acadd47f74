import Clicks
import Postgres

/// SQL on discarded_images.
package enum DiscardQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [discardAll, take, finish]

    /// A step of the erasure: forgets what an account has uploaded, and has the files deleted.
    static let discardAll = Statement(
        "discarded_images_add_all",
        """
        with gone as (
            delete from uploads
            where user_id = $1
            returning id, created_at
        )
        insert into discarded_images (id, created_at)
        select id, created_at from gone
        """)

    /// A minute after the first try, then twice as long after each, up to a day.
    static let take = Statement(
        "discarded_images_take",
        """
        update discarded_images
        set tries = tries + 1,
            due_at = now() + make_interval(mins => least(1440, 1 << least(tries, 11)))
        where id = any (array(
            select id
            from discarded_images
            where due_at <= now()
            order by due_at
            limit $1
            for update skip locked
        ))
        returning id, created_at
        """)

    struct Image: Sendable {
        let id: Identifier
        let createdAt: Timestamp
    }

    /// What is due, by the index on due_at, and not again soon.
    static func take(
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> [Image] {
        try connection.query(take, [limit]).map { row throws(PostgresError) in
            Image(id: try row.get("id"), createdAt: try row.get("created_at"))
        }
    }

    static let finish = Statement(
        "discarded_images_finish", "delete from discarded_images where id = $1")

    /// Its files are gone.
    static func finish(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(finish, [id])
    }
}
