import Clicks
import Linux
import Postgres
import Spool
import TestSupport
import Testing

@testable import Ingest

@Suite struct ClickPumpTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    /// Texts that are hard to keep, with what is kept of each.
    private static let hostileTexts: [(sent: [UInt8], kept: String)] = [
        ([0x61, 0xFF, 0x62], "a\u{FFFD}b"),
        // A lone surrogate, encoded as if it were a character: three bytes, none of them UTF-8.
        ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"),
        // An overlong slash, and a character beyond the last.
        ([0xC0, 0xAF], "\u{FFFD}\u{FFFD}"),
        ([0xF4, 0x90, 0x80, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
        ([0x61, 0x00, 0x62], "a\u{FFFD}b"),
        // Composed and decomposed: two texts, not one.
        (Array("\u{AC00}".utf8), "\u{AC00}"),
        (Array("\u{1100}\u{1161}".utf8), "\u{1100}\u{1161}"),
        (Array("'\"\\;--\n\t".utf8), "'\"\\;--\n\t"),
    ]

    @Test func `texts that are no text are repaired as stated, all others kept to the byte`() throws
    {
        var clicks: [WholeClick] = []
        for (number, text) in Self.hostileTexts.enumerated() {
            var click = WholeClick.numbered(number)
            click.userAgent = text.sent
            click.referer = text.sent
            clicks.append(click)
        }
        // A character of three bytes across each bound.
        var cut = WholeClick.numbered(100)
        cut.userAgent = Array(repeating: 0x61, count: 511) + Array("가".utf8)
        cut.referer = Array(repeating: 0x62, count: 998) + Array("나다".utf8)
        cut.channel = Array(repeating: 0x63, count: 31) + Array("라".utf8)
        clicks.append(cut)
        bench.write([clicks])
        try bench.drain(bench.pump())
        let stored = try bench.stored()
        #expect(stored.count == clicks.count)
        for (click, text) in zip(stored, Self.hostileTexts) {
            #expect(click.userAgent == Array(text.kept.utf8))
            #expect(click.referer == Array(text.kept.utf8))
        }
        let last = try #require(stored.last)
        #expect(last.userAgent == Array(repeating: 0x61, count: 511) + Array("\u{FFFD}".utf8))
        #expect(last.referer == Array(repeating: 0x62, count: 998) + Array("\u{FFFD}".utf8))
        #expect(last.channel == Array(repeating: 0x63, count: 31) + Array("\u{FFFD}".utf8))
        #expect(bench.quarantined.isEmpty)
    }

    /// Any click that the ledger's columns can hold, around midnights in Seoul.
    private func randomClick(_ number: Int, _ random: inout SplitMix) -> WholeClick {
        let midnight = Timestamp(microseconds: WholeClick.noon).koreanDay
            .advanced(byDays: Int32.random(in: 0...3, using: &random)).start.microseconds
        let offsets: [Int64] = [-1, 0, 1, -3_600_000_000, 3_599_999_999, 40_000_000_000]
        func text(_ bytesMax: Int) -> [UInt8] {
            let count = Int.random(in: 0..<8, using: &random) == 0 ? bytesMax + 9 : 12
            return (0..<Int.random(in: 0...count, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
        }
        let isAnonymous = Bool.random(using: &random)
        let isIPv4 = Bool.random(using: &random)
        var whole = WholeClick.numbered(number)
        whole.click = Click(
            id: Identifier(high: 7, low: UInt64(number)),
            gongguID: Identifier(high: 1, low: random.next() % 3),
            time: Timestamp(microseconds: midnight + offsets.randomElement(using: &random)!),
            visitorKey: random.next(),
            userID: isAnonymous
                ? .anonymous : Identifier(high: random.next(), low: random.next()),
            address: isIPv4
                ? NetworkAddress(ipv4: UInt32(truncatingIfNeeded: random.next()))
                : NetworkAddress(high: random.next() | 1, low: random.next()),
            count: random.next() % 4 == 0 ? UInt32(random.next() % 0x7FFF_FFFF) + 1 : 1,
            ruleSet: RuleSet(version: UInt16(random.next() % 0x8000)),
            reason: UInt16(random.next() % 0x8000),
            verdict: Verdict.allCases.randomElement(using: &random)!,
            path: ClickPath.allCases.randomElement(using: &random)!)
        whole.userAgent = text(512)
        whole.referer = text(1000)
        whole.channel = text(32)
        return whole
    }

    @Test func `clicks of every kind arrive equal, in their day, and counted`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var clicks: [WholeClick] = []
        for worker in 0..<3 {
            let frames = (0..<20).map { _ in
                (0..<Int.random(in: 1...12, using: &random)).map { _ -> WholeClick in
                    let click = randomClick(clicks.count, &random)
                    clicks.append(click)
                    return click
                }
            }
            bench.write(frames, worker: worker)
        }
        let rounds = try bench.drain(bench.pump(batchRecordsMax: 50))
        #expect(rounds.count >= clicks.count / 62, "a full batch has 50 clicks, or a frame more")
        #expect(rounds.allSatisfy { $0 <= 61 })
        #expect(rounds.reduce(0, +) == clicks.count)
        let stored = try bench.stored()
        #expect(stored.count == clicks.count)
        for (stored, click) in zip(stored, clicks) {
            guard stored == StoredClick(click) else {
                Issue.record("stored \(stored), sent \(click)")
                break
            }
        }
        #expect(try bench.statisticsDifferences() == 0)
        let misplaced = try bench.number(
            "test_misplaced",
            """
            select count(*) from click_trackings
            where tableoid::regclass::text <> 'click_trackings_'
                || to_char(clicked_at at time zone 'Asia/Seoul', 'YYYYMMDD')
            """)
        #expect(misplaced == 0)
        #expect(bench.quarantined.isEmpty)
        #expect(bench.gauges.values.clicksCommitted == clicks.count)
        #expect(bench.gauges.values.pendingBytes == 0)
        let newest = clicks.map(\.click.time.microseconds).max()!
        #expect(bench.gauges.values.lastClickMicros! <= newest)
    }

    @Test func `what is consumed and closed is deleted, what is open stays and is read on`() throws
    {
        let pump = bench.pump()
        bench.write([[.numbered(0)], [.numbered(1)]])
        bench.write([[.numbered(2)]], worker: 1)
        try bench.drain(pump)
        #expect(try bench.intake.segments().count == 2)
        #expect(bench.gauges.values.segmentsRemoved == 0)
        bench.write([[.numbered(3)]])
        try bench.drain(pump)
        bench.write([[.numbered(4)]], worker: 1)
        try bench.restartEdge()
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [0, 1, 2, 3, 4])
        #expect(try bench.intake.segments().map(\.sequence) == [1], "the new edge's alone")
        #expect(bench.gauges.values.segmentsRemoved == 2)
        #expect(bench.gauges.values.pendingBytes == 0, "a header alone does not wait")
    }

    @Test func `a worker who fills every batch does not starve another`() throws {
        let pump = bench.pump(batchRecordsMax: 10)
        bench.write((0..<100).map { [.numbered($0)] })
        // Later than ten of the others, and earlier than all the rest.
        bench.write(
            [[.numbered(1000, microseconds: WholeClick.numbered(9).click.time.microseconds)]],
            worker: 1)
        _ = try pump.runOnce()
        _ = try pump.runOnce()
        #expect(try bench.storedNumbers() == Array(0..<19) + [1000])
    }

    @Test func `clicks from before a clock was set back do not wait for it`() throws {
        let pump = bench.pump(batchRecordsMax: 10)
        bench.write((0..<100).map { [.numbered($0)] })
        let future = Clock.now() + 3600 * 1_000_000
        bench.write([[.numbered(1000, microseconds: future)], [.numbered(1001)]], worker: 1)
        _ = try pump.runOnce()
        #expect(try bench.storedNumbers().contains(1000))
    }

    @Test func `which segments are closed is what the spool says, in one pass`() throws {
        var random = SplitMix(state: 7)
        for _ in 0..<500 {
            let names = Set(
                (0..<Int.random(in: 0...9, using: &random)).map { _ in
                    SegmentName(
                        worker: Int.random(in: 0...2, using: &random),
                        startMicros: Int64.random(in: 5...6, using: &random),
                        sequence: Int64.random(in: 1...3, using: &random))
                }
            ).sorted()
            let expected = Set(names.filter { $0.isClosed(among: names) })
            #expect(SpoolTail.closed(among: names) == expected)
        }
    }

    @Test func `offsets are those of the segments there are, however many others there were`()
        throws
    {
        bench.write([[.numbered(0)], [.numbered(1)]])
        try bench.drain(bench.pump())
        // More than any one question could list, sorted before and after the segment.
        try bench.db.run(
            script: """
                insert into spool_offsets (edge_id, segment, committed_bytes)
                select 'edge-1', lpad(n::text, 4, '0') || '-0000000000000005-0000000001.clicks', 9
                from generate_series(0, 9999) as n
                """)
        bench.write([[.numbered(2)]])
        #expect(try bench.drain(bench.pump()) == [1])
        #expect(try bench.storedNumbers() == [0, 1, 2])
    }

    @Test func `a partition dropped behind our back is made again`() throws {
        let pump = bench.pump()
        bench.write([[.numbered(0)]])
        try bench.drain(pump)
        try bench.db.run(script: "drop table click_trackings_20261121")
        bench.write([[.numbered(1)], [.numbered(2)]])
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [1, 2])
        #expect(bench.quarantined.isEmpty)
    }

    /// A copy that names the table would go on filling it, though nobody finds its clicks there.
    @Test func `a partition detached behind our back takes no more clicks`() throws {
        let pump = bench.pump()
        bench.write([[.numbered(0)]])
        try bench.drain(pump)
        try bench.db.run(
            script: "alter table click_trackings detach partition click_trackings_20261121")
        bench.write([[.numbered(1)], [.numbered(2)]])
        try bench.drain(pump)
        #expect(try bench.storedNumbers() == [1, 2])
        #expect(bench.quarantined.isEmpty)
    }
}
