import Clicks
import Glibc
import Linux
import Postgres
import Settings
import Spool
import TestSupport
import Testing

@testable import Ingest

/// A click with texts of its own, as an edge would write it.
struct WholeClick: Equatable {
    var click: Click
    var userAgent: [UInt8] = []
    var referer: [UInt8] = []
    var channel: [UInt8] = []
    /// By which the spool has the agent once; 0 writes it each time.
    var userAgentKey: UInt64 = 0

    /// A small click that differs from others by its number.
    static func numbered(
        _ number: Int, gonggu: Int = 1, verdict: Verdict = .valid, userAgent: String = "agent",
        referer: String = "", channel: String = "", microseconds: Int64? = nil
    ) -> WholeClick {
        let time = microseconds ?? WholeClick.noon + Int64(number) * 1000
        return WholeClick(
            click: Click(
                id: Identifier(high: 7, low: UInt64(number)),
                gongguID: Identifier(high: 1, low: UInt64(gonggu)),
                time: Timestamp(microseconds: time), visitorKey: UInt64(number),
                address: NetworkAddress(ipv4: 0x7F00_0001), verdict: verdict, path: .redirect),
            userAgent: Array(userAgent.utf8), referer: Array(referer.utf8),
            channel: Array(channel.utf8))
    }

    /// 2026-11-21 12:00 in Seoul.
    static let noon: Int64 = 1_795_230_000_000_000

    func append(to writer: SpoolWriter) -> Bool {
        userAgent.withUnsafeBytes { agent in
            referer.withUnsafeBytes { referer in
                channel.withUnsafeBytes { channel in
                    writer.append(
                        click,
                        ClickTexts(
                            userAgent: agent, referer: referer, channel: channel,
                            userAgentKey: userAgentKey))
                }
            }
        }
    }
}

/// A click as the ledger shows it, its texts as bytes: Swift's texts equal their other normal
/// forms.
struct StoredClick: Equatable {
    var click: Click
    var userAgent: [UInt8]?
    var referer: [UInt8]?
    var channel: [UInt8]

    /// As a click is to be stored: texts cut, repaired, and absent where they are empty.
    init(_ whole: WholeClick) {
        func kept(_ text: [UInt8], _ bytesMax: Int) -> [UInt8] {
            let repaired = String(decoding: text.prefix(bytesMax), as: UTF8.self)
            return repaired.utf8.flatMap { $0 == 0 ? [0xEF, 0xBF, 0xBD] : [$0] }
        }
        click = whole.click
        userAgent = whole.userAgent.isEmpty ? nil : kept(whole.userAgent, 512)
        referer = whole.referer.isEmpty ? nil : kept(whole.referer, 1000)
        channel = kept(whole.channel, 32)
    }

    init(_ row: Row) throws {
        func identifier(_ column: String) throws -> Identifier? {
            try row.get(column, as: PostgresUUID?.self).map {
                Identifier(high: $0.high, low: $0.low)
            }
        }
        let words: [Int] = try row.get("address")
        let bytes = words.map { UInt64($0) }
        click = Click(
            id: try #require(try identifier("id")),
            gongguID: try #require(try identifier("gonggu_id")),
            time: Timestamp(
                microseconds: try row.get("clicked_at", as: PostgresTimestamp.self).microseconds),
            visitorKey: UInt64(bitPattern: Int64(try row.get("visitor_key", as: Int.self))),
            userID: try identifier("user_id") ?? .anonymous,
            address: bytes.count == 4
                ? NetworkAddress(ipv4: UInt32(bytes.reduce(0) { $0 << 8 | $1 }))
                : NetworkAddress(
                    high: bytes[..<8].reduce(0) { $0 << 8 | $1 },
                    low: bytes[8...].reduce(0) { $0 << 8 | $1 }),
            count: UInt32(try row.get("click_count", as: Int.self)),
            ruleSet: RuleSet(version: UInt16(try row.get("rule_set", as: Int.self))),
            reason: UInt16(try row.get("reason", as: Int.self)),
            verdict: try #require(
                Verdict(rawValue: UInt8(try row.get("verdict", as: Int.self)))),
            path: try #require(ClickPath(rawValue: UInt8(try row.get("path", as: Int.self)))))
        userAgent = try row.get("user_agent", as: String?.self).map { Array($0.utf8) }
        referer = try row.get("referer", as: String?.self).map { Array($0.utf8) }
        channel = Array(try row.get("channel", as: String.self).utf8)
    }
}

/// An edge's folder, a ledger, and whatever pumps between them.
final class PumpBench {
    let root: TestFolder
    let database: TestDatabase
    let db: Connection
    let gauges = IngestGauges()
    let sync: SpoolSync
    let intake: SpoolIntake
    private var folder: SpoolFolder?
    private var writers: [Int: SpoolWriter] = [:]
    private var startMicros: Int64 = 1_795_000_000_000_000

    init() throws {
        root = try TestFolder()
        database = try TestDatabase()
        db = try database.connect()
        sync = try SpoolSync(policy: .never) { _ in }
        intake = try SpoolIntake.open(root.path, edgeID: "edge-1")
        try restartEdge()
    }

    /// Closes all segments: a later edge takes the folder, with one worker that writes nothing yet.
    func restartEdge() throws {
        writers = [:]
        folder = nil
        startMicros += 1
        // A child that another test starts has our descriptors, and so the lock, until its exec.
        try eventually("nobody else has the folder") {
            do {
                folder = try SpoolFolder.open(root.path, edgeID: "edge-1", nowMicros: startMicros)
            } catch SpoolError.held {
                return false
            }
            return true
        }
        _ = writer(0)
    }

    func writer(_ worker: Int, segmentBytesMax: Int = 64 << 20) -> SpoolWriter {
        if let writer = writers[worker] { return writer }
        var settings = SpoolSettings()
        settings.segmentBytesMax = segmentBytesMax
        let writer = SpoolWriter(folder: folder!, worker: worker, settings: settings, sync: sync)
        writers[worker] = writer
        return writer
    }

    func write(_ frames: [[WholeClick]], worker: Int = 0) {
        let writer = writer(worker)
        for frame in frames {
            for click in frame { #expect(click.append(to: writer)) }
            #expect(writer.commit() == .written(records: frame.count))
        }
    }

    /// - Parameter keeping: nothing unless said otherwise, so that what is consumed is gone.
    func pump(
        batchRecordsMax: Int = 1000, url: String? = nil, intake: SpoolIntake? = nil,
        number: Int = 0, turns: PumpTurns? = nil, keeping: KeepingPolicy = .none,
        countries: Countries? = nil
    ) -> ClickPump {
        ClickPump(
            intake: intake ?? self.intake, databaseURL: Secret(url ?? database.url),
            batchRecordsMax: batchRecordsMax, number: number,
            turns: turns ?? PumpTurns(intake ?? self.intake, keeping: keeping),
            countries: countries ?? Countries(path: nil), gauges: gauges)
    }

    /// Rounds until one finds nothing. - Returns: clicks of each.
    @discardableResult
    func drain(_ pump: ClickPump) throws -> [Int] {
        var rounds: [Int] = []
        for _ in 0..<10_000 {
            let round = try pump.runOnce()
            if round == ClickPump.Round() { return rounds }
            rounds.append(round.clicks)
        }
        throw TimedOut(description: "the spool is drained within ten thousand rounds")
    }

    /// Has the texts of what waits stored, so that the next pump's first commit is of its clicks.
    func numberTexts() throws {
        let taken = SpoolTail(intake).read(
            try intake.segments(), closed: [], from: [:], texts: KnownTexts(), recordsMax: 100)
        let rows = BatchRows()
        rows.make(of: taken.batch)
        try rows.number(in: db)
    }

    private static let stored = Statement(
        "test_stored",
        """
        select id, gonggu_id, clicked_at, visitor_key, user_id, click_count, verdict, rule_set,
            reason, path, channel, user_agent, referer,
            (select array_agg(get_byte(substr(inet_send(ip_address), 5), place) order by place)
             from generate_series(0, length(inet_send(ip_address)) - 5) as place)::bigint[]
             as address
        from clicks
        order by id
        limit 1000000
        """)

    /// All clicks in the ledger, by id.
    func stored() throws -> [StoredClick] {
        try db.query(PumpBench.stored).map(StoredClick.init)
    }

    /// The numbers of clicks that `numbered` made, as they are stored, in order.
    func storedNumbers() throws -> [Int] {
        try stored().map { Int($0.click.id.low) }
    }

    private static let differences = Statement(
        "test_statistics_differences",
        """
        with per_rows as (
            select gonggu_id, date_trunc('hour', clicked_at) as hour, verdict, country, device,
                channel, coalesce(referer_host, '') as host, sum(click_count) as clicks
            from clicks
            group by 1, 2, 3, 4, 5, 6, 7
        ),
        per_stats as (
            select gonggu_id, hour, verdict, country, device, channel, referer_host as host,
                sum(clicks) as clicks
            from click_stats
            group by 1, 2, 3, 4, 5, 6, 7
        )
        select count(*)::int as n
        from per_rows
        full join per_stats
            using (gonggu_id, hour, verdict, country, device, channel, host)
        where per_rows.clicks is distinct from per_stats.clicks
        """)

    /// Lines on which the statistics and the clicks disagree, by the server's arithmetic.
    func statisticsDifferences() throws -> Int {
        try db.query(PumpBench.differences)[0].get("n")
    }

    /// What a query of one number says. The name stands for the query, as everywhere.
    func number(_ name: StaticString, _ sql: String) throws -> Int {
        try db.query(Statement(name, "select (\(sql))::bigint as n"))[0].get("n")
    }

    var quarantined: [String] {
        intake.quarantine.files().map(\.name)
    }

    func bytes(of segment: SegmentName) throws -> [UInt8] {
        try File.contents(of: intake.path(of: segment), bytesMax: 1 << 30)
    }

    func replace(_ segment: SegmentName, with bytes: [UInt8]) throws {
        let path = intake.path(of: segment)
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }
}
