import Clicks
import Glibc
import Guards
import Linux
import TableProbe
import TestSupport
import Testing

/// Tables in files, and processes that end in the middle of changing them.
@Suite(.serialized) struct SharedTableTests {
    private let folder: TestFolder

    init() throws {
        folder = try TestFolder()
    }

    /// The build puts the probe beside the test bundle's binary.
    private static var probe: String {
        get throws {
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
            guard count > 0 else { throw SystemError("readlink", "/proc/self/exe") }
            let bytes = buffer.prefix(count).map { UInt8(bitPattern: $0) }
            return File.folder(of: String(decoding: bytes, as: UTF8.self)) + "/TableProbe"
        }
    }

    /// Lets the probe run to a step that nobody can foresee and kills it.
    /// - Returns: the last step it has noted as done; the one after it may have been done as well.
    private func killedProbe(_ table: String) throws -> UInt64 {
        let mapping = try ProbeTables.open("progress", folder.path)
        let progress = ProbeTables.progress(mapping)
        let goal = progress.pointee.load(ordering: .acquiring) + .random(in: 1...300_000)
        let child = try ChildProcess(
            Self.probe, [table, folder.path], logPath: folder.path + "/log")
        try eventually("the probe passes step \(goal)") {
            progress.pointee.load(ordering: .acquiring) > goal
        }
        child.killNow()
        return progress.pointee.load(ordering: .acquiring)
    }

    @Test func `after kill -9 the next process refuses what the last one claimed`() throws {
        for _ in 0..<5 {
            let done = try killedProbe("dedupe")
            let table = try ProbeTables.open("dedupe", folder.path)
            #expect(table.opening == .kept)
            let window = ProbeTables.window(table)
            let now = ProbeTables.claimTime(done)
            let first = done > 29_000 ? done - 29_000 : 1
            let forgotten = (first...done).filter {
                !window.isOpen(key: ProbeTables.key($0), now: now)
            }
            #expect(forgotten.isEmpty, "killed at step \(done)")
            #expect(!window.isOpen(key: ProbeTables.key(done + 2), now: now))
        }
    }

    @Test func `after kill -9 no address has a click too many or too few`() throws {
        for _ in 0..<5 {
            let done = try killedProbe("flood")
            let table = try ProbeTables.open("flood", folder.path)
            #expect(table.opening == .kept)
            let flood = ProbeTables.flood(table)
            let now = ProbeTables.floodTime(done)
            let from = (now / 1_000_000 - 59) * 1_000_000
            var clicks = [Int](repeating: 0, count: Int(ProbeTables.floodKeys))
            for step in 1...done where ProbeTables.floodTime(step) >= from {
                clicks[Int(step % ProbeTables.floodKeys)] += 1
            }
            for index in 0..<ProbeTables.floodKeys {
                let answer = flood.count(key: ProbeTables.key(index), now: now)
                let isNext = (done + 1) % ProbeTables.floodKeys == index
                let expected = clicks[Int(index)] + 1
                #expect(
                    answer.clicksInWindow == expected
                        || isNext && answer.clicksInWindow == expected + 1,
                    "address \(index), killed at step \(done)")
            }
            try File.remove(folder.path + "/flood")
            try File.remove(folder.path + "/progress")
        }
    }

    @Test func `after kill -9 every folded click is in a fold`() throws {
        for _ in 0..<5 {
            let done = try killedProbe("fold")
            let table = try ProbeTables.open("fold", folder.path)
            #expect(table.opening == .kept)
            let fold = FoldTable(memory: TableMemory(table.payload, keptBy: table))
            #expect(fold.isDue(now: ProbeTables.start), "what an ended process left is due at once")
            var found: [Click] = []
            fold.collect(now: ProbeTables.start) {
                found.append($0)
                return true
            }
            fold.commit()
            #expect(fold.isEmpty)
            let total = found.reduce(0) { $0 + UInt64($1.count) }
            #expect(total == done || total == done + 1, "killed at step \(done)")
            #expect(found.count == Int(min(done, ProbeTables.folds)))
            #expect(found.allSatisfy { $0.id == ProbeTables.click($0.id.low).id })
            try File.remove(folder.path + "/progress")
        }
    }

    @Test func `a disk without room is an error that names the file`() throws {
        let script = "ulimit -f 64; exec \"$0\" open \"$1\""
        let child = try ChildProcess(
            "sh", ["-c", script, Self.probe, folder.path], logPath: folder.path + "/log")
        #expect(child.wait(seconds: 30) == 1)
        #expect(child.log.contains("posix_fallocate"), "\(child.log)")
        #expect(child.log.contains("File too large"), "\(child.log)")
        #expect(!File.exists(folder.path + "/dedupe") && !File.exists(folder.path + "/dedupe.new"))
    }
}
