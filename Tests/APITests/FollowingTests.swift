import Clicks
import Foundation
import Postgres
import TestSupport
import Testing

@testable import API

// What the tests of subscriptions, favourites and reviews share: many accounts at once, without a
// password each, and what the database counts.

extension TestAPI {
    /// Accounts of that role, made in SQL, active and (as influencers) verified.
    func accounts(_ count: Int, _ role: Role = .buyer) throws -> [Identifier] {
        let ids = (0..<count).map { _ in Identifier.new() }
        let connection = try connect()
        let insert = Statement(
            "test_accounts",
            """
            insert into users (id, email, nickname, role)
            select id, id || '@example.com', '회원' || left(id::text, 4), $2
            from unnest($1::uuid[]) as id
            """)
        try connection.execute(insert, [ids, role.rawValue])
        guard role == .influencer else { return ids }
        let profile = Statement(
            "test_profiles",
            """
            insert into influencer_profiles (user_id, is_verified)
            select id, true from unnest($1::uuid[]) as id
            """)
        try connection.execute(profile, [ids])
        return ids
    }

    /// Gonggus that are open; the later in the list, the newer, two at a time of the same moment.
    func gonggus(of owners: [Identifier]) throws -> [Identifier] {
        let ids = owners.map { _ in Identifier.new() }
        let insert = Statement(
            "test_gonggus",
            """
            insert into gonggus (
                id, influencer_id, title, original_price, gonggu_price, open_at, close_at,
                external_url, created_at
            )
            select id, owner, '공구 ' || place, 2000, 1000, now() - interval '1 hour',
                now() + interval '1 day', 'https://shop.example/' || place,
                now() - interval '1 day' + (place / 2) * interval '1 second'
            from unnest($1::uuid[], $2::uuid[]) with ordinality as made (id, owner, place)
            """)
        try connect().execute(insert, [ids, owners])
        return ids
    }

    func caller(_ id: Identifier, _ role: Role = .buyer, from caller: Caller) async throws
        -> Caller
    {
        let token = try await server.tokenKey.sign(for: id, role: role, now: .now)
        return Caller(client: caller.client, token: token)
    }
}

/// How many counts differ from what they count: 0 unless something is broken.
enum Recount {
    private static let subscribers = Statement(
        "test_recount_subscribers",
        """
        select count(*)
        from influencer_profiles p
        where p.subscriber_count
            <> (select count(*) from subscriptions s where s.influencer_id = p.user_id)
        """)
    private static let reviews = Statement(
        "test_recount_reviews",
        """
        select count(*)
        from gonggus g
        left join gonggu_review_totals t on t.gonggu_id = g.id
        cross join lateral (
            select count(*) as reviews, coalesce(sum(rating), 0) as ratings
            from reviews r
            where r.gonggu_id = g.id
        ) as told
        where coalesce(t.review_count, 0) <> told.reviews
            or coalesce(t.rating_sum, 0) <> told.ratings
        """)

    static func wrong(in connection: Connection) throws -> Int {
        try connection.query(subscribers, [])[0].get(0, as: Int.self)
            + connection.query(reviews, [])[0].get(0, as: Int.self)
    }
}

/// The real API, killed in the middle of a storm of calls.
@Suite struct FollowingCrashTests {
    let test: TestAPI
    let folder: TestFolder

    init() async throws {
        test = try await TestAPI()
        folder = try TestFolder()
    }

    private static let present = Statement(
        "test_present",
        """
        select count(*)
        from pg_stat_activity
        where datname = current_database() and application_name = 'gonggumoa-api'
        """)
    private static let following = Statement(
        "test_following",
        "select exists (select from subscriptions where buyer_id = $1 and influencer_id = $2)")

    private func startAPI() throws -> (process: ChildProcess, port: UInt16) {
        let port = try freePort()
        let process = try ChildProcess(
            TestServers.binary("API"), ["serve"],
            environment: [
                "DATABASE_URL": test.testDatabase.url, "REDIS_URL": TestServers.redisURL(),
                "JWT_SECRET_KEY": TestAPI.secret, "API_PORT": "\(port)", "BCRYPT_COST": "4",
            ], logPath: folder.path + "/API.log")
        try eventually("the API is ready", within: 30) {
            (try? PlainClient(port: port).ask("GET", "/ready"))??.status == 200
        }
        return (process, port)
    }

    private struct Wish {
        let buyer: Identifier
        let influencer: Identifier
        let follows: Bool
        let request: String
    }

    /// Each buyer reviews or follows or unfollows once, so that an answer says what must stand.
    private func wishes(
        _ buyers: [Identifier], _ influencers: [Identifier], _ gonggus: [Identifier],
        _ random: inout SplitMix
    ) async throws -> [Wish] {
        var wishes: [Wish] = []
        for buyer in buyers {
            let token = try await test.server.tokenKey.sign(for: buyer, role: .buyer, now: .now)
            let influencer = influencers.randomElement(using: &random)!
            let head = "HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(token)\r\n"
            let kind = Int.random(in: 0..<3, using: &random)
            var request = "\(kind == 0 ? "DELETE" : "POST") /api/v1/subscriptions/\(influencer) "
            request += head + "Content-Length: 0\r\n\r\n"
            if kind == 2 {
                let body = "{\"rating\":\(Int.random(in: 1...5, using: &random)),\"content\":\"a\"}"
                request = "POST /api/v1/gonggus/\(gonggus.randomElement(using: &random)!)/reviews "
                request += head + "Content-Type: application/json\r\n"
                request += "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            }
            wishes.append(
                Wish(buyer: buyer, influencer: influencer, follows: kind == 1, request: request))
        }
        return wishes
    }

    @Test func `counts agree, and what was answered stands, however the API dies`() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        let influencers = try test.accounts(3, .influencer)
        let gonggus = try test.gonggus(of: influencers)
        let connection = try test.connect()
        for round in 0..<4 {
            let (process, port) = try startAPI()
            let buyers = try test.accounts(120)
            let wishes = try await wishes(buyers, influencers, gonggus, &random)
            let clients = try wishes.map { wish in
                let client = try PlainClient(port: port)
                try client.send(wish.request)
                return client
            }
            let answersBefore = Int.random(in: 1..<60, using: &random)
            for (client, wish) in zip(clients, wishes).prefix(answersBefore) {
                let status = try client.receive()?.status ?? 0
                #expect([201, 204].contains(status), "\(wish.request)")
            }
            process.killNow()
            try eventually("its sessions are gone") {
                try connection.query(Self.present)[0].get(0, as: Int.self) == 0
            }
            #expect(try Recount.wrong(in: connection) == 0, "seed \(seed), round \(round)")
            for wish in wishes.prefix(answersBefore) where wish.follows {
                let stands: Bool = try connection.query(
                    Self.following, [wish.buyer, wish.influencer])[0].get(0)
                #expect(stands, "seed \(seed), round \(round)")
            }
        }
    }
}
