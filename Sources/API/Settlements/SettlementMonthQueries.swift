import Clicks
import Postgres

// SQL on months: where each stands, what closing writes, and where its won are.

/// SQL on settlement_months and on what closing touches.
package enum SettlementMonthQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        select, frontier, addEvent, hasNewAdjustments, closeSettlements, closeSeals,
        closeAdjustments, close,
    ]

    /// To be the first thing a transaction does: a snapshot taken before the lock would not show
    /// what the one who had it before wrote.
    static func lock(
        adjudication: Bool = false, in connection: Connection
    ) throws(PostgresError) {
        try connection.run(
            script: "set transaction isolation level repeatable read;"
                + "lock table settlement_months in share row exclusive mode;"
                + (adjudication ? "lock table click_adjudications in share mode;" : ""))
    }

    static let select = Statement(
        "months_select",
        """
        select m.month, m.status, m.drafted_by, m.closed_by, m.drafted_at, m.closed_at,
            m.minimum_payout_won, m.gross_clicks, m.valid_clicks, m.held_clicks,
            m.rejected_clicks, m.pending_clicks, m.unexplained_clicks, m.settlements, m.lines,
            m.sealed_clicks, m.corrected_clicks, m.settled_clicks, m.lines_won, m.carried_in_won,
            m.payable_won, m.carried_out_won, encode(m.manifest_sha256, 'hex') as manifest,
            exists (
                select from settlements s
                where s.month = m.month and s.status in ('closed', 'held')
            ) as is_due,
            b.paid_won, b.tax_won, b.vat_won, b.held_won, b.unpaid_won, b.difference_won
        from settlement_months m
        left join settlement_books b on b.month = m.month
        where m.month = $1
        """)

    /// Nil while it has no draft.
    static func month(
        _ month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) -> SettlementMonth? {
        try connection.query(select, [month.date]).first.map { row throws(PostgresError) in
            try SettlementMonth(row)
        }
    }

    static let frontier = Statement(
        "months_frontier",
        """
        select now() as now, max(month) as last_closed
        from settlement_months
        where status = 'closed'
        """)

    /// The latest closed month, and what time it is.
    static func frontier(
        in connection: Connection
    ) throws(PostgresError) -> (lastClosed: KoreanMonth?, now: Timestamp) {
        let row = try connection.query(frontier)[0]
        return (try row.dayIfAny("last_closed").map { KoreanMonth(of: $0) }, try row.get("now"))
    }

    static let addEvent = Statement(
        "settlement_events_add",
        """
        insert into settlement_events (by_user, month, settlement_id, kind, detail)
        values ($1, $2, $3, $4, $5)
        """)

    /// Notes who did what.
    static func note(
        _ kind: String, by account: Identifier, _ month: KoreanMonth,
        settlement: Identifier? = nil, detail: String = "", in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(addEvent, [account, month.date, settlement, kind, detail])
    }

    static let hasNewAdjustments = Statement(
        "months_new_adjustments",
        """
        select exists (
            select from settlement_adjustments a
            join settlement_months m on m.month = $1
            where a.settled_month is null and a.corrects_month <= $1 and a.made_at > m.drafted_at
        ) as is_outdated,
        exists (
            select from settlement_adjustments a
            where a.settled_month is null and a.corrects_month <= $1 and a.made_by = $2
        ) as is_own
        """)

    /// Whether adjustments were made since the draft, and whether some are this account's.
    static func adjustments(
        since month: KoreanMonth, by account: Identifier, in connection: Connection
    ) throws(PostgresError) -> (isOutdated: Bool, isOwn: Bool) {
        let row = try connection.query(hasNewAdjustments, [month.date, account])[0]
        return (try row.get("is_outdated"), try row.get("is_own"))
    }

    static let closeSettlements = Statement(
        "months_close_settlements",
        """
        update settlements
        set status = case
            when payable_won = 0 then 'carried'
            when held_at is not null then 'held'
            else 'closed'
        end
        where month = $1
        """)
    static let closeSeals = Statement(
        "months_close_seals",
        """
        update click_day_seals
        set settled_month = $1
        where settled_month is null and sha256 is not null and day < $2
        """)
    static let closeAdjustments = Statement(
        "months_close_adjustments",
        """
        update settlement_adjustments
        set settled_month = $1
        where settled_month is null and corrects_month <= $1
        """)
    static let close = Statement(
        "months_close",
        """
        update settlement_months
        set status = 'closed', closed_by = $2, closed_at = clock_timestamp()
        where month = $1
        """)

    /// Makes the draft final. The month's own row comes last: from then on triggers refuse.
    static func close(
        _ month: KoreanMonth, by closer: Identifier, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(closeSettlements, [month.date])
        try connection.execute(closeSeals, [month.date, month.next.date])
        try connection.execute(closeAdjustments, [month.date])
        try connection.execute(close, [month.date, closer])
    }
}

extension SettlementMonth {
    /// A row of ``SettlementMonthQueries/select``.
    fileprivate init(_ row: Row) throws(PostgresError) {
        month = try row.month("month")
        let isClosed = try row.get("status", as: String.self) == "closed"
        let isDue: Bool = try row.get("is_due")
        status = isClosed ? (isDue ? .closed : .paid) : .draft
        draftedBy = try row.get("drafted_by")
        closedBy = try row.get("closed_by")
        draftedAt = try row.get("drafted_at")
        closedAt = try row.get("closed_at")
        minimumPayoutWon = try row.get("minimum_payout_won")
        ledger = LedgerTotals(
            gross: try row.get("gross_clicks"), valid: try row.get("valid_clicks"),
            held: try row.get("held_clicks"), rejected: try row.get("rejected_clicks"),
            pending: try row.get("pending_clicks"), unexplained: try row.get("unexplained_clicks"))
        totals = SettledTotals(
            settlements: try row.get("settlements"), lines: try row.get("lines"),
            sealedClicks: try row.get("sealed_clicks"),
            correctedClicks: try row.get("corrected_clicks"),
            settledClicks: try row.get("settled_clicks"), linesWon: try row.get("lines_won"),
            carriedInWon: try row.get("carried_in_won"), payableWon: try row.get("payable_won"),
            carriedOutWon: try row.get("carried_out_won"))
        books =
            isClosed
            ? Books(
                paidWon: try row.get("paid_won"), taxWon: try row.get("tax_won"),
                vatWon: try row.get("vat_won"), heldWon: try row.get("held_won"),
                unpaidWon: try row.get("unpaid_won"), differenceWon: try row.get("difference_won"))
            : nil
        manifest = try row.get("manifest")
    }
}
