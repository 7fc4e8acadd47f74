import Clicks
import Postgres
import TestSupport
import Testing

@testable import API

/// What the server does for each route of subscriptions, favourites and reviews where there is much
/// of everything: no table that grows with people or gonggus is read whole.
@Suite struct FollowingPlanTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    /// One account that follows half of 2000 influencers and keeps 1000 of 20,000 gonggus, among
    /// 40,000 accounts; one gonggu that most reviews are of.
    private static let volume = """
        create function pg_temp.numbered(kind text, n bigint) returns uuid language sql as $$
            select md5(kind || n)::uuid
        $$;
        insert into users (id, email, nickname, role)
        select pg_temp.numbered('user', n), n || '@example.com', '회원',
            case when n <= 2000 then 'influencer' else 'buyer' end
        from generate_series(1, 40000) as n;
        insert into influencer_profiles (user_id, is_verified)
        select id, true from users where role = 'influencer';
        insert into gonggus (
            id, influencer_id, title, original_price, gonggu_price, open_at, close_at,
            external_url, created_at
        )
        select pg_temp.numbered('gonggu', n), pg_temp.numbered('user', 1 + n % 2000), '공구', 2, 1,
            now(), now() + interval '1 day', 'https://shop.example/',
            now() - n * interval '1 minute'
        from generate_series(1, 20000) as n;
        insert into subscriptions (buyer_id, influencer_id)
        select pg_temp.numbered('user', 40000), pg_temp.numbered('user', n * 2)
        from generate_series(1, 1000) as n;
        insert into subscriptions (buyer_id, influencer_id)
        select pg_temp.numbered('user', 2000 + n), pg_temp.numbered('user', 1 + n % 2000)
        from generate_series(1, 37000) as n;
        insert into favorites (user_id, gonggu_id)
        select pg_temp.numbered('user', 40000), pg_temp.numbered('gonggu', n * 20)
        from generate_series(1, 1000) as n;
        insert into favorites (user_id, gonggu_id)
        select pg_temp.numbered('user', 2000 + n), pg_temp.numbered('gonggu', 1 + n % 20000)
        from generate_series(1, 37000) as n;
        insert into reviews (id, gonggu_id, user_id, rating, content)
        select pg_temp.numbered('review', n),
            pg_temp.numbered('gonggu', case when n % 2 = 0 then 1 else 1 + n % 20000 end),
            pg_temp.numbered('user', n), 1 + n % 5, '좋아요'
        from generate_series(1, 40000) as n;
        """

    /// What a statement is executed with, as SQL.
    private func arguments(_ name: String) -> String {
        let account = "md5('user40000')::uuid"
        let influencer = "md5('user3')::uuid"
        let gonggu = "md5('gonggu1')::uuid"
        let review = "md5('review1')::uuid"
        switch name {
        case "subscriptions_insert":
            return "(\(account), \(influencer), gen_random_uuid(), 2000)"
        case "subscriptions_flush": return ""
        case "subscriptions_update": return "(\(account), \(influencer), true)"
        case "subscriptions_delete", "subscriptions_select": return "(\(account), \(influencer))"
        case "favorites_insert": return "(\(account), \(gonggu), 2000)"
        case "favorites_delete", "favorites_select": return "(\(account), \(gonggu))"
        case "reviews_insert":
            return "(gen_random_uuid(), \(gonggu), \(account), 5, '좋아요', '{}')"
        case "reviews_update": return "(\(review), 4, '좋아요', '{}')"
        case "reviews_lock", "reviews_delete": return "(\(review))"
        case "reviews_summary": return "(\(gonggu))"
        case _ where name.hasSuffix("count") || name.hasSuffix("erase"): return "(\(account))"
        case _ where name.hasPrefix("reviews_list"): return "(\(gonggu), 20, 40)"
        default: return "(\(account), 20, 40)"
        }
    }

    @Test func `nothing that grows is read whole`() throws {
        let connection = try test.connect()
        try connection.run(script: Self.volume)
        try connection.run(script: "vacuum analyze")
        let large =
            /Seq Scan on (users|gonggus|subscriptions|favorites|reviews|influencer_|gonggu_r)/
        let statements =
            SubscriptionQueries.statements + FavoriteQueries.statements + ReviewQueries.statements
        // The planner takes a plan for these values, or, after some runs, one for any.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            for statement in statements {
                let (name, connection) = (statement.name, try test.connect())
                try connection.run(script: "set plan_cache_mode = \(mode)")
                try connection.run(script: "prepare explained as \(statement.sql)")
                let explain = Statement(
                    "test_explain", "explain execute explained \(arguments(name))")
                let plan = try connection.query(explain).map { try $0.get(0, as: String.self) }
                let whole = plan.filter { $0.contains(large) }
                #expect(plan.count > 0 && whole.isEmpty, "\(mode) \(name): \(whole)")
            }
        }
    }
}
