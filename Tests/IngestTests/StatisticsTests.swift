import Clicks
import Spool
import TestSupport
import Testing

@testable import Ingest

@Suite struct StatisticsTests {
    private let bench: PumpBench

    init() throws { bench = try PumpBench() }

    private func batch() throws -> ClickBatch {
        SpoolTail(bench.intake).read(
            try bench.intake.segments(), from: [:], recordsMax: .max, framesMax: .max
        ).batch
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
        var bound = StatisticsBound()
        func key(
            _ gonggu: UInt64, _ at: Int64, _ verdict: Verdict, _ channel: String, _ host: String
        ) -> StatisticsKey {
            StatisticsKey(
                gongguID: Identifier(high: 1, low: gonggu), hour: Timestamp(microseconds: at),
                verdict: verdict, channel: channel, refererHost: host)
        }
        #expect(
            try batch().statistics(within: &bound) == [
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
        var bound = StatisticsBound()
        func key(_ gonggu: Int, _ host: Int) -> StatisticsKey {
            StatisticsKey(
                gongguID: Identifier(high: 1, low: UInt64(gonggu)),
                hour: Timestamp(microseconds: 0), verdict: .valid, channel: "",
                refererHost: "h\(host)")
        }
        for host in 0..<StatisticsBound.pairsMax { _ = bound.admitted(key(0, host)) }
        #expect(bound.admitted(key(0, -1)).refererHost == StatisticsBound.otherHost)
        #expect(bound.admitted(key(0, 5)) == key(0, 5))
        for gonggu in 1...StatisticsBound.rememberedMax { _ = bound.admitted(key(gonggu, 0)) }
        #expect(bound.admitted(key(0, -1)) == key(0, -1), "at its bound it has begun anew")
    }
}
