import Clicks
import Spool
import TestSupport
import Testing

@testable import Ingest

@Suite struct StatisticsTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    /// The lines that a batch of all there is would write, texts as texts.
    private func lines() throws -> [StatisticsKey: Int64] {
        let texts = KnownTexts()
        let segments = try bench.intake.segments()
        let batch = SpoolTail(bench.intake).read(
            segments, closed: [], from: [:], texts: texts, recordsMax: .max, framesMax: .max
        ).batch
        var lines: [StatisticsKey: Int64] = [:]
        for index in 0..<batch.texts.lines.count {
            let (key, sum) = texts.lines[index]
            lines[StatisticsKey(StatisticsLine(key), texts)] = sum
        }
        #expect(lines.count == texts.lines.count, "each line is there once")
        return lines
    }

    @Test func `lines are the clicks' sums by gonggu, hour, verdict, channel and host`() throws {
        let hour: Int64 = 3_600_000_000
        let start = Timestamp(microseconds: WholeClick.noon).startOfHour.microseconds
        var folded = WholeClick.numbered(
            3, verdict: .flood, microseconds: start + hour - 1)
        folded.click.count = 600
        bench.write([
            [
                .numbered(0, referer: "https://a.example/1", channel: "x", microseconds: start),
                .numbered(1, referer: "https://A.example/2", channel: "x", microseconds: start + 1),
                .numbered(2, referer: "https://a.example/1", channel: "y", microseconds: start),
                folded,
                .numbered(4, microseconds: start + hour),
                .numbered(5, gonggu: 2, referer: "garbage", microseconds: start + hour),
            ]
        ])
        func key(
            _ gonggu: UInt64, _ at: Int64, _ verdict: Verdict, _ channel: String, _ host: String
        ) -> StatisticsKey {
            StatisticsKey(
                gongguID: Identifier(high: 1, low: gonggu), hour: Timestamp(microseconds: at),
                verdict: verdict, device: 0, country: "ZZ", channel: channel, refererHost: host)
        }
        #expect(
            try lines() == [
                key(1, start, .valid, "x", "a.example"): 2,
                key(1, start, .valid, "y", "a.example"): 1,
                key(1, start, .flood, "", ""): 600,
                key(1, start + hour, .valid, "", ""): 1,
                key(2, start + hour, .valid, "", ""): 1,
            ])
    }

    @Test func `a client who invents channels and hosts fills one line, and totals stay exact`()
        throws
    {
        let clicks = (0..<3000).map { number in
            WholeClick.numbered(
                number, gonggu: number % 2, verdict: number % 3 == 0 ? .valid : .bot,
                referer: "https://h\(number).example/", channel: "c\(number)",
                microseconds: WholeClick.noon + Int64(number))
        }
        // Before them, the pairs of honest clients; they keep their lines.
        let honest = (3000..<3004).map { number in
            WholeClick.numbered(
                number, gonggu: number % 2, referer: "https://m.naver.com/", channel: "story",
                microseconds: WholeClick.noon)
        }
        let pump = bench.pump(batchRecordsMax: 300)
        bench.write([honest] + (0..<30).map { Array(clicks[$0 * 100..<($0 + 1) * 100]) })
        try bench.drain(pump)
        // Their hour goes on, in a later batch, among the first as before.
        bench.write([
            [
                .numbered(
                    4000, gonggu: 0, referer: "https://m.naver.com/x", channel: "story",
                    microseconds: WholeClick.noon)
            ]
        ])
        try bench.drain(pump)
        func number(_ name: StaticString, _ sql: String) throws -> Int {
            try bench.number(name, sql)
        }
        let groups = 4
        let lines = try number(
            "test_lines",
            """
            select count(*) from (
                select distinct gonggu_id, verdict, channel, referer_host from click_stats) as line
            """)
        #expect(lines == groups * (StatisticsBound.pairsMax + 1))
        let others = try number(
            "test_others",
            """
            select sum(clicks) from click_stats where referer_host = '(other)' and channel = ''
            """)
        #expect(others == 3000 + 2 - groups * StatisticsBound.pairsMax)
        #expect(try number("test_sum", "select sum(clicks) from click_stats") == 3005)
        let totals = try number(
            "test_totals",
            """
            select count(*) from (
                select gonggu_id, verdict, sum(click_count) as n from click_trackings group by 1, 2
                except
                select gonggu_id, verdict, sum(clicks) as n from click_stats group by 1, 2
            ) as difference
            """)
        #expect(totals == 0)
        #expect(
            try number(
                "test_honest",
                "select sum(clicks) from click_stats where referer_host = 'm.naver.com'") == 5)
    }

    @Test func `what the bound remembers is bounded itself`() {
        let bound = StatisticsBound()
        func line(_ gonggu: Int, _ host: Int) -> StatisticsLine {
            StatisticsLine(
                WholeClick.numbered(0, gonggu: gonggu).click, country: 0, device: 0, channel: 0,
                host: Int32(host))
        }
        for host in 0..<StatisticsBound.pairsMax { #expect(bound.admits(line(0, host))) }
        #expect(!bound.admits(line(0, 1000)))
        #expect(bound.admits(line(0, 5)))
        for gonggu in 1...StatisticsBound.rememberedMax { _ = bound.admits(line(gonggu, 0)) }
        #expect(bound.admits(line(0, 1000)), "at its bound it has begun anew")
    }
}

/// What tells one line of the hourly statistics from another, in plain values.
struct StatisticsKey: Hashable {
    let gongguID: Identifier
    let hour: Timestamp
    let verdict: Verdict
    let device: Int
    let country: String
    let channel: String
    let refererHost: String

    init(
        gongguID: Identifier, hour: Timestamp, verdict: Verdict, device: Int, country: String,
        channel: String, refererHost: String
    ) {
        self.gongguID = gongguID
        self.hour = hour
        self.verdict = verdict
        self.device = device
        self.country = country
        self.channel = channel
        self.refererHost = refererHost
    }

    init(_ line: StatisticsLine, _ texts: KnownTexts) {
        let letters = [UInt8(line.country >> 8), UInt8(line.country & 0xFF)]
        self.init(
            gongguID: line.gongguID, hour: Timestamp(microseconds: line.hourMicros),
            verdict: Verdict(rawValue: line.verdict)!, device: Int(line.device),
            country: String(decoding: letters, as: UTF8.self),
            channel: texts.channels.text(line.channel), refererHost: texts.hosts.text(line.host))
    }
}
