import Clicks
import Postgres

/// SQL on notifications.
package enum InboxQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        insert, listDescending, listAscending, listUnreadDescending, listUnreadAscending, count,
        countUnread, read, readAll, deleteOld,
    ]

    static let insert = Statement(
        "notifications_insert",
        """
        insert into notifications (id, user_id, kind, subject_id, params)
        values ($1, $2, $3, $4, $5)
        on conflict on constraint notifications_event_key do nothing
        """)

    /// Puts an event into its receiver's inbox; call it in the transaction that causes the event.
    ///
    /// - Returns: false where it was there already.
    @discardableResult
    package static func post(
        _ event: InboxEvent, in connection: Connection
    ) throws(PostgresError) -> Bool {
        let params = JSON.object(
            event.params.sorted { $0.key < $1.key }.map { .init($0.key, .text($0.value)) })
        return try connection.execute(
            insert,
            [
                Identifier.new(), event.user, event.kind.rawValue, event.subject,
                PostgresJSON(text: String(decoding: params.bytes, as: UTF8.self)),
            ]) == 1
    }

    /// By notifications_inbox_idx, or notifications_unread_idx, in its order.
    private static func list(
        _ name: StaticString, _ order: StaticString, onlyUnread: Bool = false
    ) -> Statement {
        Statement(
            name,
            """
            select id, kind, subject_id, params, created_at, read_at
            from notifications
            where user_id = $1\(onlyUnread ? " and read_at is null" : "")
            order by created_at \(order), id \(order)
            limit $2 offset $3
            """)
    }

    private static let listDescending = list("notifications_list_desc", "desc")
    private static let listAscending = list("notifications_list", "asc")
    private static let listUnreadDescending = list(
        "notifications_unread_desc", "desc", onlyUnread: true)
    private static let listUnreadAscending = list("notifications_unread", "asc", onlyUnread: true)

    static let count = Statement(
        "notifications_count", "select count(*) as total from notifications where user_id = $1")

    static let countUnread = Statement(
        "notifications_count_unread",
        "select count(*) as total from notifications where user_id = $1 and read_at is null")

    /// One page of a person's inbox, and how many there are in all.
    static func page(
        of user: Identifier, onlyUnread: Bool, _ request: PageRequest<InboxSort>,
        in connection: Connection
    ) throws(PostgresError) -> (items: [InboxItem], total: Int) {
        let isUp = request.order == .ascending
        let list =
            onlyUnread
            ? isUp ? listUnreadAscending : listUnreadDescending
            : isUp ? listAscending : listDescending
        let rows = try connection.query(list, [user, request.size, request.offset])
        let total: Int = try connection.query(onlyUnread ? countUnread : count, [user])[0]
            .get("total")
        return (try rows.map { row throws(PostgresError) in try InboxItem(row) }, total)
    }

    static let read = Statement(
        "notifications_read",
        """
        update notifications
        set read_at = coalesce(read_at, now())
        where id = $1 and user_id = $2
        returning id, kind, subject_id, params, created_at, read_at
        """)

    /// Nil where there is none of that person's. The time of the first reading stays.
    static func markRead(
        _ id: Identifier, of user: Identifier, in connection: Connection
    ) throws(PostgresError) -> InboxItem? {
        try connection.query(read, [id, user]).first.map { row throws(PostgresError) in
            try InboxItem(row)
        }
    }

    static let readAll = Statement(
        "notifications_read_all",
        "update notifications set read_at = now() where user_id = $1 and read_at is null")

    /// How many had not been read, by notifications_unread_idx.
    static func markAllRead(
        of user: Identifier, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.execute(readAll, [user])
    }

    static let deleteOld = Statement(
        "notifications_delete_old",
        """
        delete from notifications
        where ctid = any (array(
            select ctid
            from notifications
            where created_at < now() - make_interval(days => $1)
            order by created_at
            limit $2
            for update skip locked
        ))
        """)

    /// At most so many, by the index on created_at. Returns how many there were.
    static func deleteOld(
        keptDays: Int, limit: Int, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.execute(deleteOld, [keptDays, limit])
    }
}

extension InboxItem {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        kind = try row.oneOf("kind")
        subject = try row.get("subject_id")
        createdAt = try row.get("created_at")
        readAt = try row.get("read_at")
        // try?: a check constraint keeps it an object; what is no text is no word of ours.
        let json = try? JSON(reading: row.get("params", as: PostgresJSON.self).text.utf8)
        params = Dictionary(
            (json?.members ?? []).compactMap { member in
                member.value.text.map { (member.name, $0) }
            }, uniquingKeysWith: { first, _ in first })
    }
}
