import Clicks
import Postgres
import Testing

@testable import API

@Suite struct InboxRoutesTests {
    let test: TestAPI
    private static let inbox = "/api/v1/notifications"

    init() async throws { test = try await TestAPI() }

    private func post(_ event: InboxEvent) throws -> Bool {
        try test.connect().transaction { try InboxQueries.post(event, in: $0) }
    }

    @Test func `an event is in the inbox once, however often it is written`() async throws {
        try await test.call { [test] caller in
            let hana = try await caller.member(.influencer, on: test)
            let me = try await hana.send(.get, "/api/v1/users/me").json["id"]?.text
            let user = try #require(Identifier(me ?? ""))
            let subject = Identifier.new()
            let event = InboxEvent(
                to: user, .verificationRejected, about: subject, params: ["reason": "\"사유\"\n둘째 줄"])
            #expect(try post(event))
            #expect(try !post(event))
            #expect(try post(InboxEvent(to: user, .verificationApproved, about: subject)))
            #expect(try post(InboxEvent(to: user, .verificationRejected, about: .new())))
            let all = try await hana.send(.get, Self.inbox + "?order=asc")
            #expect(all.json["total"]?.integer == 3)
            #expect(all.json["items"]?[0]?["body"]?.text == "\"사유\"\n둘째 줄")
            let english = try await hana.send(
                .get, Self.inbox + "?order=asc", headers: [.acceptLanguage: "en"])
            #expect(
                english.json["items"]?[1]?["title"]?.text == "You are a verified influencer")
            // What is rolled back was never told.
            struct Undone: Error {}
            #expect(throws: Undone.self) {
                try test.connect().transaction { connection in
                    try InboxQueries.post(
                        InboxEvent(to: user, .gongguSuspended, about: .new()), in: connection)
                    throw Undone()
                }
            }
            #expect(try await hana.send(.get, Self.inbox).json["total"]?.integer == 3)
        }
    }

    @Test func `what is read stays read since the first time, and only one's own`() async throws {
        try await test.call { [test] caller in
            let hana = try await caller.member(.influencer, on: test)
            let other = try await caller.member(.buyer, on: test)
            let me = try await hana.send(.get, "/api/v1/users/me").json["id"]?.text
            let user = try #require(Identifier(me ?? ""))
            for _ in 0..<3 {
                #expect(try post(InboxEvent(to: user, .verificationApproved, about: .new())))
            }
            let all = try await hana.send(.get, Self.inbox)
            let id = try #require(all.json["items"]?[1]?["id"]?.text)
            let path = "\(Self.inbox)/\(id)/read"
            let foreign = try await other.send(.patch, path)
            #expect(foreign.status == 404 && foreign.code == "NOTIFICATION_NOT_FOUND")
            let read = try await hana.send(.patch, path)
            #expect(read.status == 200 && read.json["read_at"]?.text != nil)
            #expect(try await hana.send(.patch, path).json == read.json)
            #expect(try await hana.send(.get, Self.inbox + "?unread=true").json["total"] == 2)
            #expect(try await other.send(.post, Self.inbox + "/read-all").json["count"] == 0)
            #expect(try await hana.send(.post, Self.inbox + "/read-all").json["count"] == 2)
            #expect(try await hana.send(.post, Self.inbox + "/read-all").json["count"] == 0)
            let after = try await hana.send(.get, Self.inbox)
            #expect(after.json["total"] == 3)
            #expect(after.json["items"]?[1]?["read_at"] == read.json["read_at"])
        }
    }

    @Test func `what is old goes, in batches, and what is not stays`() async throws {
        let user = Identifier.new()
        try test.connect().run(
            script: """
                insert into users (id, nickname) values ('\(user)', '하나');
                insert into notifications (id, user_id, kind, subject_id, created_at)
                select gen_random_uuid(), '\(user)', 'verification_approved', gen_random_uuid(),
                    now() - (case when n <= 2500 then 181 else 179 end) * interval '1 day'
                from generate_series(1, 2510) n;
                """)
        let sweep = RowSweep.ofInboxes(
            pool: test.server.pool, logger: test.server.logger,
            settings: test.server.settings.inbox)
        #expect(try await sweep.runOnce() == 2500)
        #expect(try await sweep.runOnce() == 0)
        let left = Statement("test_left", "select count(*) from notifications")
        #expect(try test.connect().query(left)[0].get(0, as: Int.self) == 10)
    }
}
