import Clicks
import Linux
import Postgres
import Spool
import TestSupport
import Testing

@testable import Ingest

@Suite struct PumpDamageTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    /// Where a segment of frames of one small click each has its frames: all are equally long.
    private func frames(_ segment: SegmentName, count: Int) throws -> [Range<Int>] {
        let size = try bench.bytes(of: segment).count
        let header = SpoolFormat.segmentHeaderBytes
        let bytes = (size - header) / count
        #expect(header + bytes * count == size)
        return (0..<count).map { header + $0 * bytes..<header + ($0 + 1) * bytes }
    }

    @Test func `a torn tail is skipped once its segment is closed, and not before`() throws {
        bench.write((0..<3).map { [.numbered($0)] })
        let segment = try #require(try bench.intake.segments().first)
        let last = try frames(segment, count: 3)[2]
        try bench.replace(
            segment, with: Array(try bench.bytes(of: segment)[..<(last.upperBound - 1)]))
        let pump = bench.pump()
        try bench.drain(pump)
        #expect(try bench.intake.segments() == [segment])
        #expect(bench.gauges.values.pendingBytes > 0)
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1])
        #expect(try !bench.intake.segments().contains(segment))
        #expect(bench.quarantined.isEmpty)
    }

    @Test func `a click whose agent was in a damaged frame arrives without it, and is counted`()
        throws
    {
        let clicks = (0..<3).map { number in
            var click = WholeClick.numbered(number)
            click.userAgentKey = 7
            return click
        }
        bench.write(clicks.map { [$0] })
        let segment = try #require(try bench.intake.segments().first)
        var bytes = try bench.bytes(of: segment)
        bytes[SpoolFormat.segmentHeaderBytes + 40] ^= 1
        try bench.replace(segment, with: bytes)
        try bench.drain(bench.pump())
        #expect(try bench.storedNumbers() == [1, 2])
        let agents = Statement("agents", "select count(user_agent)::int as n from clicks")
        #expect(try bench.database.connect().query(agents)[0].get("n", as: Int.self) == 0)
        #expect(bench.gauges.values.textsLost == 2)
        let metrics = try #require(
            IngestReports(
                gauges: bench.gauges, countries: Countries(path: nil),
                quarantine: bench.intake.quarantine
            ).routes["/metrics"])
        #expect("\(metrics())".contains("ingest_texts_lost_total 2"))
    }

    @Test func `a damaged frame goes to quarantine with its bytes, the rest arrives`() throws {
        bench.write((0..<5).map { [.numbered($0)] })
        let segment = try #require(try bench.intake.segments().first)
        let bad = try frames(segment, count: 5)[2]
        var bytes = try bench.bytes(of: segment)
        bytes[bad.upperBound - 1] ^= 1
        try bench.replace(segment, with: bytes)
        let pump = bench.pump()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1, 3, 4])
        #expect(
            bench.quarantined == ["\(segment).\(bad.lowerBound).payload-checksum"])
        let kept = try File.contents(
            of: "\(bench.intake.path)/quarantine/\(bench.quarantined[0])", bytesMax: 1 << 20)
        #expect(kept == Array(bytes[bad]))
        #expect(bench.gauges.values.quarantinedRanges == 1)
        #expect(bench.gauges.values.quarantinedBytes == bad.count)
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try !bench.intake.segments().contains(segment))
    }

    @Test func `a click that the ledger refuses ends in quarantine and blocks nothing`() throws {
        // Click 700 is in the ledger already, by another way.
        let before = WholeClick.numbered(700)
        let other = try PumpBenchTwin(bench)
        try other.store(before)
        bench.write((0..<1000).map { [.numbered($0)] })
        bench.write((2000..<2010).map { [.numbered($0)] }, worker: 1)
        let pump = bench.pump(batchRecordsMax: 5000)
        let rounds = try bench.drain(pump)
        #expect(rounds.count < 120, "the one is found by halving: \(rounds)")
        #expect(try bench.storedNumbers() == Array(0..<1000) + Array(2000..<2010))
        #expect(bench.quarantined.count == 1)
        #expect(bench.quarantined[0].hasSuffix(".refused"))
        #expect(bench.gauges.values.quarantinedRanges == 1)
        #expect(try bench.statisticsDifferences() == 1, "the other way told no statistics")
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try bench.intake.segments().count == 1)
    }

    @Test func `a time that no edge writes is set aside alone, and no partition is made for it`()
        throws
    {
        let impossible: [Int64] = [.min, .max, -1, ClickBatch.times.upperBound + 1]
        for (number, time) in impossible.enumerated() {
            bench.write([[.numbered(number, microseconds: time), .numbered(100 + number)]])
        }
        bench.write([[.numbered(8, microseconds: 0)], [.numbered(9)]])
        try bench.drain(bench.pump())
        #expect(try bench.storedNumbers() == [8, 9, 100, 101, 102, 103])
        let header = SpoolFormat.segmentHeaderBytes
        let segment = try bench.intake.segments()[0]
        #expect(bench.quarantined.count == impossible.count)
        #expect(bench.quarantined.contains("\(segment).\(header).record"))
        #expect(
            try bench.number(
                "test_partitions",
                "select count(*) from pg_inherits where inhparent = 'click_trackings'::regclass")
                == 2)
    }

    @Test func `a segment that is refused as a whole is left alone and the rest goes on`() throws {
        bench.write([[.numbered(0)]])
        let segment = try #require(try bench.intake.segments().first)
        let alien = SegmentName(worker: 0, startMicros: 1, sequence: 1)
        // Renamed by somebody: its header names another.
        try bench.replace(alien, with: try bench.bytes(of: segment))
        let pump = bench.pump()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0])
        #expect(bench.gauges.values.spoolProblem?.contains("another name") == true)
        #expect(try bench.intake.segments() == [alien, segment])
        try bench.intake.remove(alien)
        try bench.drain(pump)
        #expect(bench.gauges.values.spoolProblem == nil)
    }

    @Test func `damage that cannot be copied waits, and only its segment with it`() throws {
        bench.write((0..<3).map { [.numbered($0)] })
        let segment = try #require(try bench.intake.segments().first)
        var bytes = try bench.bytes(of: segment)
        bytes[try frames(segment, count: 3)[1].upperBound - 1] ^= 1
        try bench.replace(segment, with: bytes)
        bench.write([[.numbered(10)]], worker: 1)
        // A file where the folder should be.
        let path = bench.intake.path + "/quarantine"
        _ = try File.open(path, .createNew)
        let pump = bench.pump()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 10])
        #expect(bench.gauges.values.spoolProblem != nil)
        #expect(bench.gauges.values.quarantinedRanges == 0)
        try File.remove(path)
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 2, 10])
        #expect(bench.quarantined.count == 1)
        #expect(bench.gauges.values.quarantinedRanges == 1)
    }
}

/// Puts a click into the ledger without a spool.
struct PumpBenchTwin {
    private let db: Connection

    init(_ bench: PumpBench) throws {
        db = try bench.database.connect()
    }

    func store(_ whole: WholeClick) throws {
        let click = whole.click
        try IngestQueries.ensurePartition(click.time.koreanDay, in: db)
        try db.execute(
            Statement(
                "test_insert_click",
                """
                insert into click_trackings
                    (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path,
                    ip_address)
                values ($1, 0, $2, $3, 0, 1, 0, '127.0.0.1')
                """),
            [
                PostgresTimestamp(microseconds: click.time.microseconds),
                PostgresUUID(high: click.id.high, low: click.id.low),
                PostgresUUID(high: click.gongguID.high, low: click.gongguID.low),
            ])
    }
}
