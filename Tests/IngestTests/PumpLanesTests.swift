import Linux
import TestSupport
import Testing

@testable import Ingest

@Suite struct PumpLanesTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    @Test func `no worker is ever claimed twice, whatever order the pumps come in`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let lanes = PumpLanes()
        var claims: [LaneClaim] = [.none, .none]
        var isHolding = [false, false]
        var seen = Set<String>()
        for _ in 0..<5000 {
            let pump = Int(random.next() % 2)
            if isHolding[pump] {
                lanes.release(
                    pump, pendingBytes: random.next() % 2 == 0 ? 0 : PumpLanes.backlogBytes + 1)
                claims[pump] = .none
            } else {
                claims[pump] = lanes.claim(pump).claim
            }
            isHolding[pump].toggle()
            seen.insert("\(claims)")
            switch (claims[0], claims[1]) {
            case (.none, _), (.all, .none), (.half(0), .none), (.half(0), .half(1)): break
            default: Issue.record("claims \(claims)")
            }
        }
        #expect(seen.count >= 5, "every kind of claim was seen: \(seen)")
    }

    @Test func `who takes over a segment asks the ledger how far the other has come`() throws {
        let lanes = PumpLanes(backlogBytes: 0)
        let first = bench.pump(batchRecordsMax: 1, number: 0, lanes: lanes)
        let second = bench.pump(batchRecordsMax: 1, number: 1, lanes: lanes)
        for start in [0, 4] {
            // The first segment of worker 2 is of the second half.
            bench.write((start..<start + 4).map { [.numbered($0)] }, worker: 2)
            #expect(try first.runOnce().clicks == 1, "alone, until a backlog is seen")
            for _ in 0..<3 { #expect(try second.runOnce().clicks == 1) }
            while try second.runOnce() != ClickPump.Round() {}
            _ = try first.runOnce()
        }
        #expect(try bench.storedNumbers() == Array(0..<8))
    }

    /// Two pumps, a backlog that comes and goes, and a worker count that does not divide evenly.
    @Test func `two pumps store every click once, through all changes of lane`() throws {
        // Each burst is a backlog for longer than an idle pump sleeps, and then there is none.
        let lanes = PumpLanes(backlogBytes: 4000)
        let stopping = try WakeSignal()
        var random = SplitMix(state: 7)
        var written = 0
        let pumps = (0..<2).map {
            bench.pump(batchRecordsMax: 20, number: $0, lanes: lanes)
        }
        let threads = pumps.map { pump in
            SystemThread(name: "pump") { pump.run(until: stopping) }
        }
        for _ in 0..<12 {
            for worker in 0..<3 {
                let frames = (0..<Int.random(in: 100...300, using: &random)).map { _ in
                    (0..<3).map { _ -> WholeClick in
                        written += 1
                        return .numbered(written - 1)
                    }
                }
                bench.write(frames, worker: worker)
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
        #expect(bench.gauges.values.failures == 0, "\(bench.gauges.values)")
    }
}
