import Clicks
import Foundation
import Postgres
import TestSupport

@testable import API

// A ledger made by hand, as Ingest and adjudication would have written it: clicks with their
// statistics in one transaction, runs with what they have read, changes of verdicts. Settlement
// cannot tell the difference, and tests say exactly what happened when.

/// A database with people, gonggus and clicks of past months.
///
/// Unchecked: one test drives it, one step after the other.
final class SettlementSite: @unchecked Sendable {
    struct Gonggu {
        let id: Identifier
        let influencer: Identifier
    }

    struct Click {
        let id: Identifier
        let gonggu: Int
        let time: Timestamp
        let count: Int
        var verdict: Int
        var day: KoreanDay { time.koreanDay }
    }

    let database: TestDatabase
    let connection: Connection
    /// Three people who may do finance's work.
    let maker: Identifier
    let checker: Identifier
    let payer: Identifier
    private(set) var gonggus: [Gonggu] = []
    private(set) var influencers: [Identifier] = []
    private var serial = 0

    init(influencers: Int = 1, gonggusEach: Int = 1, database: TestDatabase? = nil) throws {
        let database = try database ?? TestDatabase()
        self.database = database
        connection = try database.connect()
        maker = Identifier(high: 1, low: 1)
        checker = Identifier(high: 1, low: 2)
        payer = Identifier(high: 1, low: 3)
        for id in [maker, checker, payer] { try addUser(id, "finance") }
        for index in 0..<influencers {
            let influencer = Identifier(high: 2, low: UInt64(index))
            try addUser(influencer, "influencer")
            self.influencers.append(influencer)
            for each in 0..<gonggusEach {
                let id = Identifier(high: 3, low: UInt64(index * 1000 + each))
                gonggus.append(Gonggu(id: id, influencer: influencer))
                try connection.run(
                    script: """
                        insert into gonggus (id, influencer_id, open_at, close_at, original_price,
                            gonggu_price, title, external_url)
                        values ('\(id)', '\(influencer)', '2020-01-01', '2030-01-01', 2, 1,
                            '공구 \(index)-\(each)', 'https://shop.example/\(each)')
                        """)
            }
        }
    }

    /// A banner, and its number among ``gonggus`` for clicks on it; it is nobody's.
    func addBanner() throws -> Int {
        let id = Identifier(high: 4, low: UInt64(gonggus.count))
        try connection.run(
            script: """
                insert into banners (id, slot, title, image_url, target_url)
                values ('\(id)', 'home', '봄', '/b.webp', 'https://ad.example/')
                """)
        gonggus.append(Gonggu(id: id, influencer: id))
        return gonggus.count - 1
    }

    private func addUser(_ id: Identifier, _ role: String) throws {
        try connection.run(
            script: """
                insert into users (id, email, nickname, role)
                values ('\(id)', '\(role)-\(id)@example.com', '\(role)', '\(role)')
                """)
    }

    func setRate(
        _ won: Int, from day: String, gonggu: Identifier? = nil, influencer: Identifier? = nil
    ) throws {
        func sql(_ id: Identifier?) -> String { id.map { "'\($0)'" } ?? "null" }
        try connection.run(
            script: """
                insert into cpc_rates (gonggu_id, influencer_id, rate_won, effective_from)
                values (\(sql(gonggu)), \(sql(influencer)), \(won), '\(day)')
                """)
    }

    /// A click that is not stored yet.
    func click(
        gonggu: Int, at time: Timestamp, verdict: Int = 0, count: Int = 1
    ) -> Click {
        serial += 1
        let id = Identifier(
            high: UInt64(time.microseconds / 1000) << 16 | 0x7000,
            low: 0x8000_0000_0000_0000 | UInt64(serial))
        return Click(id: id, gonggu: gonggu, time: time, count: count, verdict: verdict)
    }

    /// Stores clicks and their statistics, as Ingest does.
    func store(_ clicks: [Click]) throws {
        guard !clicks.isEmpty else { return }
        for day in Set(clicks.map(\.day)) {
            try connection.run(script: "select ensure_click_partition('\(day.text)')")
        }
        let rows = clicks.map { click in
            "('\(click.time.rfc3339())', \(click.count), '\(click.id)', "
                + "'\(gonggus[click.gonggu].id)', \(click.verdict), 2, 0, \(click.count))"
        }
        let deltas = clicks.map { click in
            "('\(gonggus[click.gonggu].id)', date_trunc('hour', '\(click.time.rfc3339())'"
                + "::timestamptz), \(click.count), \(click.verdict))"
        }
        try connection.transaction { connection in
            try connection.run(
                script: """
                    insert into click_trackings (clicked_at, visitor_key, id, gonggu_id, verdict,
                        rule_set, path, click_count)
                    values \(rows.joined(separator: ",\n"));
                    insert into click_stats_deltas (gonggu_id, hour, clicks, verdict)
                    values \(deltas.joined(separator: ",\n"));
                    """)
        }
    }

    /// A finished run over whole days that has read what is there and changed nothing.
    func adjudicate(from first: KoreanDay, through last: KoreanDay) throws {
        try connection.run(
            script: """
                with run as (
                    insert into adjudication_runs
                        (from_at, to_at, rule_set, state, started_at, finished_at)
                    values ('\(first.start.rfc3339())',
                        '\(last.advanced(byDays: 1).start.rfc3339())', 2, 'finished',
                        clock_timestamp(), clock_timestamp())
                    returning id
                )
                insert into adjudication_days (run_id, day, rows_read, clicks_read)
                select run.id, korean_day(clicked_at), count(*), sum(click_count)
                from run, click_trackings
                where clicked_at >= '\(first.start.rfc3339())'
                    and clicked_at < '\(last.advanced(byDays: 1).start.rfc3339())'
                group by 1, 2
                """)
    }

    /// Changes a click's verdict, as adjudication or an answered appeal does.
    func judge(_ click: inout Click, _ verdict: Int) throws {
        try judge([(click, verdict)])
        click.verdict = verdict
    }

    /// Changes verdicts in one statement; the caller notes them.
    func judge(_ changes: [(click: Click, verdict: Int)]) throws {
        let rows = changes.filter { $0.click.verdict != $0.verdict }.map { click, verdict in
            "('\(click.time.rfc3339())'::timestamptz, '\(click.id)'::uuid, "
                + "'\(gonggus[click.gonggu].id)'::uuid, \(click.verdict), \(verdict))"
        }
        guard !rows.isEmpty else { return }
        try connection.run(
            script: """
                insert into click_adjudications (clicked_at, click_id, gonggu_id, run_id,
                    from_verdict, to_verdict, rule_set, reason)
                select clicked_at, click_id, gonggu_id,
                    (select id from adjudication_runs order by requested_at desc limit 1),
                    from_verdict, to_verdict, 2, '다시 봄'
                from (values \(rows.joined(separator: ",")))
                    as changed (clicked_at, click_id, gonggu_id, from_verdict, to_verdict)
                """)
    }

    func sealAll(before month: KoreanMonth) throws {
        let days = try DaySealQueries.openDays(before: month.firstDay, in: connection)
        for day in days { try SettlementRun.seal(day, in: connection) }
    }

    func draft(
        _ month: KoreanMonth, by account: Identifier? = nil, minimum: Int = 50_000
    ) throws -> SettlementMonth {
        try sealAll(before: month.next)
        return try SettlementRun.draft(
            month, by: account ?? maker, minimumPayoutWon: minimum, in: connection)
    }

    func close(_ month: KoreanMonth, by account: Identifier? = nil) throws -> SettlementMonth {
        try SettlementRun.close(month, by: account ?? checker, manifest: nil, in: connection)
    }

    func verify(_ month: KoreanMonth) throws -> VerificationReport {
        try SettlementVerification.run(month, in: database.connect())
    }

    func setPayee(_ influencer: Identifier, _ type: PayeeType, keys: PayeeKeys) throws {
        let payee = Payee(
            type: type, holder: "김하나", bankCode: "088", accountNumber: "110123456789",
            businessNumber: type == .business ? "1208147521" : "")
        let sealed = keys.seal(payee, of: influencer)
        try connection.execute(
            Statement(
                "test_payee",
                """
                insert into payees (user_id, payee_type, key_id, sealed) values ($1, $2, $3, $4)
                on conflict (user_id) do update set payee_type = excluded.payee_type,
                    key_id = excluded.key_id, sealed = excluded.sealed
                """),
            [influencer, type.rawValue, sealed.keyID, sealed.sealed])
    }
}

/// `2026-05-03 12:00` in Seoul.
func seoul(_ text: String) -> Timestamp {
    let parts = text.split(separator: " ")
    return Timestamp(rfc3339: "\(parts[0])T\(parts[1]):00+09:00")!
}

func month(_ text: String) -> KoreanMonth { KoreanMonth(text: text)! }
