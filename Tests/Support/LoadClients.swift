import Glibc
import Linux
import Synchronization

/// Clicks without pause from several clients, each click with a User-Agent of its own, so that
/// every one of them can be found again, or missed. A click is never sent twice: what a dead edge
/// did not answer counts as sent, and the next number is tried.
package final class LoadClients: Sendable {
    private let pipelinePort: UInt16
    private let path: String
    private let prefix: String
    private let next = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)
    private let answers = Mutex<[Int]>([])
    private let threads = Mutex<[SystemThread]>([])

    /// - Parameters:
    ///   - gongguID: whose link is followed.
    ///   - pauseMicroseconds: between two clicks of a client, so that a run has a bounded size.
    package init(
        port: UInt16, gongguID: String, prefix: String, clients: Int, pauseMicroseconds: UInt32
    ) {
        pipelinePort = port
        path = "/go/\(gongguID)"
        self.prefix = prefix
        threads.withLock { threads in
            threads = (0..<clients).map { number in
                SystemThread(name: "load-\(number)") { self.run(pauseMicroseconds) }
            }
        }
    }

    /// Stops and waits for the clients; a second call finds none. What was sent and what was
    /// answered stays to be read.
    package func stop() {
        isStopped.store(true, ordering: .relaxed)
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }

    /// Clicks whose first byte may have left a client: numbers below this.
    package var sentCount: Int { next.load(ordering: .relaxed) }
    /// Clicks for which a whole redirect came back.
    package var answered: [Int] { answers.withLock { $0 } }

    package func userAgent(_ number: Int) -> String { "\(prefix)\(number)" }

    private func run(_ pauseMicroseconds: UInt32) {
        var mine: [Int] = []
        while !isStopped.load(ordering: .relaxed) {
            guard let client = try? PlainClient(port: pipelinePort) else {
                Clock.sleep(milliseconds: 5)
                continue
            }
            while !isStopped.load(ordering: .relaxed) {
                let number = next.add(1, ordering: .relaxed).oldValue
                guard let answer = try? client.ask("GET", path, userAgent: userAgent(number)),
                    answer.status == 302
                else { break }
                mine.append(number)
                usleep(pauseMicroseconds)
            }
        }
        answers.withLock { $0 += mine }
    }
}
