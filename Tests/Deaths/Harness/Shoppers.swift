import Clicks
import Glibc
import Linux
import Synchronization
import TestSupport

/// What shoppers have sent in a round, and what they were answered.
package struct ShopperBooks: Sendable {
    /// Numbers whose first byte may have left: all below.
    package var sent = 0
    /// Number to the click's id where the answer told it, else to "".
    package var answered: [Int: String] = [:]
    /// Of one address beyond all limits, whose clicks are counted and not told apart.
    package var attacksSent = 0
    package var attacksAnswered = 0
    /// Answers that no shopper should get.
    package var wrong: [String] = []
}

/// Shoppers of one round: each click with a number in its User-Agent and an address of its own,
/// half of them followed links, half reports that are answered with the click's id. A click is sent
/// once: what a dead edge did not answer counts as sent.
package final class Shoppers: Sendable {
    private let port: UInt16
    private let gonggu: String
    private let round: Int
    private let seed: UInt64
    private let quota: Int
    private let books = Mutex(ShopperBooks())
    private let next = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)
    private let working: Atomic<Int>
    private let threads = Mutex<[SystemThread]>([])

    package static let attackerAddress = "203.0.113.7"

    /// - Parameters:
    ///   - round: goes into each click's channel.
    ///   - quota: clicks until they stop by themselves.
    ///   - hasAttacker: one more, who clicks as fast as it can.
    package init(
        port: UInt16, gonggu: String, round: Int, seed: UInt64, quota: Int, clients: Int,
        hasAttacker: Bool
    ) {
        self.port = port
        self.gonggu = gonggu
        self.round = round
        self.seed = seed
        self.quota = quota
        working = Atomic(clients)
        threads.withLock { threads in
            threads = (0..<clients).map { number in
                SystemThread(name: "shopper-\(number)") { self.shop(number) }
            }
            if hasAttacker { threads.append(SystemThread(name: "attacker") { self.attack() }) }
        }
    }

    /// Whether all have done their quota.
    package var isDone: Bool { working.load(ordering: .acquiring) == 0 }
    package var sentCount: Int { next.load(ordering: .relaxed) }

    /// Ends and joins them.
    package func stop() -> ShopperBooks {
        isStopped.store(true, ordering: .relaxed)
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
        return books.withLock { books in
            books.sent = next.load(ordering: .relaxed)
            return books
        }
    }

    /// The number in a User-Agent that a shopper of this harness sent.
    package static func number(in userAgent: String) -> Int? {
        userAgent.split(separator: " ").last.flatMap { $0.first == "c" ? Int($0.dropFirst()) : nil }
    }

    /// Few, so that a segment has each once and means it often.
    package static func referer(_ number: Int) -> String { "https://blog\(number % 3).example/" }

    private func shop(_ client: Int) {
        var random = SplitMix(state: seed &+ UInt64(client) &* 7919)
        while !isStopped.load(ordering: .relaxed), sentCount < quota {
            guard let connection = try? PlainClient(port: port, patienceSeconds: 5) else {
                Clock.sleep(milliseconds: 2)
                continue
            }
            while !isStopped.load(ordering: .relaxed), sentCount < quota {
                guard ask(connection, &random) else { break }
            }
        }
        working.subtract(1, ordering: .releasing)
    }

    /// Up to four at once, so that a frame has several records.
    /// - Returns: false if the connection is of no more use.
    private func ask(_ connection: PlainClient, _ random: inout SplitMix) -> Bool {
        let depth = 1 + Int(random.next() % 4)
        let first = next.add(depth, ordering: .relaxed).oldValue
        let numbers = first..<first + depth
        guard (try? connection.send(numbers.map(request).joined())) != nil else { return false }
        for number in numbers {
            let answer: PlainClient.Answer?
            do throws(SystemError) {
                answer = try connection.receive()
            } catch {
                // Silence is no answer; whoever is to answer late has died or will be asked why.
                if error.code == EAGAIN { note(wrong: "no answer for 5 s") }
                return false
            }
            guard let answer else { return false }
            note(answer, number)
        }
        return true
    }

    private func isReport(_ number: Int) -> Bool { number % 2 == 1 }

    private func request(_ number: Int) -> String {
        let address = "10.\(round % 200).\(number / 250 % 250).\(number % 250)"
        let fields =
            "Host: localhost\r\nUser-Agent: \(TestAgent.phone) c\(number)\r\n"
            + "X-Forwarded-For: \(address)\r\nReferer: \(Shoppers.referer(number))\r\n"
        guard isReport(number) else {
            return "GET /go/\(gonggu)?ch=r\(round) HTTP/1.1\r\n\(fields)\r\n"
        }
        let body = #"{"gonggu_id":"\#(gonggu)","channel":"r\#(round)"}"#
        return "POST /api/v1/tracking/click HTTP/1.1\r\n\(fields)Content-Type: text/plain\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    private func note(_ answer: PlainClient.Answer, _ number: Int) {
        var id: String? = ""
        if isReport(number) {
            let parts = answer.body.split(separator: "\"")
            id = answer.status == 200 && parts.count > 3 ? String(parts[3]) : nil
        } else if answer.status != 302 {
            id = nil
        }
        guard let id else { return note(wrong: "\(answer.status) \(answer.body)") }
        books.withLock { $0.answered[number] = id }
    }

    private func note(wrong: String) {
        books.withLock { $0.wrong.append(wrong) }
    }

    private func attack() {
        let one =
            "GET /go/\(gonggu)?ch=r\(round) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: "
            + "\(TestAgent.phone)\r\nX-Forwarded-For: \(Shoppers.attackerAddress)\r\n\r\n"
        while !isStopped.load(ordering: .relaxed), !isDone {
            guard let connection = try? PlainClient(port: port, patienceSeconds: 5) else {
                Clock.sleep(milliseconds: 2)
                continue
            }
            while !isStopped.load(ordering: .relaxed), !isDone {
                books.withLock { $0.attacksSent += 4 }
                guard (try? connection.send(one + one + one + one)) != nil else { break }
                var answers = 0
                while answers < 4, let answer = try? connection.receive() {
                    if answer.status == 302 {
                        books.withLock { $0.attacksAnswered += 1 }
                    } else {
                        note(wrong: "attacker: \(answer.status)")
                    }
                    answers += 1
                }
                if answers < 4 { break }
            }
        }
    }
}

extension Shoppers {
    /// One more click, by the caller's thread. - Returns: where it was led; nil without an answer.
    package func probe() -> String? {
        let number = next.add(1, ordering: .relaxed).oldValue
        guard let connection = try? PlainClient(port: port, patienceSeconds: 5),
            (try? connection.send(request(number))) != nil,
            let answer = try? connection.receive()
        else { return nil }
        note(answer, number)
        return answer.field("location") ?? answer.body
    }
}
