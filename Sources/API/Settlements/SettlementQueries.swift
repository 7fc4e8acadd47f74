import Clicks
import Postgres

// SQL on settlements as they are read, held and adjusted.

/// What settlements are sorted by.
package enum SettlementSort: String, CaseIterable, Sendable {
    case month
    case payableWon = "payable_won"
    case clicks
}

/// SQL on settlements, their lines and adjustments.
package enum SettlementQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [
            select, count, lines, lineCount, line, lock, hold, release, invoice, adjust, expected,
            expectedCount, openMonths,
        ] + SettlementSort.allCases.flatMap { [list($0, .ascending), list($0, .descending)] }

    private static let columns = """
        s.id, s.month, s.influencer_id, s.nickname, s.status, s.clicks, s.lines_won,
        s.carried_in_won, s.payable_won, s.carried_out_won, s.hold_reason, s.tax_invoice_number,
        p.payment_day, p.payee_type, p.gross_won, p.income_tax_won, p.local_tax_won, p.vat_won
        """
    private static let joins = """
        left join settlement_payments p on p.settlement_id = s.id
        """

    static let select = Statement(
        "settlements_select",
        "select \(columns) from settlements s \(joins) where s.id = $1")

    static func settlement(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Settlement? {
        try connection.query(select, [id]).first.map { row throws(PostgresError) in
            try Settlement(row)
        }
    }

    // MARK: Lists

    /// What a list holds; nil leaves a condition out.
    struct Filter: Sendable {
        var month: KoreanMonth?
        var status: SettlementStatus?
        var influencer: Identifier?
        /// Drafts are finance's alone.
        var hasDrafts = true

        fileprivate var parameters: [(any PostgresEncodable)?] {
            [month?.date, status?.rawValue, influencer, hasDrafts]
        }
    }

    private static let filter = """
        ($1::date is null or s.month = $1) and ($2::text is null or s.status = $2)
        and ($3::uuid is null or s.influencer_id = $3) and ($4::bool or s.status <> 'draft')
        """

    static let count = Statement(
        "settlements_count", "select count(*) as total from settlements s where \(filter)")

    private static func list(_ sort: SettlementSort, _ order: Order) -> Statement {
        switch (sort, order) {
        case (.month, .ascending): list("settlements_by_month_asc", "s.month, s.influencer_id")
        case (.month, .descending):
            list("settlements_by_month_desc", "s.month desc, s.influencer_id")
        case (.payableWon, .ascending):
            list("settlements_by_won_asc", "s.payable_won, s.month, s.influencer_id")
        case (.payableWon, .descending):
            list("settlements_by_won_desc", "s.payable_won desc, s.month, s.influencer_id")
        case (.clicks, .ascending):
            list("settlements_by_clicks_asc", "s.clicks, s.month, s.influencer_id")
        case (.clicks, .descending):
            list("settlements_by_clicks_desc", "s.clicks desc, s.month, s.influencer_id")
        }
    }

    private static func list(_ name: StaticString, _ order: StaticString) -> Statement {
        Statement(
            name,
            """
            select \(columns)
            from settlements s
            \(joins)
            where \(filter)
            order by \(order)
            limit $5 offset $6
            """)
    }

    static func page(
        _ filter: Filter, _ request: PageRequest<SettlementSort>, in connection: Connection
    ) throws(PostgresError) -> Page<Settlement> {
        let rows = try connection.query(
            list(request.sort, request.order),
            filter.parameters + [request.size, request.offset])
        let total: Int = try connection.query(count, filter.parameters)[0].get("total")
        return request.page(
            try rows.map { row throws(PostgresError) in try Settlement(row) }, total: total)
    }

    // MARK: Expected

    /// Months from the one after the last closed to the current one, at most three, latest first.
    static let openMonths = Statement(
        "settlements_open_months",
        """
        select month::date as month
        from generate_series(
            korean_month(now()) - interval '2 months', korean_month(now()), interval '1 month'
        ) as month
        where month > coalesce(
            (select max(m.month) from settlement_months m where m.status = 'closed'),
            '-infinity')
        order by month desc
        """)

    static func openMonths(
        in connection: Connection
    ) throws(PostgresError) -> [KoreanMonth] {
        try connection.query(openMonths).map { row throws(PostgresError) in
            try row.month("month")
        }
    }

    /// By the statistics' hours of the month; of one influencer by their gonggus' part of the key.
    private static let expectedRows = """
        with counted as (
            select stats.gonggu_id, korean_day(stats.hour) as day,
                sum(stats.clicks)::bigint as clicks
            from click_stats as stats
            where stats.verdict = 0 and stats.hour >= $1 and stats.hour < $2
                and ($3::uuid is null or stats.gonggu_id = any (array(
                    select id from gonggus where influencer_id = $3)))
            group by 1, 2
        ),
        expected as (
            select gonggu.influencer_id, sum(counted.clicks)::bigint as clicks,
                sum(counted.clicks
                    * coalesce(cpc_rate_at(counted.gonggu_id, counted.day), 0))::bigint as won
            from counted
            join gonggus as gonggu on gonggu.id = counted.gonggu_id
            group by gonggu.influencer_id
        )
        """

    static let expected = Statement(
        "settlements_expected",
        """
        \(expectedRows)
        select expected.influencer_id, u.nickname, expected.clicks, expected.won
        from expected
        join users u on u.id = expected.influencer_id
        order by expected.influencer_id
        limit $4 offset $5
        """)
    static let expectedCount = Statement(
        "settlements_expected_count", "\(expectedRows) select count(*) as total from expected")

    /// What a month without a draft would come to now; no carry-over, and at most 100 rows.
    static func expected(
        _ month: KoreanMonth, influencer: Identifier?, limit: Int = 100, offset: Int = 0,
        in connection: Connection
    ) throws(PostgresError) -> [Settlement] {
        try connection.query(expected, [month.start, month.end, influencer, limit, offset])
            .map { row throws(PostgresError) in
                let won: Int = try row.get("won")
                return Settlement(
                    id: nil, month: month, influencer: try row.get("influencer_id"),
                    nickname: try row.get("nickname"), status: .expected,
                    clicks: try row.get("clicks"), linesWon: won, carriedInWon: 0,
                    payableWon: won, carriedOutWon: 0, holdReason: nil, taxInvoiceNumber: nil,
                    payment: nil)
            }
    }

    static func expectedCount(
        _ month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.query(expectedCount, [month.start, month.end, Identifier?.none])[0]
            .get("total")
    }

    // MARK: Lines

    private static let lineColumns = """
        l.number, l.kind, l.gonggu_id, l.title, l.corrects_month, l.clicks, l.rate_won,
        l.amount_won, l.note
        """

    static let lines = Statement(
        "settlement_lines_page",
        """
        select \(lineColumns)
        from settlements s
        join settlement_lines l on l.month = s.month and l.influencer_id = s.influencer_id
        where s.id = $1
        order by l.number
        limit $2 offset $3
        """)
    static let lineCount = Statement(
        "settlement_lines_count",
        """
        select count(*) as total
        from settlements s
        join settlement_lines l on l.month = s.month and l.influencer_id = s.influencer_id
        where s.id = $1
        """)

    static func lines(
        of id: Identifier, limit: Int, offset: Int, in connection: Connection
    ) throws(PostgresError) -> ([SettlementLine], total: Int) {
        let rows = try connection.query(lines, [id, limit, offset])
        let total: Int = try connection.query(lineCount, [id])[0].get("total")
        return (try rows.map { row throws(PostgresError) in try SettlementLine(row) }, total)
    }

    static let line = Statement(
        "settlement_lines_select",
        """
        select \(lineColumns)
        from settlements s
        join settlement_lines l on l.month = s.month and l.influencer_id = s.influencer_id
        where s.id = $1 and l.number = $2
        """)

    static func line(
        _ number: Int, of id: Identifier, in connection: Connection
    ) throws(PostgresError) -> SettlementLine? {
        guard number <= Int(Int32.max) else { return nil }
        return try connection.query(line, [id, number]).first.map { row throws(PostgresError) in
            try SettlementLine(row)
        }
    }

    // MARK: Changes

    static let lock = Statement(
        "settlements_lock",
        """
        select s.month, s.influencer_id, s.status, s.held_at is not null as is_held
        from settlements s
        where s.id = $1
        for update
        """)

    /// What decides whether a settlement may be held, released, adjusted or invoiced.
    struct Standing: Sendable {
        let month: KoreanMonth
        let influencer: Identifier
        let status: SettlementStatus
        let isHeld: Bool
    }

    static func lock(_ id: Identifier, in connection: Connection) throws -> Standing {
        guard let row = try connection.query(lock, [id]).first else {
            throw SettlementRefusal.settlementNotFound
        }
        return Standing(
            month: try row.month("month"), influencer: try row.get("influencer_id"),
            status: try row.settlementStatus(), isHeld: try row.get("is_held"))
    }

    static let hold = Statement(
        "settlements_hold",
        """
        update settlements
        set held_at = now(), held_by = $2, hold_reason = $3,
            status = case status when 'closed' then 'held' else status end
        where id = $1
        """)

    static func hold(
        _ id: Identifier, by account: Identifier, reason: String, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(hold, [id, account, reason])
    }

    static let release = Statement(
        "settlements_release",
        """
        update settlements
        set held_at = null, held_by = null, hold_reason = null,
            status = case status when 'held' then 'closed' else status end
        where id = $1
        """)

    static func release(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(release, [id])
    }

    static let invoice = Statement(
        "settlements_invoice",
        "update settlements set tax_invoice_number = $2, tax_invoice_day = $3 where id = $1")

    static func invoice(
        _ id: Identifier, number: String, day: KoreanDay, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(invoice, [id, number, day.date])
    }

    static let adjust = Statement(
        "settlements_adjust",
        """
        insert into settlement_adjustments
            (influencer_id, amount_won, made_by, corrects_month, reason)
        values ($1, $2, $3, $4, $5)
        returning id
        """)

    static func adjust(
        _ standing: Standing, won: Int, by account: Identifier, reason: String,
        in connection: Connection
    ) throws(PostgresError) -> Identifier {
        try connection.query(
            adjust, [standing.influencer, won, account, standing.month.date, reason])[0].get("id")
    }
}

extension Row {
    fileprivate func settlementStatus() throws(PostgresError) -> SettlementStatus {
        let text: String = try get("status")
        guard let status = SettlementStatus(rawValue: text) else {
            throw PostgresError(kind: .decoding, message: "there is no status \(text)")
        }
        return status
    }
}

extension Settlement {
    fileprivate init(_ row: Row) throws(PostgresError) {
        id = try row.get("id", as: Identifier.self)
        month = try row.month("month")
        influencer = try row.get("influencer_id")
        nickname = try row.get("nickname")
        status = try row.settlementStatus()
        clicks = try row.get("clicks")
        linesWon = try row.get("lines_won")
        carriedInWon = try row.get("carried_in_won")
        payableWon = try row.get("payable_won")
        carriedOutWon = try row.get("carried_out_won")
        holdReason = try row.get("hold_reason")
        taxInvoiceNumber = try row.get("tax_invoice_number")
        if let day = try row.dayIfAny("payment_day") {
            let type = PayeeType(rawValue: try row.get("payee_type")) ?? .individual
            payment = Payment(
                day: day, type: type,
                parts: PaymentParts(
                    gross: try row.get("gross_won"), incomeTax: try row.get("income_tax_won"),
                    localTax: try row.get("local_tax_won"), vat: try row.get("vat_won")))
        } else {
            payment = nil
        }
    }
}

extension SettlementLine {
    /// A row with the columns of a line.
    init(_ row: Row) throws(PostgresError) {
        number = try row.get("number")
        kind = LineKind(rawValue: try row.get("kind")) ?? .manual
        gonggu = try row.get("gonggu_id")
        title = try row.get("title")
        correctsMonth = try row.month("corrects_month")
        clicks = try row.get("clicks")
        rateWon = try row.get("rate_won")
        amountWon = try row.get("amount_won")
        note = try row.get("note")
    }
}
