import Clicks
import Postgres
import Testing
import TestSupport

@testable import API

/// What lists are cut from, against the rows themselves.
@Suite struct GongguListTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    /// Influencers 1…3, categories 1…3, and gonggus whose times lie about now.
    private static func load(_ connection: Connection, gonggus: Int, seed: UInt64) throws {
        try connection.run(
            script: """
                select setseed(\(Double(seed % 1000) / 1000));
                insert into users (id, nickname, role)
                select ('00000000-0000-7000-8000-00000000000' || n)::uuid, '하나', 'influencer'
                from generate_series(1, 3) n;
                insert into categories (id, name)
                select ('10000000-0000-7000-8000-00000000000' || n)::uuid, '분류' || n
                from generate_series(1, 3) n;
                insert into gonggus (influencer_id, title, original_price, gonggu_price, open_at,
                    close_at, created_at, external_url)
                select ('00000000-0000-7000-8000-00000000000' || 1 + n % 3)::uuid, '공구 ' || n,
                    100 + n % 7, n % 50, opens, opens + (1 + random() * 40) * interval '1 hour',
                    now() - random() * interval '9 days', 'https://shop.example/'
                from (
                    select n, now() + (random() - 0.7) * interval '3 days' as opens
                    from generate_series(1, \(gonggus)) n
                ) made;
                insert into gonggu_categories (gonggu_id, category_id)
                select g.id, c.id
                from gonggus g, categories c
                where random() < 0.4 and c.name <> '분류3';
                update gonggu_click_totals set clicks = floor(random() * 20);
                """)
    }

    /// Everything at random that happens to gonggus, whoever does it.
    private static func shake(_ connection: Connection) throws {
        let changes = [
            "set hidden_at = now()", "set hidden_at = null", "set suspended_at = now()",
            "set suspended_at = null", "set gonggu_price = 3", "set original_price = 500",
            "set close_at = close_at + interval '7 hours'", "set title = title || '!'",
            "set open_at = open_at - interval '5 hours', hidden_at = now()",
        ]
        for change in changes.shuffled() {
            try connection.run(script: "update gonggus \(change) where random() < 0.1")
        }
        try connection.run(
            script: """
                delete from gonggu_categories where random() < 0.1;
                insert into gonggu_categories (gonggu_id, category_id)
                select g.id, c.id from gonggus g, categories c where random() < 0.05
                on conflict do nothing;
                delete from gonggus where random() < 0.05;
                """)
    }

    @Test func `the copies and the counter follow whatever happens to a gonggu`() throws {
        let connection = try test.connect()
        let seed = UInt64.random(in: 0..<1000)
        try Self.load(connection, gonggus: 200, seed: seed)
        let wrong = Statement(
            "test_wrong",
            """
            select
                (select sum(listed)::bigint from gonggu_listed_count) - (
                    select count(*) from gonggus where hidden_at is null and suspended_at is null
                ) as count,
                (
                    select count(*)
                    from gonggu_categories c
                    left join gonggus g on g.id = c.gonggu_id
                    where (c.created_at, c.open_at, c.close_at, c.gonggu_price, c.discount_rate,
                            c.is_listed)
                        is distinct from (g.created_at, g.open_at, g.close_at, g.gonggu_price,
                            g.discount_rate, g.hidden_at is null and g.suspended_at is null)
                ) as copies,
                (
                    select count(*)
                    from gonggus g
                    full join gonggu_click_totals t on t.gonggu_id = g.id
                    where t.gonggu_id is null or g.id is null
                        or (t.open_at, t.close_at, t.is_listed) is distinct from (
                            g.open_at, g.close_at, g.hidden_at is null and g.suspended_at is null)
                ) as totals
            """)
        for round in 0..<10 {
            try Self.shake(connection)
            let row = try connection.query(wrong)[0]
            for column in ["count", "copies", "totals"] {
                let faults: Int = try row.get(column)
                #expect(faults == 0, "\(column) in round \(round), seed \(seed)")
            }
        }
    }

    /// The list as one would write it who does not care what it costs.
    private static let plain = Statement(
        "test_plain",
        """
        select g.id,
            case when now() < g.open_at then 'scheduled' when now() < g.close_at then 'active'
                else 'closed' end as status,
            g.close_at <= now() + interval '1 day' as is_closing, g.influencer_id,
            coalesce((
                select array_agg(c.category_id) from gonggu_categories c where c.gonggu_id = g.id
            ), '{}') as categories,
            row_number() over (order by g.created_at, g.id) as created_at,
            row_number() over (order by g.open_at, g.id) as open_at,
            row_number() over (order by g.close_at, g.id) as close_at,
            row_number() over (order by g.gonggu_price, g.id) as gonggu_price,
            row_number() over (order by g.discount_rate, g.id) as discount_rate,
            row_number() over (order by t.clicks, g.id) as click_count
        from gonggus g
        join gonggu_click_totals t on t.gonggu_id = g.id
        where g.hidden_at is null and g.suspended_at is null
        """)

    @Test func `each list holds what the plain query says, page by page`() throws {
        let connection = try test.connect()
        let seed = UInt64.random(in: 0..<1000)
        try Self.load(connection, gonggus: 150, seed: seed)
        try Self.shake(connection)
        // One clock for all of them.
        try connection.transaction { connection in
            let rows = try connection.query(Self.plain)
            let influencer = Identifier("00000000-0000-7000-8000-000000000002")!
            let category = Identifier("10000000-0000-7000-8000-000000000002")!
            for list in GongguList.all {
                let expected = try rows.filter { row in
                    let status: String = try row.get("status")
                    let isOfPhase =
                        switch list.phase {
                        case .any: true
                        case .closing:
                            try status == "active" && row.get("is_closing", as: Bool.self)
                        default: status == list.phase.rawValue
                        }
                    let owner: Identifier = try row.get("influencer_id")
                    let categories: [Identifier] = try row.get("categories")
                    let isOfOwner = [.all, .category].contains(list.source) || owner == influencer
                    let isOfCategory =
                        [.all, .influencer].contains(list.source) || categories.contains(category)
                    return isOfPhase && isOfOwner && isOfCategory
                }.sorted {
                    let left: Int = try $0.get(list.sort.rawValue)
                    let right: Int = try $1.get(list.sort.rawValue)
                    return list.order == .ascending ? left < right : left > right
                }.map { try $0.get("id", as: Identifier.self) }
                let filter = GongguFilter(
                    category: [.category, .both].contains(list.source) ? category : nil,
                    phase: list.phase,
                    influencer: [.influencer, .both].contains(list.source) ? influencer : nil)
                var found: [Identifier] = []
                let depth = GongguLists.depth(filter, sort: list.sort)
                for offset in stride(from: 0, through: expected.count, by: 40)
                where offset + 40 <= depth {
                    let page = try GongguLists.page(
                        filter, sort: list.sort, order: list.order, limit: 40, offset: offset,
                        in: connection)
                    #expect(page.total == expected.count && page.isTotalExact, "\(list.name)")
                    found += page.items.map(\.id)
                }
                #expect(
                    found == Array(expected.prefix(depth / 40 * 40)), "\(list.name), seed \(seed)")
            }
        }
    }

    @Test func `beyond its bound a list says so`() async throws {
        let connection = try test.connect()
        try Self.load(connection, gonggus: 10_100, seed: 1)
        try connection.run(script: "update gonggus set close_at = open_at + interval '1 year'")
        try await test.call { [test] caller in
            func list(_ query: String) async throws -> Caller.Answer {
                try await caller.send(.get, "/api/v1/gonggus\(query)")
            }
            let all = try await list("")
            #expect(all.json["total"]?.integer == 10_100)
            #expect(all.json["is_total_exact"] == .bool(true))
            let last = try await list("?size=100&page=100")
            #expect(last.status == 200 && last.json["items"]?.list?.count == 100)
            for query in ["?size=100&page=101", "?page=501", "?size=1&page=10001"] {
                let deep = try await list(query)
                #expect(deep.faults == ["page TOO_DEEP"], "\(query)")
            }
            try test.connect().run(
                script: "update gonggus set open_at = now() - interval '1 hour'")
            let active = try await list("/active?size=1")
            #expect(active.json["total"]?.integer == 10_000)
            #expect(active.json["pages"]?.integer == 10_000)
            #expect(active.json["is_total_exact"] == .bool(false))
            let beyond = try await list("?influencer_id=\(Identifier.new())&page=9")
            #expect(beyond.json["total"]?.integer == 0 && beyond.status == 200)
        }
    }
}
