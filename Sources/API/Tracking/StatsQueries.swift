import Clicks
import Postgres

// SQL on the view click_stats, which is hourly sums and the deltas not yet folded into them. No
// statement reads single clicks, so the cost grows with the hours asked for and not with the
// clicks: at most hours × verdicts × values of the other dimensions, by the primary key of the
// hourly table.

/// SQL on click_stats, each statement over one gonggu and a bounded period.
package enum StatsQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        selectSubject, selectHours, selectDays, byCountry, byDevice, byReferer, byChannel,
    ]

    static let selectSubject = Statement(
        "stats_subject", "select influencer_id, now() as now from gonggus where id = $1")

    /// Whose gonggu it is, also of a hidden one, and what day it is.
    static func subject(
        _ gonggu: Identifier, in connection: Connection
    ) throws(PostgresError) -> (owner: Identifier, now: Timestamp)? {
        guard let row = try connection.query(selectSubject, [gonggu]).first else { return nil }
        return (try row.get("influencer_id"), try row.get("now"))
    }

    /// At most 31 × 24 hours × 9 verdicts.
    static let selectHours = Statement(
        "stats_hours",
        """
        select hour as point, verdict, sum(clicks)::bigint as clicks
        from click_stats
        where gonggu_id = $1 and hour >= $2 and hour < $3
        group by hour, verdict
        limit 10000
        """)

    /// At most 366 days × 9 verdicts.
    static let selectDays = Statement(
        "stats_days",
        """
        select date_trunc('day', hour, 'Asia/Seoul') as point, verdict,
            sum(clicks)::bigint as clicks
        from click_stats
        where gonggu_id = $1 and hour >= $2 and hour < $3
        group by 1, verdict
        limit 10000
        """)

    static func counts(
        of gonggu: Identifier, over period: StatsPeriod, in connection: Connection
    ) throws(PostgresError) -> [CountedClicks<Timestamp>] {
        let statement = period.interval == .hour ? selectHours : selectDays
        return try connection.query(statement, [gonggu, period.start, period.end])
            .map { row throws(PostgresError) in
                CountedClicks(
                    key: try row.get("point"), verdict: try row.verdict("verdict"),
                    clicks: try row.get("clicks"))
            }
    }

    private static let byCountry = breakdown("stats_by_country", "country")
    private static let byDevice = breakdown("stats_by_device", "device")
    private static let byReferer = breakdown("stats_by_referer", "referer_host")
    private static let byChannel = breakdown("stats_by_channel", "channel")

    /// The largest values by name, the rest under null; the limit is above (100 + 1) × 9 verdicts.
    private static func breakdown(_ name: StaticString, _ column: StaticString) -> Statement {
        Statement(
            name,
            """
            with counted as (
                select \(column)::text as key, verdict, sum(clicks)::bigint as clicks
                from click_stats
                where gonggu_id = $1 and hour >= $2 and hour < $3
                group by 1, verdict
            ),
            placed as (
                select key, row_number() over (order by sum(clicks) desc, key) as place
                from counted
                group by key
            )
            select case when p.place <= $4 then c.key end as key, c.verdict,
                sum(c.clicks)::bigint as clicks
            from counted c
            join placed p on p.key = c.key
            group by 1, c.verdict
            limit 1000
            """)
    }

    /// Nil for the verdict, which the totals tell.
    static func counts(
        of gonggu: Identifier, over period: StatsPeriod, by dimension: StatsDimension,
        in connection: Connection
    ) throws(PostgresError) -> [CountedClicks<String?>]? {
        let statement: Statement
        switch dimension {
        case .country: statement = byCountry
        case .device: statement = byDevice
        case .referer: statement = byReferer
        case .channel: statement = byChannel
        case .verdict: return nil
        }
        return try connection.query(
            statement, [gonggu, period.start, period.end, StatsPart.countMax]
        )
        .map { row throws(PostgresError) in
            CountedClicks(
                key: try row.get("key"), verdict: try row.verdict("verdict"),
                clicks: try row.get("clicks"))
        }
    }
}

extension Row {
    /// A verdict that this build knows; the schema's version sees to that.
    fileprivate func verdict(_ column: String) throws(PostgresError) -> Verdict {
        let number: Int = try get(column)
        guard let verdict = UInt8(exactly: number).flatMap(Verdict.init(rawValue:)) else {
            throw PostgresError(
                kind: .decoding, message: "there is no verdict \(number)", column: column)
        }
        return verdict
    }
}
