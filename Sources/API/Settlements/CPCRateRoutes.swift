import Clicks
import Hummingbird
import Postgres

extension Tag {
    static let settlements = Tag("settlements", Wording("정산", "Settlements"))
}

/// The routes under /cpc-rates.
package struct CPCRateRoutes: Sendable {
    let pool: ConnectionPool

    private static let gonggu = Parameter<Identifier?>.optional("gonggu_id", Schema.identifier)
    private static let influencer = Parameter<Identifier?>.optional(
        "influencer_id", Schema.identifier)
    private static let pages = Pages(CPCRateSort.self, default: .effectiveFrom)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/cpc-rates", id: "listCPCRates", tag: .settlements,
            Wording("클릭 단가 목록", "List CPC rates"), access: .role(.finance),
            inputs: [Self.gonggu, Self.influencer, Self.pages],
            answer: .ok(.page(of: CPCRate.schema)), handler: list)
        table.add(
            .post, "/api/v1/cpc-rates", id: "addCPCRate", tag: .settlements,
            Wording(
                "클릭 단가 추가. 공구별, 인플루언서별, 기본 순으로 적용됩니다",
                "Add a CPC rate: a gonggu's before an influencer's before the default"),
            access: .role(.finance), body: CPCRateBody.schema, answer: .created(CPCRate.schema),
            handler: add)
    }

    @Sendable func list(_ call: Call) async throws -> Page<CPCRate> {
        let wish = call[Self.pages]
        let (gonggu, influencer) = (call[Self.gonggu], call[Self.influencer])
        let (rates, total) = try await pool.run {
            try CPCRateQueries.rates(gonggu: gonggu, influencer: influencer, wish, in: $0)
        }
        return wish.page(rates, total: total)
    }

    /// 422 for a rate that would touch past clicks.
    @Sendable func add(_ call: Call, _ body: CPCRateBody) async throws -> CPCRate {
        let account = call.account.id
        return try await pool.transaction { try CPCRateQueries.insert(body, by: account, in: $0) }
    }
}
