// The fast path against the obvious one: what a batch writes is compared with rows and sums made of
// plain values, click by click, by code that shares nothing with it but the rules themselves.

import Clicks
import GeoIP
import Judging
import Linux
import Postgres
import Spool
import TestSupport
import Testing

@testable import Ingest

@Suite struct FastPathTests {
    private let bench: PumpBench
    private let countries: Countries

    init() throws {
        bench = try PumpBench()
        var writer = MaxMindWriter()
        writer.add(writer.ipv4(0x0100_0000, 8), "KR")
        writer.add(writer.ipv4(0x0200_0000, 8), "JP")
        writer.add(writer.ipv6(0x2001_0E60_0000_0000, 32), "KR")
        let path = bench.root.path + "/countries.mmdb"
        let bytes = writer.bytes
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
        countries = Countries(path: path)
    }

    private static let agents = [
        "", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) KAKAOTALK 25.1.0",
        "Mozilla/5.0 (Windows NT 10.0) Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) Version/17.4 Safari/604.1", "가\u{FFFD}",
        "curl/8.5.0",
    ]
    private static let referers = [
        "", "https://l.instagram.com/?u=1", "https://l.instagram.com/?u=2", "https://m.naver.com",
        "not a url", "android-app://com.kakao.talk/",
    ]

    private func randomClick(_ number: Int, _ random: inout SplitMix) -> WholeClick {
        let day = Timestamp(microseconds: WholeClick.noon).koreanDay.start.microseconds
        var whole = WholeClick.numbered(
            number, gonggu: Int(random.next() % 4),
            verdict: Verdict.allCases.randomElement(using: &random)!,
            userAgent: Self.agents.randomElement(using: &random)!,
            referer: Self.referers.randomElement(using: &random)!,
            channel: ["", "", "story", "bio"].randomElement(using: &random)!,
            // Out of order, around a midnight.
            microseconds: day + Int64(random.next() % 7_200_000_000) - 3_600_000_000)
        whole.click.address = [
            NetworkAddress(ipv4: 0x0100_0000 | UInt32(random.next() % 3)),
            NetworkAddress(ipv4: 0x0200_0001), NetworkAddress(ipv4: 0x0A00_0001),
            NetworkAddress(high: 0x2001_0E60_0000_0000, low: random.next() % 2),
            NetworkAddress(high: 0x2001_0E61_0000_0000, low: 1),
        ].randomElement(using: &random)!
        whole.click.count = UInt32(random.next() % 5 + 1)
        if random.next() % 3 == 0 { whole.click.userID = Identifier(high: 3, low: random.next()) }
        return whole
    }

    // MARK: The obvious version

    private func country(_ address: NetworkAddress) -> String {
        if address.high == 0 {
            switch UInt8(truncatingIfNeeded: address.low >> 24) {
            case 1: return "KR"
            case 2: return "JP"
            default: return "ZZ"
            }
        }
        return address.high >> 32 == 0x2001_0E60 ? "KR" : "ZZ"
    }

    private func device(_ agent: String) -> Int {
        if agent.contains("iPhone") { return 1 }
        if agent.contains("iPad") { return 2 }
        return agent.contains("Windows") ? 3 : 0
    }

    private func key(_ whole: WholeClick) -> StatisticsKey {
        let hosts = [
            "https://l.instagram.com/?u=1": "l.instagram.com",
            "https://l.instagram.com/?u=2": "l.instagram.com", "https://m.naver.com": "m.naver.com",
            "android-app://com.kakao.talk/": "com.kakao.talk",
        ]
        let micros = whole.click.time.microseconds
        return StatisticsKey(
            gongguID: whole.click.gongguID,
            hour: Timestamp(microseconds: micros - micros % 3_600_000_000),
            verdict: whole.click.verdict,
            device: device(String(decoding: whole.userAgent, as: UTF8.self)),
            country: country(whole.click.address),
            channel: String(decoding: whole.channel, as: UTF8.self),
            refererHost: hosts[String(decoding: whole.referer, as: UTF8.self)] ?? "")
    }

    // MARK: What the ledger says

    private static let lines = Statement(
        "test_fast_lines",
        """
        select gonggu_id, hour, verdict, device, country::text as country, channel, referer_host,
            sum(clicks)::bigint as clicks
        from click_stats
        group by 1, 2, 3, 4, 5, 6, 7
        limit 100000
        """)

    private func storedLines() throws -> [StatisticsKey: Int] {
        var lines: [StatisticsKey: Int] = [:]
        for row in try bench.db.query(Self.lines) {
            let gonggu = try row.get("gonggu_id", as: PostgresUUID.self)
            let hour = try row.get("hour", as: PostgresTimestamp.self)
            let key = StatisticsKey(
                gongguID: Identifier(high: gonggu.high, low: gonggu.low),
                hour: Timestamp(microseconds: hour.microseconds),
                verdict: Verdict(rawValue: UInt8(try row.get("verdict", as: Int.self)))!,
                device: try row.get("device", as: Int.self), country: try row.get("country"),
                channel: try row.get("channel"), refererHost: try row.get("referer_host"))
            lines[key] = try row.get("clicks", as: Int.self)
        }
        return lines
    }

    private static let places = Statement(
        "test_fast_places",
        "select id, country::text as country, device from clicks order by id limit 1000000")

    @Test func `rows, statistics and flags are those of the obvious version`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var clicks: [WholeClick] = []
        for worker in 0..<4 {
            let frames = (0..<40).map { _ in
                (0..<Int.random(in: 1...20, using: &random)).map { _ -> WholeClick in
                    clicks.append(randomClick(clicks.count, &random))
                    return clicks[clicks.count - 1]
                }
            }
            bench.write(frames, worker: worker)
        }
        try bench.drain(bench.pump(batchRecordsMax: 300, countries: countries))
        #expect(try bench.stored() == clicks.map(StoredClick.init))
        var expected: [StatisticsKey: Int] = [:]
        for click in clicks { expected[key(click), default: 0] += Int(click.click.count) }
        #expect(try storedLines() == expected)
        let rows = try bench.db.query(Self.places)
        for (row, click) in zip(rows, clicks) {
            #expect(try row.get("country", as: String.self) == key(click).country)
            #expect(try row.get("device", as: Int.self) == key(click).device)
        }
        #expect(try storedFlags() == expectedFlags(clicks))
    }

    private struct Flag: Hashable {
        let day: Int
        let gonggu: UInt64
        let address: NetworkAddress
    }

    private func expectedFlags(_ clicks: [WholeClick]) -> [Int: Int] {
        var floods: [Flag: Int] = [:]
        for click in clicks where click.click.verdict == .flood {
            let flag = Flag(
                day: click.click.time.koreanDay.digits, gonggu: click.click.gongguID.low,
                address: click.click.address)
            floods[flag, default: 0] += Int(click.click.count)
        }
        // How many flags have so many clicks: enough to see any that is missing or merged.
        return floods.values.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    private static let flags = Statement(
        "test_fast_flags",
        """
        select clicks, count(*) as flags from click_flags
        where status = 'open' and first_clicked_at <= last_clicked_at
            and day = (first_clicked_at at time zone 'Asia/Seoul')::date
            and day = (last_clicked_at at time zone 'Asia/Seoul')::date
        group by clicks limit 10000
        """)

    private func storedFlags() throws -> [Int: Int] {
        var flags: [Int: Int] = [:]
        for row in try bench.db.query(Self.flags) {
            flags[try row.get("clicks")] = try row.get("flags", as: Int.self)
        }
        return flags
    }

    @Test func `a batch of several workers is copied in the order of time`() throws {
        for worker in 0..<3 {
            bench.write(
                (0..<30).map { [.numbered($0 * 3 + worker)] }, worker: worker)
        }
        try bench.drain(bench.pump())
        let unordered = try bench.number(
            "test_unordered",
            """
            select count(*) from (
                select clicked_at < lag(clicked_at) over (order by ctid) as is_earlier
                from click_trackings
            ) as neighbours
            where is_earlier
            """)
        #expect(unordered == 0)
        #expect(try bench.storedNumbers() == Array(0..<90))
    }

    @Test func `agents are stored with what is told of them`() throws {
        bench.write([[.numbered(0, userAgent: Self.agents[1])]])
        try bench.drain(bench.pump())
        let row = try bench.db.query(
            Statement("test_traits", "select device, os, browser, in_app from user_agents limit 9")
        )[0]
        #expect(try row.get("device") == 1)
        #expect(try row.get("os") == "ios")
        #expect(try row.get("browser") == "webview")
        #expect(try row.get("in_app") == "kakaotalk")
    }
}
