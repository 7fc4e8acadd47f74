import Clicks
import Linux
import Testing

@testable import Spool

@Suite struct QuarantineTests {
    private let bench: SpoolBench
    private let note = QuarantineNote(reason: "why", time: "when")

    init() throws { bench = try SpoolBench() }

    private var start: Int { SpoolFormat.segmentHeaderBytes }

    @Test func `a frame taken apart and put into two has each record once, byte for byte`() throws {
        var random = SeededRandom()
        for _ in 0..<50 {
            let clicks = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                WholeClick.random(&random)
            }
            let name = try bench.segment([clicks])
            let reader = try bench.intake.reader(of: name)
            let others = Set((0..<clicks.count).filter { _ in Bool.random(using: &random) })
            let split = try #require(
                try reader.split(at: 0) { index, _ in !others.contains(index) })
            let taken = split.withTaken { $0.map { WholeClick($0.click, $0.texts) } } ?? []
            let hint: Comment = "seed \(random.seed)"
            #expect(
                taken == clicks.indices.filter { !others.contains($0) }.map { clicks[$0].kept },
                hint)
            #expect(split.otherCount == others.count && split.takenCount == taken.count, hint)
            guard !others.isEmpty else { continue }
            let path = try bench.intake.quarantine(
                split, of: name, frameAt: start, .refused, note)
            let bytes = try File.contents(of: path, bytesMax: 1 << 20)
            let records = QuarantinedRecords(bytes, at: start)
            #expect(records.count == others.count && records.unreadableBytes == 0, hint)
            let segment = SegmentName(requeued: (random.next(), random.next()))
            #expect(
                try records.publish(as: segment, edgeID: "edge-1", in: bench.intake.path), hint)
            #expect(
                try !records.publish(as: segment, edgeID: "edge-1", in: bench.intake.path), hint)
            let contents = try SegmentContents(bench.intake, segment)
            #expect(contents.clicks == others.sorted().map { clicks[$0].kept }, hint)
            #expect(contents.damages.isEmpty && contents.tornBytes == 0, hint)
            try bench.intake.remove(segment)
        }
    }

    @Test func `a record that no reader knows is set apart from those beside it`() throws {
        let name = try bench.segment([(0..<3).map { .numbered($0) }])
        var bytes = try bench.bytes(of: name)
        let recordBytes = (bytes.count - start - 32) / 3
        bytes[start + 32 + recordBytes + 88] = 200
        let frame = SplitFrame.sealed(Array(bytes[(start + 32)...]), count: 3, offset: start)
        try bench.replace(name, with: Array(bytes[..<start]) + frame)
        let contents = try SegmentContents(bench.intake, name)
        #expect(contents.damages == [.record], "as a whole it is damaged")
        let split = try #require(
            try bench.intake.reader(of: name).split(at: start) { _, _ in true })
        #expect(split.takenCount == 2 && split.otherCount == 1)
        #expect(split.withTaken { $0.map(\.click.id.low) } == [0, 2])
        let path = try bench.intake.quarantine(split, of: name, frameAt: start, .record, note)
        let kept = QuarantinedRecords(
            try File.contents(of: path, bytesMax: 4096), at: start)
        #expect(kept.count == 0 && kept.impossibleCount == 1 && kept.unreadableBytes == 0)
    }

    @Test func `records whose lengths do not add up are not taken apart`() throws {
        let name = try bench.segment([(0..<3).map { .numbered($0) }])
        var bytes = try bench.bytes(of: name)
        bytes[start + 32 + 90] += 1
        let frame = SplitFrame.sealed(Array(bytes[(start + 32)...]), count: 3, offset: start)
        try bench.replace(name, with: Array(bytes[..<start]) + frame)
        #expect(try bench.intake.reader(of: name).split(at: start) { _, _ in true } == nil)
        #expect(QuarantinedRecords(frame, at: start).count == 0)
    }

    @Test func `of quarantined bytes every good frame is read and nothing else`() throws {
        var random = SeededRandom()
        let name = try bench.segment((0..<10).map { [.numbered($0), .numbered(100 + $0)] })
        let bytes = Array(try bench.bytes(of: name)[start...])
        #expect(QuarantinedRecords(bytes, at: start).count == 20)
        #expect(QuarantinedRecords(bytes, at: start + 1).count == 0, "each says where it lies")
        for _ in 0..<300 {
            var damaged = bytes
            let place = Int.random(in: 0..<bytes.count, using: &random)
            damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
            let records = QuarantinedRecords(damaged, at: start)
            #expect(records.count == 18, "seed \(random.seed)")
            #expect(records.unreadableBytes == bytes.count / 10, "seed \(random.seed)")
        }
    }

    @Test func `at its bound quarantine takes no more, and again when there is room`() throws {
        let name = try bench.segment([[.numbered(1)], [.numbered(2)]])
        let small = Quarantine(spool: bench.intake.path, bytesMax: 150)
        func keep(_ offset: Int) throws(SpoolError) {
            _ = try small.keep(
                name, offset, .record, bytes: 100, note, edgeID: "edge-1", keepsExisting: true
            ) { path throws(SystemError) in
                try Quarantine.write([UInt8](repeating: 1, count: 100), to: path)
            }
        }
        try keep(128)
        try keep(128)
        #expect(throws: SpoolError.self) { try keep(300) }
        #expect(small.files().map(\.offset) == [128])
        try small.remove(small.files()[0])
        #expect(try File.list(small.path) == [])
        try keep(300)
    }

    @Test func `requeued segments are closed and close no others`() throws {
        let requeued = SegmentName(requeued: (.max, .max))
        let edge = SegmentName(worker: 0, startMicros: 1_795_000_000_000_000, sequence: 1)
        #expect(requeued.isRequeued && SegmentName(requeued.description) == requeued)
        #expect(requeued.isClosed(among: [requeued]))
        #expect(!edge.isClosed(among: [edge, requeued]))
        #expect(SegmentName(requeued: (0, 0)).sequence == 1)
    }
}
