// How long a click takes from its frame to the ledger, and to an answer of the statistics: clicks
// are written as they come, at a steady rate, while two sessions ask the ledger how far it is.
//
// Lag counts from the write(2) of a click's frame until an asker has seen it, so half of an asker's
// pause is in it, and an answer's own time as well. The first fifth of the time is not counted: the
// dictionaries fill then.

import Clicks
import Linux
import Postgres
import Spool
import Synchronization

/// Writes at a rate and watches what comes of it.
final class LagRun: Sendable {
    private struct Frame {
        let micros: Int64
        /// Clicks of its worker, with these.
        let upTo: Int
    }

    private struct State {
        var frames: [[Frame]]
        /// Of the busiest link's clicks.
        var busiest: [Int64] = []
        var isWritten = false
    }

    private let url: String
    private let edgeID: String
    private let rate: Int
    private let seconds: Int
    private let state: Mutex<State>
    private static let tickMilliseconds = 5
    private static let answerPauseMilliseconds = 25
    private static let patienceMicros: Int64 = 60_000_000

    init(url: String, edgeID: String, rate: Int, seconds: Int) {
        self.url = url
        self.edgeID = edgeID
        self.rate = rate
        self.seconds = seconds
        state = Mutex(State(frames: (0..<SpoolMaker.workers).map { _ in [] }))
    }

    /// A line of figures: rate|clicks|commit p50|p99|max|answer p50|p99|max, lags in milliseconds.
    func run(folder: String, links: Int) throws -> String {
        let maker = ClickSource(links: links)
        let began = Clock.now()
        let counted = began + Int64(seconds) * 200_000
        let results = Mutex<(commit: Lags, answer: Lags)>((Lags(), Lags()))
        let busiest = maker.ids[0]
        let watchers = [
            SystemThread(name: "commits") { [self] in
                let lags = watchCommits(after: counted)
                results.withLock { $0.commit = lags }
            },
            SystemThread(name: "answers") { [self] in
                let lags = watchAnswers(about: busiest, after: counted)
                results.withLock { $0.answer = lags }
            },
        ]
        let written = try write(maker, to: folder)
        for watcher in watchers { watcher.join() }
        return results.withLock { "\(written)|\($0.commit)|\($0.answer)" }
    }

    /// - Returns: what was written a second, and in all.
    private func write(_ source: ClickSource, to folder: String) throws -> String {
        var maker = source
        let spool = try SpoolFolder.open(folder, edgeID: edgeID, nowMicros: Clock.now())
        let sync = try SpoolSync(policy: .never) { _ in }
        let writers = (0..<SpoolMaker.workers).map {
            SpoolWriter(folder: spool, worker: $0, sync: sync)
        }
        var written = writers.map { _ in 0 }
        let began = Clock.monotonic()
        var total = 0
        while true {
            let elapsed = Clock.monotonic() - began
            if elapsed >= Int64(seconds) * 1_000_000 { break }
            let due = Int(elapsed) * rate / 1_000_000
            while total < due {
                let worker = maker.number(below: writers.count)
                let count = min(due - total, 1 + maker.number(below: 31))
                let now = Clock.now()
                var busiest = 0
                for _ in 0..<count where maker.append(at: now, to: writers[worker]) == 0 {
                    busiest += 1
                }
                SpoolMaker.commit(writers[worker])
                total += count
                written[worker] += count
                let frame = Frame(micros: now, upTo: written[worker])
                state.withLock { state in
                    state.frames[worker].append(frame)
                    for _ in 0..<busiest { state.busiest.append(now) }
                }
            }
            Clock.sleep(milliseconds: LagRun.tickMilliseconds)
        }
        let micros = Clock.monotonic() - began
        state.withLock { $0.isWritten = true }
        return "\(total * 1_000_000 / Int(micros))|\(total)"
    }

    private static let committed = Statement(
        "bench_committed",
        """
        select left(segment, 4)::int as worker, sum(records)::bigint as records
        from spool_offsets
        where edge_id = $1
        group by 1
        limit 64
        """)

    private func watchCommits(after start: Int64) -> Lags {
        watch { db, lags in
            let rows = try db.query(LagRun.committed, [self.edgeID])
            let now = Clock.now()
            for row in rows {
                let (worker, records): (Int, Int) = (try row.get("worker"), try row.get("records"))
                let seen = self.state.withLock { state in
                    let seen = state.frames[worker].prefix { $0.upTo <= records }
                    let all = Array(seen)
                    state.frames[worker].removeFirst(seen.count)
                    return all
                }
                for frame in seen where frame.micros >= start { lags.add(now - frame.micros) }
            }
            Clock.sleep(milliseconds: LagRun.tickMilliseconds)
            return self.state.withLock { $0.isWritten && $0.frames.allSatisfy(\.isEmpty) }
        }
    }

    private static let answered = Statement(
        "bench_answered",
        "select coalesce(sum(clicks), 0)::bigint as clicks from click_stats where gonggu_id = $1")

    private func watchAnswers(about gonggu: Identifier, after start: Int64) -> Lags {
        var known = 0
        let id = PostgresUUID(high: gonggu.high, low: gonggu.low)
        return watch { db, lags in
            let clicks: Int = try db.query(LagRun.answered, [id])[0].get("clicks")
            let now = Clock.now()
            let (times, isAll) = self.state.withLock { state in
                (
                    Array(state.busiest[known..<max(known, min(clicks, state.busiest.count))]),
                    state.isWritten && clicks >= state.busiest.count
                )
            }
            for time in times where time >= start { lags.add(now - time) }
            known += times.count
            Clock.sleep(milliseconds: LagRun.answerPauseMilliseconds)
            return isAll
        }
    }

    /// Asks until all was seen, or nothing more comes.
    private func watch(_ ask: (Connection, inout Lags) throws -> Bool) -> Lags {
        var lags = Lags()
        do {
            let db = try Connection(url: url, applicationName: "IngestBench")
            let deadline = Clock.monotonic() + Int64(seconds) * 1_000_000 + LagRun.patienceMicros
            while try !ask(db, &lags) {
                precondition(Clock.monotonic() < deadline, "what was written is taken up")
            }
        } catch {
            preconditionFailure("the ledger answers: \(error)")
        }
        return lags
    }
}

/// Microseconds, and what they say in milliseconds.
struct Lags: Sendable, CustomStringConvertible {
    private var all: [Int64] = []

    mutating func add(_ micros: Int64) { all.append(micros) }

    /// p50|p99|max
    var description: String {
        let sorted = all.sorted()
        guard let last = sorted.last else { return "||" }
        let parts = [sorted[sorted.count / 2], sorted[sorted.count * 99 / 100], last]
        return parts.map { "\($0 / 1000)" }.joined(separator: "|")
    }
}
