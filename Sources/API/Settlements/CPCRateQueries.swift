import Clicks
import Postgres

// SQL on cpc_rates, which is only ever added to. What a click is worth is the function cpc_rate_at.

/// SQL on cpc_rates.
package enum CPCRateQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [insert, scope, count]
        + CPCRateSort.allCases.flatMap { [list($0, .ascending), list($0, .descending)] }

    static let scope = Statement(
        "cpc_rates_scope",
        """
        select
            $1::uuid is null or exists (select from gonggus where id = $1) as has_gonggu,
            $2::uuid is null
                or exists (select from users where id = $2 and role = 'influencer')
                as has_influencer,
            $3::date > korean_day(now())
                or $1::uuid is null and $2::uuid is null and not exists (
                    select from cpc_rates
                    where gonggu_id is null and influencer_id is null and effective_from <= $3
                ) as spares_past
        """)

    static let insert = Statement(
        "cpc_rates_insert",
        """
        insert into cpc_rates
            (gonggu_id, influencer_id, effective_from, rate_won, reason, created_by)
        values ($1, $2, $3, $4, $5, $6)
        returning id, gonggu_id, influencer_id, effective_from, rate_won, reason, created_at,
            created_by
        """)

    /// Adds a rate that changes what no past click is worth: it begins tomorrow or later, or it is
    /// the first that says anything at all of the days it begins with.
    static func insert(
        _ body: CPCRateBody, by account: Identifier, in connection: Connection
    ) throws -> CPCRate {
        guard body.gonggu == nil || body.influencer == nil else {
            throw SettlementRefusal.scopeTwice
        }
        // Of two at once the second must see the first.
        try connection.run(script: "lock table cpc_rates in share row exclusive mode")
        let day = body.effectiveFrom.date
        let scope = try connection.query(scope, [body.gonggu, body.influencer, day])[0]
        guard try scope.get("has_gonggu"), try scope.get("has_influencer") else {
            throw SettlementRefusal.scopeUnknown
        }
        guard try scope.get("spares_past") else { throw SettlementRefusal.rateRetroactive }
        return try CPCRate(
            connection.query(
                insert,
                [body.gonggu, body.influencer, day, body.rateWon, body.reason, account])[0])
    }

    private static let filter = """
        ($1::uuid is null or gonggu_id = $1) and ($2::uuid is null or influencer_id = $2)
        """

    static let count = Statement(
        "cpc_rates_count", "select count(*) as total from cpc_rates where \(filter)")

    private static func list(_ sort: CPCRateSort, _ order: Order) -> Statement {
        switch (sort, order) {
        case (.effectiveFrom, .ascending): list("cpc_rates_by_day_asc", "effective_from, sequence")
        case (.effectiveFrom, .descending):
            list("cpc_rates_by_day_desc", "effective_from desc, sequence desc")
        case (.createdAt, .ascending): list("cpc_rates_by_age_asc", "sequence")
        case (.createdAt, .descending): list("cpc_rates_by_age_desc", "sequence desc")
        }
    }

    private static func list(_ name: StaticString, _ order: StaticString) -> Statement {
        Statement(
            name,
            """
            select id, gonggu_id, influencer_id, effective_from, rate_won, reason, created_at,
                created_by
            from cpc_rates
            where \(filter)
            order by \(order)
            limit $3 offset $4
            """)
    }

    static func rates(
        gonggu: Identifier?, influencer: Identifier?, _ page: PageRequest<CPCRateSort>,
        in connection: Connection
    ) throws(PostgresError) -> ([CPCRate], total: Int) {
        let rows = try connection.query(
            list(page.sort, page.order), [gonggu, influencer, page.size, page.offset])
        let total: Int = try connection.query(count, [gonggu, influencer])[0].get("total")
        return (try rows.map { row throws(PostgresError) in try CPCRate(row) }, total)
    }
}

extension CPCRate {
    fileprivate init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        gonggu = try row.get("gonggu_id")
        influencer = try row.get("influencer_id")
        effectiveFrom = try row.day("effective_from")
        rateWon = try row.get("rate_won")
        reason = try row.get("reason")
        createdAt = try row.get("created_at")
        createdBy = try row.get("created_by")
    }
}
