import Clicks
import Glibc
import Hummingbird
import NIOCore
import Postgres
import Testing

@testable import API

@Suite struct ClickListRoutesTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private func gonggu(_ caller: Caller) async throws -> (owner: Caller, id: Identifier) {
        let owner = try await caller.member(.influencer, on: test)
        let made = try await owner.send(.post, "/api/v1/gonggus", draft())
        let id = try #require(made.json["id"]?.text.flatMap { Identifier($0) })
        let connection = try test.connect()
        try connection.run(script: "select ensure_click_partition('2026-11-10')")
        return (owner, id)
    }

    /// A click every ten milliseconds, ties among them, of every verdict.
    private static let insert = Statement(
        "test_many_clicks",
        """
        insert into click_trackings (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set,
            path, ip_address, country, channel, device, user_agent_id, referer_id)
        select '2026-11-10T00:00:00+09:00'::timestamptz + (n / 2) * interval '20 milliseconds', n,
            gen_random_uuid(), $1, n % 9, 2, 0, ('203.0.113.' || n % 250)::inet, 'KR', '-ch,1', 1,
            (select min(id) from user_agents), (select min(id) from referers)
        from generate_series(0, $2 - 1) as n
        """)

    private func fill(_ gonggu: Identifier, _ count: Int) throws {
        let connection = try test.connect()
        try connection.run(
            script: """
                insert into user_agents (agent, device, os, browser)
                    values ('A', 1, 'ios', 'safari') on conflict do nothing;
                insert into referers (referer, host) values ('https://a.example/', 'a.example')
                    on conflict do nothing
                """)
        try connection.execute(Self.insert, [gonggu, count])
    }

    @Test func `pages by cursor have each click once, the newest first`() async throws {
        try await test.call { caller in
            let (owner, id) = try await gonggu(caller)
            try fill(id, 100)
            var path =
                "/api/v1/tracking/clicks?gonggu_id=\(id)&from=2026-11-10&to=2026-11-10&size=7"
            var seen: [String] = []
            var times: [String] = []
            var cursor: String?
            repeat {
                let answer = try await owner.send(
                    .get, path + (cursor.map { "&cursor=\($0)" } ?? ""))
                #expect(answer.status == 200)
                for item in answer.json["items"]?.list ?? [] {
                    seen.append(item["id"]?.text ?? "")
                    times.append(item["clicked_at"]?.text ?? "")
                }
                cursor = answer.json["next_cursor"]?.text
            } while cursor != nil
            #expect(seen.count == 100 && Set(seen).count == 100)
            #expect(times == times.sorted(by: >))
            path += "&verdict=bot"
            let bots = try await owner.send(.get, path + "&size=50")
            #expect(bots.json["items"]?.list?.count == 0 || bots.status == 422)
        }
    }

    @Test func `an influencer sees why, and no whole address`() async throws {
        try await test.call { [test] caller in
            let (owner, id) = try await gonggu(caller)
            try fill(id, 9)
            let path = "/api/v1/tracking/clicks?gonggu_id=\(id)&from=2026-11-10&to=2026-11-10"
            let own = try await owner.send(.get, path + "&verdict=bot")
            #expect(own.json["items"]?.list?.count == 1)
            let click = try #require(own.json["items"]?[0])
            #expect(click["verdict"]?.text == "bot" && click["is_paid"] == .bool(false))
            #expect(click["why"]?.text == "사람이 아닌 프로그램의 요청입니다")
            #expect(click["ip_address"]?.text == "203.0.113.*")
            #expect(click["visitor"]?.text == "0000000000000003")
            #expect(click["device"]?.text == "phone" && click["os"]?.text == "ios")
            #expect(click["is_adjudicated"] == .bool(false))
            let english = try await owner.send(
                .get, path + "&verdict=bot", headers: [.acceptLanguage: "en"])
            #expect(english.json["items"]?[0]?["why"]?.text == "A program asked, not a person")
            let finance = try await caller.member(.finance, on: test)
            let whole = try await finance.send(.get, path + "&verdict=bot")
            #expect(whole.json["items"]?[0]?["ip_address"]?.text == "203.0.113.3")
            let other = try await caller.member(.influencer, on: test)
            #expect(try await other.send(.get, path).code == "NOT_OWNER")
            let csv = path.replacing("clicks?", with: "clicks.csv?")
            #expect(try await other.send(.get, csv).code == "NOT_OWNER")
            let unknown = "/api/v1/tracking/clicks?gonggu_id=\(Identifier.new())"
            #expect(try await owner.send(.get, unknown).code == "GONGGU_NOT_FOUND")
            for fault in ["&cursor=1-2", "&verdict=x", "&size=0"] {
                #expect(try await owner.send(.get, path + fault).status == 422, "\(fault)")
            }
        }
    }

    @Test func `the CSV has every click once, oldest first, and no formula`() async throws {
        try await test.call { [test] caller in
            let (owner, id) = try await gonggu(caller)
            try fill(id, 4321)
            let path = "/api/v1/tracking/clicks.csv?gonggu_id=\(id)&from=2026-11-10&to=2026-11-10"
            let (head, text) = try await owner.client.execute(
                uri: path, method: .get,
                headers: [.authorization: "Bearer \(owner.token ?? "")"]
            ) { ($0.headers, String(buffer: $0.body)) }
            #expect(head[.contentType] == "text/csv; charset=utf-8")
            let lines = text.split(separator: "\r\n")
            #expect(lines.count == 4322 && lines[0] + "\r\n" == ClickCSV.header)
            #expect(Set(lines.dropFirst().map { $0.prefix(36) }).count == 4321)
            let times = lines.dropFirst().map { $0.dropFirst(37).prefix(26) }
            #expect(times.first?.hasPrefix("2026-11-10T00:00:00") == true)
            #expect(lines.dropFirst().allSatisfy { $0.contains(",\"'-ch,1\",a.example,") })
            let bots: Int = lines.count { $0.contains(",bot,false,bot,") }
            let stored: Int = try test.connect().query(
                Statement("test_bots", "select count(*) from click_trackings where verdict = 3"))[0]
                .get(0)
            #expect(bots == stored)
        }
    }

    /// Takes an export as a client does that reads everything and keeps nothing.
    private struct CountingWriter: ResponseBodyWriter {
        final class Seen: @unchecked Sendable {
            // One task writes.
            var bytes = 0
            var lines = 0
            var largest = 0
            var isFinished = false
        }

        let seen = Seen()

        mutating func write(_ buffer: ByteBuffer) async throws {
            seen.bytes += buffer.readableBytes
            seen.largest = max(seen.largest, buffer.readableBytes)
            seen.lines += buffer.readableBytesView.count { $0 == 10 }
        }

        consuming func finish(_ trailingHeaders: HTTPFields?) async throws {
            seen.isFinished = true
        }
    }

    @Test func `an export of 150,000 clicks takes the memory of a page`() async throws {
        let id = Identifier.new()
        try test.connect().run(script: "select ensure_click_partition('2026-11-10')")
        try fill(id, 150_000)
        let day = try #require(KoreanDay(text: "2026-11-10"))
        let csv = { [test] (verdict: Verdict?) in
            ClickCSV(
                pool: test.server.pool,
                wish: ClickListQueries.Wish(
                    gonggu: id, from: day.start, to: day.advanced(byDays: 1).start,
                    verdict: verdict),
                showsWholeAddress: true)
        }
        // What the first pages leave behind is not what many of them would add.
        try await csv(.bot).body.write(CountingWriter())
        let before = try residentBytes()
        let writer = CountingWriter()
        try await csv(nil).body.write(writer)
        let grown = try residentBytes() - before
        #expect(writer.seen.lines == 150_001 && writer.seen.isFinished)
        #expect(writer.seen.bytes > 20_000_000 && writer.seen.largest < 1 << 20)
        #expect(grown < 8 << 20, "\(grown) bytes more for \(writer.seen.bytes)")
    }

    /// What the process has in memory now.
    private func residentBytes() throws -> Int {
        guard let file = fopen("/proc/self/statm", "r") else {
            throw PostgresError(kind: .decoding, message: "there is no /proc/self/statm")
        }
        defer { fclose(file) }
        var line = [CChar](repeating: 0, count: 200)
        fgets(&line, 200, file)
        let words = String(
            decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self
        )
        .split(separator: " ")
        return (Int(words[1]) ?? 0) * 4096
    }

    @Test func `an overview has each gonggu's clicks at the rate of their day`() async throws {
        try await test.call { [test] caller in
            let (owner, id) = try await gonggu(caller)
            let second = try await owner.send(.post, "/api/v1/gonggus", draft())
            let finance = try await caller.member(.finance, on: test)
            let connection = try test.connect()
            try connection.run(
                script: """
                    insert into click_stats_deltas (gonggu_id, hour, verdict, clicks) values
                        ('\(id)', '2026-11-10T00:00:00+09:00', 0, 5),
                        ('\(id)', '2026-11-10T23:00:00+09:00', 0, 2),
                        ('\(id)', '2026-11-11T00:00:00+09:00', 0, 10),
                        ('\(id)', '2026-11-11T00:00:00+09:00', 3, 7),
                        ('\(second.json["id"]?.text ?? "")', '2026-11-11T00:00:00+09:00', 2, 1)
                    """)
            let path = "/api/v1/tracking/overview?from=2026-11-10&to=2026-11-11"
            let unrated = try await owner.send(.get, path)
            #expect(unrated.status == 200)
            #expect(unrated.json["expected_revenue"]?.integer == 0)
            #expect(unrated.json["clicks_without_rate"]?.integer == 17)
            #expect(unrated.json["total"]?["gross"]?.integer == 25)
            let items = unrated.json["items"]?.list ?? []
            #expect(items.map { $0["clicks"]?["gross"]?.integer } == [24, 1])
            #expect(items[0]["clicks"]?["valid"]?.integer == 17)
            let owned = try connection.query(
                Statement("test_owner", "select influencer_id from gonggus where id = $1"), [id])[0]
                .get(0, as: Identifier.self)
            try rate(connection, 100, from: "2026-11-10")
            try rate(connection, 150, from: "2026-11-11")
            let rated = try await finance.send(.get, path + "&influencer_id=\(owned)")
            #expect(rated.json["expected_revenue"]?.integer == 7 * 100 + 10 * 150)
            #expect(rated.json["clicks_without_rate"]?.integer == 0)
            let other = try await caller.member(.influencer, on: test)
            #expect(
                try await other.send(.get, path + "&influencer_id=\(owned)").code == "ROLE_MISSING")
            #expect(try await other.send(.get, path).json["items"]?.list?.count == 0)
        }
    }

    /// The default rate from a day on.
    private func rate(_ connection: Connection, _ won: Int, from day: String) throws {
        try connection.run(
            script: """
                insert into cpc_rates (rate_won, effective_from, created_by)
                select \(won), '\(day)', id from users where role = 'finance' limit 1
                """)
    }
}
