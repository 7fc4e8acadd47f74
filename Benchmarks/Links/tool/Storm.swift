// Many changes a second, each a transaction of its own, and a shopper who looks at some of them.

import Glibc
import Linux
import Postgres
import Synchronization

/// A storm of changes and what is seen of it at the edge.
final class Storm: Sendable {
    private struct Change {
        let id: String
        let number: Int
        /// When its commit had returned, monotonic µs.
        let committed: Int64
    }

    private struct State {
        /// The last change of each link.
        var last: [String: Int] = [:]
        var count = 0
        /// One to look for; taken by the shopper.
        var sample: Change?
        var isOver = false
        var overAt: Int64 = 0
    }

    private let url: String
    private let port: Int
    private let state = Mutex(State())

    private static let sessions = 4
    private static let linksMax = 100_000

    init(url: String, port: Int) {
        self.url = url
        self.port = port
    }

    /// Prints: changes made, seconds, median and longest delay of those looked for in ms, how many
    /// were, and ms from the last commit until every change was at the edge.
    func run(seconds: Int, changesPerSecond: Int) throws {
        let db = try Connection(url: url, applicationName: "LinksBench")
        let ids = try LinkChanges.ids(in: db, atMost: Storm.linksMax)
        let began = Clock.monotonic()
        let writers = (0..<Storm.sessions).map { session in
            SystemThread(name: "storm-\(session)") {
                self.write(
                    ids, session, until: began + Int64(seconds) * 1_000_000,
                    every: Int64(1_000_000 * Storm.sessions / changesPerSecond))
            }
        }
        let shopper = Shopper(port: port)
        let ender = SystemThread(name: "storm-end") {
            for writer in writers { writer.join() }
            self.state.withLock { state in
                state.isOver = true
                state.overAt = Clock.monotonic()
            }
        }
        let delays = watch(shopper).sorted()
        ender.join()
        let (last, count, overAt) = state.withLock { ($0.last, $0.count, $0.overAt) }
        for (id, number) in last {
            while shopper.number(of: id) != number {
                guard Clock.monotonic() - overAt < 120_000_000 else {
                    LinksBench.end("LinksBench: a change was lost\n", EXIT_FAILURE)
                }
                Clock.sleep(milliseconds: 2)
            }
        }
        let settled = Clock.monotonic() - overAt
        print(
            count, Double(overAt - began) / 1e6, delays[delays.count / 2] / 1000,
            delays.last! / 1000, delays.count, settled / 1000)
    }

    /// Each session has links of its own, so that the order of its changes is that of its numbers.
    private func write(_ ids: [String], _ session: Int, until end: Int64, every micros: Int64) {
        do {
            let db = try Connection(url: url, applicationName: "LinksBench")
            // How fast the disk takes a commit is not the question.
            try db.run(script: "set synchronous_commit = off")
            var due = Clock.monotonic()
            var number = session
            while Clock.monotonic() < end {
                let at = (number * 7919) % (ids.count / Storm.sessions)
                let id = ids[at * Storm.sessions + session]
                try LinkChanges.set(id, to: number, in: db)
                let change = Change(id: id, number: number, committed: Clock.monotonic())
                state.withLock { state in
                    state.last[id] = number
                    state.count += 1
                    if state.sample == nil { state.sample = change }
                }
                number += Storm.sessions
                due += micros
                let early = due - Clock.monotonic()
                if early > 1000 { Clock.sleep(milliseconds: Int(early / 1000)) }
            }
        } catch {
            LinksBench.end("LinksBench: \(error)\n", EXIT_FAILURE)
        }
    }

    /// Looks for a change every tenth of a second, several at once.
    /// - Returns: µs from commit to sight.
    private func watch(_ shopper: Shopper) -> [Int64] {
        var awaited: [Change] = []
        var delays: [Int64] = []
        var nextSample = Clock.monotonic()
        while true {
            let isOver = state.withLock { $0.isOver }
            if !isOver, Clock.monotonic() >= nextSample {
                nextSample += 100_000
                if let sample = state.withLock({ $0.sample.take() }) { awaited.append(sample) }
            }
            awaited.removeAll { change in
                guard let seen = shopper.number(of: change.id), seen >= change.number else {
                    return false
                }
                delays.append(Clock.monotonic() - change.committed)
                return true
            }
            if isOver && awaited.isEmpty { return delays }
            Clock.sleep(milliseconds: 2)
        }
    }
}
