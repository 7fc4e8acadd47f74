import Clicks
import Postgres

/// What has become of a flag. More clicks open a decided one again.
package enum FlagStatus: String, CaseIterable, Sendable {
    case open
    case released
    case confirmed
}

/// One address's flood on one gonggu within a Korean day.
package struct ClickFlag: Sendable {
    package let id: Identifier
    package let gonggu: Identifier
    package let title: String
    package let day: KoreanDay
    /// Nil once it is erased.
    package let address: NetworkAddress?
    package let firstClickAt: Timestamp
    package let lastClickAt: Timestamp
    /// Requests that were held when they came.
    package let clicks: Int
    package let status: FlagStatus
    package let openedAt: Timestamp
    package let decidedAt: Timestamp?
    package let reason: String

    static let schema = Schema<ClickFlag>(
        "ClickFlag",
        [
            Field("id", .identifier, \.id),
            Field("gonggu_id", .identifier, \.gonggu),
            Field("gonggu_title", .verbatim(example: "봄나물 공구"), \.title),
            Field("day", .day, \.day),
            Field(
                "ip_address", Schema<String>.verbatim(example: "203.0.113.7").orNull,
                \.addressText,
                about: Wording("주소. 보관 기간이 지나면 null", "The address; null once it is erased")),
            Field("first_clicked_at", .time, \.firstClickAt),
            Field("last_clicked_at", .time, \.lastClickAt),
            Field(
                "clicks", .count, \.clicks,
                about: Wording("들어올 때 보류된 클릭", "Clicks that were held when they came")),
            Field("status", .oneOf(FlagStatus.self), \.status),
            Field("opened_at", .time, \.openedAt),
            Field("decided_at", Schema<Timestamp>.time.orNull, \.decidedAt),
            Field("reason", .verbatim(example: "사내 시험"), \.reason),
        ])

    private var addressText: String? { address.map { "\($0)" } }
}

/// What flags can be sorted by.
package enum FlagSort: String, CaseIterable, Sendable {
    case lastClickedAt = "last_clicked_at"
    case clicks
}

/// SQL on click_flags and their decisions.
enum FlagQueries {
    static let statements = [
        byTime, byClicks, count, selectOne, lockOne, insertDecision, markDecided,
    ]

    /// The page is cut first, so that only its gonggus are looked up.
    private static func list(_ name: StaticString, _ column: StaticString) -> Statement {
        Statement(
            name,
            """
            select flag.id, flag.gonggu_id, coalesce(gonggu.title, '') as title, flag.day,
                inet_send(flag.ip_address) as address, flag.first_clicked_at,
                flag.last_clicked_at, flag.clicks, flag.status, flag.opened_at, flag.decided_at,
                flag.reason
            from (
                select *
                from click_flags
                where ($1::text is null or status = $1)
                    and ($2::uuid is null or gonggu_id = $2)
                order by case when $3 then \(column) end, case when not $3 then \(column) end desc,
                    id
                limit $4 offset $5
            ) as flag
            left join gonggus as gonggu on gonggu.id = flag.gonggu_id
            order by case when $3 then flag.\(column) end,
                case when not $3 then flag.\(column) end desc, flag.id
            """)
    }

    private static let byTime = list("flag_list_by_time", "last_clicked_at")
    private static let byClicks = list("flag_list_by_clicks", "clicks")

    private static let count = Statement(
        "flag_count",
        """
        select count(*)
        from (
            select from click_flags
            where ($1::text is null or status = $1)
                and ($2::uuid is null or gonggu_id = $2)
            order by last_clicked_at
            limit \(countMax)
        ) as counted
        """)
    /// Flags counted at most.
    static let countMax = 10_000

    private static func flag(_ row: Row) throws(PostgresError) -> ClickFlag {
        guard let status = FlagStatus(rawValue: try row.get(8)) else {
            throw PostgresError(
                kind: .decoding, message: "there is no such status", column: "status")
        }
        let day: PostgresDate = try row.get(3)
        return ClickFlag(
            id: try row.get(0), gonggu: try row.get(1), title: try row.get(2),
            day: KoreanDay(daysSince1970: day.daysSince1970), address: try row.address(4),
            firstClickAt: try row.get(5), lastClickAt: try row.get(6), clicks: try row.get(7),
            status: status, openedAt: try row.get(9), decidedAt: try row.get(10),
            reason: try row.get(11))
    }

    /// A page of flags, and how many there are, up to ``countMax``. Within a transaction.
    static func flags(
        status: FlagStatus?, gonggu: Identifier?, _ wish: PageRequest<FlagSort>,
        in connection: Connection
    ) throws(PostgresError) -> (items: [ClickFlag], total: Int) {
        let statement = wish.sort == .clicks ? byClicks : byTime
        return try connection.plannedAnew { connection throws(PostgresError) in
            let rows = try connection.query(
                statement,
                [status?.rawValue, gonggu, wish.order == .ascending, wish.size, wish.offset])
            let items = try rows.map { row throws(PostgresError) in try flag(row) }
            return (items, try connection.query(count, [status?.rawValue, gonggu])[0].get(0))
        }
    }

    private static let selectOne = Statement(
        "flag_select",
        """
        select flag.id, flag.gonggu_id, coalesce(gonggu.title, '') as title, flag.day,
            inet_send(flag.ip_address) as address, flag.first_clicked_at,
            flag.last_clicked_at, flag.clicks, flag.status, flag.opened_at, flag.decided_at,
            flag.reason
        from click_flags as flag
        left join gonggus as gonggu on gonggu.id = flag.gonggu_id
        where flag.id = $1
        """)

    static func flag(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> ClickFlag? {
        try connection.query(selectOne, [id]).first.map(flag)
    }

    private static let lockOne = Statement(
        "flag_lock", "select id from click_flags where id = $1 for update")

    /// The flag, which nobody adds to until the transaction ends.
    static func lock(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> ClickFlag? {
        _ = try connection.query(lockOne, [id])
        return try flag(id, in: connection)
    }

    private static let insertDecision = Statement(
        "flag_insert_decision",
        """
        insert into click_decisions
            (from_at, to_at, decided_by, gonggu_id, flag_id, verdict, outcome, reason)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        returning id
        """)
    private static let markDecided = Statement(
        "flag_mark_decided",
        """
        update click_flags
        set status = $2, decided_at = now(), decided_by = $3, reason = $4
        where id = $1
        """)

    /// Writes a decision down: it covers the address's clicks on the gonggu from the flag's first
    /// to its last. The decision's id.
    static func decide(
        _ flag: ClickFlag, _ outcome: ClickDecision.Outcome, reason: String, by: Identifier,
        in connection: Connection
    ) throws(PostgresError) -> Identifier {
        try connection.execute(markDecided, [flag.id, outcome.status.rawValue, by, reason])
        return try connection.query(
            insertDecision,
            [
                flag.firstClickAt, flag.lastClickAt, by, flag.gonggu, flag.id,
                Int(Verdict.flood.rawValue), outcome.rawValue, reason,
            ])[0].get(0)
    }
}
