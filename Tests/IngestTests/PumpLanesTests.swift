import Linux
import Synchronization
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

    /// Two pumps, a backlog that comes and goes, and a worker count that does not divide evenly.
    @Test func `two pumps store every click once, through all changes of lane`() throws {
        let lanes = PumpLanes()
        let stopping = try WakeSignal()
        let isBacklog = Mutex(false)
        var random = SplitMix(state: 7)
        var written = 0
        let pumps = (0..<2).map {
            bench.pump(batchRecordsMax: 40, number: $0, lanes: lanes)
        }
        let threads = pumps.map { pump in
            SystemThread(name: "pump") { pump.run(until: stopping) }
        }
        // A backlog of so few bytes is none, so it is claimed to be one now and then.
        let teller = SystemThread(name: "teller") {
            while !stopping.isRaised {
                let value = isBacklog.withLock { value in
                    value.toggle()
                    return value
                }
                lanes.tell(isBacklog: value)
                stopping.wait(milliseconds: 3)
            }
        }
        for _ in 0..<60 {
            for worker in 0..<3 {
                let frames = (0..<Int.random(in: 1...9, using: &random)).map { _ in
                    (0..<3).map { _ -> WholeClick in
                        written += 1
                        return .numbered(written - 1)
                    }
                }
                bench.write(frames, worker: worker)
            }
            stopping.wait(milliseconds: 5)
        }
        try eventually("all clicks are stored", within: 30) {
            try bench.number("test_stored_count", "select count(*) from click_trackings") == written
        }
        stopping.raise()
        for thread in threads + [teller] { thread.join() }
        #expect(try bench.storedNumbers() == Array(0..<written))
        #expect(try bench.statisticsDifferences() == 0)
        #expect(bench.gauges.values.failures == 0, "\(bench.gauges.values)")
    }
}
