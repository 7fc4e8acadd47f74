import Glibc
import Linux
import Spool
import TestSupport
import Testing

@testable import Ingest

/// Segments that are in the ledger and stay in the spool, for an edge that has to remember.
@Suite struct KeptSegmentsTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private static let second: Int64 = 1_000_000
    private static let now: Int64 = 1_795_230_000 * second

    private func name(_ sequence: Int64) -> SegmentName {
        SegmentName(worker: 0, startMicros: 1, sequence: sequence)
    }

    /// A file of so many bytes, last written to so long ago.
    private func file(bytes: Int, ageSeconds: Int64) throws -> File.Identity {
        let path = folder.path + "/file"
        try File.truncate(try File.open(path, .createOrTruncate), to: bytes, path: path)
        let written = timespec(tv_sec: Int(Self.now / Self.second - ageSeconds), tv_nsec: 0)
        var times = [written, written]
        #expect(utimensat(AT_FDCWD, path, &times, 0) == 0)
        return try #require(File.identity(of: path))
    }

    private func kept(
        bytesMax: Int = 1 << 30, _ files: [(bytes: Int, ageSeconds: Int64)]
    ) throws -> KeptSegments {
        var kept = KeptSegments(KeepingPolicy(windowSeconds: 300, bytesMax: bytesMax))
        for (number, entry) in files.enumerated() {
            let file = try file(bytes: entry.bytes, ageSeconds: entry.ageSeconds)
            let isKept = kept.keep(name(Int64(number + 1)), file)
            #expect(isKept)
        }
        return kept
    }

    @Test func `a segment goes when every window that begins in it is over, and two minutes more`()
        throws
    {
        var kept = try kept([(10, 419), (20, 420), (30, 0)])
        let going = kept.takeSuperfluous(now: Self.now, freeBytes: .max)
        #expect(going.over == [name(2)] && going.early.isEmpty)
        #expect(kept.count == 2 && kept.bytes == 40)
        #expect(kept.contains(name(1)) && !kept.contains(name(2)))
    }

    @Test func `beyond the bound the oldest go early`() throws {
        var kept = try kept(bytesMax: 60, [(30, 10), (30, 30), (30, 20)])
        let going = kept.takeSuperfluous(now: Self.now, freeBytes: .max)
        #expect(going.early == [name(2)] && kept.bytes == 60)
    }

    @Test func `a disk that fills up gets them all back in the end`() throws {
        var kept = try kept([(100, 3), (100, 2), (100, 1)])
        let early = [900, 500, 0].map {
            kept.takeSuperfluous(now: Self.now, freeBytes: $0).early
        }
        #expect(early == [[], [name(1)], [name(2), name(3)]])
        #expect(kept.count == 0 && kept.bytes == 0)
    }

    @Test func `a clock set back an hour keeps nothing for an hour`() throws {
        var kept = try kept([(10, 0)])
        let back = Self.now - 3600 * Self.second
        let going = kept.takeSuperfluous(now: back, freeBytes: .max)
        #expect(going.over == [name(1)])
    }

    @Test func `without a bound to keep within nothing is kept`() throws {
        var kept = KeptSegments(.none)
        let isKept = kept.keep(name(1), try file(bytes: 1, ageSeconds: 0))
        #expect(!isKept)
    }

    // MARK: With a ledger

    @Test func `what is kept is stored once, whoever takes over, and goes when its time is over`()
        throws
    {
        let bench = try PumpBench()
        let policy = KeepingPolicy(windowSeconds: 300, bytesMax: 1 << 30)
        bench.write([[.numbered(1)], [.numbered(2)]])
        let segment = try #require(
            try bench.intake.segments().first { try bench.bytes(of: $0).count > 128 })
        try bench.restartEdge()
        var pump = bench.pump(keeping: policy)
        try bench.drain(pump)
        for _ in 0..<3 {
            #expect(try bench.intake.segments().contains(segment), "kept")
            #expect(try bench.storedNumbers() == [1, 2])
            #expect(bench.gauges.values.segmentsKept == 1)
            #expect(try bench.bytes(of: segment).count == bench.gauges.values.bytesKept)
            #expect(bench.gauges.values.pendingBytes == 0, "it does not wait for anything")
            pump = bench.pump(keeping: policy)
            #expect(try pump.runOnce() == ClickPump.Round())
        }
        #expect(try bench.intake.segments().count == 2, "one that never had a click is gone")
        var times = [timespec(tv_sec: 1000, tv_nsec: 0), timespec(tv_sec: 1000, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, bench.intake.path(of: segment), &times, 0) == 0)
        try bench.drain(bench.pump(keeping: policy))
        #expect(try !bench.intake.segments().contains(segment))
        #expect(bench.gauges.values.segmentsKept == 0)
        #expect(bench.gauges.values.segmentsDroppedEarly == 0)
    }

    @Test func `beside a bound that is too small new clicks go up and old ones are dropped`() throws
    {
        let bench = try PumpBench()
        let pump = bench.pump(keeping: KeepingPolicy(windowSeconds: 300, bytesMax: 1))
        bench.write([[.numbered(1)]])
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try bench.intake.segments().count == 1)
        #expect(bench.gauges.values.segmentsDroppedEarly == 1)
        #expect(try bench.storedNumbers() == [1])
    }
}
