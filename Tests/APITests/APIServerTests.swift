import Clicks
import Foundation
import HTTPTypes
import Hummingbird
import Postgres
import Schema
import Settings
import Testing
import TestSupport

@testable import API

@Suite struct APIServerTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    @Test func `the server understands every statement`() throws {
        let connection = try test.connect()
        // What verification makes before it asks.
        try connection.run(script: "create temp table stored_manifest (line text)")
        let statements = APIServer.statements
        for statement in statements {
            #expect(throws: Never.self, "\(statement.name)") { try connection.prepare(statement) }
        }
        #expect(Set(statements.map(\.name)).count == statements.count)
    }

    @Test func `every statement in the sources is among those that are tried`() throws {
        let sources = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../Sources/API").standardizedFileURL
        let files = FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil)
        var declared: Set<String> = []
        while let file = files?.nextObject() as? URL {
            guard file.lastPathComponent.hasSuffix("Queries.swift") else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for match in text.matches(of: /(?:Statement|list|count|breakdown)\(\s*"([a-z_]+)",/) {
                declared.insert(String(match.1))
            }
        }
        #expect(declared.count > 30)
        // COPY cannot be prepared; sealing and verifying run it.
        declared.remove("day_stream")
        // Lists are made by rule from lists of their cases; all else is written out.
        let written = APIServer.statements.map(\.name).filter { !$0.hasPrefix("gonggus_list_") }
        #expect(declared == Set(written))
    }

    private static let open = Set(Role.allCases)
    /// Whom each route is for; nil for everyone.
    private static let expected: [String: Set<Role>?] = [
        "health": nil, "ready": nil, "signUp": nil, "logIn": nil, "refreshSession": nil,
        "logOut": nil, "logInBySocial": nil, "me": open,
        "listCategories": nil, "listGonggus": nil,
        "listActiveGonggus": nil, "listUpcomingGonggus": nil, "listClosingGonggus": nil,
        "getGonggu": nil, "search": nil, "createGonggu": [.influencer, .admin],
        "replaceGonggu": [.influencer, .admin], "deleteGonggu": [.influencer, .admin],
        "clickStats": [.influencer, .finance, .admin],
        "clickOverview": [.influencer, .finance, .admin],
        "listClicks": [.influencer, .finance, .admin],
        "exportClicks": [.influencer, .finance, .admin],
        "watchClicks": [.influencer, .finance, .admin],
        "listAppeals": [.influencer, .finance, .admin],
        "getAppeal": [.influencer, .finance, .admin],
        "createAppeal": [.influencer, .admin], "answerAppeal": [.finance, .admin],
        "listFlags": [.admin], "getFlag": [.admin], "releaseFlag": [.admin],
        "confirmFlag": [.admin],
        "listRuleSets": [.finance, .admin], "listAdjudications": [.finance, .admin],
        "getAdjudication": [.finance, .admin], "createAdjudication": [.admin],
        "listCPCRates": [.finance, .admin], "addCPCRate": [.finance, .admin],
        "getSettlementMonth": [.finance, .admin], "draftSettlementMonth": [.finance, .admin],
        "closeSettlementMonth": [.finance, .admin], "paySettlementMonth": [.finance, .admin],
        "listSettlements": [.finance, .admin], "mySettlements": [.influencer, .admin],
        "getSettlement": [.influencer, .finance, .admin],
        "settlementLines": [.influencer, .finance, .admin],
        "settlementLineClicks": [.influencer, .finance, .admin],
        "settlementLineClicksCSV": [.influencer, .finance, .admin],
        "holdSettlement": [.finance, .admin], "releaseSettlement": [.finance, .admin],
        "adjustSettlement": [.finance, .admin], "noteTaxInvoice": [.finance, .admin],
        "exportLedger": [.finance, .admin], "exportBankTransfers": [.finance, .admin],
        "exportWithholding": [.finance, .admin], "exportTaxInvoices": [.finance, .admin],
        "exportWorkbook": [.finance, .admin],
        "suspendGonggu": [.admin], "restoreGonggu": [.admin], "gongguQR": nil,
        "calendarMonth": nil, "calendarFeed": nil,
        "createCategory": [.admin], "replaceCategory": [.admin], "deleteCategory": [.admin],
        "listInfluencers": nil, "getInfluencer": nil,
        "myInfluencer": [.influencer, .admin], "replaceMyInfluencer": [.influencer, .admin],
        "askVerification": [.influencer, .admin], "listVerifications": [.admin],
        "approveVerification": [.admin], "rejectVerification": [.admin],
        "listNotifications": open, "readNotification": open, "readAllNotifications": open,
        "uploadImage": open, "getImage": nil,
        "myPayee": [.influencer, .admin], "setMyPayee": [.influencer, .admin],
        "listAudit": [.admin], "listUsers": [.admin], "suspendUser": [.admin],
        "restoreUser": [.admin], "getUser": nil, "changeMe": open, "changePassword": open,
        "leave": open,
        "subscribe": open, "unsubscribe": open, "changeSubscription": open,
        "getSubscription": open, "listSubscriptions": open, "subscriptionFeed": open,
        "addFavorite": open, "removeFavorite": open, "getFavorite": open,
        "listFavorites": open, "listReviews": nil,
        "createReview": [.buyer, .influencer, .admin],
        "replaceReview": [.buyer, .influencer, .admin],
        "deleteReview": [.buyer, .influencer, .admin],
    ]

    /// Whom each route lets in, by the status a caller of each role gets: 401 unsigned, 403 for a
    /// role it is not for, anything else for one it is for.
    @Test func `each route is open to whom it is for`() async throws {
        let expected = Self.expected
        let routes = test.server.routes().table.routes
        #expect(Set(routes.map(\.id)) == Set(expected.keys))
        try await test.call { [test] caller in
            var callers: [(Role?, Caller)] = [(nil, caller)]
            for role in Role.allCases {
                callers.append((role, try await caller.member(role, on: test)))
            }
            // Who leaves is signed out, so that comes last.
            for route in routes.filter({ $0.id != "leave" }) + routes.filter({ $0.id == "leave" }) {
                let path = route.path.replacing(/\{[a-z_]+\}/) { _ in Identifier.new().description }
                for (role, caller) in callers {
                    let body: JSON? = route.body.map { _ in draft() }
                    let answer = try await caller.send(route.method, path, body)
                    let who = "\(route.id) as \(role?.rawValue ?? "nobody"): \(answer.status)"
                    guard let allowed = expected[route.id] ?? nil else {
                        #expect(answer.code != "NOT_SIGNED_IN", "\(who)")
                        continue
                    }
                    #expect((answer.code == "NOT_SIGNED_IN") == (role == nil), "\(who)")
                    guard let role else { continue }
                    #expect((answer.code == "ROLE_MISSING") == !allowed.contains(role), "\(who)")
                }
            }
        }
    }

    @Test func `the document describes each route of the service`() async throws {
        let routes = test.server.routes().table.routes
        try await test.call { caller in
            let document = try await caller.send(.get, "/openapi.json")
            #expect(document.status == 200)
            for route in routes {
                let method = route.method.rawValue.lowercased()
                let operation = document.json["paths"]?[route.path]?[method]
                #expect(operation?["operationId"]?.text == route.id)
            }
        }
    }

    @Test func `it is ready with everything there`() async throws {
        try await test.call { caller in
            let health = try await caller.send(.get, "/health")
            #expect(health.status == 200 && health.json["status"]?.text == "ok")
            let ready = try await caller.send(.get, "/ready")
            #expect(ready.status == 200 && ready.json["status"]?.text == "ready")
            #expect(
                ready.json["dependencies"]?.list?.map { $0["name"]?.text }
                    == ["postgres", "schema", "redis"])
        }
    }

    @Test func `without Redis it serves on, degraded`() async throws {
        let test = try await TestAPI(environment: ["REDIS_URL": "redis://127.0.0.1:1/0"])
        try await test.call { caller in
            let ready = try await caller.send(.get, "/ready")
            #expect(ready.status == 200 && ready.json["status"]?.text == "degraded")
            #expect(try await caller.signUp("a@example.com").status == 201)
        }
    }

    @Test func `without PostgreSQL it lives and asks to come back`() async throws {
        let test = try await TestAPI(environment: [
            "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"
        ])
        try await test.call { caller in
            #expect(try await caller.send(.get, "/health").status == 200)
            let ready = try await caller.send(.get, "/ready")
            #expect(ready.status == 503 && ready.json["status"]?.text == "unavailable")
            let list = try await caller.send(.get, "/api/v1/gonggus")
            #expect(list.status == 503 && list.code == "TEMPORARILY_UNAVAILABLE")
            #expect(list.headers[.retryAfter] != nil)
        }
    }

    @Test func `on another schema it lives and is not ready`() async throws {
        try test.connect().run(
            script: "insert into schema_migrations (version, name, sha256) values (9999, 'x', 'x')")
        try await test.call { caller in
            let ready = try await caller.send(.get, "/ready")
            #expect(ready.status == 503)
            #expect(
                ready.json["dependencies"]?.list?.map { $0["is_up"] } == [
                    .bool(true), .bool(false), .bool(true),
                ])
        }
    }

    @Test func `a login flood is told to come back while the rest goes on`() async throws {
        let test = try await TestAPI(environment: [
            "PASSWORD_LANES": "1", "PASSWORD_QUEUE_MAX": "1", "BCRYPT_COST": "10",
        ])
        try await test.call { caller in
            let answers = try await withThrowingTaskGroup(of: Caller.Answer.self) { group in
                // Ten at once for one account would be too many attempts.
                for each in 0..<12 {
                    group.addTask { try await caller.logIn("nobody-\(each)@example.com") }
                }
                let list = try await caller.send(.get, "/api/v1/gonggus")
                #expect(list.status == 200)
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers.map(\.status)) == [401, 503])
            let busy = answers.first { $0.status == 503 }
            #expect(busy?.headers[.retryAfter] == "2")
        }
    }
}

@Suite struct SettingsTests {
    private func faults(_ environment: [String: String]) -> [String] {
        var reader = SettingsReader(environment: environment)
        _ = APISettings(reading: &reader)
        do throws(SettingsFaults) {
            try reader.finish()
            return []
        } catch {
            return error.faults.map(\.name)
        }
    }

    private let least = [
        "DATABASE_URL": "postgres://u@h/d", "JWT_SECRET_KEY": String(repeating: "k", count: 32),
    ]

    @Test func `two settings are enough`() {
        #expect(faults(least) == [])
    }

    @Test func `all faults are told at once`() {
        let wrong = [
            "JWT_SECRET_KEY": String(repeating: "k", count: 31), "BCRYPT_COST": "15",
            "API_PORT": "65536", "PASSWORD_LANES": "4", "PASSWORD_QUEUE_MAX": "3",
            "REDIS_URL": "redis://h/x", "CORS_ORIGINS": "https://a.example/path",
            "ACCESS_TOKEN_EXPIRE_MINUTES": "0", "LOG_LEVEL": "loud",
        ]
        #expect(
            Set(faults(wrong)) == [
                "DATABASE_URL", "JWT_SECRET_KEY", "BCRYPT_COST", "API_PORT", "PASSWORD_QUEUE_MAX",
                "REDIS_URL", "CORS_ORIGINS", "ACCESS_TOKEN_EXPIRE_MINUTES", "LOG_LEVEL",
            ])
    }

    @Test func `help names every setting and no secret`() {
        let help = APISettings.help
        for name in ["DATABASE_URL", "JWT_SECRET_KEY", "API_PORT", "BCRYPT_COST"] {
            #expect(help.contains(name))
        }
    }
}

/// The binary itself, as an operator runs it.
@Suite struct CommandTests {
    let database: TestDatabase
    let folder: TestFolder

    init() throws {
        database = try TestDatabase(migrated: false)
        folder = try TestFolder()
    }

    private func run(
        _ arguments: [String], _ extra: [String: String] = [:]
    ) throws -> (code: Int32, text: String) {
        let log = folder.path + "/log-\(UInt64.random(in: .min ... .max))"
        let environment = [
            "DATABASE_URL": database.url, "JWT_SECRET_KEY": TestAPI.secret,
            "BCRYPT_COST": "4", "API_PORT": "0", "REDIS_URL": try TestServers.redisURL(),
        ].merging(extra) { $1 }
        let process = try ChildProcess(
            try TestServers.binary("API"), arguments,
            environment: environment, logPath: log)
        return (process.wait(), process.log)
    }

    @Test func `serve refuses a database that was never migrated`() throws {
        let (code, text) = try run(["serve"])
        #expect(code == 1)
        let version = Migration.all.count
        #expect(text == "API: schema is at 0, this build wants \(version): run `API migrate`\n")
    }

    @Test func `faulty settings are all told, with 78`() throws {
        let (code, text) = try run(
            ["serve"], ["JWT_SECRET_KEY": "short", "API_PORT": "x", "BCRYPT_COST": "99"])
        #expect(code == 78)
        #expect(text.split(separator: "\n").count == 3)
        #expect(!text.contains("short"))
    }

    @Test func `migrate, seed-demo and verify-influencer can be repeated`() throws {
        #expect(try run(["migrate"]).code == 0)
        let again = try run(["migrate"])
        #expect(again.code == 0 && again.text == "the schema is current\n")
        let first = try run(["seed-demo"])
        #expect(first.code == 0, "\(first.text)")
        let second = try run(["seed-demo", "--password", "demo password"])
        #expect(second.code == 0)
        func value(_ name: String, _ text: String) -> Substring? {
            text.split(separator: "\n").first { $0.hasPrefix(name + "=") }?
                .dropFirst(name.utf8.count + 1)
        }
        for name in ["demo_gonggu_id", "demo_gonggu_code", "demo_closed_gonggu_id"] {
            #expect(value(name, first.text) != nil, "\(name)")
            #expect(value(name, first.text) == value(name, second.text), "\(name)")
        }
        #expect(value("demo_influencer_password", second.text) == "demo password")
        let connection = try database.connect()
        let states = Statement(
            "test_states",
            """
            select count(*) filter (where now() between open_at and close_at) as active,
                count(*) filter (where open_at > now()) as scheduled,
                count(*) filter (where close_at < now()) as closed
            from gonggus
            """)
        let row = try connection.query(states)[0]
        #expect(try row.get("active", as: Int.self) == 3)
        #expect(try row.get("scheduled", as: Int.self) == 1)
        #expect(try row.get("closed", as: Int.self) == 1)
        let verified = try run(["verify-influencer", "--email", "INFLUENCER@demo.example"])
        #expect(verified.code == 0)
        let nobody = try run(["verify-influencer", "--email", "buyer@demo.example"])
        #expect(nobody.code == 1)
        let promoted = try run(["set-role", "--email", "buyer@demo.example", "--role", "finance"])
        #expect(promoted.code == 0 && promoted.text.hasPrefix("finance "))
        #expect(try run(["set-role", "--email", "x@demo.example", "--role", "admin"]).code == 1)
        #expect(try run(["set-role", "--email", "x@demo.example", "--role", "god"]).code == 64)
    }

    @Test func `the demo stays away from a database in use`() throws {
        #expect(try run(["migrate"]).code == 0)
        try database.connect().run(
            script: "insert into users (email, nickname) values ('a@shop.example', '하나')")
        let refused = try run(["seed-demo"])
        #expect(refused.code == 1 && refused.text.contains("--force"))
        #expect(try run(["seed-demo", "--force"]).code == 0)
    }

    @Test func `help shows every setting and version is one line`() throws {
        let help = try run(["--help"])
        #expect(help.code == 0)
        for name in ["DATABASE_URL", "JWT_SECRET_KEY", "seed-demo", "verify-influencer"] {
            #expect(help.text.contains(name))
        }
        #expect(try run(["--version"]).text == "API \(Version.current)\n")
        #expect(try run(["serve", "--nonsense"]).code == 64)
    }

    @Test func `serve listens, answers and stops on SIGTERM`() throws {
        #expect(try run(["migrate"]).code == 0)
        let port = try freePort()
        let process = try ChildProcess(
            try TestServers.binary("API"), ["serve"],
            environment: [
                "DATABASE_URL": database.url, "JWT_SECRET_KEY": TestAPI.secret,
                "BCRYPT_COST": "4", "API_PORT": "\(port)",
                "REDIS_URL": try TestServers.redisURL(),
            ], logPath: folder.path + "/serve")
        try eventually("the API answers /ready") {
            guard let client = try? PlainClient(port: port) else { return false }
            return try client.ask("GET", "/ready")?.status == 200
        }
        process.kill(SIGTERM)
        #expect(process.wait(seconds: 60) == 0)
    }
}
