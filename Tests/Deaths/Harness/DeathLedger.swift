import Clicks
import Linux
import Postgres
import Spool
import TestSupport

/// What a harness reads from the ledger, as SQL; each question costs milliseconds.
struct DeathLedger {
    let db: Connection
    let edgeID: String

    // MARK: Set-up

    private static let insertInfluencer = Statement(
        "deaths_insert_influencer",
        "insert into users (nickname, role) values ('t', 'influencer') returning id::text as id")

    private static let insertGonggu = Statement(
        "deaths_insert_gonggu",
        """
        insert into gonggus (
            influencer_id, title, original_price, gonggu_price, open_at, close_at, external_url)
        values (
            $1::text::uuid, '여름 공구', 10000, 9000, now() - interval '30 days',
            now() + interval '400 days', 'https://shop.example/p/0')
        returning id::text as id
        """)

    /// - Returns: an open gonggu's id.
    func addGonggu() throws -> String {
        let influencer: String = try db.query(DeathLedger.insertInfluencer)[0].get("id")
        return try db.query(DeathLedger.insertGonggu, [influencer])[0].get("id")
    }

    private static let edit = Statement(
        "deaths_edit", "update gonggus set external_url = $2 where id = $1::text::uuid")

    func edit(_ gonggu: String, url: String) throws {
        try db.execute(DeathLedger.edit, [gonggu, url])
    }

    private static let terminate = Statement(
        "deaths_terminate",
        """
        select pg_terminate_backend(pid, 2000) from pg_stat_activity
        where application_name like $1 and datname = current_database()
        """)

    /// Ends sessions whose application is named so.
    func terminate(_ pattern: String) throws {
        _ = try db.query(DeathLedger.terminate, [pattern])
    }

    private static let backends = Statement(
        "deaths_backends",
        """
        select pid::int as pid from pg_stat_activity
        where application_name like $1 and datname = current_database()
        """)

    func backends(_ pattern: String) throws -> [Int] {
        try db.query(DeathLedger.backends, [pattern]).map { try $0.get("pid") }
    }

    /// Whether the server has ended this session.
    var isEnded: Bool {
        // Whatever it answers instead, it is not the answer.
        (try? db.run(script: "select 1")) == nil
    }

    // MARK: Segments

    private static let segments = Statement(
        "deaths_segments", "select count(*) as n from spool_offsets where edge_id = $1")

    /// How many of the edge's segments Ingest has taken clicks from.
    func segments() throws -> Int {
        try db.query(DeathLedger.segments, [edgeID])[0].get("n")
    }

    // MARK: Clicks

    private static let roundClicks = Statement(
        "deaths_round_clicks",
        """
        select id::text as id, user_agent, referer, click_count from clicks
        where channel = $1 and host(ip_address) <> $2
        limit 1000000
        """)

    struct StoredClick {
        let id: String
        let number: Int
        let count: Int
        let referer: String
    }

    /// The clicks of a round's shoppers but the attacker's.
    func clicks(ofRound round: Int) throws -> [StoredClick] {
        try db.query(DeathLedger.roundClicks, ["r\(round)", Shoppers.attackerAddress]).map { row in
            let agent: String? = try row.get("user_agent")
            return StoredClick(
                id: try row.get("id"), number: agent.flatMap { Shoppers.number(in: $0) } ?? -1,
                count: try row.get("click_count"),
                referer: try row.get("referer", as: String?.self) ?? "")
        }
    }

    private static let totals = Statement(
        "deaths_totals",
        """
        select count(*) as rows, count(distinct id) as ids,
            coalesce(sum(click_count), 0)::bigint as clicks,
            coalesce(sum(click_count) filter (where host(ip_address) = $1), 0)::bigint as attacks,
            count(*) filter (where host(ip_address) = $1) as attack_rows,
            coalesce(sum(click_count) filter (where verdict = 0), 0)::bigint as billable,
            coalesce(sum(click_count) filter (where verdict = 2), 0)::bigint as held,
            (select coalesce(sum(clicks), 0) from click_stats)::bigint as in_statistics,
            (select coalesce(sum(click_count), 0) from gonggu_click_counts)::bigint as in_counters,
            (select coalesce(sum(clicks), 0) from click_flags)::bigint as in_flags,
            (select coalesce(sum(records), 0) from spool_offsets)::bigint as in_offsets
        from click_trackings
        """)

    struct Totals: Equatable {
        var rows = 0
        var ids = 0
        var clicks = 0
        var attacks = 0
        var attackRows = 0
        var billable = 0
        var held = 0
        var inStatistics = 0
        var inCounters = 0
        var inFlags = 0
        var inOffsets = 0
    }

    func totals() throws -> Totals {
        let row = try db.query(DeathLedger.totals, [Shoppers.attackerAddress])[0]
        return Totals(
            rows: try row.get("rows"), ids: try row.get("ids"), clicks: try row.get("clicks"),
            attacks: try row.get("attacks"), attackRows: try row.get("attack_rows"),
            billable: try row.get("billable"), held: try row.get("held"),
            inStatistics: try row.get("in_statistics"), inCounters: try row.get("in_counters"),
            inFlags: try row.get("in_flags"), inOffsets: try row.get("in_offsets"))
    }

    /// Without channel and referer host: beyond a bound of them an hour has one line for the rest.
    private static let differences = Statement(
        "deaths_differences",
        """
        with per_rows as (
            select gonggu_id, date_trunc('hour', clicked_at) as hour, verdict, country, device,
                sum(click_count) as clicks
            from click_trackings
            group by 1, 2, 3, 4, 5
        ),
        per_stats as (
            select gonggu_id, hour, verdict, country, device, sum(clicks) as clicks
            from click_stats
            group by 1, 2, 3, 4, 5
        )
        select count(*)::int as n
        from per_rows
        full join per_stats using (gonggu_id, hour, verdict, country, device)
        where per_rows.clicks is distinct from per_stats.clicks
        """)

    /// Lines on which statistics and clicks disagree.
    func statisticsDifferences() throws -> Int {
        try db.query(DeathLedger.differences)[0].get("n")
    }

    private static let offsets = Statement(
        "deaths_offsets",
        "select segment, committed_bytes from spool_offsets where edge_id = $1 limit 1000000")

    func offsets() throws -> [String: Int] {
        var offsets: [String: Int] = [:]
        for row in try db.query(DeathLedger.offsets, [edgeID]) {
            offsets[try row.get("segment")] = try row.get("committed_bytes", as: Int.self)
        }
        return offsets
    }
}
