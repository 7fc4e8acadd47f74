import Clicks
import HTTPTypes
import Postgres
import Synchronization
import Testing
import TestSupport

@testable import API

@Suite struct CountedAttemptsTests {
    private let start = Timestamp(microseconds: 1_700_000_000_000_000)

    /// Against a list of everything that ever happened.
    @Test func `ten attempts count at a time, each for as long as its outcome says`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            var counted = CountedAttempts()
            var everything: [(until: Timestamp, isCounted: Bool)] = []
            var pending: [(stamp: Timestamp, index: Int)] = []
            var now = start
            for _ in 0..<200 {
                now = now.advanced(bySeconds: Int64.random(in: 0...40, using: &random))
                // A process that dies tells no outcome; here all tell theirs in time.
                for (stamp, index) in pending where Bool.random(using: &random) || stamp <= now {
                    let hasFailed = stamp > now && Bool.random(using: &random)
                    everything[index].isCounted = hasFailed
                    if hasFailed {
                        counted.fail(stamp, now: now)
                        everything[index].until = now.advanced(bySeconds: 900)
                    } else {
                        counted.withdraw(stamp)
                    }
                    pending.removeAll { $0.index == index }
                }
                let live = everything.filter { $0.isCounted && $0.until > now }
                switch counted.admit(now: now) {
                case .admitted(let stamp):
                    #expect(live.count < 10, "seed \(seed)")
                    everything.append((stamp, true))
                    pending.append((stamp, everything.count - 1))
                case .refused(let seconds):
                    #expect(live.count == 10, "seed \(seed)")
                    let first = live.map(\.until).min()
                    #expect(first == now.advanced(bySeconds: Int64(seconds)), "seed \(seed)")
                }
                #expect(counted.until.count <= 10 && counted.until == counted.until.sorted())
            }
        }
    }

    @Test func `a part of a second is waited for as a whole one`() {
        var counted = CountedAttempts(
            until: Array(repeating: Timestamp(microseconds: start.microseconds + 1), count: 10))
        #expect(counted.admit(now: start) == .refused(retryAfterSeconds: 1))
        var late = counted
        #expect(
            late.admit(now: Timestamp(microseconds: start.microseconds + 1))
                != .refused(retryAfterSeconds: 1))
        #expect(counted.until.count == 10)
    }
}

/// Two processes of one database, with a clock of their own, without Redis, behind a proxy that
/// says who the client is.
@Suite struct LoginThrottleTests {
    final class Clock: Sendable {
        private let time = Mutex(Timestamp.now)
        var now: Timestamp { time.withLock { $0 } }
        func advance(seconds: Int64) {
            time.withLock { $0 = $0.advanced(bySeconds: seconds) }
        }
    }

    let clock = Clock()
    let test: TestAPI
    let other: TestAPI

    init() async throws {
        (test, other) = try await Self.servers(clock)
    }

    private static func servers(
        _ clock: Clock, _ extra: [String: String] = [:]
    ) async throws -> (TestAPI, TestAPI) {
        let environment = [
            "REDIS_URL": "redis://127.0.0.1:1/0", "TRUSTED_PROXIES": "::",
        ].merging(extra) { $1 }
        let test = try await TestAPI(environment: environment, loginClock: { clock.now })
        let url = test.testDatabase.url
        let other = try await TestAPI(
            environment: environment.merging(["DATABASE_URL": url]) { $1 },
            loginClock: { clock.now })
        return (test, other)
    }

    /// Runs with a caller at each of the two.
    private func withBoth(
        _ body: @escaping @Sendable ([Caller]) async throws -> Void
    ) async throws {
        try await test.call { [other] first in
            try await other.call { second in try await body([first, second]) }
        }
    }

    private var rows: Int {
        get throws {
            let count = Statement("test_attempts", "select count(*) from login_attempts")
            return try test.connect().query(count)[0].get(0)
        }
    }

    @Test func `after ten failures at either process an account rests, known or not`()
        async throws
    {
        try await withBoth { [clock] callers in
            _ = try await callers[0].signUp("Known@example.com")
            var answers: [String: [String]] = [:]
            for email in ["known@example.com", "unknown@example.com"] {
                var seen: [String] = []
                func note(_ answer: Caller.Answer) {
                    let wait = answer.headers[.retryAfter] ?? "-"
                    seen.append("\(answer.status) \(wait) \(answer.json)")
                }
                for each in 0..<10 {
                    let spelling = each % 3 == 0 ? email.uppercased() : email
                    let caller = callers[each % 2]
                    let password = each == 5 ? "x" : "wrong horse"
                    note(try await caller.logIn(spelling, password, from: "192.0.2.\(each)"))
                }
                #expect(seen.allSatisfy { $0.hasPrefix("401 - ") })
                for caller in callers {
                    note(try await caller.logIn(email, from: "192.0.2.99"))
                }
                #expect(seen[10].hasPrefix("429 900 ") && seen[11] == seen[10])
                answers[email] = seen
            }
            // Whether there is an account cannot be told.
            #expect(answers["known@example.com"] == answers["unknown@example.com"])
            clock.advance(seconds: 899)
            let early = try await callers[1].logIn("known@example.com", from: "192.0.2.99")
            #expect(early.status == 429 && early.headers[.retryAfter] == "1")
            #expect(early.code == "TOO_MANY_ATTEMPTS")
            clock.advance(seconds: 1)
            #expect(
                try await callers[1].logIn("known@example.com", from: "192.0.2.99").status == 200)
        }
    }

    @Test func `after ten failures an address rests, whoever is tried from it`() async throws {
        try await withBoth { callers in
            _ = try await callers[0].signUp("a@example.com")
            for each in 0..<10 {
                let answer = try await callers[each % 2].logIn(
                    "nobody-\(each)@example.com", "wrong horse",
                    from: "2001:db8:1:2:\(each)::\(each)")
                #expect(answer.status == 401)
            }
            let right = try await callers[1].logIn("a@example.com", from: "2001:db8:1:2:ffff::1")
            #expect(right.status == 429 && right.headers[.retryAfter] == "900")
            for elsewhere in ["2001:db8:1:3::1", "203.0.113.1", "203.0.113.2"] {
                #expect(try await callers[1].logIn("a@example.com", from: elsewhere).status == 200)
            }
        }
    }

    @Test func `a success forgives the account and not the address`() async throws {
        try await withBoth { callers in
            _ = try await callers[0].signUp("a@example.com")
            func fail(_ count: Int, from address: String) async throws {
                for _ in 0..<count {
                    let answer = try await callers[0].logIn(
                        "a@example.com", "wrong horse", from: address)
                    #expect(answer.status == 401)
                }
            }
            try await fail(9, from: "192.0.2.1")
            #expect(try await callers[1].logIn("a@example.com", from: "192.0.2.1").status == 200)
            // The account begins at none, the address at nine.
            try await fail(1, from: "192.0.2.1")
            #expect(try await callers[1].logIn("a@example.com", from: "192.0.2.1").status == 429)
            try await fail(9, from: "192.0.2.2")
            #expect(try await callers[1].logIn("a@example.com", from: "192.0.2.3").status == 429)
        }
    }

    @Test func `of forty guesses at once, over both processes, ten are looked at`() async throws {
        try await withBoth { callers in
            _ = try await callers[0].signUp("a@example.com")
            let answers = try await withThrowingTaskGroup(of: Int.self) { group in
                for each in 0..<40 {
                    group.addTask {
                        try await callers[each % 2].logIn(
                            "a@example.com", "wrong horse", from: "192.0.2.\(each)"
                        ).status
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.filter { $0 == 401 }.count == 10)
            #expect(answers.filter { $0 == 429 }.count == 30)
        }
    }

    @Test func `a refused attempt leaves no row, and what has expired is swept`() async throws {
        try await withBoth { [clock, self] callers in
            for each in 0..<10 {
                _ = try await callers[0].logIn(
                    "nobody-\(each)@example.com", "wrong horse", from: "192.0.2.1")
            }
            let before = try rows
            #expect(before == 11)
            for each in 0..<100 {
                let answer = try await callers[each % 2].logIn(
                    "another-\(each)@example.com", "wrong horse", from: "192.0.2.1")
                #expect(answer.status == 429)
            }
            #expect(try rows == before)
            clock.advance(seconds: 901)
            _ = try await callers[0].logIn("x@example.com", "wrong horse", from: "192.0.2.2")
            #expect(try rows == 2)
        }
    }

    /// The hasher is given one lane, no queue and seconds of work: whoever wants a hash is told to
    /// come back, so whoever is told anything else wanted none.
    @Test func `a refused attempt costs no hash, and one without a hash does not count`()
        async throws
    {
        let (test, other) = try await Self.servers(
            clock, ["PASSWORD_LANES": "1", "PASSWORD_QUEUE_MAX": "1"])
        try await test.call { caller in
            for each in 0..<10 {
                _ = try await caller.logIn(
                    "resting@example.com", "wrong horse", from: "192.0.2.\(each)")
            }
            let slow = "$2b$15$abcdefghijklmnopqrstuu" + String(repeating: "x", count: 31)
            let hasher = test.server.hasher
            async let work = hasher.matches(try Password("correct horse"), hash: slow)
            var tries = 0
            while try await caller.logIn("free@example.com", from: "192.0.2.50").status != 503 {
                tries += 1
                try #require(tries < 9, "the hasher is never busy")
            }
            for _ in 0..<15 {
                let resting = try await caller.logIn("resting@example.com", from: "192.0.2.51")
                #expect(resting.status == 429)
                let free = try await caller.logIn("free-2@example.com", from: "192.0.2.52")
                #expect(free.status == 503)
            }
            _ = try await work
            // Fifteen that could not be carried out count as none.
            #expect(
                try await caller.logIn("free-2@example.com", from: "192.0.2.52").status == 401)
        }
        _ = other
    }

    @Test func `wrong passwords count together, at sign-in and where it is changed`()
        async throws
    {
        try await withBoth { callers in
            _ = try await callers[0].signUp("a@example.com")
            let token = try await callers[0].logIn("a@example.com").json["access_token"]?.text
            let member = Caller(client: callers[1].client, token: token)
            let wrong: JSON = [
                "current_password": "wrong horse", "new_password": "new password",
            ]
            for each in 0..<10 {
                if each % 2 == 0 {
                    let answer = try await member.send(.put, "/api/v1/users/me/password", wrong)
                    #expect(answer.status == 403 && answer.code == "PASSWORD_WRONG")
                } else {
                    let answer = try await callers[0].logIn("a@example.com", "wrong horse")
                    #expect(answer.status == 401)
                }
            }
            let right: JSON = [
                "current_password": "correct horse", "new_password": "new password",
            ]
            let change = try await member.send(.put, "/api/v1/users/me/password", right)
            #expect(change.status == 429 && change.headers[.retryAfter] == "900")
            #expect(try await callers[1].logIn("a@example.com").status == 429)
        }
    }
}

extension Caller {
    fileprivate func logIn(
        _ email: String, _ password: String = "correct horse", from address: String? = nil
    ) async throws -> Answer {
        var headers: HTTPFields = [:]
        if let address { headers[HTTPField.Name("X-Forwarded-For")!] = address }
        return try await send(
            .post, "/api/v1/auth/login", ["email": .text(email), "password": .text(password)],
            headers: headers)
    }
}
