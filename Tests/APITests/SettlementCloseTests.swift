import Clicks
import Dispatch
import Postgres
import Synchronization
import Testing
import TestSupport

@testable import API

// Closing and what holds afterwards: two people, one transaction, no change, the same bytes.

@Suite struct SettlementCloseTests {
    let site: SettlementSite
    static let march = month("2025-03")

    init() throws {
        site = try SettlementSite(influencers: 2, gonggusEach: 2)
        try site.setRate(100, from: "2020-01-01")
        try site.setRate(130, from: "2025-03-16", gonggu: site.gonggus[1].id)
    }

    /// March 2025 of 3,000 clicks, adjudicated, a few of them revised.
    private func fill(_ site: SettlementSite, late: Bool = true) throws {
        var clicks = (0..<3000).map { index in
            site.click(
                gonggu: index % 4,
                at: Self.march.start.advanced(bySeconds: Int64(index) * 890),
                verdict: [0, 0, 0, 1, 3][index % 5], count: index % 7 == 0 ? 3 : 1)
        }
        try site.store(clicks)
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        let judged = stride(from: 0, to: 3000, by: 97)
        try site.judge(judged.map { (clicks[$0], 9) })
        for index in judged { clicks[index].verdict = 9 }
        guard late else { return }
        try site.sealAll(before: Self.march.next)
        try site.store(
            (0..<20).map {
                site.click(
                    gonggu: $0 % 4, at: Self.march.start.advanced(bySeconds: Int64($0) * 7001))
            })
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        try site.judge(stride(from: 5, to: 3000, by: 331).map { (clicks[$0], 1) })
    }

    @Test func `who drafts does not close, who closes does not pay`() throws {
        try fill(site)
        _ = try site.draft(Self.march)
        #expect(throws: SettlementRefusal.samePerson) { try site.close(Self.march, by: site.maker) }
        _ = try site.close(Self.march, by: site.checker)
        let day = try #require(KoreanDay(text: "2025-04-10"))
        #expect(throws: SettlementRefusal.samePerson) {
            try SettlementPayment.pay(
                Self.march, on: day, by: site.checker, in: site.connection)
        }
        #expect(throws: SettlementRefusal.monthClosed) { try site.draft(Self.march) }
        #expect(throws: SettlementRefusal.monthClosed) { try site.close(Self.march) }
    }

    @Test func `a month that is not over, not next or not adjudicated is refused`() throws {
        try fill(site)
        let now = try SettlementMonthQueries.frontier(in: site.connection).now
        #expect(throws: SettlementRefusal.monthNotOver) {
            try site.draft(KoreanMonth(containing: now))
        }
        _ = try site.draft(Self.march)
        _ = try site.close(Self.march)
        #expect(throws: SettlementRefusal.monthOutOfOrder) {
            try site.draft(Self.march.next.next)
        }
        let april = site.click(gonggu: 0, at: seoul("2025-04-03 12:00"))
        try site.store([april])
        #expect(throws: SettlementRefusal.notAdjudicated(day: april.day)) {
            try site.draft(Self.march.next)
        }
        // The day is frozen by the try, so adjudicating what it has is enough.
        try site.adjudicate(from: april.day, through: april.day)
        #expect(try site.draft(Self.march.next).totals.sealedClicks == 1)
    }

    @Test func `clicks without a rate are not settled at nothing`() throws {
        let bare = try SettlementSite()
        try bare.store([bare.click(gonggu: 0, at: seoul("2025-03-03 12:00"))])
        try bare.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        #expect(throws: SettlementRefusal.rateMissing(gonggu: bare.gonggus[0].id)) {
            try bare.draft(Self.march)
        }
    }

    @Test func `a banner's clicks are paid to nobody, before its day is frozen and after`() throws {
        let banner = try site.addBanner()
        var shown = (0..<40).map {
            site.click(
                gonggu: banner, at: Self.march.start.advanced(bySeconds: Int64($0) * 60_000),
                verdict: $0 % 4 == 0 ? 2 : 0)
        }
        try site.store(shown)
        try fill(site)
        let bare = try site.draft(Self.march)
        #expect(bare.ledger.unexplained == 0 && bare.ledger.pending == 0)
        try site.store([site.click(gonggu: banner, at: seoul("2025-03-07 07:07"))])
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.days.last!)
        try site.judge(&shown[0], 0)
        try site.judge(&shown[1], 3)
        // Taken down, and its clicks are still what they were.
        try site.connection.run(script: "delete from banners")
        let draft = try site.draft(Self.march)
        #expect(draft.totals == bare.totals && draft.ledger == bare.ledger)
        #expect(draft.manifest == bare.manifest)
        _ = try site.close(Self.march)
        let report = try site.verify(Self.march)
        #expect(report.agrees, "\(report.differences)")
        let noted: Int = try site.connection.query(
            Statement(
                "test_noted",
                """
                select count(*) as n from (
                    select clicked_at, id from late_clicks
                    union all
                    select clicked_at, id from revised_clicks
                ) as noted
                join click_trackings as click using (clicked_at, id)
                where click.gonggu_id = $1
                """), [site.gonggus[banner].id])[0].get("n")
        #expect(noted == 0)
    }

    @Test func `statistics that tell another number stop a month`() throws {
        try fill(site)
        try site.connection.run(
            script: """
                insert into click_stats_deltas (gonggu_id, hour, clicks, verdict)
                values ('\(site.gonggus[0].id)', '2025-03-10T00:00:00Z', 2, 0)
                """)
        #expect(try site.draft(Self.march).ledger.unexplained == 2)
        #expect(throws: SettlementRefusal.booksDisagree(clicks: 2)) { try site.close(Self.march) }
    }

    @Test func `what changed since the draft waits, what was adjusted asks for a new one`() throws {
        try fill(site)
        let draft = try site.draft(Self.march)
        try site.store([site.click(gonggu: 0, at: seoul("2025-03-05 05:05"))])
        try site.connection.run(
            script: """
                insert into settlement_adjustments
                    (influencer_id, amount_won, made_by, corrects_month, reason)
                values ('\(site.influencers[0])', 5, '\(site.maker)', '2025-03-01', '합의')
                """)
        #expect(throws: SettlementRefusal.draftOutdated) { try site.close(Self.march) }
        let again = try site.draft(Self.march)
        #expect(again.totals.linesWon == draft.totals.linesWon + 5)
        #expect(again.ledger.pending == 1)
        #expect(throws: SettlementRefusal.draftOutdated) {
            try SettlementRun.close(
                Self.march, by: site.checker, manifest: draft.manifest, in: site.connection)
        }
        let closed = try SettlementRun.close(
            Self.march, by: site.checker, manifest: again.manifest, in: site.connection)
        #expect(closed.manifest == again.manifest)
    }

    @Test func `of many who close at once one does`() throws {
        try fill(site, late: false)
        _ = try site.draft(Self.march)
        let outcomes = Mutex<[String]>([])
        let (database, checker) = (site.database, site.checker)
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            let outcome: String
            do {
                _ = try SettlementRun.close(
                    Self.march, by: checker, manifest: nil, in: database.connect())
                outcome = "closed"
            } catch {
                outcome = "\(error)"
            }
            outcomes.withLock { $0.append(outcome) }
        }
        let all = outcomes.withLock { $0 }.sorted()
        #expect(all == ["closed"] + Array(repeating: "monthClosed", count: 5))
    }

    @Test func `of many who pay at once one does, and nobody is paid twice`() throws {
        try fill(site, late: false)
        _ = try site.draft(Self.march, minimum: 1)
        _ = try site.close(Self.march)
        let keys = try #require(PayeeKeys("k:" + String(repeating: "a5", count: 32)))
        for influencer in site.influencers {
            try site.setPayee(influencer, .individual, keys: keys)
        }
        let payments = Mutex<[Int]>([])
        let (database, payer) = (site.database, site.payer)
        let day = try #require(KoreanDay(text: "2025-04-10"))
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            let summary = try? SettlementPayment.pay(
                Self.march, on: day, by: payer, in: database.connect())
            payments.withLock { $0.append(summary?.payments ?? -1) }
        }
        #expect(payments.withLock { $0 }.sorted() == [0, 0, 0, 0, 0, 2])
        #expect(
            throws: PostgresError.self,
            performing: {
                try site.connection.run(
                    script: "insert into settlement_payments select * from settlement_payments")
            })
    }

    // MARK: Nothing changes

    private static let closedRows: [(table: String, change: String)] = [
        ("settlement_months", "lines_won = lines_won + 1, payable_won = payable_won + 1"),
        ("settlement_months", "status = 'draft', closed_by = null, closed_at = null"),
        ("settlements", "payable_won = payable_won + 1, lines_won = lines_won + 1"),
        ("settlements", "status = 'draft'"),
        ("settlements", "influencer_id = influencer_id, id = gen_random_uuid()"),
        ("settlement_lines", "note = 'x'"), ("settlement_lines", "clicks = clicks + 1"),
        ("settlement_corrections", "clicks = clicks + 1"),
        ("click_day_seals", "clicks = clicks + 1"), ("click_day_counts", "clicks = clicks + 1"),
        ("settlement_adjustments", "amount_won = 7"), ("settlement_payments", "paid_won = 1"),
        ("settlement_events", "detail = ''"), ("cpc_rates", "rate_won = 1"),
        ("tax_rates", "basis_points = 200"), ("late_clicks", "id = gen_random_uuid()"),
        ("revised_clicks", "sealed_verdict = 0"),
    ]

    @Test func `direct SQL cannot change what a closed month says`() throws {
        try fill(site)
        try site.connection.run(
            script: """
                insert into settlement_adjustments
                    (influencer_id, amount_won, made_by, corrects_month, reason)
                values ('\(site.influencers[0])', 5, '\(site.maker)', '2025-03-01', '합의')
                """)
        _ = try site.draft(Self.march, minimum: 1)
        _ = try site.close(Self.march)
        let keys = try #require(PayeeKeys("k:" + String(repeating: "a5", count: 32)))
        try site.setPayee(site.influencers[0], .individual, keys: keys)
        _ = try SettlementPayment.pay(
            Self.march, on: #require(KoreanDay(text: "2025-04-10")), by: site.payer,
            in: site.connection)
        for (table, change) in Self.closedRows {
            for sql in [
                "update \(table) set \(change)", "delete from \(table)",
                "truncate \(table) cascade",
            ] {
                #expect(throws: PostgresError.self, "\(sql)") {
                    try site.connection.run(script: sql)
                }
            }
        }
        for sql in [
            "insert into settlement_lines select month, influencer_id, 999, kind, gonggu_id, "
                + "corrects_month, clicks, rate_won, amount_won, title, note "
                + "from settlement_lines limit 1",
            "insert into settlement_corrections select clicked_at + interval '1 s', id, month, "
                + "gonggu_id, corrects_month, clicks, rate_won from settlement_corrections limit 1",
            "insert into click_day_counts select day, gen_random_uuid(), 1 from click_day_seals",
        ] {
            #expect(throws: PostgresError.self, "\(sql)") { try site.connection.run(script: sql) }
        }
        let report = try site.verify(Self.march)
        #expect(report.agrees, "\(report.differences)")
    }

    private static let lateCount = Statement(
        "test_late_count", "select count(*) as n from late_clicks")

    @Test func `a day that is erased or made anew goes on noting who comes late`() throws {
        try fill(site, late: false)
        _ = try site.draft(Self.march, minimum: 1)
        _ = try site.close(Self.march)
        try site.connection.run(
            script: """
                select copy_click_day_erased('2025-03-07');
                select swap_click_day_erased('2025-03-07')
                """)
        try site.store([site.click(gonggu: 0, at: seoul("2025-03-07 12:00"))])
        #expect(try site.connection.query(Self.lateCount)[0].get("n", as: Int.self) == 1)
        #expect(try site.verify(Self.march).agrees)
        // Detached and come again: a partition of its own, which notes as well.
        try site.connection.run(
            script: """
                alter table click_trackings detach partition click_trackings_20250308;
                alter table click_trackings_20250308 rename to was_20250308;
                alter index click_trackings_20250308_pkey rename to was_20250308_pkey;
                """)
        try site.store([site.click(gonggu: 0, at: seoul("2025-03-08 12:00"))])
        #expect(try site.connection.query(Self.lateCount)[0].get("n", as: Int.self) == 2)
        // What is restored was there before.
        try site.connection.run(
            script: """
                begin;
                create temporary table click_restoring (n int) on commit drop;
                insert into click_trackings select * from was_20250308;
                commit
                """)
        #expect(try site.connection.query(Self.lateCount)[0].get("n", as: Int.self) == 2)
        #expect(try site.verify(Self.march).agrees)
    }

    // MARK: Verification

    /// What somebody with every right could do, and what verification says of it.
    @Test(arguments: [
        (
            "update click_trackings set click_count = click_count + 1 where verdict = 0 and id in "
                + "(select id from click_trackings where verdict = 0 "
                + "order by clicked_at offset 2 limit 1)",
            "hash"
        ),
        (
            "delete from click_trackings where id in (select id from click_trackings "
                + "where verdict = 0 order by clicked_at offset 2 limit 1)",
            "valid clicks are stored"
        ),
        (
            "update settlement_lines set clicks = clicks + 1, amount_won = amount_won + rate_won "
                + "where number = 1", "stored line"
        ),
        (
            "update settlements set payable_won = payable_won + 1, lines_won = lines_won + 1 "
                + "where payable_won > 0", "stored settlement"
        ),
        (
            "update settlement_months set lines_won = lines_won + 1, "
                + "payable_won = payable_won + 1", "stored gonggumoa-settlement"
        ),
        (
            "update settlement_corrections set rate_won = rate_won + 1 where clicks > 0",
            "of another rate"
        ),
        ("delete from settlement_corrections where clicks < 0", "paid are"),
        (
            "update click_day_counts set clicks = clicks + 1 where day = '2025-03-02'",
            "sealed were"
        ),
        ("update settlement_months set manifest_sha256 = sha256('x')", "the manifest found is"),
    ])
    func `verification names what was tampered with`(sql: String, told: String) throws {
        try fill(site)
        _ = try site.draft(Self.march, minimum: 1)
        _ = try site.close(Self.march)
        #expect(try site.verify(Self.march).agrees)
        try site.connection.run(script: "set session_replication_role = replica; \(sql)")
        let report = try site.verify(Self.march)
        #expect(!report.agrees)
        #expect(
            report.differences.contains { $0.contains(told) }, "\(report.differences)")
    }
}
