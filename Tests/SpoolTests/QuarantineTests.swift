import Clicks
import Linux
import Testing

@testable import Spool

@Suite struct QuarantineTests {
    private let bench: SpoolBench
    private let note = QuarantineNote(reason: "why", time: "when")

    init() throws { bench = try SpoolBench() }

    private var start: Int { SpoolFormat.segmentHeaderBytes }

    /// What was taken apart at a place, with all texts known that are meant there.
    private func split(_ name: SegmentName, at offset: Int) throws -> SplitFrame? {
        let reader = try bench.intake.reader(of: name)
        _ = try reader.next(at: offset, isClosed: false)
        return try reader.split(at: offset)
    }

    @Test func `a frame taken apart and put into two has each record once, byte for byte`() throws {
        var random = SeededRandom()
        for _ in 0..<50 {
            // Texts that the second frame's records mean by number lie in the first.
            let first = (0..<5).map { _ in WholeClick.random(&random) }
            let clicks = (0..<Int.random(in: 1...20, using: &random)).map { _ -> WholeClick in
                let old = first.randomElement(using: &random)!
                var click = WholeClick.random(&random)
                click.userAgent = old.userAgent
                click.referer = old.referer
                return click
            }
            let name = try bench.segment([first, clicks])
            let reader = try bench.intake.reader(of: name)
            guard case .frame(_, let at) = try reader.next(at: 0, isClosed: true) else {
                throw SpoolError.foreign(segment: "no frame")
            }
            let others = Set((0..<clicks.count).filter { _ in Bool.random(using: &random) })
            let split = try #require(try split(name, at: at))
            let places = split.places { place, _ in !others.contains(place) }
            let taken =
                split.withFrame(of: places) { $0.map { WholeClick($0.click, $0.texts) } } ?? []
            let hint: Comment = "seed \(random.seed)"
            #expect(split.count == clicks.count, hint)
            #expect(
                taken == clicks.indices.filter { !others.contains($0) }.map { clicks[$0].kept },
                hint)
            guard !others.isEmpty else { continue }
            let path = try bench.intake.quarantine(
                others.sorted(), of: split, name, frameAt: at, .refused, note)
            let bytes = try File.contents(of: path, bytesMax: 1 << 20)
            let records = QuarantinedRecords(bytes, at: at)
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

    /// Changes one byte of a record of a segment's first frame, and puts the checksums right.
    private func change(
        _ name: SegmentName, record: Int, _ place: Int, to byte: (UInt8) -> UInt8
    ) throws {
        var bytes = try bench.bytes(of: name)
        bytes.withUnsafeMutableBytes { bytes in
            let payloadAt = start + SpoolFormat.frameHeaderBytes
            let payload = UnsafeRawBufferPointer(rebasing: bytes[payloadAt...])
            var offset = 0
            for _ in 0..<record { offset = RecordCoding.read(payload, at: offset)!.end }
            bytes[payloadAt + offset + place] = byte(bytes[payloadAt + offset + place])
            let firstText = UnsafeRawBufferPointer(bytes).number(at: start + 16, as: UInt32.self)
            FrameHeader.seal(
                bytes.baseAddress! + start, payloadBytes: payload.count, recordCount: 3,
                firstText: firstText, offset: start)
        }
        try bench.replace(name, with: bytes)
    }

    @Test func `a record that no reader knows is set apart from those beside it`() throws {
        let name = try bench.segment([(0..<3).map { .numbered($0) }])
        try change(name, record: 1, 60) { _ in 200 }
        let contents = try SegmentContents(bench.intake, name)
        #expect(contents.damages == [.record], "as a whole it is damaged")
        let split = try #require(try split(name, at: start))
        #expect(split.places { _, _ in true } == [0, 2] && split.count == 3)
        #expect(split.withFrame(of: [0, 2]) { $0.map(\.click.id.low) } == [0, 2])
        let path = try bench.intake.quarantine(
            [1], of: split, name, frameAt: start, .record, note)
        let bytes = try File.contents(of: path, bytesMax: 4096)
        let kept = QuarantinedRecords(bytes, at: start)
        #expect(kept.count == 0 && kept.impossibleCount == 1 && kept.unreadableBytes == 0)
    }

    @Test func `records whose lengths do not add up are not taken apart`() throws {
        let name = try bench.segment([(0..<3).map { .numbered($0) }])
        try change(name, record: 2, 63) { $0 + 1 }
        #expect(try split(name, at: start) == nil)
        let bytes = Array(try bench.bytes(of: name)[start...])
        let records = QuarantinedRecords(bytes, at: start)
        #expect(records.count == 0 && records.impossibleCount == 3)
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
            #expect(1..<bytes.count / 5 ~= records.unreadableBytes, "seed \(random.seed)")
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
