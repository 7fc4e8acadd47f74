import Clicks
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Postgres
import Synchronization
import Testing

@testable import API

@Suite struct KeptAnswersTests {
    let test: TestAPI
    private static let key = HTTPField.Name("Idempotency-Key")!
    private static let replayed = HTTPField.Name("Idempotency-Replayed")!

    init() async throws { test = try await TestAPI() }

    private static let count = Statement("test_count_gonggus", "select count(*) as n from gonggus")
    private static let keys = Statement("test_count_keys", "select count(*) as n from kept_answers")

    private func count(_ statement: Statement) throws -> Int {
        try test.connect().query(statement)[0].get("n")
    }

    // MARK: On the service

    @Test func `a repeat gets the first answer, byte for byte, and makes nothing`() async throws {
        try await test.call { [test] caller in
            let maker = try await caller.member(.influencer, on: test)
            let body = draft()
            let first = try await maker.post(body, key: "k-1")
            #expect(first.status == 201 && first.headers[Self.replayed] == nil)
            // The order of the members is not what was asked.
            let turned = JSON.object((body.members ?? []).reversed())
            for again in [body, turned] {
                let second = try await maker.post(again, key: "k-1")
                #expect(second.status == 201 && second.headers[Self.replayed] == "true")
                #expect(second.json.bytes == first.json.bytes)
                #expect(second.headers[.location] == first.headers[.location])
                #expect(second.headers[.contentType] == first.headers[.contentType])
            }
            #expect(try await maker.post(body, key: "k-2").json["id"] != first.json["id"])
            #expect(try await maker.post(body, key: nil).status == 201)
        }
        #expect(try count(Self.count) == 3)
    }

    @Test func `a key is an account's and a route's own, and stands for one request`()
        async throws
    {
        try await test.call { [test] caller in
            let one = try await caller.member(.influencer, on: test)
            let two = try await caller.member(.influencer, on: test)
            let body = draft()
            let first = try await one.post(body, key: "k")
            let other = try await two.post(body, key: "k")
            #expect(other.status == 201 && other.json["id"] != first.json["id"])
            let reused = try await one.post(draft(["title": "다른 공구"]), key: "k")
            #expect(reused.status == 422 && reused.code == "IDEMPOTENCY_KEY_REUSED")
            #expect(reused.faults == ["Idempotency-Key REUSED"])
            let appeal = try await one.send(
                .post, "/api/v1/tracking/appeals",
                ["gonggu_id": .text("\(Identifier.new())"), "reason": "x", "day": "2026-11-01"],
                headers: [Self.key: "k"])
            #expect(appeal.code != "IDEMPOTENCY_KEY_REUSED")
            // One route, two addresses: the key was for the other one.
            let admin = try await caller.member(.admin, on: test)
            let release = { (flag: String) in
                try await admin.send(
                    .post, "/api/v1/flags/\(flag)/release", ["reason": "확인"],
                    headers: [Self.key: "f"])
            }
            let flags = ["\(Identifier.new())", "\(Identifier.new())"]
            let missing = try await release(flags[0])
            #expect(missing.status == 404 || missing.status == 422)
            if missing.status == 404 {
                #expect(try await release(flags[1]).code == "IDEMPOTENCY_KEY_REUSED")
            }
        }
        #expect(try count(Self.count) == 2)
    }

    @Test func `of many at once one works, and the others come back`() async throws {
        try await test.call { [test] caller in
            let maker = try await caller.member(.influencer, on: test)
            let body = draft()
            let answers = try await withThrowingTaskGroup(of: Caller.Answer.self) { group in
                for _ in 0..<16 { group.addTask { try await maker.post(body, key: "k") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(answers.map(\.status)).isSubset(of: [201, 409]))
            let made = answers.filter { $0.status == 201 }
            #expect(made.filter { $0.headers[Self.replayed] == nil }.count == 1)
            #expect(Set(made.map(\.json.bytes)).count == 1)
            for busy in answers where busy.status == 409 {
                #expect(busy.code == "IDEMPOTENCY_KEY_BUSY" && busy.headers[.retryAfter] == "1")
            }
            #expect(try await maker.post(body, key: "k").headers[Self.replayed] == "true")
        }
        #expect(try count(Self.count) == 1)
    }

    @Test func `a refusal of the handler is kept, one from before it is not`() async throws {
        try await test.call { [test] caller in
            let maker = try await caller.member(.influencer, verified: false, on: test)
            let faulty = try await maker.post(draft(["title": 7]), key: "k")
            #expect(faulty.status == 422 && faulty.code == "FIELDS_INVALID")
            let refused = try await maker.post(draft(), key: "k")
            #expect(refused.code == "INFLUENCER_NOT_VERIFIED")
            #expect(refused.headers[Self.replayed] == nil)
            try test.connect().run(script: "update influencer_profiles set is_verified = true")
            let body = draft()
            _ = try await maker.post(body, key: "late")
            #expect(try await maker.post(body, key: "late").headers[Self.replayed] == "true")
        }
        #expect(try count(Self.count) == 1 && count(Self.keys) == 2)
    }

    @Test(arguments: ["", String(repeating: "k", count: 256), "a b", "한", "\u{7F}"])
    func `a key that is none is a fault of its own`(key: String) async throws {
        try await test.call { [test] caller in
            let maker = try await caller.member(.influencer, on: test)
            let answer = try await maker.post(draft(), key: key)
            #expect(answer.status == 422)
            #expect(answer.faults == ["Idempotency-Key MALFORMED"])
            var twice = HTTPFields()
            twice.append(HTTPField(name: Self.key, value: "a"))
            twice.append(HTTPField(name: Self.key, value: "a"))
            let repeated = try await maker.send(.post, "/api/v1/gonggus", draft(), headers: twice)
            #expect(repeated.faults == ["Idempotency-Key REPEATED"])
            let longest = String(repeating: "~", count: 255)
            #expect(try await maker.post(draft(), key: longest).status == 201)
        }
    }

    @Test func `where nothing is kept the header is nothing`() async throws {
        try await test.call { caller in
            let body: JSON = [
                "email": "a@example.com", "password": "correct horse", "nickname": "하나",
                "role": "buyer",
            ]
            for status in [201, 409] {
                let answer = try await caller.send(
                    .post, "/api/v1/auth/signup", body, headers: [Self.key: "k"])
                #expect(answer.status == status)
            }
        }
        #expect(try count(Self.keys) == 0)
    }

    /// A POST that keeps no answer is named here, with the reason; a new one has to be.
    @Test func `every POST keeps its answers, but for those with a reason`() {
        let without: [String: String] = [
            "signUp": "nobody is signed in, and the body has a password",
            "logIn": "body and answer have secrets", "refreshSession": "the same",
            "logOut": "the body has a secret, and doing it twice is doing it once",
            "logInBySocial": "nobody is signed in, and body and answer have secrets",
            "uploadImage": "a file is not hashed; twice is two images, and one is shown",
        ]
        let posts = test.server.routes().table.routes.filter { $0.method == .post }
        #expect(Set(posts.filter { !$0.keepsAnswers }.map(\.id)) == Set(without.keys))
        for route in test.server.routes().table.routes where route.method != .post {
            #expect(!route.keepsAnswers)
        }
    }

    // MARK: What no route of the service does at will

    /// A route that counts its runs and does as it is told.
    private final class Workbench: Sendable {
        enum Order: Sendable {
            case succeed
            case fail
            case askLater
        }

        let orders: Mutex<[Order]>
        let runs = Mutex(0)

        init(_ orders: [Order]) { self.orders = Mutex(orders) }

        func work() throws {
            runs.withLock { $0 += 1 }
            switch orders.withLock({ $0.isEmpty ? .succeed : $0.removeFirst() }) {
            case .succeed: return
            case .fail: throw Unforeseen()
            case .askLater: throw Problem(.jarBroken, headers: [.retryAfter: "5"])
            }
        }
    }

    private func account() throws -> Identifier {
        let insert = Statement(
            "test_account", "insert into users (nickname, role) values ('하나', 'buyer') returning id"
        )
        return try test.connect().query(insert)[0].get("id")
    }

    private func work(
        _ bench: Workbench, bounds: KeptAnswerBounds = KeptAnswerBounds(),
        _ body:
            @escaping @Sendable (@Sendable (String) async throws -> Caller.Answer) async throws
            -> Void
    ) async throws {
        var table = RouteTable()
        table.add(
            .post, "/work", id: "work", tag: .jars, Wording("일", "Work"), access: .signedIn,
            answer: .noContent, errors: [.jarBroken]
        ) { _ in try bench.work() }
        let account = Account(id: try account(), role: .buyer)
        let router = table.router(
            settings: HTTPSettings(), tokens: AccessTokens { _ in account },
            kept: KeptAnswers(pool: test.server.pool, bounds: bounds))
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        try await Application(router: router, logger: logger).test(.router) { client in
            let caller = Caller(client: client, token: "any")
            try await body { key in
                try await caller.send(.post, "/work", headers: [Self.key: key])
            }
        }
    }

    @Test func `what failed on our side, or asks to come back, is done again`() async throws {
        let bench = Workbench([.fail, .askLater, .succeed])
        try await work(bench) { ask in
            #expect(try await ask("k").status == 500)
            let later = try await ask("k")
            #expect(later.status == 409 && later.code == "JAR_BROKEN")
            #expect(try await ask("k").status == 204)
            let kept = try await ask("k")
            #expect(kept.status == 204 && kept.headers[Self.replayed] == "true")
            #expect(kept.headers[.contentLength] == nil)
        }
        #expect(bench.runs.withLock { $0 } == 3)
    }

    @Test func `a key whose holder died is free again when its lease is over`() async throws {
        let account = try account()
        let bounds = KeptAnswerBounds()
        let question = KeptQuestion(
            account: account, operation: "work", key: "k", hash: Array(repeating: 7, count: 32))
        let other = KeptQuestion(
            account: account, operation: "work", key: "k", hash: Array(repeating: 8, count: 32))
        let connection = try test.connect()
        func take(_ question: KeptQuestion, _ holder: Identifier) throws -> KeyTaken {
            try KeptAnswerQueries.take(question, holder: holder, bounds: bounds, in: connection)
        }
        let (dead, next) = (Identifier.new(), Identifier.new())
        #expect(try take(question, dead).isTaken)
        guard case .underWay = try take(question, next) else {
            Issue.record("a key was taken from a holder whose lease is not over")
            return
        }
        try connection.run(script: "update kept_answers set leased_until = now()")
        guard case .usedOtherwise = try take(other, next) else {
            Issue.record("a key was taken for another request")
            return
        }
        #expect(try take(question, next).isTaken)
        // The first was not dead but slow: it neither answers nor gives away what is another's.
        let answer = KeptAnswer(status: 201, headers: "{}", body: [1])
        try KeptAnswerQueries.settle(question, holder: dead, with: answer, in: connection)
        try KeptAnswerQueries.settle(question, holder: dead, with: nil, in: connection)
        guard case .underWay = try take(question, dead) else {
            Issue.record("a slow holder has touched the key of the next")
            return
        }
        try KeptAnswerQueries.settle(question, holder: next, with: answer, in: connection)
        guard case .answered(let kept) = try take(question, dead) else {
            Issue.record("the answer is not kept")
            return
        }
        #expect(kept.status == 201 && kept.body == [1])
        // A day later the key means nothing any more, whatever it is asked for.
        try connection.run(script: "update kept_answers set expires_at = now()")
        #expect(try take(other, next).isTaken)
    }

    @Test func `an account has so many keys and no more`() async throws {
        var bounds = KeptAnswerBounds()
        bounds.keysOfAccountMax = 2
        let bench = Workbench([])
        try await work(bench, bounds: bounds) { ask in
            #expect(try await ask("a").status == 204)
            #expect(try await ask("b").status == 204)
            let full = try await ask("c")
            #expect(full.status == 429 && full.code == "IDEMPOTENCY_KEYS_FULL")
            #expect(full.headers[.retryAfter] != nil)
            #expect(try await ask("a").headers[Self.replayed] == "true")
        }
        #expect(bench.runs.withLock { $0 } == 2)
        #expect(try count(Self.keys) == 2)
    }

    @Test func `what has expired is deleted, in batches, and nothing else`() async throws {
        let account = try account()
        let fill = Statement(
            "test_fill_keys",
            """
            insert into kept_answers
                (account_id, operation, key, holder, leased_until, expires_at, question)
            select $1, 'work', n::text, $1, now(),
                now() + (case when n <= 2500 then -1 else 60 end) * interval '1 minute',
                decode(repeat('00', 32), 'hex')
            from generate_series(1, 2510) n
            """)
        try test.connect().execute(fill, [account])
        let sweep = RowSweep.ofKeptAnswers(
            pool: test.server.pool, logger: LogRecorder().logger)
        #expect(try await sweep.runOnce() == 2500)
        #expect(try count(Self.keys) == 10)
        #expect(try await sweep.runOnce() == 0)
    }
}

extension KeyTaken {
    fileprivate var isTaken: Bool { if case .taken = self { true } else { false } }
}

extension Caller {
    /// Makes a gonggu, with a key where one is given.
    fileprivate func post(_ body: JSON, key: String?) async throws -> Answer {
        try await send(
            .post, "/api/v1/gonggus", body,
            headers: key.map { [HTTPField.Name("Idempotency-Key")!: $0] } ?? [:])
    }
}
