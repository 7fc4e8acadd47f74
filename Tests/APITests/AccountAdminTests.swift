import Clicks
import Foundation
import Postgres
import Testing
import TestSupport

@testable import API

@Suite struct AccountAdminTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    @Test func `a suspension counts at once, is undone, and both are in the log`() async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            let adminID = try #require(
                try await admin.send(.get, "/api/v1/users/me").json["id"]?.text)
            let made = try await caller.signUp("a@example.com")
            let id = try #require(made.json["id"]?.text)
            let session = try await caller.logIn("a@example.com")
            let member = Caller(client: caller.client, token: session.json["access_token"]?.text)
            func decide(_ decision: String, _ reason: String, of id: String) async throws
                -> Caller.Answer
            {
                try await admin.send(
                    .post, "/api/v1/admin/users/\(id)/\(decision)", ["reason": .text(reason)])
            }
            let early = try await decide("restore", "none", of: id)
            #expect(early.status == 409 && early.code == "USER_NOT_SUSPENDED")
            let suspended = try await decide("suspend", " 허위 공구 ", of: id)
            #expect(suspended.status == 200 && suspended.json["status"]?.text == "suspended")
            #expect(suspended.json["email"]?.text == "a@example.com")
            #expect(try await member.send(.get, "/api/v1/users/me").status == 401)
            let refresh = try await caller.refresh(session.json["refresh_token"])
            #expect(refresh.status == 403 && refresh.code == "ACCOUNT_SUSPENDED")
            #expect(try await caller.logIn("a@example.com").status == 403)
            #expect(try await decide("suspend", "again", of: id).code == "USER_SUSPENDED")
            #expect(try await decide("restore", "실수", of: id).status == 200)
            // Sessions from before stay ended.
            #expect(try await member.send(.get, "/api/v1/users/me").status == 401)
            #expect(try await caller.refresh(session.json["refresh_token"]).status == 401)
            #expect(try await caller.logIn("a@example.com").status == 200)

            let oneself = try await decide("suspend", "test", of: adminID)
            #expect(oneself.status == 409 && oneself.code == "OWN_ACCOUNT")
            let nobody = try await decide("suspend", "test", of: "\(Identifier.new())")
            #expect(nobody.status == 404 && nobody.code == "USER_NOT_FOUND")
            let blank = try await decide("suspend", "  ", of: id)
            #expect(blank.status == 422 && blank.faults == ["reason EMPTY"])

            let log = try await admin.send(.get, "/api/v1/admin/audit?object_id=\(id)&order=asc")
            let items = log.json["items"]?.list ?? []
            #expect(items.map { $0["action"]?.text } == ["user.suspended", "user.restored"])
            #expect(items.allSatisfy { $0["by"]?.text == adminID })
            #expect(items.map { $0["reason"]?.text } == ["허위 공구", "실수"])
            #expect(items.map { $0["before"]?["status"]?.text } == ["active", "suspended"])
            #expect(items.map { $0["after"]?["status"]?.text } == ["suspended", "active"])
            #expect(log.json["total"]?.integer == 2)
        }
    }

    @Test func `of many suspensions at once one is made, and one line`() async throws {
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            let id = try await caller.signUp("a@example.com").json["id"]?.text ?? ""
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        try await admin.send(
                            .post, "/api/v1/admin/users/\(id)/suspend", ["reason": "x"]
                        ).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0 == 200 }.count == 1)
            let log = try await admin.send(.get, "/api/v1/admin/audit?action=user.suspended")
            #expect(log.json["total"]?.integer == 1)
        }
    }

    private struct Known {
        let email: String?
        let nickname: String
        let role: Role
        let status: UserStatus
        let id: String
    }

    /// Eighty accounts, two of each moment, in the order of a list.
    private func makeAccounts(_ random: inout SeededGenerator) throws -> [Known] {
        let connection = try test.connect()
        let insert = Statement(
            "test_user",
            """
            insert into users (email, nickname, role, status, created_at, erased_at)
            values ($1, $2, $3, $4, now() - make_interval(secs => $5),
                case when $4 = 'erased' then now() end)
            returning id
            """)
        var known: [Known] = []
        // One transaction, so that now() is one moment.
        try connection.run(script: "begin")
        for each in 0..<80 {
            let status = UserStatus.allCases.randomElement(using: &random)!
            let starts = ["Kim", "kim", "ki%", "k_m", "하나", "하늘", "ha"]
            let start = starts.randomElement(using: &random)!
            let email = status == .erased ? nil : "\(start == "하나" ? "h" : start)\(each)@A.example"
            let nickname = "\(starts.randomElement(using: &random)!)\(each % 9)"
            let role = [Role.buyer, .influencer, .finance].randomElement(using: &random)!
            let row = try connection.query(
                insert, [email, nickname, role.rawValue, status.rawValue, Double(each / 2)])[0]
            let id: Identifier = try row.get(0)
            known.append(
                Known(
                    email: email, nickname: nickname, role: role, status: status,
                    id: id.description))
        }
        try connection.run(script: "commit")
        // By time, and by id where the time is one.
        return known.enumerated().sorted {
            ($1.offset / 2, $0.element.id) < ($0.offset / 2, $1.element.id)
        }.map(\.element)
    }

    /// Every combination of filters, in both directions, page by page, against the same in Swift.
    @Test func `a list of accounts holds whom it should, in order`() async throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let ordered = try makeAccounts(&random)
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            _ = try await admin.send(.patch, "/api/v1/users/me", ["nickname": "운영자"])
            for email in [nil, "KIM", "k_m", "ki%", "kim1", "하나네"] as [String?] {
                for nickname in [nil, "하", "kI", "ki%1"] as [String?] {
                    for role in [nil, .buyer, .finance] as [Role?] {
                        for status in [nil] + UserStatus.allCases as [UserStatus?] {
                            if role == nil, email == nil, nickname == nil,
                                status == nil || status == .active
                            {
                                continue  // The admin is there as well.
                            }
                            var expected = ordered.filter { user in
                                email.map {
                                    user.email?.lowercased().hasPrefix($0.lowercased()) ?? false
                                } ?? true
                                    && nickname.map {
                                        user.nickname.lowercased().hasPrefix($0.lowercased())
                                    } ?? true && role.map { user.role == $0 } ?? true
                                    && status.map { user.status == $0 } ?? true
                            }.map(\.id)
                            let isAscending = (email?.count ?? 0) % 2 == 0
                            if !isAscending { expected.reverse() }
                            let filters = [
                                "email": email, "nickname": nickname, "role": role?.rawValue,
                                "status": status?.rawValue,
                                "order": isAscending ? "asc" : "desc", "size": "60",
                            ].compactMapValues { $0 }
                            var found: [String] = []
                            for page in 1...2 {
                                let answer = try await admin.list(filters, page: page)
                                #expect(answer.status == 200)
                                #expect(answer.json["total"]?.integer == expected.count)
                                found += (answer.json["items"]?.list ?? [])
                                    .compactMap { $0["id"]?.text }
                            }
                            #expect(found == expected, "seed \(seed): \(filters)")
                        }
                    }
                }
            }
        }
    }

    @Test func `the log is found by object, by person, by action and by time`() async throws {
        let connection = try test.connect()
        let (objects, actions) = (
            (0..<3).map { _ in Identifier.new() }, ["thing.made", "thing.ended"]
        )
        let people = try (0..<2).map { each -> Identifier in
            let insert = Statement(
                "test_person", "insert into users (nickname) values ('하나') returning id")
            return try connection.query(insert)[0].get(0)
        }
        try connection.transaction { connection in
            for object in objects {
                for by in people {
                    try AuditLog.write(
                        AuditAction("thing.made"), on: object, before: nil,
                        after: ["size": 1, "names": ["가", "\"나\""]], by: by, in: connection)
                    try AuditLog.write(
                        AuditAction("thing.ended"), on: object, before: ["size": 1], after: nil,
                        reason: "끝", by: by, in: connection)
                }
            }
        }
        try await test.call { [test] caller in
            let admin = try await caller.member(.admin, on: test)
            for object in [nil] + objects as [Identifier?] {
                for by in [nil] + people as [Identifier?] {
                    for action in [nil] + actions as [String?] {
                        let filters = [
                            object.map { "object_id=\($0)" }, by.map { "by=\($0)" },
                            action.map { "action=\($0)" },
                            "from=2026-01-01T00:00:00Z&to=2100-01-01T00:00:00Z",
                        ]
                        let answer = try await admin.send(
                            .get,
                            "/api/v1/admin/audit?"
                                + filters.compactMap(\.self).joined(separator: "&"))
                        let count =
                            (object == nil ? 3 : 1) * (by == nil ? 2 : 1) * (action == nil ? 2 : 1)
                        #expect(answer.json["total"]?.integer == count)
                        for item in answer.json["items"]?.list ?? [] {
                            if let object { #expect(item["object_id"]?.text == "\(object)") }
                            if let by { #expect(item["by"]?.text == "\(by)") }
                            if let action { #expect(item["action"]?.text == action) }
                            #expect(item["by_nickname"]?.text == "하나")
                            let state: JSON = ["size": 1, "names": ["가", "\"나\""]]
                            if item["action"]?.text == "thing.made" {
                                #expect(item["before"] == .null && item["after"] == state)
                            }
                        }
                    }
                }
            }
            let none = try await admin.send(
                .get, "/api/v1/admin/audit?to=2020-01-01T00:00:00Z")
            #expect(none.json["total"]?.integer == 0)
        }
    }

    @Test func `the log is only added to, and a line goes with its change`() throws {
        let connection = try test.connect()
        try connection.transaction { connection in
            try AuditLog.write(
                AuditAction("thing.made"), on: nil, before: nil, after: nil, by: nil,
                in: connection)
        }
        for change in ["update audit_log set reason = 'x'", "delete from audit_log"] {
            #expect(throws: PostgresError.self) { try connection.run(script: change) }
        }
        #expect(throws: PostgresError.self) { try connection.run(script: "truncate audit_log") }
        struct Stop: Error {}
        #expect(throws: Stop.self) {
            try connection.transaction { connection in
                try AuditLog.write(
                    AuditAction("thing.ended"), on: nil, before: nil, after: nil, by: nil,
                    in: connection)
                throw Stop()
            }
        }
        let count = Statement("test_lines", "select count(*) from audit_log")
        #expect(try connection.query(count)[0].get(0, as: Int.self) == 1)
    }
}

extension Caller {
    fileprivate func refresh(_ token: JSON?) async throws -> Answer {
        try await send(.post, "/api/v1/auth/refresh", ["refresh_token": token ?? .null])
    }

    fileprivate func list(_ filters: [String: String], page: Int) async throws -> Answer {
        let query = filters.map { name, value in
            name + "="
                + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        }
        return try await send(
            .get, "/api/v1/admin/users?page=\(page)&" + query.joined(separator: "&"))
    }
}
