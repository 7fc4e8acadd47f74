import Clicks
import Foundation
import Glibc
import Linux
import Synchronization
import Testing

@testable import Spool

@Suite struct SpoolWriterTests {
    private let start: Int64 = 1_795_251_600_000_000

    private func clicks(_ bench: SpoolBench) throws -> [Int] {
        try bench.intake.segments().flatMap { name in
            try SegmentContents(bench.intake, name).clicks.map { Int($0.click.id.low) }
        }
    }

    @Test func `a full frame says so and takes the click after a commit`() throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder()) { $0.frameBytesMax = 4096 }
        // Texts of these lengths get no number.
        var click = WholeClick.numbered(1, agent: "unknown")
        click.referer = []
        let bytes = 64 + 4 + 2 + 7 + 1
        // As long as the longest would still fit.
        let count = 1 + (4096 - 1648) / bytes
        for _ in 0..<count { #expect(click.append(to: writer)) }
        #expect(!click.append(to: writer))
        #expect(writer.commit() == .written(records: count))
        #expect(writer.commit() == .nothing)
        #expect(click.append(to: writer))
        #expect(writer.gauges.recordsWritten == count && writer.gauges.framesWritten == 1)
    }

    @Test func `the largest frame of the largest records is read back`() throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder())
        var large = WholeClick.numbered(1)
        // Texts of this length get no number.
        large.userAgent = [UInt8](repeating: 0x61, count: 4998)
        large.referer = [UInt8](repeating: 0x62, count: 4998)
        large.channel = [UInt8](repeating: 0x63, count: 4998)
        var count = 0
        while large.append(to: writer) { count += 1 }
        #expect(count == 1 + ((1 << 20) - 1648) / (64 + 4 + 2 + 512 + 2 + 1000 + 32))
        #expect(writer.commit() == .written(records: count))
        let contents = try SegmentContents(bench.intake, try #require(bench.intake.segments().last))
        #expect(contents.clicks == [WholeClick](repeating: large.kept, count: count))
    }

    @Test func `segments follow one another by size`() throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder()) { $0.segmentBytesMax = 4096 }
        for number in 0..<100 {
            #expect(WholeClick.numbered(number).append(to: writer))
            #expect(writer.commit() == .written(records: 1))
        }
        let names = try bench.intake.segments()
        #expect(names.count == writer.gauges.segmentsOpened && names.count > 2)
        #expect(try names.allSatisfy { try bench.bytes(of: $0).count <= 4096 })
        #expect(try clicks(bench) == Array(0..<100))
        #expect(names.dropLast().allSatisfy { $0.isClosed(among: names) })
        #expect(!names.last!.isClosed(among: names))
    }

    @Test func `a segment with clicks is followed when it is old, one without is not`() throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder()) { $0.segmentAgeSecondsMax = 60 }
        for second in stride(from: Int64(0), through: 600, by: 10) {
            writer.rotateIfDue(nowMicros: start + second * 1_000_000)
        }
        #expect(writer.gauges.segmentsOpened == 1)
        #expect(WholeClick.numbered(1).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        writer.rotateIfDue(nowMicros: start + 659_999_999)
        #expect(writer.gauges.segmentsOpened == 1)
        writer.rotateIfDue(nowMicros: start + 660_000_000)
        #expect(writer.gauges.segmentsOpened == 2)
        // A clock set back an hour begins the age anew rather than stopping it for an hour.
        #expect(WholeClick.numbered(2).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        let earlier = start - 3_600_000_000
        writer.rotateIfDue(nowMicros: earlier)
        writer.rotateIfDue(nowMicros: earlier + 60_000_000)
        #expect(writer.gauges.segmentsOpened == 3)
    }

    @Test func `a second Edge or Ingest on a folder is refused with a sentence`() throws {
        let bench = try SpoolBench()
        let first = try bench.folder()
        let edge = #expect(throws: SpoolError.self) { _ = try bench.folder() }
        #expect(
            edge?.description == "another Edge holds \(first.path)/edge.lock: "
                + "stop it, or give this one an edge id of its own")
        let ingest = #expect(throws: SpoolError.self) {
            _ = try SpoolIntake.open(bench.root.path, edgeID: "edge-1")
        }
        #expect(ingest?.description.hasPrefix("another Ingest holds ") == true)
        _ = try SpoolFolder.open(bench.root.path, edgeID: "edge-2", nowMicros: start)
    }

    @Test func `names rise although the clock steps back and the folder was emptied`() throws {
        let bench = try SpoolBench()
        #expect(try bench.folder(nowMicros: start).startMicros == start)
        #expect(try bench.folder(nowMicros: start - 5_000_000).startMicros == start + 1)
        try File.remove(bench.intake.path + "/edge.lock")
        let later = SegmentName(worker: 7, startMicros: start + 100, sequence: 1)
        try bench.replace(later, with: [])
        #expect(try bench.folder(nowMicros: start).startMicros == start + 101)
        for text in ["", "12", "99999999999999999\n", "1.5\n", "\0\0\0\0"] {
            let path = bench.intake.path + "/edge.lock"
            let file = try File.open(path, .createOrTruncate)
            try Array(text.utf8).withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
            #expect(try bench.folder(nowMicros: 5).startMicros == start + 101)
        }
        try bench.replace(
            SegmentName(worker: 0, startMicros: 9_999_999_999_999_999, sequence: 1), with: [])
        let error = #expect(throws: SpoolError.self) { _ = try bench.folder(nowMicros: 5) }
        #expect("\(error!)".contains("beyond the year 2286"))
    }

    @Test func `a removed folder is made again and nothing written after is lost`() throws {
        let bench = try SpoolBench()
        let folder = try bench.folder()
        let writer = bench.writer(folder)
        #expect(WholeClick.numbered(1).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        TestFolder.remove(folder.path)
        writer.rotateIfDue(nowMicros: start + 1_000_000)
        #expect(WholeClick.numbered(2).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        #expect(try clicks(bench) == [2])
        // Its lock is taken again with it.
        #expect(throws: SpoolError.self) { _ = try bench.folder() }
    }

    @Test func `a folder that another Edge took over is left to it until it ends`() throws {
        let bench = try SpoolBench()
        let folder = try bench.folder()
        let writer = bench.writer(folder)
        TestFolder.remove(folder.path)
        do {
            let other = try bench.folder(nowMicros: start + 50)
            writer.rotateIfDue(nowMicros: start + 1_000_000)
            #expect(WholeClick.numbered(1).append(to: writer))
            #expect(writer.commit() == .unrecorded(records: 1, code: EWOULDBLOCK))
            #expect(writer.gauges.isFailing && writer.gauges.recordsUnrecorded == 1)
            let otherWriter = bench.writer(other)
            #expect(WholeClick.numbered(2).append(to: otherWriter))
            #expect(otherWriter.commit() == .written(records: 1))
        }
        #expect(WholeClick.numbered(3).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        #expect(!writer.gauges.isFailing)
        let names = try bench.intake.segments()
        #expect(names.map(\.startMicros) == [start + 50, start + 51])
        #expect(names[0].isClosed(among: names) && !names[1].isClosed(among: names))
        #expect(try clicks(bench) == [2, 3])
    }

    @Test func `while a folder cannot be written clicks are counted, then recording resumes`()
        throws
    {
        let bench = try SpoolBench()
        let folder = try bench.folder()
        let writer = bench.writer(folder) { $0.retryIntervalMilliseconds = 20 }
        TestFolder.remove(folder.path)
        // A file in the folder's place refuses also the superuser.
        do { _ = try File.open(folder.path, .createNew) }
        writer.rotateIfDue(nowMicros: start + 1_000_000)
        for number in 0..<50 {
            #expect(WholeClick.numbered(number).append(to: writer))
            guard case .unrecorded(records: 1, _) = writer.commit() else {
                Issue.record("a click was recorded in no folder")
                return
            }
        }
        #expect(writer.gauges.isFailing && writer.gauges.recordsUnrecorded == 50)
        try File.remove(folder.path)
        let deadline = Clock.monotonic() + 5_000_000
        while writer.gauges.isFailing && Clock.monotonic() < deadline {
            writer.rotateIfDue(nowMicros: start + 2_000_000)
        }
        #expect(!writer.gauges.isFailing)
        #expect(WholeClick.numbered(50).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        #expect(try clicks(bench) == [50])
    }

    @Test func `with always, a click that could not be synced is told so and the next is kept`()
        throws
    {
        let bench = try SpoolBench(policy: .always)
        let folder = try bench.folder()
        let writer = bench.writer(folder)
        // The file takes the frame although it has no name any more; the folder's sync fails.
        TestFolder.remove(folder.path)
        #expect(WholeClick.numbered(1).append(to: writer))
        #expect(writer.commit() == .unsynced(records: 1, code: ENOENT))
        #expect(writer.gauges.isFailing && writer.gauges.syncFailures == 1)
        #expect(WholeClick.numbered(2).append(to: writer))
        #expect(writer.commit() == .written(records: 1))
        #expect(!writer.gauges.isFailing)
        #expect(try clicks(bench) == [2])
    }

    @Test func `a segment whose sync failed gets no more clicks, and it is reported`() throws {
        let root = TestFolder()
        let reports = Mutex<[Int32]>([])
        let sync = try SpoolSync(policy: .interval, intervalMilliseconds: 10_000) { error in
            reports.withLock { $0.append(error.code) }
        }
        let folder = try SpoolFolder.open(root.path, edgeID: "edge-1", nowMicros: start)
        let writers = (0..<2).map { SpoolWriter(folder: folder, worker: $0, sync: sync) }
        TestFolder.remove(folder.path)
        for writer in writers {
            #expect(WholeClick.numbered(1).append(to: writer))
            #expect(writer.commit() == .written(records: 1))
        }
        // Its last round, long before the next one is due.
        sync.stop()
        #expect(reports.withLock { $0 } == [ENOENT, ENOENT])
        for writer in writers {
            #expect(writer.gauges.isFailing && writer.gauges.syncFailures == 1)
            #expect(WholeClick.numbered(2).append(to: writer))
            #expect(writer.commit() == .written(records: 1))
            #expect(writer.gauges.segmentsOpened == 2)
        }
        let intake = try SpoolIntake.open(root.path, edgeID: "edge-1")
        #expect(try intake.segments().count == 2)
    }

    @Test(.enabled(if: SmallDisk.isPossible, "no namespace with a tmpfs of its own may be made"))
    func `on a full disk clicks are counted, nothing torn is read, recording resumes`() throws {
        let disk = try SmallDisk(bytes: 256 << 10)
        let fillerPath = disk.path + "/filler"
        let filler = try File.open(fillerPath, .createNew)
        try [UInt8](repeating: 1, count: 8192).withUnsafeBytes { bytes in
            try File.writeWhole(bytes, to: filler, path: fillerPath)
        }
        let folder = try SpoolFolder.open(disk.path, edgeID: "edge-1", nowMicros: start)
        let sync = try SpoolSync(policy: .never) { _ in }
        let intake = try SpoolIntake.open(disk.path, edgeID: "edge-1")
        var settings = SpoolSettings()
        settings.retryIntervalMilliseconds = 1
        let writer = SpoolWriter(folder: folder, worker: 0, settings: settings, sync: sync)
        var written: [Int] = []
        var number = 0
        func turn() -> Bool {
            let numbers = number..<number + 40
            number += 40
            for number in numbers { #expect(WholeClick.numbered(number).append(to: writer)) }
            switch writer.commit() {
            case .written:
                written += numbers
                return true
            case .unrecorded(let records, let code):
                #expect(records == 40 && code == ENOSPC)
                return false
            case .nothing, .unsynced: return false
            }
        }
        while turn() {}
        #expect(writer.gauges.isFailing && !written.isEmpty)
        // Room for a segment's header and part of a frame, the meanest fullness.
        try File.truncate(filler, to: 4096, path: fillerPath)
        let deadline = Clock.monotonic() + 100_000
        while Clock.monotonic() < deadline {
            writer.rotateIfDue(nowMicros: start)
            _ = turn()
        }
        // No pile of empty segments, however often it tried.
        let names = try intake.segments()
        #expect(writer.gauges.writeFailures > 10)
        var read: [Int] = []
        for name in names {
            let contents = try SegmentContents(intake, name)
            #expect(contents.damages.isEmpty && !contents.clicks.isEmpty)
            read += contents.clicks.map { Int($0.click.id.low) }
        }
        #expect(read == written)
        for name in names { try intake.remove(name) }
        let resumed = Clock.monotonic() + 5_000_000
        while !turn() && Clock.monotonic() < resumed { writer.rotateIfDue(nowMicros: start) }
        #expect(!writer.gauges.isFailing)
    }

    @Test func `a frame that a file's limit cuts is written whole into the next segment`() throws {
        // The limit is the whole process's: far above what any other test writes into one file.
        let limitBytes = 20 << 20
        signal(SIGXFSZ, SIG_IGN)
        var before = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before)
        var limit = rlimit(rlim_cur: rlim_t(limitBytes), rlim_max: before.rlim_max)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        defer { setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &before) }
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder()) {
            $0.frameBytesMax = 8 << 20
            $0.segmentBytesMax = 1 << 30
        }
        var large = WholeClick.numbered(1)
        large.referer = [UInt8](repeating: 0x62, count: 1000)
        for _ in 0..<3 {
            while large.append(to: writer) {}
            guard case .written = writer.commit() else {
                Issue.record("the frame is lost")
                return
            }
        }
        let names = try bench.intake.segments()
        #expect(names.count == 2 && writer.gauges.writeFailures == 1)
        let first = try SegmentContents(bench.intake, names[0])
        #expect(first.tornBytes > 1 << 20 && first.damages.isEmpty)
        let second = try SegmentContents(bench.intake, names[1])
        // With the texts that only the first segment had until then.
        #expect(second.textsLost == 0 && second.clicks.allSatisfy { $0 == large })
        #expect(first.clicks.count + second.clicks.count == writer.gauges.recordsWritten)
    }

    @Test(arguments: SpoolSyncPolicy.allCases)
    func `no descriptor is left when the writers and the syncing have ended`(
        policy: SpoolSyncPolicy
    ) throws {
        let bench = try SpoolBench(policy: policy)
        let folder = try bench.folder()
        let writer = bench.writer(folder) { $0.segmentBytesMax = 4096 }
        for number in 0..<200 {
            #expect(WholeClick.numbered(number).append(to: writer))
            #expect(writer.commit() == .written(records: 1))
        }
        writer.close()
        bench.sync.stop()
        #expect(writer.gauges.syncFailures == 0)
        let open = try File.list("/proc/self/fd").filter { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/self/fd/" + name)
            return target?.hasPrefix(folder.path) == true && target?.hasSuffix(".clicks") == true
        }
        #expect(open.isEmpty)
        #expect(try clicks(bench) == Array(0..<200))
    }

    @Test func `a segment that follows an old one is not old itself`() throws {
        let bench = try SpoolBench()
        let writer = bench.writer(try bench.folder())
        // As a worker does: looks for its turn, then writes.
        for turn in 0..<130 {
            writer.rotateIfDue(nowMicros: Int64(turn) * 1_000_000)
            #expect(WholeClick.numbered(turn).append(to: writer))
            #expect(writer.commit() == .written(records: 1))
        }
        #expect(try bench.intake.segments().count == 3)
    }
}

/// A tmpfs of a few pages in a mount namespace of its own, reached through /proc, so that no
/// privilege is needed where user namespaces are allowed, and nothing stays mounted.
final class SmallDisk {
    private(set) var path = ""
    private let folder = TestFolder()
    private let holder = Process()
    private let input = Pipe()

    static let isPossible: Bool = (try? SmallDisk(bytes: 64 << 10)) != nil

    struct Refused: Error {}

    init(bytes: Int) throws {
        let output = Pipe()
        holder.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        let script =
            "mount -t tmpfs -o size=\(bytes) small \(folder.path) && echo ready && read end"
        holder.arguments = ["--user", "--map-root-user", "--mount", "sh", "-c", script]
        holder.standardInput = input
        holder.standardOutput = output
        holder.standardError = FileHandle.nullDevice
        try holder.run()
        let answer = output.fileHandleForReading.availableData
        guard answer == Data("ready\n".utf8) else { throw Refused() }
        path = "/proc/\(holder.processIdentifier)/root\(folder.path)"
    }

    deinit {
        try? input.fileHandleForWriting.close()
        holder.waitUntilExit()
    }
}
