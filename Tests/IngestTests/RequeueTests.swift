import Clicks
import Glibc
import Linux
import Spool
import TestSupport
import Testing

@testable import Ingest

@Suite struct RequeueTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    private func requeue(_ arguments: String...) -> (code: Int32, said: [String]) {
        var said: [String] = []
        guard let command = RequeueCommand(arguments) else { return (64, []) }
        let code = command.run(
            spool: bench.intake.path, edgeID: bench.intake.edgeID, say: { said.append($0) },
            complain: { said.append($0) })
        return (code, said)
    }

    private func refuse(visitors: [Int]) throws {
        try bench.db.run(
            script: """
                alter table click_trackings drop constraint if exists click_trackings_test;
                alter table click_trackings add constraint click_trackings_test
                    check (visitor_key <> all ('{\(visitors.map(String.init)
                        .joined(separator: ","))}'::bigint[])) not valid
                """)
    }

    private func contents() throws -> [String: [UInt8]] {
        var files: [String: [UInt8]] = [:]
        for name in bench.quarantined {
            files[name] = try File.contents(
                of: "\(bench.intake.quarantine.path)/\(name)", bytesMax: 1 << 20)
        }
        return files
    }

    private func restore(_ files: [String: [UInt8]]) throws {
        for (name, bytes) in files {
            let path = "\(bench.intake.quarantine.path)/\(name)"
            let file = try File.open(path, .createOrTruncate)
            try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
        }
    }

    @Test func `what was refused comes back once it is repaired, once, however often requeued`()
        throws
    {
        try refuse(visitors: [3, 7])
        bench.write([(0..<5).map { .numbered($0) }, (5..<10).map { .numbered($0) }])
        let pump = bench.pump()
        try bench.drain(pump)
        let files = try contents()
        #expect(files.count == 2)
        let listed = requeue("--list")
        #expect(listed.code == 0 && listed.said.count == 2)
        #expect(listed.said[0].contains("click_trackings_test"))
        #expect(requeue("--all", "--dry-run").said.allSatisfy { $0.contains("would requeue 1") })
        #expect(bench.quarantined.count == 2)

        // Not repaired yet: it comes back to the quarantine.
        let first = requeue("--all")
        #expect(first.code == 0 && bench.quarantined.isEmpty, "\(first.said)")
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1, 2, 4, 5, 6, 8, 9])
        #expect(bench.quarantined.count == 2)
        #expect(try bench.intake.segments().allSatisfy { !$0.isRequeued }, "and its segment goes")

        try refuse(visitors: [])
        #expect(requeue(bench.quarantined[0]).code == 0)
        #expect(requeue("\(bench.intake.quarantine.path)/\(bench.quarantined[0])").code == 0)
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == Array(0..<10))
        #expect(bench.quarantined.isEmpty)

        // From a backup, twice, also when the ledger has forgotten the segments.
        for forgets in [false, true] {
            if forgets {
                try bench.db.run(
                    script: "delete from spool_offsets where segment like '9999-%'")
            }
            try restore(files)
            #expect(requeue("--all").code == 0)
            try bench.drain(bench.pump())
        }
        #expect(try bench.storedNumbers() == Array(0..<10))
        #expect(try bench.statisticsDifferences() == 0 && bench.quarantined.isEmpty)
    }

    @Test func `a file that was repaired by hand comes back, one that was not is left alone`()
        throws
    {
        bench.write([[.numbered(0)], [.numbered(1), .numbered(2)], [.numbered(3)]])
        let segment = try #require(try bench.intake.segments().first)
        var bytes = try bench.bytes(of: segment)
        let place = bytes.count - 10
        bytes[place] ^= 0x40
        try bench.replace(segment, with: bytes)
        let pump = bench.pump()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1, 2])
        let left = requeue("--all")
        #expect(left.code == 1 && left.said[0].contains("nothing to requeue"))
        #expect(try bench.intake.segments().count == 1 && bench.quarantined.count == 1)
        var file = try contents()[bench.quarantined[0]]!
        file[file.count - 10] ^= 0x40
        try restore([bench.quarantined[0]: file])
        #expect(requeue("--all").code == 0)
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1, 2, 3])
        #expect(try bench.statisticsDifferences() == 0 && bench.quarantined.isEmpty)
    }

    @Test func `a requeue that dies between its steps is repeated without a trace`() throws {
        try refuse(visitors: [1])
        bench.write([[.numbered(0), .numbered(1)]])
        let pump = bench.pump()
        try bench.drain(pump)
        try refuse(visitors: [])
        let files = try contents()
        let file = try #require(bench.intake.quarantine.files().first)
        let records = QuarantinedRecords(files[file.name]!, at: file.offset)
        let name = SegmentName(requeued: RequeueCommand.words(of: file, records))
        // Died after a part of the segment was written: no name that Ingest reads.
        let half = try File.open("\(bench.intake.path)/\(name).tmp", .createNew)
        try File.truncate(half, to: 100, path: "half")
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0])
        // Died after the rename: the file is still there, the segment may or may not be.
        #expect(requeue("--all").code == 0)
        try restore(files)
        let again = requeue("--all")
        #expect(again.said.allSatisfy { $0.contains("on its way already") }, "\(again.said)")
        try restore(files)
        try bench.drain(pump)
        #expect(requeue("--all").code == 0)
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1])
        #expect(try bench.statisticsDifferences() == 0 && bench.quarantined.isEmpty)
    }

    @Test func `refusals, repairs, restarts, backups and requeues in any order end with all once`()
        throws
    {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var written = 0
        var backups: [String: [UInt8]] = [:]
        var pump = bench.pump(batchRecordsMax: 50)
        for _ in 0..<150 {
            switch random.next() % 10 {
            case 0, 1, 2:
                let frames = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                    (0..<Int.random(in: 1...9, using: &random)).map { _ -> WholeClick in
                        written += 1
                        return .numbered(written - 1, gonggu: written % 3)
                    }
                }
                bench.write(frames, worker: Int(random.next() % 2))
            case 3:
                let count = Int.random(in: 0...8, using: &random)
                try refuse(
                    visitors: (0..<count).map { _ in
                        // Mostly of clicks that are still to come.
                        Int.random(in: max(0, written - 10)...(written + 20), using: &random)
                    })
            case 4: pump = bench.pump(batchRecordsMax: Int.random(in: 1...60, using: &random))
            case 5: try bench.restartEdge()
            case 6: backups.merge(try contents()) { $1 }
            case 7: try restore(backups.filter { _ in random.next() % 3 == 0 })
            default: _ = requeue("--all")
            }
            _ = try? pump.runOnce()
        }
        try refuse(visitors: [])
        var rounds = 0
        repeat {
            _ = requeue("--all")
            try bench.drain(pump)
            rounds += 1
        } while !bench.quarantined.isEmpty && rounds < 10
        #expect(try bench.storedNumbers() == Array(0..<written))
        #expect(try bench.statisticsDifferences() == 0)
        #expect(bench.quarantined.isEmpty)
        #expect(bench.gauges.values.quarantinedRecords > 0, "something was refused")
    }

    @Test func `arguments that make no sense are refused, and a second requeue waits its turn`()
        throws
    {
        for arguments in [[], ["--all", "x"], ["--list", "--all"], ["-x"], ["--list", "x"]] {
            #expect(RequeueCommand(arguments) == nil, "\(arguments)")
        }
        #expect(requeue("--all").code == 0, "nothing to do is done")
        let unknown = requeue("nothing.of.the.kind")
        #expect(unknown.code == 1 && unknown.said[0].contains("is not in"))
        try refuse(visitors: [1])
        bench.write([[.numbered(0), .numbered(1)]])
        try bench.drain(bench.pump())
        let lock = try bench.intake.quarantine.lock()
        #expect(requeue("--all").code == 75)
        _ = consume lock
        #expect(requeue("--all").code == 0)
    }
}
