import Postgres
import Schema
import TestSupport
import Testing

@Suite struct ClickTablesTests {
    let database: TestDatabase

    init() throws { database = try TestDatabase() }

    private static let ensure = Statement(
        "click_partition_ensure", "select ensure_click_partition($1)")
    private static let fold = Statement("click_stats_fold", "select fold_click_stats($1)")

    private func pool(_ connections: Int) -> ConnectionPool {
        ConnectionPool(
            url: database.url, applicationName: "ClickTablesTests", connections: connections)
    }

    /// 2026-11-21, whose Korean midnight is 2026-11-20T15:00:00Z.
    private let day = PostgresDate(daysSince1970: 20_778)

    @Test func `a Korean day's clicks are in its partition, to the microsecond`() throws {
        let connection = try database.connect()
        #expect(try connection.query(Self.ensure, [day])[0].get(0) == true)
        #expect(try connection.query(Self.ensure, [day])[0].get(0) == false)
        try connection.run(
            script: """
                insert into click_trackings
                    (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path)
                select at, -1, gen_random_uuid(), gen_random_uuid(), 0, 1, 0
                from unnest(array['2026-11-20 15:00:00+00', '2026-11-21 14:59:59.999999+00']
                    ::timestamptz[]) as at
                """)
        let row = try connection.query(
            Statement(
                "partition_counts",
                """
                select (select count(*) from click_trackings_20261121) as inside,
                       (select count(*) from clicks) as viewed,
                       (select count(*) from pg_indexes
                        where tablename = 'click_trackings_20261121') as indexes
                """))[0]
        #expect(try row.get("inside") == 2)
        #expect(try row.get("viewed") == 2)
        #expect(try row.get("indexes") == 1)
        for outside in ["2026-11-20 14:59:59.999999+00", "2026-11-21 15:00:00+00"] {
            let error = #expect(throws: PostgresError.self) {
                try connection.run(
                    script: """
                        insert into click_trackings
                            (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path)
                        values ('\(outside)', 1, gen_random_uuid(), gen_random_uuid(), 0, 1, 0)
                        """)
            }
            #expect(error?.sqlState == "23514", "there is no partition for \(outside)")
        }
    }

    @Test func `partitions can be made by many at once, while a copy is open`() async throws {
        let connection = try database.connect()
        _ = try connection.query(Self.ensure, [PostgresDate(daysSince1970: 20_777)])
        // An open transaction that has written holds a lock on the parent.
        try connection.run(
            script: """
                begin;
                insert into click_trackings
                    (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path)
                values ('2026-11-20 12:00+09', 1, gen_random_uuid(), gen_random_uuid(), 0, 1, 0)
                """)
        let pool = pool(6)
        let first = day.daysSince1970
        let made = try await withThrowingTaskGroup(of: Bool.self) { group in
            for attempt in 0..<60 {
                group.addTask {
                    let day = PostgresDate(daysSince1970: first + Int32(attempt % 5))
                    return try await pool.run { try $0.query(Self.ensure, [day])[0].get(0) }
                }
            }
            return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
        }
        #expect(made == 5)
        try connection.run(script: "commit")
    }

    @Test func `a click cannot be stored twice`() throws {
        let connection = try database.connect()
        _ = try connection.query(Self.ensure, [day])
        let insert = """
            insert into click_trackings
                (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path)
            values ('2026-11-21 12:00+09', 1, '01931e5b-7c00-7abc-8000-0000000000ff',
                    gen_random_uuid(), 0, 1, 0)
            """
        try connection.run(script: insert)
        let error = #expect(throws: PostgresError.self) { try connection.run(script: insert) }
        #expect(error?.violates("click_trackings_20261121_pkey") == true)
    }

    @Test func `folding among writers and other folders loses and doubles nothing`() async throws {
        let setup = try database.connect()
        try makeGonggus(3, setup)
        let seed = UInt64.random(in: 0...UInt64.max)
        let pool = pool(6)
        // Writers add known sums; half of their transactions are rolled back. Folders take them
        // away meanwhile, in pieces, and a reader must never see a sum that was not committed.
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<3 {
                group.addTask {
                    for batch in 0..<40 { try await Self.write(writer, batch, seed, pool) }
                }
            }
            for rowsMax in [7, 50, 100_000] {
                group.addTask {
                    for _ in 0..<60 {
                        _ = try await pool.transaction { try $0.query(Self.fold, [rowsMax]).count }
                    }
                }
            }
            try await group.waitForAll()
        }
        // Three views of one truth: what was written, click_stats, and after the last fold hourly.
        let difference = Statement(
            "stats_differences",
            """
            select count(*) from (
                select gonggu_id, hour, verdict, country, device, channel, referer_host,
                       sum(clicks)::bigint as clicks
                from click_stats group by 1, 2, 3, 4, 5, 6, 7
            ) as seen
            full join (
                select gonggu_id, hour, verdict, country, device, channel, referer_host,
                       sum(clicks)::bigint as clicks
                from written group by 1, 2, 3, 4, 5, 6, 7
            ) as meant using (gonggu_id, hour, verdict, country, device, channel, referer_host)
            where seen.clicks is distinct from meant.clicks
            """)
        let wrongCounts = Statement(
            "count_differences",
            """
            select count(*) from gonggu_click_counts
            where click_count is distinct from (
                select coalesce(sum(clicks), 0) from written
                where written.gonggu_id = gonggu_click_counts.gonggu_id and verdict = 0)
            """)
        #expect(try setup.query(difference)[0].get(0) == 0, "seed \(seed)")
        #expect(try setup.query(wrongCounts)[0].get(0) == 0, "seed \(seed)")
        while try setup.query(Self.fold, [1000])[0].get(0, as: Int.self) > 0 {}
        let left = Statement(
            "deltas_left",
            """
            select (select count(*) from click_stats_unfolded) as deltas,
                   (select sum(clicks) from written)::bigint as written,
                   (select sum(clicks) from gonggu_click_totals)::bigint as counted
            """)
        let row = try setup.query(left)[0]
        #expect(try row.get("deltas") == 0)
        #expect(try row.get("written", as: Int.self) > 0)
        #expect(try row.get("counted", as: Int.self) > 0)
        #expect(try setup.query(difference)[0].get(0) == 0, "seed \(seed)")
        #expect(try setup.query(wrongCounts)[0].get(0) == 0, "seed \(seed)")
    }

    /// `written` has what was committed to the deltas; nobody takes anything away from it.
    private func makeGonggus(_ count: Int, _ connection: Connection) throws {
        try connection.run(
            script: """
                create table written (like click_stats_deltas);
                -- Numbers come before the packed deltas that use them.
                insert into click_stats_dimensions (
                    verdict, device, country, channel, referer_host)
                select verdict, device, 'KR', channel, ''
                from generate_series(0, 2) as verdict, generate_series(0, 1) as device,
                    unnest(array['', 'insta']) as channel;
                insert into users (id, nickname)
                values ('00000000-0000-4000-8000-000000000000', '인플루언서');
                insert into gonggus (id, influencer_id, open_at, close_at, original_price,
                                     gonggu_price, title, external_url)
                select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
                       '00000000-0000-4000-8000-000000000000', now(), now() + interval '1 day',
                       10000, 9000, '공구 ' || n, 'https://shop.example.kr/' || n
                from generate_series(1, \(count)) as n
                """)
    }

    private static func write(
        _ writer: Int, _ batch: Int, _ seed: UInt64, _ pool: ConnectionPool
    ) async throws {
        struct Refusal: Error {}
        var random = (seed &+ UInt64(writer * 1000 + batch)) &* 0x9E37_79B9_7F4A_7C15
        random ^= random >> 29
        let number = Int(random >> 40)
        do {
            try await pool.transaction { connection in
                try connection.execute(
                    Statement(
                        "written_insert",
                        """
                        with rows as (
                            insert into written
                            select ('00000000-0000-4000-8000-'
                                        || lpad((($1 + n) % 4 + 1)::text, 12, '0'))::uuid,
                                   timestamptz '2026-11-21 00:00+09' + ($1 + n) % 3
                                       * interval '1 hour',
                                   1 + ($1 * n) % 5, ($1 + n * n) % 3, n % 2, 'KR',
                                   case when n % 2 = 0 then 'insta' else '' end, ''
                            from generate_series(1, 20) as n
                            returning *
                        ),
                        plain as (
                            insert into click_stats_deltas select * from rows where clicks % 2 = 0
                        ),
                        numbered as (
                            select gonggu_id, hour, clicks, dimension.id
                            from rows
                            join click_stats_dimensions as dimension
                                using (verdict, device, country, channel, referer_host)
                            where clicks % 2 = 1
                        )
                        insert into click_stats_packed_deltas (
                            line_count, gonggu_ids, hours, dimension_ids, clicks)
                        select count(*), array_agg(gonggu_id), array_agg(hour), array_agg(id),
                            array_agg(clicks)
                        from numbered
                        having count(*) > 0
                        """), [number])
                if batch % 2 == 1 { throw Refusal() }
            }
        } catch is Refusal {}
    }
}
