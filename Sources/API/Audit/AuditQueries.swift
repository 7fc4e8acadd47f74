import Clicks
import Postgres

// SQL on audit_log. A list has a statement for each index that can lead it, so that its plan does
// not depend on which filters were sent; the other filters are applied to what the index finds.

/// SQL on the log of decisions.
package enum AuditQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [insert]
        + Lead.allCases.flatMap { [$0.list(.ascending), $0.list(.descending), $0.count] }

    static let insert = Statement(
        "audit_log_insert",
        """
        insert into audit_log (by_user, object_id, action, reason, before, after)
        values ($1, $2, $3, $4, $5, $6)
        """)

    static func insert(
        _ action: AuditAction, on object: Identifier?, before: JSON?, after: JSON?,
        reason: String, by: Identifier?, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(
            insert,
            [by, object, action.name, reason, before.map(json), after.map(json)])
    }

    private static func json(_ value: JSON) -> PostgresJSON {
        PostgresJSON(text: String(decoding: value.bytes, as: UTF8.self))
    }

    /// Which index leads a list: the first of these whose column is asked for.
    private enum Lead: CaseIterable {
        case object, by, action, time

        init(_ filter: AuditFilter) {
            self =
                filter.object != nil
                ? .object : filter.by != nil ? .by : filter.action != nil ? .action : .time
        }

        func list(_ order: Order) -> Statement {
            let statements =
                switch self {
                case .object: AuditQueries.byObject
                case .by: AuditQueries.byPerson
                case .action: AuditQueries.byAction
                case .time: AuditQueries.byTime
                }
            return order == .ascending ? statements.ascending : statements.descending
        }

        var count: Statement {
            switch self {
            case .object: AuditQueries.countOfObject
            case .by: AuditQueries.countOfPerson
            case .action: AuditQueries.countOfAction
            case .time: AuditQueries.countOfAll
            }
        }
    }

    /// The conditions from $1 to $5, with that of the leading index first.
    private static func condition(_ lead: StaticString) -> String {
        """
        \(lead) and ($1::uuid is null or l.object_id = $1) and ($2::uuid is null or l.by_user = $2)
            and ($3::text is null or l.action = $3)
            and l.at >= coalesce($4::timestamptz, '-infinity')
            and l.at < coalesce($5::timestamptz, 'infinity')
        """
    }

    private static func list(
        _ name: StaticString, _ lead: StaticString, _ order: StaticString
    ) -> Statement {
        Statement(
            name,
            """
            select l.sequence, l.at, l.by_user, u.nickname as by_nickname, l.action, l.object_id,
                l.before, l.after, l.reason
            from audit_log l
            left join users u on u.id = l.by_user
            where \(condition(lead))
            order by l.at \(order), l.sequence \(order)
            limit $6 offset $7
            """)
    }

    /// Lines counted at most: further ones are found by narrower filters.
    private static let countMax = 10_000

    /// In the order of the leading index, so that it is read, and no further than needed.
    private static func count(_ name: StaticString, _ lead: StaticString) -> Statement {
        Statement(
            name,
            """
            select count(*)
            from (
                select from audit_log l where \(condition(lead)) order by l.at limit \(countMax)
            ) as counted
            """)
    }

    private static let byObject = (
        ascending: list("audit_list_object", "l.object_id = $1", "asc"),
        descending: list("audit_list_object_desc", "l.object_id = $1", "desc")
    )
    private static let byPerson = (
        ascending: list("audit_list_person", "l.by_user = $2", "asc"),
        descending: list("audit_list_person_desc", "l.by_user = $2", "desc")
    )
    private static let byAction = (
        ascending: list("audit_list_action", "l.action = $3", "asc"),
        descending: list("audit_list_action_desc", "l.action = $3", "desc")
    )
    private static let byTime = (
        ascending: list("audit_list", "true", "asc"),
        descending: list("audit_list_desc", "true", "desc")
    )
    private static let countOfObject = count("audit_count_object", "l.object_id = $1")
    private static let countOfPerson = count("audit_count_person", "l.by_user = $2")
    private static let countOfAction = count("audit_count_action", "l.action = $3")
    private static let countOfAll = count("audit_count", "true")

    /// One page, the lines' times in that order, and how many there are, up to ``countMax``. Within
    /// a transaction.
    static func page(
        _ filter: AuditFilter, order: Order, limit: Int, offset: Int, in connection: Connection
    ) throws(PostgresError) -> (items: [AuditEntry], total: Int) {
        let lead = Lead(filter)
        let parameters: [(any PostgresEncodable)?] = [
            filter.object, filter.by, filter.action, filter.from, filter.to,
        ]
        // Under a plan for any parameters all lines of a person or an action were read and sorted.
        return try connection.inKeyOrder { connection throws(PostgresError) in
            let rows = try connection.query(lead.list(order), parameters + [limit, offset])
            let items = try rows.map { row throws(PostgresError) in try AuditEntry(row) }
            return (items, try connection.query(lead.count, parameters)[0].get(0))
        }
    }
}

extension AuditEntry {
    fileprivate init(_ row: Row) throws(PostgresError) {
        sequence = try row.get("sequence")
        at = try row.get("at")
        by = try row.get("by_user")
        byNickname = try row.get("by_nickname")
        action = try row.get("action")
        object = try row.get("object_id")
        before = try row.state("before")
        after = try row.state("after")
        reason = try row.get("reason")
    }
}

extension Row {
    fileprivate func state(_ column: String) throws(PostgresError) -> JSON? {
        guard let stored: PostgresJSON = try get(column) else { return nil }
        do {
            return try JSON(reading: stored.text.utf8)
        } catch {
            throw PostgresError(kind: .decoding, message: "no JSON of ours", column: column)
        }
    }
}
