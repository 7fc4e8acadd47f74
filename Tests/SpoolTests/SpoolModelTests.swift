import Clicks
import Linux
import Testing

@testable import Spool

/// The real folder, writer and reader against lists in memory, driven by the same random actions.
///
/// Injected: crashes that cut the last frame at any byte, clocks that step either way between
/// processes, worker counts that change, rotation, reading at any moment, deletion of what is
/// consumed. Not injected: damage (SpoolDamageTests) and refusals (SpoolWriterTests).
@Suite struct SpoolModelTests {
    @Test(arguments: 0..<12)
    func `whatever happens, each answered click is read once and in its order`(run: Int) throws {
        var model = SpoolModel(seed: SeededRandom().seed &+ UInt64(run))
        for _ in 0..<1500 { try model.step() }
        try model.finish()
    }
}

private struct SpoolModel {
    private var random: SeededRandom
    private let bench: SpoolBench
    private var nowMicros: Int64 = 1_795_251_600_000_000
    private var writers: [SpoolWriter] = []
    private var nextNumber = 0
    /// What the model believes: per worker's current turn, and what was answered.
    private var pending: [[WholeClick]] = []
    private var answered: [Int: WholeClick] = [:]
    /// What Ingest has: a position per segment, and the clicks in the order they came.
    private var offsets: [SegmentName: Int] = [:]
    private var read: Set<Int> = []
    private var lastReadOfSegment: [SegmentName: Int] = [:]
    private var deleted: Set<SegmentName> = []

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
        do {
            bench = try SpoolBench()
            try start()
        } catch {
            preconditionFailure("the model starts: \(error)")
        }
    }

    private var hint: Comment { "seed \(random.seed)" }

    mutating func step() throws {
        let worker = Int.random(in: writers.indices, using: &random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<40: append(worker)
        case 40..<65: commit(worker)
        case 65..<72:
            nowMicros += Int64.random(in: 0...40_000_000, using: &random)
            writers[worker].rotateIfDue(nowMicros: nowMicros)
        case 72..<96: try ingest(steps: Int.random(in: 1...6, using: &random))
        case 96: try restart()
        default: try deleteConsumed()
        }
    }

    /// Reads to the end after a last restart: everything answered is there, nothing else.
    mutating func finish() throws {
        try restart()
        let names = try bench.intake.segments()
        try ingest(steps: 100_000)
        #expect(read == Set(answered.keys), hint)
        try deleteConsumed()
        let left = try bench.intake.segments()
        #expect(left == names.filter { !$0.isClosed(among: names) }, hint)
    }

    private mutating func start() throws {
        let folder = try bench.folder(nowMicros: nowMicros)
        let count = Int.random(in: 1...3, using: &random)
        let size = 4096 + Int.random(in: 0...20_000, using: &random)
        writers = (0..<count).map { worker in
            bench.writer(folder, worker: worker) {
                $0.segmentBytesMax = size
                $0.frameBytesMax = 8192
            }
        }
        pending = [[WholeClick]](repeating: [], count: count)
    }

    private mutating func append(_ worker: Int) {
        var click = WholeClick.random(&random)
        click.click.id = Identifier(high: 0, low: UInt64(nextNumber))
        if click.append(to: writers[worker]) {
            pending[worker].append(click.kept)
            nextNumber += 1
        } else {
            #expect(pending[worker].count >= 8192 / 1640, hint)
            commit(worker)
        }
    }

    private mutating func commit(_ worker: Int) {
        let expected: CommitOutcome =
            pending[worker].isEmpty ? .nothing : .written(records: pending[worker].count)
        #expect(writers[worker].commit() == expected, hint)
        for click in pending[worker] { answered[Int(click.click.id.low)] = click }
        pending[worker] = []
    }

    /// The end of the Edge process, sometimes in the middle of a write, and a new one.
    private mutating func restart() throws {
        let before = try bench.intake.segments()
        if Bool.random(using: &random), !pending[0].isEmpty {
            // A frame of which only some bytes arrived, so that it was never answered.
            let name = try #require(before.last { $0.worker == 0 })
            let size = try bench.bytes(of: name).count
            let count = writers[0].commit()
            let after = try #require(try bench.intake.segments().last { $0.worker == 0 })
            let whole = try bench.bytes(of: after).count
            let begin = after == name ? size : SpoolFormat.segmentHeaderBytes
            #expect(count == .written(records: pending[0].count), hint)
            let path = bench.intake.path(of: after)
            let file = try File.open(path, .createOrAppend)
            let cut = Int.random(in: begin..<whole, using: &random)
            try File.truncate(file, to: cut, path: path)
        }
        writers = []
        nowMicros += Int64.random(in: -90_000_000...90_000_000, using: &random)
        try start()
        let now = try bench.intake.segments()
        #expect(now.filter { !$0.isClosed(among: now) }.count == writers.count, hint)
        #expect(Set(before).isSubset(of: now), hint)
    }

    private mutating func ingest(steps: Int) throws {
        let names = try bench.intake.segments()
        #expect(deleted.isDisjoint(with: names), "a name came back, \(hint)")
        var left = steps
        for name in names.shuffled(using: &random) {
            let isClosed = name.isClosed(among: names)
            let reader = try bench.intake.reader(of: name)
            while left > 0 {
                left -= 1
                let offset = offsets[name] ?? 0
                switch try reader.next(at: offset, isClosed: isClosed) {
                case .frame(let frame, let next):
                    take(frame, of: name)
                    offsets[name] = next
                case .torn(let range):
                    #expect(isClosed, hint)
                    offsets[name] = range.upperBound
                case .damaged(let range, let damage):
                    Issue.record("damage \(damage) at \(range) of \(name), \(hint)")
                    offsets[name] = range.upperBound
                case .waiting:
                    #expect(!isClosed, hint)
                case .ended:
                    #expect(isClosed, hint)
                }
                if offsets[name] ?? 0 == offset { break }
            }
        }
    }

    private mutating func take(_ frame: SpoolFrame, of name: SegmentName) {
        for (click, texts) in frame {
            let number = Int(click.id.low)
            #expect(answered[number] == WholeClick(click, texts), hint)
            #expect(read.insert(number).inserted, "read twice, \(hint)")
            #expect(number > lastReadOfSegment[name] ?? -1, hint)
            lastReadOfSegment[name] = number
        }
    }

    private mutating func deleteConsumed() throws {
        let names = try bench.intake.segments()
        for name in names where name.isClosed(among: names) {
            let reader = try bench.intake.reader(of: name)
            if case .ended = try reader.next(at: offsets[name] ?? 0, isClosed: true) {
                try bench.intake.remove(name)
                deleted.insert(name)
            }
        }
    }
}
