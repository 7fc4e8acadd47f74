import Clicks
import Linux
import TestSupport
import Testing

@testable import Ingest
@testable import Spool

/// Clicks that the ledger refuses, or that this Ingest cannot read, among others.
@Suite struct PoisonTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    /// Makes the ledger refuse a visitor.
    private func refuse(visitors: String) throws {
        try bench.db.run(
            script: """
                alter table click_trackings add constraint click_trackings_test
                    check (visitor_key not in (\(visitors))) not valid
                """)
    }

    @Test func `halving finds what is refused, and also what is refused beside another only`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        for _ in 0..<500 {
            let count = Int.random(in: 1...2000, using: &random)
            // Things of one number go together no more than once; below zero never.
            let things = (0..<count).map { place in
                Int.random(in: 0..<60, using: &random) == 0
                    ? Int.random(in: -3...2, using: &random) : 10 + place
            }
            var there = Set<Int>()
            var expected: [Int] = []
            for (place, thing) in things.enumerated() {
                if thing < 0 || !there.insert(thing).inserted { expected.append(place) }
            }
            if expected.isEmpty { continue }
            var taken = Set<Int>()
            let halving = Halving(count: count, questionsMax: .max) { part in
                var new = taken
                for place in part {
                    if things[place] < 0 || !new.insert(things[place]).inserted { return false }
                }
                taken = new
                return true
            }
            #expect(halving.refused.joined().elementsEqual(expected))
            #expect(halving.questions <= 2 * expected.count * 12)
            let bounded = Halving(count: count, questionsMax: 10) { part in
                !part.contains { expected.contains($0) }
            }
            #expect(bounded.questions <= 10 + 12)
            #expect(Set(bounded.refused.joined()).isSuperset(of: expected))
        }
    }

    @Test func `refused clicks go to quarantine alone, all that came with them are stored`() throws
    {
        try refuse(visitors: "3, 1500, 1501, 2999")
        var frames = (0..<10).map { frame in
            (0..<300).map { WholeClick.numbered(frame * 300 + $0) }
        }
        // One id twice in a frame: the second is refused only beside the first.
        var twin = WholeClick.numbered(301)
        twin.click = Click(
            id: twin.click.id, gongguID: twin.click.gongguID, time: twin.click.time,
            visitorKey: 77, address: twin.click.address, verdict: .valid, path: .redirect)
        frames[1].append(twin)
        bench.write(frames)
        bench.write([[.numbered(5000)]], worker: 1)
        let rounds = try bench.drain(bench.pump(batchRecordsMax: 10_000))
        #expect(rounds.count <= 4, "\(rounds)")
        let refused = [3, 1500, 1501, 2999]
        #expect(
            try bench.storedNumbers() == (0..<3000).filter { !refused.contains($0) } + [5000])
        #expect(try bench.statisticsDifferences() == 0)
        #expect(bench.quarantined.count == 4 && bench.gauges.values.quarantinedRecords == 5)
        let notes = try bench.quarantined.map { name in
            let path = "\(bench.intake.quarantine.path)/\(name).txt"
            return String(decoding: try File.contents(of: path, bytesMax: 4096), as: UTF8.self)
        }
        #expect(notes.allSatisfy { $0.contains("click_trackings_test") || $0.contains("23505") })
        #expect(notes.contains { $0.contains("1 of 300 records") })
    }

    @Test func `a verdict that this Ingest does not know costs no other click`() throws {
        bench.write([(0..<5).map { .numbered($0) }, [.numbered(9)]])
        let segment = try #require(try bench.intake.segments().first)
        var bytes = try bench.bytes(of: segment)
        let start = SpoolFormat.segmentHeaderBytes
        bytes.withUnsafeMutableBytes { bytes in
            let header = FrameHeader(
                UnsafeRawBufferPointer(rebasing: bytes[start..<start + 32]), at: start)!
            let payload = UnsafeRawBufferPointer(
                rebasing: bytes[(start + 32)..<(start + 32 + header.payloadBytes)])
            var offset = 0
            for _ in 0..<2 { offset = RecordCoding.read(payload, at: offset)!.end }
            bytes[start + 32 + offset + 60] = 99
            FrameHeader.seal(
                bytes.baseAddress! + start, payloadBytes: header.payloadBytes,
                recordCount: header.recordCount, firstText: header.firstText, offset: start)
        }
        try bench.replace(segment, with: bytes)
        try bench.drain(bench.pump())
        #expect(try bench.storedNumbers() == [0, 1, 3, 4, 9])
        #expect(bench.quarantined == ["\(segment).\(start).record"])
        #expect(try bench.statisticsDifferences() == 0)
    }

    @Test func `clicks that the ledger has are passed over, at whatever speed they come back`()
        throws
    {
        let pump = bench.pump(batchRecordsMax: 400)
        bench.write((0..<100).map { frame in (0..<10).map { .numbered(frame * 10 + $0) } })
        let segment = try #require(try bench.intake.segments().first)
        let bytes = try bench.bytes(of: segment)
        try bench.restartEdge()
        try bench.drain(pump)
        // A snapshot, after the ledger has forgotten how far it had come.
        try bench.replace(segment, with: bytes)
        try bench.db.run(script: "delete from spool_offsets")
        bench.write([[.numbered(2000)]])
        let later = bench.pump(batchRecordsMax: 400)
        let rounds = try bench.drain(later)
        #expect(rounds.count <= 8, "\(rounds)")
        #expect(try bench.storedNumbers() == Array(0..<1000) + [2000])
        #expect(try bench.statisticsDifferences() == 0)
        #expect(bench.quarantined.isEmpty && bench.gauges.values.clicksKnown == 1000)
    }

    @Test func `a ledger that refuses everything for a while costs nothing`() throws {
        bench.write((0..<20).map { [.numbered($0)] })
        let pump = bench.pump()
        try bench.db.run(
            script: """
                alter table click_stats_deltas add constraint click_stats_deltas_test
                    check (clicks < 0) not valid
                """)
        _ = try pump.runOnce()
        try bench.db.run(
            script: "alter table click_stats_deltas drop constraint click_stats_deltas_test")
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == Array(0..<20))
        #expect(bench.quarantined.isEmpty)
        #expect(try bench.statisticsDifferences() == 0)
    }

    @Test func `while quarantine is full the segment with the damage waits and others go on`()
        throws
    {
        let intake = bench.intake
        bench.write([[.numbered(0)], [.numbered(1)], [.numbered(2)]])
        bench.write([[.numbered(10)]], worker: 1)
        try refuse(visitors: "1")
        // Full: as many files as it may have.
        try File.makeDirectories(intake.quarantine.path)
        let filler = SegmentName(worker: 7, startMicros: 1, sequence: 1)
        for offset in 0..<Quarantine.filesMax {
            _ = try File.open("\(intake.quarantine.path)/\(filler).\(offset).record", .createNew)
        }
        let pump = bench.pump()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 10])
        #expect(bench.gauges.values.spoolProblem?.contains("INGEST_QUARANTINE_BYTES_MAX") == true)
        bench.write([[.numbered(11)]], worker: 1)
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 10, 11])
        for offset in 0..<Quarantine.filesMax {
            try File.remove("\(intake.quarantine.path)/\(filler).\(offset).record")
        }
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 2, 10, 11])
        #expect(bench.gauges.values.spoolProblem == nil && bench.quarantined.count == 1)
    }

    @Test func `a click of now is stored before hours of backlog, and so is one just behind it`()
        throws
    {
        let pump = bench.pump(batchRecordsMax: 100)
        for start in 0..<5 {
            bench.write((0..<200).map { [.numbered(start * 200 + $0)] }, worker: start % 2)
            try bench.restartEdge()
        }
        bench.write((5000..<5080).map { [.numbered($0, microseconds: Clock.now())] })
        _ = try pump.runOnce()
        #expect(try bench.storedNumbers().filter { $0 >= 5000 }.count >= 50)
        // Its segment is closed before the pump has come to its end.
        try bench.restartEdge()
        bench.write([[.numbered(6000, microseconds: Clock.now())]])
        _ = try pump.runOnce()
        let stored = try bench.storedNumbers()
        #expect(stored.filter { $0 >= 5000 } == Array(5000..<5080) + [6000])
        #expect(stored.contains { $0 < 5000 }, "and the backlog goes on meanwhile")
        try bench.drain(pump)
        #expect(try bench.storedNumbers().count == 1081)
        #expect(try bench.statisticsDifferences() == 0)
    }
}
