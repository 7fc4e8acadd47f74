import Clicks
import Judging
import Postgres

/// SQL on single clicks: one gonggu, one period, pages by keyset.
enum ClickListQueries {
    static let statements = [newestFirst, oldestFirst]

    /// What is asked for.
    struct Wish: Sendable {
        let gonggu: Identifier
        let from: Timestamp
        /// Not included.
        let to: Timestamp
        /// The verdict that counts; nil for any.
        let verdict: Verdict?
    }

    private static func page(
        _ name: StaticString, _ comparison: StaticString, _ order: StaticString
    ) -> Statement {
        Statement(
            name,
            """
            select click.clicked_at, click.id, coalesce(final.verdict, click.verdict) as verdict,
                click.verdict as edge_verdict, coalesce(final.reason, click.reason) as reason,
                coalesce(final.rule_set, click.rule_set) as rule_set,
                coalesce(
                    (
                        select range_agg(tstzrange(from_at, to_at))
                        from adjudication_runs
                        where state = 'finished'
                    ) @> click.clicked_at,
                    false) as is_adjudicated,
                click.click_count, click.visitor_key, inet_send(click.ip_address) as address,
                click.country::text, click.device, click.channel,
                coalesce(referer.host, '') as referer_host, coalesce(agent.os, '') as os,
                coalesce(agent.browser, '') as browser, coalesce(agent.in_app, '') as in_app
            from click_trackings as click
            left join final_verdicts as final
                on final.gonggu_id = click.gonggu_id
                and final.clicked_at = click.clicked_at
                and final.click_id = click.id
            left join user_agents as agent on agent.id = click.user_agent_id
            left join referers as referer on referer.id = click.referer_id
            where click.gonggu_id = $1
                and click.clicked_at >= $2 and click.clicked_at < $3
                and (click.clicked_at, click.id) \(comparison) ($4, $5)
                and ($6::smallint is null or coalesce(final.verdict, click.verdict) = $6)
            order by click.clicked_at \(order), click.id \(order)
            limit $7
            """)
    }

    private static let newestFirst = page("clicks_newest_first", "<", "desc")
    private static let oldestFirst = page("clicks_oldest_first", ">", "asc")

    /// The newest clicks before the cursor, within a transaction. By the index on gonggu and time of days that are over;
    /// today's by a walk back over the partition's key.
    static func newest(
        _ wish: Wish, before cursor: ClickCursor?, limit: Int, in connection: Connection
    ) throws(PostgresError) -> [ClickItem] {
        // The end is not included, so nothing at the end itself is passed over.
        let place = cursor ?? ClickCursor(time: wish.to, id: Identifier(high: 0, low: 0))
        return try clicks(
            newestFirst, wish, from: wish.from, to: min(wish.to, place.time.next), place, limit,
            in: connection)
    }

    /// The oldest clicks after the cursor, within a transaction.
    static func oldest(
        _ wish: Wish, after cursor: ClickCursor?, limit: Int, in connection: Connection
    ) throws(PostgresError) -> [ClickItem] {
        // No click has the id of all zeros, so nothing at the beginning is passed over.
        let place = cursor ?? ClickCursor(time: wish.from, id: Identifier(high: 0, low: 0))
        return try clicks(
            oldestFirst, wish, from: max(wish.from, place.time), to: wish.to, place, limit,
            in: connection)
    }

    private static func clicks(
        _ statement: Statement, _ wish: Wish, from: Timestamp, to: Timestamp, _ place: ClickCursor,
        _ limit: Int, in connection: Connection
    ) throws(PostgresError) -> [ClickItem] {
        try connection.inKeyOrder { connection throws(PostgresError) in
            try connection.query(
                statement,
                [
                    wish.gonggu, from, to, place.time, place.id,
                    wish.verdict.map { Int($0.rawValue) }, limit,
                ])
        }
        .map { row throws(PostgresError) in
            ClickItem(
                id: try row.get(1), gonggu: wish.gonggu, time: try row.get(0),
                verdict: try row.knownVerdict(2), edgeVerdict: try row.knownVerdict(3),
                reason: UInt16(clamping: try row.get(4, as: Int.self)), ruleSet: try row.get(5),
                isAdjudicated: try row.get(6), count: try row.get(7),
                visitor: UInt64(bitPattern: try row.get(8, as: Int64.self)),
                address: try row.address(9), country: try row.get(10),
                device: DeviceClass(rawValue: UInt8(clamping: try row.get(11, as: Int.self)))
                    ?? .unknown,
                channel: try row.get(12), refererHost: try row.get(13), os: try row.get(14),
                browser: try row.get(15), inApp: try row.get(16))
        }
    }
}

extension Timestamp {
    /// The microsecond after it.
    fileprivate var next: Timestamp { Timestamp(microseconds: microseconds + 1) }
}
