import Clicks
import Glibc
import Linux
import Testing

@testable import Spool

/// What an edge that starts finds of the processes before it.
@Suite struct SpoolHistoryTests {
    private let bench: SpoolBench

    init() throws { bench = try SpoolBench() }

    private func numbers(
        in folder: SpoolFolder, since: Int64 = 0
    ) throws -> (numbers: [UInt64], history: SpoolHistory) {
        var numbers: [UInt64] = []
        let history = try folder.readHistory(writtenSince: since) { click, texts in
            #expect(texts.userAgent.elementsEqual("agent".utf8))
            numbers.append(click.id.low)
        }
        return (numbers, history)
    }

    /// An edge that lives for these frames, one worker after the other.
    private func live(_ frames: [[Int]], worker: Int = 0, at micros: Int64) throws {
        let writer = bench.writer(try bench.folder(nowMicros: micros), worker: worker)
        for frame in frames {
            for number in frame { #expect(WholeClick.numbered(number).append(to: writer)) }
            #expect(writer.commit() == .written(records: frame.count))
        }
    }

    @Test func `every record of earlier processes is there, none of our own`() throws {
        try live([[1, 2], [3]], at: 1_000_000)
        try live([[4]], worker: 1, at: 2_000_000)
        let folder = try bench.folder(nowMicros: 3_000_000)
        let writer = bench.writer(folder)
        #expect(WholeClick.numbered(9).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        let (numbers, history) = try numbers(in: folder)
        #expect(numbers.sorted() == [1, 2, 3, 4])
        #expect(history.segments == 2 && history.records == 4 && history.damages == 0)
        #expect(folder.previousStartMicros == 2_000_000)
    }

    @Test func `a torn tail and a damaged frame cost themselves alone`() throws {
        try live([[1], [2], [3]], at: 1_000_000)
        let name = try #require(try bench.intake.segments().first)
        var bytes = try bench.bytes(of: name)
        let frameBytes = (bytes.count - SpoolFormat.segmentHeaderBytes) / 3
        bytes[SpoolFormat.segmentHeaderBytes + frameBytes + 40] ^= 1
        bytes.removeLast(5)
        try bench.replace(name, with: bytes)
        let (numbers, history) = try numbers(in: bench.folder(nowMicros: 2_000_000))
        #expect(numbers == [1] && history.damages == 1)
    }

    @Test func `segments that were last written to before the time are not read`() throws {
        try live([[1]], at: 1_000_000)
        let name = try #require(try bench.intake.segments().first)
        var times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, bench.intake.path(of: name), &times, 0) == 0)
        let folder = try bench.folder(nowMicros: 2_000_000)
        #expect(try numbers(in: folder, since: 1_000_000_001).numbers == [])
        #expect(try numbers(in: folder, since: 1_000_000_000).numbers == [1])
    }

    @Test func `a folder of no past has none`() throws {
        let folder = try bench.folder(nowMicros: 1_000_000)
        #expect(folder.previousStartMicros == -1)
        #expect(try numbers(in: folder).history.segments == 0)
    }
}
