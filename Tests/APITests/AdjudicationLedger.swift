import Clicks
import Postgres
import TestSupport
import Testing

@testable import API

// A made-up world in a real ledger, as Ingest would have brought it there, and what must be true of
// the ledger afterwards.

/// A database with a ``TestWorld`` in it.
final class AdjudicationLedger: Sendable {
    let database: TestDatabase
    let influencer: Identifier
    let admin: Identifier
    let gonggus: [Identifier]

    init() throws {
        database = try TestDatabase()
        influencer = Identifier(high: 5 << 16 | 0x4000, low: 2 << 62 | 5)
        admin = Identifier(high: 6 << 16 | 0x4000, low: 2 << 62 | 6)
        gonggus = (1...2).map { Identifier(high: 1 << 16 | 0x4000, low: 2 << 62 | $0) }
    }

    func connect() throws -> Connection { try database.connect() }

    func world(seed: UInt64, clicks: Int) -> TestWorld {
        TestWorld(
            seed: seed, clicks: clicks, gonggus: gonggus, influencer: influencer, admin: admin)
    }

    /// Everything but the clicks.
    func prepare(_ world: TestWorld) throws {
        let connection = try connect()
        try connection.run(
            script: """
                insert into users (id, nickname, role) values
                    ('\(influencer)', '인플', 'influencer'), ('\(admin)', '관리', 'admin');
                select ensure_click_partition(date '2026-11-09' + n) from generate_series(0, 2) n;
                insert into rule_sets (version, name, window_seconds, flood_clicks_per_minute,
                    bot_table, datacenters)
                values (1000, 'test', \(testRules.windowSeconds), \(testRules.floodClicksPerMinute),
                    \(testRules.botTable), '\(testRules.datacenters)');
                """)
        for (index, agent) in TestWorld.agents.enumerated() {
            try connection.execute(
                Statement(
                    "test_agent",
                    "insert into user_agents (id, agent) overriding system value values ($1, $2)"),
                [index + 1, agent])
        }
        for gonggu in gonggus {
            try connection.run(
                script: """
                    insert into gonggus (id, influencer_id, open_at, close_at, original_price,
                        gonggu_price, title, external_url)
                    values ('\(gonggu)', '\(influencer)', '2026-11-10T00:00:00Z',
                        '2026-11-20T00:00:00Z', 10, 5, '공구', 'https://shop.example/');
                    delete from gonggu_terms where gonggu_id = '\(gonggu)';
                    """)
            for terms in world.evidence.terms[gonggu]! {
                try connection.execute(
                    Statement(
                        "test_terms",
                        """
                        insert into gonggu_terms
                            (gonggu_id, known_at, open_at, close_at, influencer_id, is_off)
                        values ($1, $2, $3, $4, $5, $6)
                        """),
                    [
                        gonggu, terms.knownAt, terms.opensAt, terms.closesAt, terms.influencer,
                        terms.isOff,
                    ])
            }
        }
    }

    private static let insert = Statement(
        "test_clicks",
        """
        insert into click_trackings (clicked_at, visitor_key, id, gonggu_id, user_id,
            user_agent_id, click_count, verdict, rule_set, reason, path, ip_address, channel)
        select clicked_at, visitor, id, gonggu, nullif(user_id, $12), nullif(agent, 0), count,
            verdict, 2, reason, 0, nullif(address, '')::inet, channel
        from unnest($1::timestamptz[], $2::bigint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::int[],
            $7::int[], $8::smallint[], $9::smallint[], $10::text[], $11::text[]) as click (
                clicked_at, visitor, id, gonggu, user_id, agent, count, verdict, reason, address,
                channel)
        """)
    /// As Ingest counts: what is beyond its bound goes to the line (other).
    private static let count = Statement(
        "test_deltas",
        """
        insert into click_stats_deltas (gonggu_id, hour, clicks, verdict, channel, referer_host)
        select gonggu_id, date_trunc('hour', clicked_at), sum(click_count), verdict,
            case when channel = 'c' then '' else channel end,
            case when channel = 'c' then '(other)' else '' end
        from click_trackings
        where id = any ($1::uuid[])
        group by 1, 2, 4, 5, 6
        """)
    private static let flag = Statement(
        "test_flags",
        """
        insert into click_flags (
            day, gonggu_id, ip_address, first_clicked_at, last_clicked_at, clicks)
        select (clicked_at at time zone 'Asia/Seoul')::date, gonggu_id, ip_address,
            min(clicked_at), max(clicked_at), sum(click_count)
        from click_trackings
        where id = any ($1::uuid[]) and verdict = 2 and ip_address is not null
        group by 1, 2, 3
        on conflict on constraint click_flags_flood_key do update
        set first_clicked_at = least(click_flags.first_clicked_at, excluded.first_clicked_at),
            last_clicked_at = greatest(click_flags.last_clicked_at, excluded.last_clicked_at),
            clicks = click_flags.clicks + excluded.clicks,
            status = 'open'
        """)

    /// Brings clicks as Ingest does, with their counts and flags.
    func insert(_ clicks: [StoredClick]) throws {
        guard !clicks.isEmpty else { return }
        let connection = try connect()
        let nobody = Identifier(high: 0, low: 0)
        try connection.transaction { connection in
            try connection.execute(
                Self.insert,
                [
                    clicks.map { PostgresTimestamp(microseconds: $0.time.microseconds) },
                    clicks.map { Int64(bitPattern: $0.visitor) }, clicks.map(\.id),
                    clicks.map(\.gonggu), clicks.map { $0.user ?? nobody },
                    clicks.map { $0.agent ?? 0 }, clicks.map(\.count),
                    clicks.map { Int($0.edge.verdict.rawValue) },
                    clicks.map { Int($0.edge.reason) },
                    clicks.map { $0.address.map { "\($0)" } ?? "" },
                    clicks.map { ["a", "b", "c"][Int($0.id.low % 3)] }, nobody,
                ])
            try connection.execute(Self.count, [clicks.map(\.id)])
            try connection.execute(Self.flag, [clicks.map(\.id)])
            if clicks.count % 2 == 0 { try connection.run(script: "select fold_click_stats()") }
        }
    }

    /// The verdict that counts, of every click.
    func verdicts(_ connection: Connection) throws -> [Identifier: Finding] {
        var found: [Identifier: Finding] = [:]
        let all = Statement(
            "test_final", "select id, verdict, reason from final_clicks limit 100000")
        for row in try connection.query(all) {
            found[try row.get(0)] = Finding(
                try row.knownVerdict(1), reason: UInt16(try row.get(2, as: Int.self)))
        }
        return found
    }

    /// What is true of a ledger at any time: sums agree, nothing is below zero, chains are whole,
    /// and every flood has an open flag.
    func faults(_ connection: Connection) throws -> [String] {
        let checks = [
            "sums": """
            select gonggu_id, hour, verdict from (
                select gonggu_id, date_trunc('hour', clicked_at) as hour, verdict,
                    click_count as clicks
                from final_clicks
                union all
                select gonggu_id, hour, verdict, -clicks from click_stats
            ) as both_sides
            group by 1, 2, 3 having sum(clicks) <> 0
            """,
            "negative": """
            select 1 from click_stats
            group by gonggu_id, hour, verdict, country, device, channel, referer_host
            having sum(clicks) < 0
            """,
            "counts": """
            select 1 from gonggu_click_counts as counts
            where click_count <> (
                select coalesce(sum(final.click_count), 0) from final_clicks as final
                where final.gonggu_id = counts.gonggu_id and verdict = 0)
            """,
            "chains": """
            select 1 from (
                select from_verdict, lag(to_verdict) over (
                    partition by click_id order by seq) as before
                from click_adjudications
            ) as chain
            where before <> from_verdict
            """,
            "flags": """
            select 1 from final_clicks as final
            join click_trackings as click using (clicked_at, id)
            where final.verdict = 2 and click.ip_address is not null and not exists (
                select from click_flags as flag
                where flag.gonggu_id = click.gonggu_id and flag.ip_address = click.ip_address
                    and click.clicked_at between flag.first_clicked_at and flag.last_clicked_at
                    and flag.status = 'open')
            """,
        ]
        return try checks.compactMap { name, sql in
            try connection.run(script: "drop table if exists test_faults")
            try connection.run(script: "create temp table test_faults as \(sql)")
            let count: Int = try connection.query(
                Statement("test_faults", "select count(*) from test_faults"))[0]
                .get(0)
            return count == 0 ? nil : "\(name): \(count)"
        }
    }
}
