import Clicks
import Postgres

/// What appeals can be sorted by.
package enum AppealSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
}

/// SQL on click_appeals.
enum AppealQueries {
    static let statements = [
        openCount, hasClicks, insert, select, selectForUpdate, list, count, answer, insertDecision,
    ]

    private static let openCount = Statement(
        "appeal_open_count",
        "select count(*) from click_appeals where created_by = $1 and status = 'open'")

    static func openCount(
        by account: Identifier, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.query(openCount, [account])[0].get(0)
    }

    private static let hasClicks = Statement(
        "appeal_has_clicks",
        """
        select exists (
            select from final_clicks
            where gonggu_id = $1 and clicked_at >= $2 and clicked_at < $3 and verdict = $4
        )
        """)

    /// Whether there is a click to appeal about.
    static func hasClicks(
        _ body: AppealBody, in connection: Connection
    ) throws(PostgresError) -> Bool {
        try connection.query(
            hasClicks, [body.gonggu, body.from, body.to, Int(body.verdict.verdict.rawValue)])[0]
            .get(0)
    }

    private static let insert = Statement(
        "appeal_insert",
        """
        insert into click_appeals (gonggu_id, from_at, to_at, verdict, grounds, created_by)
        values ($1, $2, $3, $4, $5, $6)
        returning id, gonggu_id, from_at, to_at, verdict, grounds, status, answer, created_by,
            created_at, answered_at
        """)

    static func insert(
        _ body: AppealBody, by account: Identifier, in connection: Connection
    ) throws(PostgresError) -> ClickAppeal {
        try appeal(
            connection.query(
                insert,
                [
                    body.gonggu, body.from, body.to, Int(body.verdict.verdict.rawValue),
                    body.grounds, account,
                ])[0])
    }

    private static func appeal(_ row: Row) throws(PostgresError) -> ClickAppeal {
        guard let verdict = AppealedVerdict(try row.knownVerdict(4)),
            let status = AppealStatus(rawValue: try row.get(6))
        else {
            throw PostgresError(kind: .decoding, message: "an appeal of no known kind")
        }
        return ClickAppeal(
            id: try row.get(0), gonggu: try row.get(1), from: try row.get(2), to: try row.get(3),
            verdict: verdict, grounds: try row.get(5), status: status, answer: try row.get(7),
            createdBy: try row.get(8), createdAt: try row.get(9), answeredAt: try row.get(10))
    }

    private static let select = Statement(
        "appeal_select",
        """
        select id, gonggu_id, from_at, to_at, verdict, grounds, status, answer, created_by,
            created_at, answered_at
        from click_appeals
        where id = $1
        """)
    private static let selectForUpdate = Statement(
        "appeal_select_for_update",
        """
        select id, gonggu_id, from_at, to_at, verdict, grounds, status, answer, created_by,
            created_at, answered_at
        from click_appeals
        where id = $1
        for update
        """)

    static func appeal(
        _ id: Identifier, forUpdate: Bool = false, in connection: Connection
    ) throws(PostgresError) -> ClickAppeal? {
        try connection.query(forUpdate ? selectForUpdate : select, [id]).first.map(appeal)
    }

    private static let list = Statement(
        "appeal_list",
        """
        select id, gonggu_id, from_at, to_at, verdict, grounds, status, answer, created_by,
            created_at, answered_at
        from click_appeals
        where ($1::text is null or status = $1)
            and ($2::uuid is null or created_by = $2)
            and ($3::uuid is null or gonggu_id = $3)
        order by case when $4 then created_at end, case when not $4 then created_at end desc, id
        limit $5 offset $6
        """)
    private static let count = Statement(
        "appeal_count",
        """
        select count(*)
        from (
            select from click_appeals
            where ($1::text is null or status = $1)
                and ($2::uuid is null or created_by = $2)
                and ($3::uuid is null or gonggu_id = $3)
            order by created_at
            limit \(countMax)
        ) as counted
        """)
    /// Appeals counted at most.
    static let countMax = 10_000

    /// A page of appeals, and how many there are, up to ``countMax``. Within a transaction.
    static func appeals(
        status: AppealStatus?, by account: Identifier?, of gonggu: Identifier?,
        _ wish: PageRequest<AppealSort>, in connection: Connection
    ) throws(PostgresError) -> (items: [ClickAppeal], total: Int) {
        try connection.plannedAnew { connection throws(PostgresError) in
            let filter: [(any PostgresEncodable)?] = [status?.rawValue, account, gonggu]
            let rows = try connection.query(
                list, filter + [wish.order == .ascending, wish.size, wish.offset])
            let items = try rows.map { row throws(PostgresError) in try appeal(row) }
            return (items, try connection.query(count, filter)[0].get(0))
        }
    }

    private static let answer = Statement(
        "appeal_answer",
        """
        update click_appeals
        set status = $2, answer = $3, answered_by = $4, answered_at = now()
        where id = $1
        """)
    /// The appeal's end is not included, a decision's is.
    private static let insertDecision = Statement(
        "appeal_insert_decision",
        """
        insert into click_decisions
            (from_at, to_at, decided_by, gonggu_id, appeal_id, verdict, outcome, reason)
        values ($1, $2::timestamptz - interval '1 microsecond', $3, $4, $5, $6, 'release', $7)
        """)

    /// Answers it; an accepted one takes the rule back for its clicks, from the next judgement on.
    static func answer(
        _ appeal: ClickAppeal, _ body: AppealAnswerBody, by account: Identifier,
        in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(
            answer, [appeal.id, body.outcome.rawValue, body.answer, account])
        guard body.outcome == .accepted else { return }
        for verdict in appeal.verdict.released {
            try connection.execute(
                insertDecision,
                [
                    appeal.from, appeal.to, account, appeal.gonggu, appeal.id,
                    Int(verdict.rawValue), body.answer,
                ])
        }
    }
}
