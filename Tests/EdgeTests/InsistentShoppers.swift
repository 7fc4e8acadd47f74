import Glibc
import Linux
import Synchronization
import TestSupport

/// Visitors each of whom clicks on one link until an edge answers: new visitors without pause, from
/// several threads, each from an address of its own.
final class InsistentShoppers: Sendable {
    private let port: UInt16
    private let next = Atomic<Int>(1)
    private let answered = Atomic<Int>(0)
    private let isStopped = Atomic<Bool>(false)
    private let threads = Mutex<[SystemThread]>([])

    init(port: UInt16, threads count: Int) {
        self.port = port
        threads.withLock { threads in
            threads = (0..<count).map { number in
                SystemThread(name: "shopper-\(number)") { self.run() }
            }
        }
    }

    /// Visitors that have got their redirect.
    var answeredCount: Int { answered.load(ordering: .relaxed) }

    /// The visitors under way still get theirs: an edge must be serving.
    func stop() {
        isStopped.store(true, ordering: .relaxed)
        let running = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in running { thread.join() }
    }

    private func run() {
        var client: PlainClient?
        while !isStopped.load(ordering: .relaxed) {
            let visitor = next.add(1, ordering: .relaxed).oldValue
            let click = request(
                to: "/go/open-1",
                fields: [
                    "X-Forwarded-For: 10.\(visitor >> 16).\(visitor >> 8 & 255).\(visitor & 255)"
                ]
            )
            while true {
                if client == nil { client = try? PlainClient(port: port) }
                try? client?.send(click)
                if let answer = try? client?.receive(), answer.status == 302 { break }
                client = nil
                Clock.sleep(milliseconds: 2)
            }
            answered.add(1, ordering: .relaxed)
        }
    }
}
