import Clicks
import Linux
import Testing

@testable import Spool

@Suite struct SpoolAllowanceTests {
    private let bench: SpoolBench
    private let folder: SpoolFolder

    init() throws {
        bench = try SpoolBench()
        folder = try bench.folder()
    }

    private func writers(
        _ count: Int, _ bounds: SpoolBounds
    ) -> ([SpoolWriter], SpoolAllowance) {
        let writers = (0..<count).map { bench.writer(folder, worker: $0) }
        let allowance = SpoolAllowance(
            bounds, folder: folder.path, gauges: writers.map(\.gauges))
        for writer in writers { writer.keep(to: allowance) }
        return (writers, allowance)
    }

    private func bytes() throws -> Int { try SpoolAllowance.bytes(in: folder.path) }

    @Test func `however workers write and whenever is measured, the bound is never passed`() throws
    {
        var random = SeededRandom()
        let bounds = SpoolBounds(bytesMax: 300_000, diskFreeMin: 0)
        let (writers, allowance) = writers(3, bounds)
        var recorded = 0
        var refused = 0
        var stops = 0
        for _ in 0..<20_000 {
            let writer = writers[Int.random(in: 0..<3, using: &random)]
            let records = Int.random(in: 1...8, using: &random)
            for _ in 0..<records { #expect(WholeClick.numbered(recorded).append(to: writer)) }
            writer.rotateIfDue(nowMicros: 0)
            switch writer.commit() {
            case .written(let count): recorded += count
            case .unrecorded(let count, _): refused += count
            case .nothing, .unsynced: Issue.record("a frame was there, and no sync")
            }
            if Int.random(in: 0..<50, using: &random) == 0 {
                if case .stopped = allowance.measure() { stops += 1 }
            }
            // As Ingest would, now and then: what is closed goes.
            if Int.random(in: 0..<400, using: &random) == 0 {
                let names = try bench.intake.segments()
                for name in names where name.isClosed(among: names) {
                    try bench.intake.remove(name)
                }
            }
            if random.next() % 16 == 0 {
                // A header of each writer's next segment may come on top.
                #expect(try bytes() <= bounds.bytesMax + 3 * 128, "seed \(random.seed)")
            }
        }
        #expect(recorded > 5000 && refused > 1000 && stops > 3, "seed \(random.seed)")
        #expect(allowance.stopCount >= stops)
        #expect(writers.map(\.gauges.recordsUnrecorded).reduce(0, +) == refused)
    }

    @Test func `recording that has stopped goes on when an eighth of the room is there`() throws {
        let (writers, allowance) = writers(1, SpoolBounds(bytesMax: 100_000, diskFreeMin: 0))
        let writer = writers[0]
        var number = 0
        func write() -> CommitOutcome {
            number += 1
            #expect(WholeClick.numbered(number).append(to: writer))
            writer.rotateIfDue(nowMicros: 0)
            return writer.commit()
        }
        while case .written = write() {}
        #expect(allowance.hasStopped && !writer.gauges.isFailing)
        #expect(try 95_000...100_128 ~= bytes())
        guard case .stopped(.spoolFull(let bytes, 100_000)) = allowance.measure() else {
            return #expect(Bool(false), "it says why: \(String(describing: allowance.stop))")
        }
        #expect(bytes > 95_000)
        #expect(allowance.measure() == .none, "and says it once")
        guard case .unrecorded(1, _) = write() else {
            return #expect(Bool(false), "nothing is recorded")
        }
        let names = try bench.intake.segments()
        #expect(names.count == 2, "what is full is closed, so that it can go")
        // A piece that is held back, and not quite an eighth.
        let full = try bench.bytes(of: names[0])
        try bench.replace(names[0], with: Array(full[..<85_000]))
        #expect(allowance.measure() == .none)
        try bench.replace(names[0], with: Array(full[..<80_000]))
        #expect(allowance.measure() == .resumed(untold: nil) && !allowance.hasStopped)
        #expect(write() == .written(records: 1))
    }

    @Test func `a disk with less than is to stay free stops recording as well`() throws {
        let (writers, allowance) = writers(
            2, SpoolBounds(bytesMax: 1 << 40, diskFreeMin: 1 << 60))
        guard case .diskFull(_, 1 << 60)? = allowance.stop else {
            return #expect(Bool(false), "\(String(describing: allowance.stop))")
        }
        #expect(WholeClick.numbered(1).append(to: writers[1]))
        guard case .unrecorded(1, _) = writers[1].commit() else {
            return #expect(Bool(false), "nothing is recorded")
        }
    }

    @Test func `a bound says how much room is left, and from how much recording goes on`() {
        let bounds = SpoolBounds(bytesMax: 80 << 30, diskFreeMin: 1 << 30)
        #expect(bounds.room(used: 70 << 30, diskFree: nil) == 10 << 30)
        #expect(bounds.room(used: 70 << 30, diskFree: 3 << 30) == 2 << 30)
        #expect(bounds.room(used: 90 << 30, diskFree: 3 << 30) == 0)
        #expect(bounds.roomToResume(used: 80 << 30, diskFree: 900 << 30) == 1 << 30)
        #expect(bounds.roomToResume(used: 2 << 30, diskFree: 1 << 30) == 256 << 20)
        #expect(bounds.roomToResume(used: 0, diskFree: 0) == 1 << 20, "not at each byte")
        #expect(SpoolBounds.none.room(used: 1 << 50, diskFree: nil) > 1 << 60)
    }
}
