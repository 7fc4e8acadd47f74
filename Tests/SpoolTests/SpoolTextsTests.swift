import Clicks
import Glibc
import Linux
import Testing

@testable import Spool

/// Texts that a segment has once and its records mean by number.
@Suite struct SpoolTextsTests {
    private let start: Int64 = 1_795_251_600_000_000

    private func expected(_ clicks: [WholeClick]) -> SegmentContents {
        var contents = SegmentContents()
        contents.clicks = clicks
        return contents
    }

    /// A click with an agent and a referer of their own.
    private func click(_ number: Int, agent: Int, bytes: Int = 100) -> WholeClick {
        var click = WholeClick.numbered(number, agent: "agent \(agent) ")
        click.userAgent += [UInt8](repeating: 0x2E, count: bytes - click.userAgent.count)
        click.referer = Array("https://example.com/\(agent)/".utf8)
        return click
    }

    @Test func `a text is written once, and then costs nothing`() throws {
        let bench = try SpoolBench()
        let name = try bench.segment((0..<100).map { [click($0, agent: 1)] })
        let once = 2 + 100 + 2 + click(0, agent: 1).referer.count
        let each = 32 + 64 + 4 + 1
        #expect(try bench.bytes(of: name).count == 128 + 100 * each + once)
    }

    @Test func `a segment is read on from any frame, by a reader that saw none before`() throws {
        var random = SeededRandom()
        let bench = try SpoolBench()
        let frames = (0..<40).map { _ in
            (0..<Int.random(in: 1...9, using: &random)).map { _ in WholeClick.random(&random).kept }
        }
        let name = try bench.segment(frames)
        var offset = 0
        var seen = 0
        let reader = try bench.intake.reader(of: name)
        while case .frame(let frame, let next) = try reader.next(at: offset, isClosed: true) {
            seen += frame.count
            offset = next
            let rest = Array(frames.flatMap { $0 }.dropFirst(seen))
            let other = try bench.intake.reader(of: name)
            #expect(
                try SegmentContents(other, from: offset) == expected(rest), "seed \(random.seed)")
        }
        #expect(seen == frames.joined().count)
        // And back again, by the first one.
        #expect(try SegmentContents(reader, from: 0) == expected(frames.flatMap { $0 }))
    }

    @Test(arguments: [(512, 6000), (100, 70_000)])
    func `more texts than a reader keeps are numbered anew`(bytes: Int, count: Int) throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder())
        var clicks: [WholeClick] = []
        for number in 0..<2 * count {
            // Each text twice: soon again, and long after.
            let agent = number % 2 == 0 ? number / 2 : Int(number / 4)
            clicks.append(click(number, agent: agent, bytes: bytes))
            #expect(clicks[number].append(to: writer))
            if number % 50 == 49 { #expect(writer.commit() == .written(records: 50)) }
        }
        writer.close()
        let names = try bench.intake.segments()
        #expect(names.count == 1)
        #expect(try SegmentContents(bench.intake, names[0]) == expected(clicks))
        // Numbers have begun anew: reading on from the middle needs the right ones.
        let reader = try bench.intake.reader(of: names[0])
        let size = try bench.bytes(of: names[0]).count
        var offset = 0
        var seen = 0
        while offset < size * 3 / 4,
            case .frame(let frame, let next) = try reader.next(at: offset, isClosed: true)
        {
            seen += frame.count
            offset = next
        }
        let other = try bench.intake.reader(of: names[0])
        #expect(
            try SegmentContents(other, from: offset) == expected(Array(clicks.dropFirst(seen))))
    }

    @Test func `each segment has all texts that its records mean`() throws {
        var random = SeededRandom()
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder()) {
            $0.segmentBytesMax = 8192
            $0.frameBytesMax = 8192
        }
        var clicks: [WholeClick] = []
        for number in 0..<3000 {
            clicks.append(click(number, agent: Int.random(in: 0..<30, using: &random)))
            while !clicks[number].append(to: writer) {
                guard case .written = writer.commit() else { break }
            }
            if number % 20 == 0 { _ = writer.commit() }
            // In the middle of a frame, as a turn does.
            if number % 500 == 499 {
                writer.rotateIfDue(nowMicros: start + Int64(number) * 10_000_000)
            }
        }
        guard case .written = writer.commit() else {
            Issue.record("the disk takes all")
            return
        }
        let names = try bench.intake.segments()
        #expect(names.count > 20)
        let contents = try names.map { try SegmentContents(bench.intake, $0) }
        #expect(contents.flatMap(\.clicks) == clicks, "seed \(random.seed)")
        #expect(contents.allSatisfy { $0.damages.isEmpty && $0.textsLost == 0 })
    }

    @Test func `a segment that was removed takes no text with it that a later click means`() throws
    {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder())
        #expect(click(1, agent: 1).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        let first = try #require(try bench.intake.segments().first)
        #expect(click(2, agent: 1).append(to: writer))
        #expect(click(3, agent: 2).append(to: writer))
        #expect(click(4, agent: 2).append(to: writer))
        try bench.intake.remove(first)
        writer.rotateIfDue(nowMicros: start + 1_000_000)
        #expect(writer.commit() == .written(records: 3))
        let names = try bench.intake.segments()
        #expect(names.count == 1)
        let left = [click(2, agent: 1), click(3, agent: 2), click(4, agent: 2)]
        #expect(try SegmentContents(bench.intake, names[0]) == expected(left))
    }

    @Test func `clicks that were dropped take no text with them that a later click means`() throws {
        let bench = try SpoolBench()
        let folder = try bench.folder()
        let writer = bench.writer(folder)
        // A file in the folder's place refuses also the superuser.
        TestFolder.remove(folder.path)
        do { _ = try File.open(folder.path, .createNew) }
        writer.rotateIfDue(nowMicros: start + 1_000_000)
        #expect(click(1, agent: 1).append(to: writer))
        guard case .unrecorded(records: 1, _) = writer.commit() else {
            Issue.record("a click was recorded in no folder")
            return
        }
        try File.remove(folder.path)
        for number in 2...3 {
            #expect(click(number, agent: 1).append(to: writer))
            writer.rotateIfDue(nowMicros: start + Int64(number) * 1_000_000)
            #expect(writer.commit() == .written(records: 1))
        }
        let contents = try bench.intake.segments().map { try SegmentContents(bench.intake, $0) }
        #expect(contents.flatMap(\.clicks) == [click(2, agent: 1), click(3, agent: 1)])
    }
}
