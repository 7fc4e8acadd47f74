import Clicks
import HTTPTypes
import Postgres
import TestSupport
import Testing

@testable import API

@Suite struct SubscriptionRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private static let count = Statement(
        "test_subscriber_count",
        "select subscriber_count, updated_at from influencer_profiles where user_id = $1")

    private func subscribers(of influencer: Identifier, on test: TestAPI? = nil) throws -> Int {
        try (test ?? self.test).connect().query(Self.count, [influencer])[0].get("subscriber_count")
    }

    private func path(_ influencer: Identifier) -> String { "/api/v1/subscriptions/\(influencer)" }

    @Test func `however often one subscribes and unsubscribes, it counts once`() async throws {
        try await test.call { [test] caller in
            let influencer = try test.accounts(1, .influencer)[0]
            let before: Timestamp = try test.connect().query(Self.count, [influencer])[0]
                .get("updated_at")
            let buyer = try await caller.member(.buyer, on: test)
            #expect(try await buyer.send(.get, path(influencer)).code == "NOT_SUBSCRIBED")
            let made = try await buyer.send(.post, path(influencer))
            #expect(made.status == 201)
            #expect(made.json["influencer_id"]?.text == influencer.description)
            #expect(made.json["influencer_nickname"]?.text?.hasPrefix("회원") == true)
            #expect(made.json["notify_enabled"] == .bool(true))
            #expect(try subscribers(of: influencer) == 1)
            let quiet = try await buyer.send(.patch, path(influencer), ["notify_enabled": false])
            #expect(quiet.status == 200 && quiet.json["notify_enabled"] == .bool(false))
            // As it was set before, not as it begins.
            let again = try await buyer.send(.post, path(influencer))
            #expect(again.status == 200 && again.json == quiet.json)
            #expect(try await buyer.send(.get, path(influencer)).json == quiet.json)
            #expect(try subscribers(of: influencer) == 1)
            for _ in 0..<2 {
                #expect(try await buyer.send(.delete, path(influencer)).status == 204)
                #expect(try subscribers(of: influencer) == 0)
            }
            let patch = try await buyer.send(.patch, path(influencer), ["notify_enabled": true])
            #expect(patch.status == 404 && patch.code == "NOT_SUBSCRIBED")
            let after: Timestamp = try test.connect().query(Self.count, [influencer])[0]
                .get("updated_at")
            #expect(before == after, "a count that moved is no edit of the profile")
        }
    }

    @Test func `only influencers are followed, and nobody follows themselves`() async throws {
        try await test.call { [test] caller in
            let buyer = try await caller.member(.buyer, on: test)
            let other = try test.accounts(1)[0]
            for stranger in [other, .new()] {
                let answer = try await buyer.send(.post, path(stranger))
                #expect(answer.status == 404 && answer.code == "INFLUENCER_NOT_FOUND")
                #expect(try await buyer.send(.delete, path(stranger)).status == 204)
            }
            let influencer = try test.accounts(1, .influencer)[0]
            let own = try await test.caller(influencer, .influencer, from: caller)
            let oneself = try await own.send(.post, path(influencer))
            #expect(oneself.status == 409 && oneself.code == "SUBSCRIBES_ONESELF")
            // Influencers follow each other.
            let friend = try test.accounts(1, .influencer)[0]
            #expect(try await own.send(.post, path(friend)).status == 201)
            try test.connect().run(script: "update users set status = 'suspended'")
            try test.connect().run(
                script: "update users set status = 'active' where id <> '\(influencer)'")
            #expect(try await buyer.send(.post, path(influencer)).status == 404)
            #expect(try await buyer.send(.post, "/api/v1/subscriptions/x").status == 422)
        }
    }

    @Test func `the list has whom one follows, the latest first, and nobody else's`() async throws {
        try await test.call { [test] caller in
            let influencers = try test.accounts(5, .influencer)
            let buyer = try await caller.member(.buyer, on: test)
            let other = try await caller.member(.buyer, on: test)
            for influencer in influencers { _ = try await buyer.send(.post, path(influencer)) }
            _ = try await other.send(.post, path(influencers[0]))
            func ids(_ query: String) async throws -> [String] {
                let answer = try await buyer.send(.get, "/api/v1/subscriptions\(query)")
                #expect(answer.status == 200 && answer.json["total"]?.integer == 5)
                return (answer.json["items"]?.list ?? []).compactMap {
                    $0["influencer_id"]?.text
                }
            }
            let expected = influencers.reversed().map(\.description)
            #expect(try await ids("") == expected)
            #expect(try await ids("?order=asc") == expected.reversed())
            #expect(try await ids("?size=2") + ids("?size=2&page=2") == Array(expected[..<4]))
            #expect(try await buyer.send(.get, "/api/v1/subscriptions?sort=name").status == 400)
        }
    }

    @Test func `a feed is what all of them offer by time, whatever the page`() async throws {
        try await test.call { [test] caller in
            let seed = UInt64.random(in: .min ... .max)
            var random = SplitMix(state: seed)
            let influencers = try test.accounts(12, .influencer)
            // Some have many gonggus and some none.
            let owners = (0..<80).map { _ in
                influencers[min(Int.random(in: 0..<12, using: &random), 9)]
            }
            let gonggus = try test.gonggus(of: owners)
            let connection = try test.connect()
            let hidden = Statement(
                "test_hide",
                """
                update gonggus
                set hidden_at = case when id = $1 then now() end,
                    suspended_at = case when id = $2 then now() end
                where id in ($1, $2)
                """)
            try connection.execute(hidden, [gonggus[79], gonggus[78]])
            let buyer = try await test.caller(test.accounts(1)[0], from: caller)
            let followed = Set(influencers.filter { _ in Bool.random(using: &random) })
            for influencer in followed { _ = try await buyer.send(.post, path(influencer)) }
            let made = try connection.query(
                Statement("test_order", "select id from gonggus order by created_at desc, id desc"))
            let order: [Identifier] = try made.map { try $0.get(0) }
            let owner = Dictionary(uniqueKeysWithValues: zip(gonggus, owners))
            let expected = order.filter {
                followed.contains(owner[$0]!) && $0 != gonggus[79] && $0 != gonggus[78]
            }.map(\.description)
            for (query, oracle) in [("", expected), ("&order=asc", expected.reversed())] {
                for size in [1, 7, 100] {
                    var walked: [String] = []
                    for page in 1...max(1, (expected.count + size - 1) / size) {
                        let answer = try await buyer.send(
                            .get, "/api/v1/subscriptions/feed?size=\(size)&page=\(page)\(query)")
                        #expect(answer.status == 200)
                        #expect(answer.json["total"]?.integer == expected.count, "seed \(seed)")
                        walked += (answer.json["items"]?.list ?? []).compactMap { $0["id"]?.text }
                    }
                    #expect(walked == oracle, "seed \(seed), size \(size)")
                }
            }
        }
    }

    @Test func `a thousand who follow one influencer at once are all counted`() async throws {
        let test = try await TestAPI(environment: ["DATABASE_CONNECTIONS": "10"])
        try await test.call { [test] caller in
            let influencer = try test.accounts(1, .influencer)[0]
            var callers: [Caller] = []
            for id in try test.accounts(1000) {
                callers.append(try await test.caller(id, from: caller))
            }
            for (method, expected) in [(HTTPRequest.Method.post, 201), (.delete, 204)] {
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for buyer in callers {
                        group.addTask { try await buyer.send(method, path(influencer)).status }
                    }
                    return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
                }
                #expect(statuses == [expected])
                let count = try subscribers(of: influencer, on: test)
                #expect(count == (method == .post ? 1000 : 0))
            }
        }
    }

    @Test func `whoever comes and goes and is erased at once, counts stay right`() async throws {
        let test = try await TestAPI(environment: ["DATABASE_CONNECTIONS": "10"])
        try await test.call { [test] caller in
            let seed = UInt64.random(in: .min ... .max)
            var random = SplitMix(state: seed)
            let influencers = try test.accounts(6, .influencer)
            let buyers = try test.accounts(30)
            // They follow everybody when they are erased, each in another order.
            let erased = try test.accounts(40)
            let connection = try test.connect()
            let follow = Statement(
                "test_follow",
                """
                insert into subscriptions (buyer_id, influencer_id)
                select $1, influencer from unnest($2::uuid[]) as influencer
                """)
            for id in erased {
                try connection.execute(follow, [id, influencers.shuffled(using: &random)])
            }
            // Many of one influencer in one statement count as many.
            let followOne = Statement(
                "test_follow_one",
                """
                insert into subscriptions (buyer_id, influencer_id)
                select buyer, $2 from unnest($1::uuid[]) as buyer
                """)
            try connection.execute(followOne, [buyers, influencers[0]])
            #expect(try Recount.wrong(in: connection) == 0)
            var callers: [Caller] = []
            for id in buyers { callers.append(try await test.caller(id, from: caller)) }
            let calls = (0..<600).map { _ in
                (
                    callers.randomElement(using: &random)!,
                    Bool.random(using: &random) ? HTTPRequest.Method.post : .delete,
                    path(influencers.randomElement(using: &random)!)
                )
            }
            // One half as the service erases them, the other as an operator deletes.
            let deletion = Statement("test_delete_user", "delete from users where id = $1")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for (caller, method, path) in calls {
                    group.addTask { try await caller.send(method, path).status }
                }
                for (place, id) in erased.enumerated() {
                    let statement = place % 2 == 0 ? deletion : SubscriptionQueries.erase
                    group.addTask {
                        _ = try await test.server.pool.run { try $0.execute(statement, [id]) }
                        return 204
                    }
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(statuses.isSubset(of: [200, 201, 204]), "seed \(seed): \(statuses)")
            #expect(try Recount.wrong(in: connection) == 0, "seed \(seed)")
        }
    }

    @Test func `one follows at most two thousand`() async throws {
        try await test.call { [test] caller in
            let influencers = try test.accounts(SubscriptionRules.subscriptionsMax, .influencer)
            let buyer = try test.accounts(1)[0]
            let fill = Statement(
                "test_fill",
                """
                insert into subscriptions (buyer_id, influencer_id)
                select $1, influencer from unnest($2::uuid[]) as influencer
                """)
            try test.connect().execute(fill, [buyer, influencers])
            let caller = try await test.caller(buyer, from: caller)
            let one = try test.accounts(1, .influencer)[0]
            let refused = try await caller.send(.post, path(one))
            #expect(refused.status == 409 && refused.code == "TOO_MANY_SUBSCRIPTIONS")
            #expect(try await caller.send(.post, path(influencers[7])).status == 200)
            #expect(try await caller.send(.delete, path(influencers[7])).status == 204)
            #expect(try await caller.send(.post, path(one)).status == 201)
            #expect(try Recount.wrong(in: test.connect()) == 0)
        }
    }
}
