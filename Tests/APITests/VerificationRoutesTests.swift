import Clicks
import Postgres
import Testing

@testable import API

@Suite struct VerificationRoutesTests {
    let test: TestAPI
    private static let ask = "/api/v1/influencers/me/verification"
    private static let cases = "/api/v1/admin/verifications"
    private static let request: JSON = [
        "message": "3년째 살림 공구를 합니다", "links": ["https://www.instagram.com/hana"],
    ]

    init() async throws { test = try await TestAPI() }

    private func count(_ table: StaticString) throws -> Int {
        try test.connect().query(Statement("test_count", "select count(*) from \(table)"))[0]
            .get(0)
    }

    @Test func `a request is made, rejected with a reason, made again and approved`() async throws {
        try await test.call { [test] caller in
            let hana = try await caller.member(.influencer, verified: false, on: test)
            let admin = try await caller.member(.admin, on: test)
            let asked = try await hana.send(.post, Self.ask, Self.request)
            #expect(asked.status == 201 && asked.json["status"]?.text == "pending")
            let again = try await hana.send(.post, Self.ask, Self.request)
            #expect(again.status == 409 && again.code == "VERIFICATION_PENDING")

            let queue = try await admin.send(.get, Self.cases)
            #expect(queue.json["total"]?.integer == 1)
            #expect(queue.json["items"]?[0]?["id"] == asked.json["id"])
            let first = Self.cases + "/" + (asked.json["id"]?.text ?? "")
            let rejected = try await admin.send(
                .post, first + "/reject", ["reason": "활동 이력이 없습니다"])
            #expect(rejected.status == 200 && rejected.json["status"]?.text == "rejected")
            for verb in ["approve", "reject"] {
                let twice = try await admin.send(.post, "\(first)/\(verb)", ["reason": "다시"])
                #expect(twice.status == 409 && twice.code == "VERIFICATION_DECIDED")
            }
            let state = try await hana.send(.get, "/api/v1/influencers/me")
            #expect(state.json["is_verified"] == false)
            #expect(state.json["verification"]?["reason"]?.text == "활동 이력이 없습니다")

            #expect(try await admin.send(.get, Self.cases).json["total"] == 0)
            let past = try await admin.send(.get, Self.cases + "?status=rejected")
            #expect(past.json["items"]?[0]?["decided_by"]?.text != nil)
            let second = try await hana.send(.post, Self.ask, Self.request)
            #expect(second.status == 201)
            let approved = try await admin.send(
                .post, Self.cases + "/\(second.json["id"]?.text ?? "")/approve",
                ["reason": "확인했습니다"])
            #expect(approved.json["influencer"]?["is_verified"] == true)
            #expect(try await hana.send(.post, "/api/v1/gonggus", draft()).status == 201)
            let needless = try await hana.send(.post, Self.ask, Self.request)
            #expect(needless.status == 409 && needless.code == "ALREADY_VERIFIED")

            let inbox = try await hana.send(.get, "/api/v1/notifications?order=asc")
            let told = inbox.json["items"]?.list ?? []
            #expect(
                told.map { $0["kind"]?.text } == [
                    "verification_rejected", "verification_approved",
                ])
            #expect(told.first?["body"]?.text == "활동 이력이 없습니다")
            #expect(told.first?["subject_id"] == asked.json["id"])
            let audit = try await admin.send(.get, "/api/v1/admin/audit?order=asc")
            let lines = audit.json["items"]?.list ?? []
            #expect(
                lines.map { $0["action"]?.text } == [
                    "verification.rejected", "verification.approved",
                ])
            #expect(lines.first?["reason"]?.text == "활동 이력이 없습니다")
            #expect(lines.first?["before"] == ["status": "pending"])
        }
    }

    @Test func `of requests at once one is taken`() async throws {
        try await test.call { [test] caller in
            let hana = try await caller.member(.influencer, verified: false, on: test)
            let codes = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await hana.send(.post, Self.ask, Self.request).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(codes.sorted() == [201, 409, 409, 409, 409, 409])
            #expect(try count("influencer_verifications") == 1)
        }
    }

    @Test func `of decisions at once one counts, is told and is written down`() async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            for round in 1...8 {
                let hana = try await caller.member(.influencer, verified: false, on: test)
                let asked = try await hana.send(.post, Self.ask, Self.request)
                let path = Self.cases + "/" + (asked.json["id"]?.text ?? "")
                let codes = try await withThrowingTaskGroup(of: Int.self) { group in
                    for verb in ["approve", "reject", "approve", "reject"] {
                        group.addTask {
                            try await admin.send(.post, "\(path)/\(verb)", ["reason": "심사"]).status
                        }
                    }
                    // Asking again meanwhile must not wait for who waits for it.
                    group.addTask { try await hana.send(.post, Self.ask, Self.request).status }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(codes.filter { $0 == 200 }.count == 1, "\(codes)")
                #expect(codes.allSatisfy { [200, 201, 409].contains($0) }, "\(codes)")
                #expect(try count("notifications") == round)
                #expect(try count("audit_log") == round)
            }
        }
    }

    @Test func `faulty and too many requests are refused`() async throws {
        try await test.call { [test] caller in
            let hana = try await caller.member(.influencer, verified: false, on: test)
            let faulty = try await hana.send(
                .post, Self.ask,
                ["message": "  \n", "links": ["https://ok.example/", "http://10.0.0.1/"]])
            #expect(faulty.faults == ["message EMPTY", "links[1] HOST_NOT_PUBLIC"])
            let many = try await hana.send(
                .post, Self.ask,
                ["message": "x", "links": .list(Array(repeating: "https://a.example/", count: 6))])
            #expect(many.faults == ["links WRONG_COUNT"])
            let connection = try test.connect()
            let reject = """
                update influencer_verifications
                set status = 'rejected', reason = 'x', decided_at = now()
                """
            for _ in 0..<VerificationRules.requestsMax {
                #expect(try await hana.send(.post, Self.ask, Self.request).status == 201)
                try connection.run(script: reject)
            }
            let often = try await hana.send(.post, Self.ask, Self.request)
            #expect(often.status == 429 && often.code == "VERIFICATION_TOO_OFTEN")
            #expect(often.headers[.retryAfter] == "86400")
            try connection.run(
                script: """
                    update influencer_verifications
                    set requested_at = requested_at - interval '31 days'
                    """)
            #expect(try await hana.send(.post, Self.ask, Self.request).status == 201)
            let admin = try await caller.member(.admin, on: test)
            let none = try await admin.send(.post, Self.ask, Self.request)
            #expect(none.status == 403 && none.code == "INFLUENCER_PROFILE_MISSING")
            let unknown = try await admin.send(
                .post, Self.cases + "/\(Identifier.new())/approve", ["reason": "x"])
            #expect(unknown.status == 404 && unknown.code == "VERIFICATION_NOT_FOUND")
        }
    }
}
