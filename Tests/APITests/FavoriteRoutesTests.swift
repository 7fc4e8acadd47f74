import Clicks
import HTTPTypes
import Postgres
import TestSupport
import Testing

@testable import API

@Suite struct FavoriteRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private func path(_ gonggu: Identifier) -> String { "/api/v1/favorites/\(gonggu)" }

    @Test func `however often it is made one, it is a favourite once`() async throws {
        try await test.call { [test] caller in
            let gonggu = try test.gonggus(of: test.accounts(1, .influencer))[0]
            let buyer = try await test.caller(test.accounts(1)[0], from: caller)
            #expect(try await buyer.send(.get, path(gonggu)).code == "NOT_FAVORITE")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<20 {
                    group.addTask { try await buyer.send(.put, path(gonggu)).status }
                }
                return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
            }
            #expect(statuses == [204])
            let mark = try await buyer.send(.get, path(gonggu))
            #expect(mark.status == 200)
            let list = try await buyer.send(.get, "/api/v1/favorites")
            #expect(list.json["total"]?.integer == 1)
            let item = list.json["items"]?[0]
            #expect(item?["created_at"] == mark.json["created_at"])
            #expect(
                item?["gonggu"] == (try await caller.send(.get, "/api/v1/gonggus/\(gonggu)").json))
            for _ in 0..<2 {
                #expect(try await buyer.send(.delete, path(gonggu)).status == 204)
            }
            #expect(try await buyer.send(.get, path(gonggu)).status == 404)
            let unknown = try await buyer.send(.put, path(.new()))
            #expect(unknown.status == 404 && unknown.code == "GONGGU_NOT_FOUND")
        }
    }

    @Test func `the list has the latest first, one's own, and nothing that is gone`() async throws {
        try await test.call { [test] caller in
            let owner = try test.accounts(1, .influencer)[0]
            let gonggus = try test.gonggus(of: [Identifier](repeating: owner, count: 6))
            let buyer = try await test.caller(test.accounts(1)[0], from: caller)
            let other = try await test.caller(test.accounts(1)[0], from: caller)
            let liked = [3, 0, 5, 1, 4].map { gonggus[$0] }
            for gonggu in liked { _ = try await buyer.send(.put, path(gonggu)) }
            _ = try await other.send(.put, path(gonggus[2]))
            func ids(_ query: String = "") async throws -> [String] {
                let answer = try await buyer.send(.get, "/api/v1/favorites\(query)")
                #expect(answer.json["total"]?.integer == answer.json["items"]?.list?.count)
                return (answer.json["items"]?.list ?? []).compactMap { $0["gonggu"]?["id"]?.text }
            }
            let expected = liked.reversed().map(\.description)
            #expect(try await ids() == expected)
            #expect(try await ids("?order=asc") == expected.reversed())
            let second = try await buyer.send(.get, "/api/v1/favorites?size=2&page=2")
            #expect(
                (second.json["items"]?.list ?? []).map { $0["gonggu"]?["id"]?.text }
                    == Array(expected[2..<4]))
            let connection = try test.connect()
            try connection.run(
                script: "update gonggus set hidden_at = now() where id = '\(gonggus[4])'")
            try connection.run(
                script: "update gonggus set suspended_at = now() where id = '\(gonggus[5])'")
            #expect(try await ids() == [1, 0, 3].map { gonggus[$0].description })
            #expect(try await buyer.send(.put, path(gonggus[4])).status == 404)
            #expect(try await buyer.send(.get, path(gonggus[4])).status == 404)
        }
    }

    @Test func `one has at most two thousand`() async throws {
        try await test.call { [test] caller in
            let owner = try test.accounts(1, .influencer)[0]
            let gonggus = try test.gonggus(
                of: [Identifier](repeating: owner, count: FavoriteRules.favoritesMax + 1))
            let buyer = try test.accounts(1)[0]
            let fill = Statement(
                "test_fill_favorites",
                """
                insert into favorites (user_id, gonggu_id)
                select $1, gonggu from unnest($2::uuid[]) as gonggu
                """)
            try test.connect().execute(fill, [buyer, Array(gonggus.dropLast())])
            let caller = try await test.caller(buyer, from: caller)
            let refused = try await caller.send(.put, path(gonggus.last!))
            #expect(refused.status == 409 && refused.code == "TOO_MANY_FAVORITES")
            #expect(try await caller.send(.put, path(gonggus[9])).status == 204)
            #expect(try await caller.send(.delete, path(gonggus[9])).status == 204)
            #expect(try await caller.send(.put, path(gonggus.last!)).status == 204)
        }
    }
}
