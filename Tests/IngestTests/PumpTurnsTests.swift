import Glibc
import Linux
import Postgres
import Spool
import Synchronization
import TestSupport
import Testing

@testable import Ingest

@Suite struct PumpTurnsTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    /// A ledger that is an offset, and threads that move it by what they have read.
    private final class Ledger: Sendable {
        struct State {
            var offset = 0
            var isCopying = false
            /// Where batches end whose texts have numbers.
            var numbered: Set<Int> = []
            var faults: [String] = []
            var failures = 0
            var overtaken = 0
        }

        let state = Mutex(State())
        let segment = SegmentName(worker: 0, startMicros: 1, sequence: 1)
    }

    /// One batch of ten bytes, with a failure at a step in one of five. - Returns: whether there
    /// was anything to do.
    private static func run(
        _ pump: Int, _ turns: PumpTurns, _ ledger: Ledger, _ random: inout SplitMix
    ) -> Bool {
        let failingStep = random.next() % 5 == 0 ? Int(random.next() % 6) : -1
        guard let reading = turns.beginReading(pump) else { return false }
        let from = reading.offsets?[ledger.segment] ?? ledger.state.withLock { $0.offset }
        if failingStep == 0 {
            turns.cancelReading()
            return true
        }
        // What was read before a failure is read again, and numbered again.
        if reading.offsets == nil { ledger.state.withLock { $0.numbered = [] } }
        var taken = SpoolTaken(batch: ClickBatch(KnownTexts()))
        taken.batch.skip(ledger.segment, from: from, to: from + 10)
        guard let ticket = turns.endReading([ledger.segment: from], taken) else { return true }
        func fail() -> Bool {
            ledger.state.withLock { $0.failures += 1 }
            turns.fail(ticket)
            return true
        }
        do {
            if failingStep == 1 { return fail() }
            usleep(UInt32(random.next() % 100))
            ledger.state.withLock { _ = $0.numbered.insert(from + 10) }
            if failingStep == 5 { return fail() }
            try turns.endNumbering(ticket)
            ledger.state.withLock { state in
                if from > state.offset, !state.numbered.contains(from) {
                    state.faults.append("\(from) is not numbered")
                }
            }
            try turns.waitToCopy(ticket)
            ledger.state.withLock { state in
                if state.isCopying { state.faults.append("two copy at once") }
                state.isCopying = true
            }
            // A copy, and below a batch's statistics, take time in which others could interfere.
            usleep(50)
            ledger.state.withLock { $0.isCopying = false }
            if failingStep == 2 { return fail() }
            turns.endCopying(ticket)
            usleep(50)
            try turns.waitUntilFirst(ticket)
            if failingStep == 3 { return fail() }
            ledger.state.withLock { state in
                if state.offset != from { state.faults.append("\(from) after \(state.offset)") }
                state.offset = from + 10
                state.numbered = state.numbered.filter { $0 > from }
            }
            // Committed, and the answer was lost.
            if failingStep == 4 { return fail() }
            turns.settle(ticket, taken.batch.progress)
        } catch {
            ledger.state.withLock { $0.overtaken += 1 }
            turns.fail(ticket)
        }
        return true
    }

    @Test func `batches are copied one by one and committed in order, whichever fail`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        let turns = PumpTurns(bench.intake, backlogBytes: 0)
        turns.notePending(1)
        let ledger = Ledger()
        let threads = (0..<3).map { pump in
            SystemThread(name: "pump") {
                var random = SplitMix(state: seed &+ UInt64(pump))
                var round = 0
                while round < 1000 {
                    var isDone = true
                    if round % 97 == 13 + pump, turns.takeSole(pump) {
                        isDone = Self.run(pump, turns, ledger, &random)
                        turns.endSole(pump)
                    } else if round % 89 == pump {
                        turns.learnAnew(isAfresh: true)
                    } else {
                        isDone = Self.run(pump, turns, ledger, &random)
                    }
                    // Not offered now: another pump works alone, or there is no backlog.
                    if isDone { round += 1 } else { usleep(50) }
                }
            }
        }
        for thread in threads { thread.join() }
        let end = ledger.state.withLock { $0 }
        #expect(end.faults.isEmpty)
        #expect(end.failures > 100 && end.overtaken > 50 && end.offset > 5000, "\(end)")
    }

    @Test func `who works alone is waited for, and a second gets nothing`() {
        let turns = PumpTurns(bench.intake, backlogBytes: 0)
        turns.notePending(1)
        #expect(turns.takeSole(1))
        #expect(!turns.takeSole(0))
        #expect(turns.beginReading(0) == nil && turns.beginReading(1) != nil)
        turns.cancelReading()
        turns.endSole(0)
        #expect(turns.isSole(1), "it is not another's to end")
        turns.endSole(1)
        turns.notePending(0)
        #expect(turns.beginReading(1) == nil, "without a backlog the first works alone")
        #expect(turns.beginReading(0) != nil)
    }

    @Test func `one pump goes on where another has stopped`() throws {
        let turns = PumpTurns(bench.intake, backlogBytes: 0)
        let first = bench.pump(batchRecordsMax: 1, number: 0, turns: turns)
        let second = bench.pump(batchRecordsMax: 1, number: 1, turns: turns)
        #expect(
            try second.runOnce() == ClickPump.Round(), "the first alone, until it has seen more")
        bench.write((0..<8).map { [.numbered($0)] })
        for _ in 0..<4 {
            #expect(try first.runOnce().clicks == 1)
            #expect(try second.runOnce().clicks == 1)
        }
        #expect(try bench.storedNumbers() == Array(0..<8))
        #expect(bench.gauges.values.failures == 0)
    }

    /// The first batch has an agent and dimensions that the second names as well.
    @Test func `rows name what another batch has yet to ask for`() throws {
        let clicks = (0..<40).map { number in
            WholeClick.numbered(
                number, userAgent: "agent \(number % 3)",
                referer: "https://r\(number % 2).example/")
        }
        bench.write(clicks.map { [$0] })
        let tail = SpoolTail(bench.intake)
        let texts = KnownTexts()
        let segments = try bench.intake.segments()
        var offsets: [SegmentName: Int] = [:]
        let batches = (0..<2).map { _ in
            let rows = BatchRows()
            let taken = tail.read(
                segments, closed: [], from: offsets, texts: texts, recordsMax: 20)
            for progress in taken.batch.progress { offsets[progress.segment] = progress.to }
            rows.make(of: taken.batch)
            return rows
        }
        try IngestQueries.ensurePartition(clicks[0].click.time.koreanDay, in: bench.db)
        for rows in batches.reversed() { try rows.number(in: bench.db) }
        for rows in batches {
            rows.complete()
            #expect(try rows.copyClicks(to: bench.db) == 20)
            try rows.copyDeltas(to: bench.db)
        }
        #expect(try bench.stored() == clicks.map(StoredClick.init))
        #expect(try bench.statisticsDifferences() == 0)
    }

    private static let waitingToCopy = Statement(
        "test_waiting_to_copy",
        """
        select 1 as one
        from pg_stat_activity
        where application_name = 'gonggumoa-ingest-clicks' and datname = current_database()
            and state = 'idle in transaction' and state_change < now() - interval '300 ms'
        """)

    /// Who makes or takes away a partition may be waited for by the batch before: with a lock of
    /// ours that closes a circle, of which the server sees only a part.
    @Test func `a batch that waits for its turn does not lock the clicks`() throws {
        let turns = PumpTurns(bench.intake, backlogBytes: 0)
        turns.notePending(1)
        let pump = bench.pump(number: 1, turns: turns)
        #expect(try pump.runOnce() == ClickPump.Round(), "it has its session from here on")
        turns.notePending(1)
        bench.write([[.numbered(0)], [.numbered(1)]])
        #expect(turns.beginReading(0) != nil)
        let before = turns.tail.read(
            try bench.intake.segments(), closed: [], from: [:], texts: turns.texts, recordsMax: 1)
        let ticket = try #require(
            turns.endReading([before.batch.progress[0].segment: 0], before))
        try turns.endNumbering(ticket)
        let round = Mutex<ClickPump.Round?>(nil)
        let thread = SystemThread(name: "pump") {
            let done = try? pump.runOnce()
            round.withLock { $0 = done }
        }
        let other = try bench.database.connect()
        try eventually("the second batch waits in its transaction") {
            try !other.query(Self.waitingToCopy).isEmpty
        }
        #expect(throws: Never.self) {
            try bench.db.run(
                script: """
                    begin;
                    lock table click_trackings in access exclusive mode nowait;
                    rollback
                    """)
        }
        turns.fail(ticket)
        thread.join()
        #expect(round.withLock { $0 } == ClickPump.Round(clicks: 0, isFull: true))
        try bench.drain(bench.pump())
        #expect(try bench.storedNumbers() == [0, 1])
    }

    private static let terminate = Statement(
        "test_terminate",
        """
        select pg_terminate_backend(pid) as is_told
        from pg_stat_activity
        where application_name = 'gonggumoa-ingest-clicks' and datname = current_database()
        order by random()
        limit 1
        """)

    /// Several pumps at once, a backlog that comes and goes, and sessions that are terminated.
    @Test(arguments: [false, true])
    func `pumps beside each other store every click once`(isCut: Bool) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let turns = PumpTurns(bench.intake, backlogBytes: 4000)
        let stopping = try WakeSignal()
        let pumps = (0..<3).map {
            bench.pump(batchRecordsMax: 20, number: $0, turns: turns)
        }
        let threads = pumps.map { pump in
            SystemThread(name: "pump") { pump.run(until: stopping) }
        }
        var written = 0
        // Each burst is a backlog for longer than an idle pump sleeps, and then there is none.
        for _ in 0..<12 {
            for worker in 0..<3 {
                let frames = (0..<Int.random(in: 100...300, using: &random)).map { _ in
                    (0..<3).map { _ -> WholeClick in
                        written += 1
                        return .numbered(written - 1, userAgent: "agent \(written / 50)")
                    }
                }
                bench.write(frames, worker: worker)
            }
            for _ in 0..<(isCut ? 3 : 0) {
                stopping.wait(milliseconds: Int(random.next() % 50))
                _ = try bench.db.query(Self.terminate)
            }
            stopping.wait(milliseconds: 150)
        }
        try eventually("all clicks are stored", within: 30) {
            try bench.number("test_stored_count", "select count(*) from click_trackings") == written
        }
        stopping.raise()
        for thread in threads { thread.join() }
        #expect(try bench.storedNumbers() == Array(0..<written))
        #expect(try bench.statisticsDifferences() == 0)
        #expect(bench.quarantined.isEmpty && bench.gauges.values.clicksKnown == 0)
        #expect((bench.gauges.values.failures > 0) == isCut, "\(bench.gauges.values)")
    }
}
