import Clicks
import Postgres

// SQL behind the exports and behind a line's clicks. All of them go on after a key, a page at a
// time, so that files of any size take constant memory and no connection is kept meanwhile. What
// they read of a closed month never changes, so pages of one file belong together; their order is
// of keys that two copies of a database agree on.

/// One row of the ledger: a line, or the balance that a settlement brings along or passes on, so
/// that an influencer's rows add up to what is paid.
package struct LedgerRow: Sendable {
    /// What the amount is of.
    package enum Kind: String, CaseIterable, Sendable {
        case clicks
        case correction
        case manual
        case carriedIn = "carried_in"
        case carriedOut = "carried_out"
    }

    package let influencer: Identifier
    package let nickname: String
    /// 0 for what is carried in, the largest number for what is carried out.
    package let number: Int
    package let kind: Kind
    package let gonggu: Identifier?
    package let title: String
    package let correctsMonth: KoreanMonth
    package let clicks: Int
    package let rateWon: Int?
    package let amountWon: Int
    package let note: String
}

/// One payment as exports have it.
package struct PaymentRow: Sendable {
    package let influencer: Identifier
    package let day: KoreanDay
    package let parts: PaymentParts
    package let payee: SealedPayee
    package let invoiceNumber: String?
    package let invoiceDay: KoreanDay?
}

/// A click that a line pays for, or takes back.
package struct LineClick: Equatable, Sendable {
    package let id: Identifier
    package let clickedAt: Timestamp
    /// Below 0 where it is taken back.
    package let clicks: Int
    /// `valid`, or why it is a correction: `late`, `revised`.
    package let cause: Cause
    package let amountWon: Int

    package enum Cause: String, CaseIterable, Sendable {
        case valid
        case late
        case revised
    }
}

/// SQL on what a month's exports show.
package enum SettlementExportQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [ledger, payments, lineDays, lineClicks, lineCorrections]

    static let ledger = Statement(
        "export_ledger",
        """
        with entries as (
            select l.influencer_id, l.number, l.kind, l.gonggu_id, l.title, l.corrects_month,
                l.clicks, l.rate_won, l.amount_won, l.note
            from settlement_lines l
            where l.month = $1 and (l.influencer_id, l.number) > ($2, $3)
            union all
            select influencer_id, 0, 'carried_in', null, '', month, 0, null, carried_in_won, ''
            from settlements
            where month = $1 and carried_in_won <> 0 and (influencer_id, 0) > ($2, $3)
            union all
            select influencer_id, 2147483647, 'carried_out', null, '', month, 0, null,
                -carried_out_won, ''
            from settlements
            where month = $1 and carried_out_won <> 0 and (influencer_id, 2147483647) > ($2, $3)
        )
        select e.influencer_id, s.nickname, e.number, e.kind, e.gonggu_id, e.title,
            e.corrects_month, e.clicks, e.rate_won, e.amount_won, e.note
        from entries e
        join settlements s on s.month = $1 and s.influencer_id = e.influencer_id
        order by e.influencer_id, e.number
        limit $4
        """)

    static func ledger(
        _ month: KoreanMonth, after last: LedgerRow?, limit: Int, in connection: Connection
    ) throws(PostgresError) -> [LedgerRow] {
        let rows = try connection.query(
            ledger,
            [
                month.date, last?.influencer ?? Identifier(high: 0, low: 0),
                last?.number ?? -1, limit,
            ])
        return try rows.map { row throws(PostgresError) in
            LedgerRow(
                influencer: try row.get("influencer_id"), nickname: try row.get("nickname"),
                number: try row.get("number"),
                kind: LedgerRow.Kind(rawValue: try row.get("kind")) ?? .manual,
                gonggu: try row.get("gonggu_id"), title: try row.get("title"),
                correctsMonth: try row.month("corrects_month"), clicks: try row.get("clicks"),
                rateWon: try row.get("rate_won"), amountWon: try row.get("amount_won"),
                note: try row.get("note"))
        }
    }

    static let payments = Statement(
        "export_payments",
        """
        select p.influencer_id, p.payment_day, p.payee_type, p.gross_won, p.income_tax_won,
            p.local_tax_won, p.vat_won, p.payee_key_id, p.payee_sealed, s.tax_invoice_number,
            s.tax_invoice_day
        from settlement_payments p
        join settlements s on s.id = p.settlement_id
        where p.month = $1 and p.influencer_id > $2 and ($3::text is null or p.payee_type = $3)
            and ($4::date is null or p.payment_day = $4)
        order by p.influencer_id
        limit $5
        """)

    static func payments(
        _ month: KoreanMonth, _ type: PayeeType?, on day: KoreanDay?, after last: Identifier?,
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> [PaymentRow] {
        let rows = try connection.query(
            payments,
            [
                month.date, last ?? Identifier(high: 0, low: 0), type?.rawValue, day?.date, limit,
            ])
        return try rows.map { row throws(PostgresError) in
            let type = PayeeType(rawValue: try row.get("payee_type")) ?? .individual
            return PaymentRow(
                influencer: try row.get("influencer_id"), day: try row.day("payment_day"),
                parts: PaymentParts(
                    gross: try row.get("gross_won"), incomeTax: try row.get("income_tax_won"),
                    localTax: try row.get("local_tax_won"), vat: try row.get("vat_won")),
                payee: SealedPayee(
                    type: type, keyID: try row.get("payee_key_id"),
                    sealed: try row.get("payee_sealed")),
                invoiceNumber: try row.get("tax_invoice_number"),
                invoiceDay: try row.dayIfAny("tax_invoice_day"))
        }
    }

    // MARK: The clicks of a line

    static let lineDays = Statement(
        "line_days",
        """
        select seal.day
        from click_day_seals as seal
        join click_day_counts as each on each.day = seal.day and each.gonggu_id = $2
        where (
                seal.settled_month = $1
                or seal.settled_month is null and not is_closed_month($1)
                    and seal.day < $1 + interval '1 month'
            )
            and date_trunc('month', seal.day)::date = $3
            and cpc_rate_at($2, seal.day) = $4
        order by seal.day
        limit 4000
        """)

    /// The sealed days whose clicks the line pays for.
    static func days(
        of line: SettlementLine, gonggu: Identifier, in month: KoreanMonth,
        _ connection: Connection
    ) throws(PostgresError) -> [PostgresDate] {
        try connection.query(
            lineDays, [month.date, gonggu, line.correctsMonth.date, line.rateWon]
        ).map { row throws(PostgresError) in try row.day("day").date }
    }

    /// By the ledger's key within the month corrected, or by an index on the gonggu where there is
    /// one.
    static let lineClicks = Statement(
        "line_clicks",
        """
        select click.clicked_at, click.id, click.click_count as clicks, 'valid' as cause
        from click_trackings as click
        left join final_verdicts as final
            on final.gonggu_id = click.gonggu_id and final.clicked_at = click.clicked_at
            and final.click_id = click.id
        left join revised_clicks as revised
            on revised.clicked_at = click.clicked_at and revised.id = click.id
        where click.gonggu_id = $1 and click.clicked_at >= $2 and click.clicked_at < $3
            and (click.clicked_at, click.id) > ($2, $4)
            and korean_day(click.clicked_at) = any ($5)
            and coalesce(revised.sealed_verdict, final.verdict, click.verdict) = 0
            and not exists (
                select from late_clicks as late
                where late.clicked_at = click.clicked_at and late.id = click.id
            )
        order by click.clicked_at, click.id
        limit $6
        """)

    static let lineCorrections = Statement(
        "line_corrections",
        """
        select fix.clicked_at, fix.id, fix.clicks,
            case when late.id is null then 'revised' else 'late' end as cause
        from settlement_corrections as fix
        left join late_clicks as late on late.clicked_at = fix.clicked_at and late.id = fix.id
        where fix.month = $1 and fix.gonggu_id = $2 and fix.corrects_month = $3
            and fix.rate_won = $4 and (fix.clicked_at, fix.id) > ($5, $6)
        order by fix.clicked_at, fix.id
        limit $7
        """)

    /// Clicks of days that the line pays for, then its corrections, after `last`.
    static func clicks(
        of line: SettlementLine, in month: KoreanMonth, after last: LineClick?, limit: Int,
        _ connection: Connection
    ) throws(PostgresError) -> [LineClick] {
        guard let gonggu = line.gonggu, let rate = line.rateWon else { return [] }
        let corrected = line.correctsMonth
        var found: [LineClick] = []
        if last == nil || last?.cause == .valid {
            let days = try days(of: line, gonggu: gonggu, in: month, connection)
            found = try connection.query(
                lineClicks,
                [
                    gonggu, last?.clickedAt ?? corrected.start, corrected.end,
                    last?.id ?? Identifier(high: 0, low: 0), days, limit,
                ]
            ).map { row throws(PostgresError) in try LineClick(row, rateWon: rate) }
        }
        guard found.count < limit else { return found }
        let isAmongCorrections = last.map { $0.cause != .valid } ?? false
        return try found
            + connection.query(
                lineCorrections,
                [
                    month.date, gonggu, corrected.date, rate,
                    isAmongCorrections ? last!.clickedAt : corrected.start,
                    isAmongCorrections ? last!.id : Identifier(high: 0, low: 0),
                    limit - found.count,
                ]
            ).map { row throws(PostgresError) in try LineClick(row, rateWon: rate) }
    }
}

extension LineClick {
    fileprivate init(_ row: Row, rateWon: Int) throws(PostgresError) {
        id = try row.get("id")
        clickedAt = try row.get("clicked_at")
        clicks = try row.get("clicks")
        cause = Cause(rawValue: try row.get("cause")) ?? .valid
        amountWon = clicks * rateWon
    }

    static let schema = Schema<LineClick>(
        "SettledClick",
        [
            Field("click_id", .identifier, \.id), Field("clicked_at", .time, \.clickedAt),
            Field(
                "clicks", Schema.integer(-2_147_483_647...2_147_483_647), \.clicks,
                about: Wording("지급(+) 또는 회수(-)한 클릭", "Paid, or below 0 taken back"),
                example: 1),
            Field(
                "cause", .oneOf(Cause.self), \.cause,
                about: Wording("유효, 늦은 도착, 판정 변경", "Valid, late, or judged anew")),
            Field("amount_won", .money, \.amountWon, example: 250),
        ])
}
