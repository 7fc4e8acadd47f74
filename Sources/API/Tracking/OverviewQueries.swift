import Clicks
import Postgres

/// SQL of the overview.
enum OverviewQueries {
    static let statements = [overview]

    /// At most 10 lines a gonggu. By gonggus_influencer_id_idx, then by the hourly table's key,
    /// which needs the gonggus as an array: a join would read the hours of everybody's. A rate is
    /// looked up once a gonggu and day that had valid clicks.
    private static let overview = Statement(
        "stats_overview",
        """
        with daily as (
            select stats.gonggu_id, gonggu.title, stats.verdict,
                (stats.hour at time zone 'Asia/Seoul')::date as day,
                sum(stats.clicks)::bigint as clicks
            from click_stats as stats
            join gonggus as gonggu on gonggu.id = stats.gonggu_id
            where stats.gonggu_id = any (array(select id from gonggus where influencer_id = $1))
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
