import Clicks
import Glibc
import Linux
import Testing

@testable import Spool

/// What a writer does about a disk that refuses, besides counting: it comes back by itself, and
/// writes nothing where Ingest may delete it.
@Suite struct SpoolRecoveryTests {
    private let start: Int64 = 1_795_251_600_000_000

    private func clicks(_ bench: SpoolBench) throws -> [Int] {
        try bench.intake.segments().flatMap { name in
            try SegmentContents(bench.intake, name).clicks.map { Int($0.click.id.low) }
        }
    }

    /// An edge that is not ready gets no clicks by which it could find out that all is well again.
    @Test func `a segment that could not be followed is followed without another click`() throws {
        let bench = try SpoolBench()
        let folder = try bench.folder()
        let writer = bench.writer(folder) {
            $0.segmentBytesMax = 4096
            $0.retryIntervalMilliseconds = 1
        }
        writer.rotateIfDue(nowMicros: start)
        // The open segment goes with its folder; a file in the folder's place refuses another.
        try File.rename(folder.path, to: folder.path + ".away")
        do { _ = try File.open(folder.path, .createNew) }
        var written: [Int] = []
        var number = 0
        while !writer.gauges.isFailing, number < 1000 {
            #expect(WholeClick.numbered(number).append(to: writer))
            if writer.commit() == .written(records: 1) { written.append(number) }
            number += 1
        }
        #expect(writer.gauges.isFailing && written == Array(0..<number - 1))
        try File.remove(folder.path)
        try File.rename(folder.path + ".away", to: folder.path)
        let deadline = Clock.monotonic() + 5_000_000
        while writer.gauges.isFailing && Clock.monotonic() < deadline {
            writer.rotateIfDue(nowMicros: start + 1_000_000)
        }
        #expect(!writer.gauges.isFailing)
        #expect(WholeClick.numbered(number).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        #expect(try clicks(bench) == written + [number])
    }

    @Test(arguments: [SpoolSyncPolicy.interval, .always])
    func `a device that syncs again is found out without another click`(
        policy: SpoolSyncPolicy
    ) throws {
        let root = TestFolder()
        let sync = try SpoolSync(policy: policy, intervalMilliseconds: 5) { _ in }
        defer { sync.stop() }
        let folder = try SpoolFolder.open(root.path, edgeID: "edge-1", nowMicros: start)
        var settings = SpoolSettings()
        settings.retryIntervalMilliseconds = 1
        let writer = SpoolWriter(folder: folder, worker: 0, settings: settings, sync: sync)
        writer.rotateIfDue(nowMicros: start)
        // The file stays what it is; the folder that is to be synced is not found under its name.
        try File.rename(folder.path, to: folder.path + ".away")
        #expect(WholeClick.numbered(1).append(to: writer))
        _ = writer.commit()
        let failed = Clock.monotonic() + 5_000_000
        while !writer.gauges.isFailing && Clock.monotonic() < failed {}
        #expect(writer.gauges.isFailing && writer.gauges.syncFailures >= 1)
        let deadline = Clock.monotonic() + 5_000_000
        while writer.gauges.isFailing && Clock.monotonic() < deadline {
            writer.rotateIfDue(nowMicros: start + 1_000_000)
        }
        #expect(!writer.gauges.isFailing)
        #expect(WholeClick.numbered(2).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
    }

    /// Ingest takes a segment for closed, and deletes it, as soon as it has seen a later one.
    @Test(.enabled(if: SmallDisk.isPossible, "no namespace with a tmpfs of its own may be made"))
    func `a segment whose successor has had a name gets no more clicks`() throws {
        let disk = try SmallDisk(bytes: 256 << 10)
        let folder = try SpoolFolder.open(disk.path, edgeID: "edge-1", nowMicros: start)
        let sync = try SpoolSync(policy: .never) { _ in }
        let intake = try SpoolIntake.open(disk.path, edgeID: "edge-1")
        var settings = SpoolSettings()
        // A page and a part: the segment has room on the disk beyond its size.
        settings.segmentBytesMax = 5000
        settings.retryIntervalMilliseconds = 1
        let writer = SpoolWriter(folder: folder, worker: 0, settings: settings, sync: sync)
        writer.rotateIfDue(nowMicros: start)
        var number = 0
        func commit() -> CommitOutcome {
            #expect(WholeClick.numbered(number).append(to: writer))
            number += 1
            return writer.commit()
        }
        let first = try #require(try intake.segments().first)
        while File.identity(of: intake.path(of: first))!.bytes < 4850 {
            #expect(commit() == .written(records: 1))
        }
        let written = number
        let bytes = File.identity(of: intake.path(of: first))!.bytes
        let fillerPath = disk.path + "/filler"
        let filler = try File.open(fillerPath, .createNew)
        let page = [UInt8](repeating: 1, count: 4096)
        while (try? page.withUnsafeBytes { try File.writeWhole($0, to: filler, path: fillerPath) })
            != nil
        {}
        // The next segment gets its name and no header.
        #expect(commit() == .unrecorded(records: 1, code: ENOSPC))
        #expect(File.identity(of: intake.path(of: first))!.bytes == bytes)
        #expect(writer.gauges.isFailing)
        try File.truncate(filler, to: 0, path: fillerPath)
        let deadline = Clock.monotonic() + 5_000_000
        while writer.gauges.isFailing && Clock.monotonic() < deadline {
            writer.rotateIfDue(nowMicros: start)
        }
        #expect(commit() == .written(records: 1))
        let read = try intake.segments().flatMap { name in
            try SegmentContents(intake, name).clicks.map { Int($0.click.id.low) }
        }
        #expect(read == Array(0..<written) + [number - 1])
    }
}
