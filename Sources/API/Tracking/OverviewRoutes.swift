import Clicks
import Hummingbird
import Postgres

/// SQL of the overview.
enum OverviewQueries {
    static let statements = [overview]

    /// At most 10 lines a gonggu. By gonggus_influencer_id_idx, then by the hourly table's key; a
    /// rate is looked up once a gonggu and day that had valid clicks.
    private static let overview = Statement(
        "stats_overview",
        """
        with daily as (
            select stats.gonggu_id, gonggu.title, stats.verdict,
                (stats.hour at time zone 'Asia/Seoul')::date as day,
                sum(stats.clicks)::bigint as clicks
            from gonggus as gonggu
            join click_stats as stats on stats.gonggu_id = gonggu.id
            where gonggu.influencer_id = $1
                and stats.hour >= $2 and stats.hour < $3
            group by stats.gonggu_id, gonggu.title, stats.verdict, day
        ),
        rated as (
            select daily.*,
                case when verdict = 0 and clicks > 0 then cpc_rate_at(gonggu_id, day) end as rate
            from daily
        )
        select gonggu_id, title, verdict, sum(clicks)::bigint as clicks,
            coalesce(sum(clicks * rate), 0)::bigint as won,
            coalesce(sum(clicks) filter (where verdict = 0 and rate is null), 0)::bigint
                as without_rate
        from rated
        group by gonggu_id, title, verdict
        limit 100000
        """)

    static func rows(
        of influencer: Identifier, over period: StatsPeriod, in connection: Connection
    ) throws(PostgresError) -> [OverviewRow] {
        try connection.query(overview, [influencer, period.start, period.end])
            .map { row throws(PostgresError) in
                OverviewRow(
                    gonggu: try row.get(0), title: try row.get(1),
                    verdict: try row.knownVerdict(2), clicks: try row.get(3),
                    won: try row.get(4), clicksWithoutRate: try row.get(5))
            }
    }
}

/// The route of an influencer's gonggus side by side.
package struct OverviewRoutes: Sendable {
    let pool: ConnectionPool

    private static let influencer = Parameter<Identifier?>.optional(
        "influencer_id", Schema.identifier,
        about: Wording("재무와 관리자만. 기본은 본인", "For finance and admins; oneself by default"))
    private static let from = Parameter<KoreanDay?>.optional(
        "from", Schema.day, about: Wording("첫날(한국 시간). 기본은 30일", "The first day, in Korea"))
    private static let to = Parameter<KoreanDay?>.optional(
        "to", Schema.day, about: Wording("마지막 날(한국 시간). 기본은 오늘", "The last day, included"))

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares it.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/tracking/overview", id: "clickOverview", tag: .tracking,
            Wording("공구별 클릭과 예상 수익", "An influencer's gonggus side by side"),
            access: .role(.influencer, .finance), inputs: [Self.influencer, Self.from, Self.to],
            answer: .ok(Overview.schema), handler: { try await overview($0) })
    }

    /// 403 another influencer's, 422 a period that is empty or too long.
    func overview(_ call: Call) async throws -> Overview {
        let caller = call.account
        let influencer = call[Self.influencer] ?? caller.id
        guard influencer == caller.id || caller.seesAllClicks else { throw Problem(.roleMissing) }
        let (from, to) = (call[Self.from], call[Self.to])
        return try await pool.run { connection in
            let today = try RunQueries.now(in: connection).koreanDay
            let period = try StatsPeriod(from: from, to: to, interval: .day, today: today)
            return Overview(
                influencer: influencer, period: period,
                rows: try OverviewQueries.rows(of: influencer, over: period, in: connection))
        }
    }
}
