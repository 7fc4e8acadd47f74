import Clicks
import Foundation
import Postgres
import Testing
import TestSupport

@testable import API

// A year of clicks, rates, floods, late arrivals, appeals, holds and adjustments at random, settled
// by the real statements and by a plain oracle side by side. The oracle knows one rule: at each
// draft every click is worth its count × the rate of its day if it is adjudicated and valid, and
// what is not paid of it yet is paid or taken back now.

@Suite struct SettlementOracleTests {
    let site: SettlementSite

    init() throws { site = try SettlementSite(influencers: 3, gonggusEach: 3) }

    private static let stored = Statement(
        "test_settlements",
        """
        select influencer_id, lines_won, carried_in_won, payable_won, carried_out_won
        from settlements where month = $1 and (lines_won, carried_in_won) <> (0, 0)
        """)
    private static let lineSums = Statement(
        "test_line_sums",
        "select influencer_id, sum(amount_won)::bigint as won from settlement_lines "
            + "where month = $1 group by 1")
    private static let books = Statement(
        "test_books",
        """
        select m.month, m.lines_won, m.carried_in_won, m.carried_out_won, b.difference_won,
            coalesce(sum(p.gross_won), 0)::bigint as gross_won,
            coalesce(sum(p.paid_won - p.vat_won), 0)::bigint as paid_won,
            coalesce(sum(p.income_tax_won + p.local_tax_won), 0)::bigint as tax_won,
            coalesce(sum(s.payable_won) filter (where s.status in ('held', 'closed')), 0)::bigint
                as kept_won
        from settlement_months m
        join settlement_books b on b.month = m.month
        join settlements s on s.month = m.month
        left join settlement_payments p on p.settlement_id = s.id
        where m.status = 'closed'
        group by m.month, m.lines_won, m.carried_in_won, m.carried_out_won, b.difference_won
        order by m.month
        """)
    private static let payments = Statement(
        "test_payments",
        """
        select influencer_id, payment_day, payee_type, sum(gross_won)::bigint as gross_won,
            sum(income_tax_won)::bigint as income_won, sum(local_tax_won)::bigint as local_won,
            sum(vat_won)::bigint as vat_won, sum(gross_won / 10)::bigint as tenths_won,
            sum(paid_won)::bigint as paid_won
        from settlement_payments
        group by 1, 2, 3
        order by 1, 2, 3
        """)
    private static let standing = Statement(
        "test_standing",
        """
        select id, status from settlements where status in ('closed', 'held')
        order by month, influencer_id
        """)
    /// The month after the year, which settles what the year has left.
    private static let last = month("2026-01")

    /// Four years, and one more that TEST_SEED names or that is never the same.
    static let seeds: [UInt64] = {
        let given = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap { UInt64($0) }
        return [1, 2, 3, 4, given ?? .random(in: 5...UInt64.max)]
    }()

    @Test(arguments: seeds)
    func `a year at random comes to what the oracle says`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var oracle = SettlementOracle()
        try setRates(&oracle, &random)
        let keys = try #require(PayeeKeys("k:" + String(repeating: "5a", count: 32)))
        try site.setPayee(site.influencers[0], .individual, keys: keys)
        try site.setPayee(site.influencers[1], .business, keys: keys)
        var each = month("2025-01")
        var closed: [KoreanMonth] = []
        for number in 1...12 {
            // Until then nobody knows whom to pay.
            if number == 7 { try site.setPayee(site.influencers[2], .individual, keys: keys) }
            try live(through: each, &oracle, &random)
            // Some of the next month comes before this one is settled.
            if Bool.random(using: &random) {
                try happen(in: each.next, 10, &oracle, &random)
            }
            try settleAndCompare(each, seed, &oracle, &random)
            closed.append(each)
            try pay(closed, &random)
            try checkBooks(oracle, "seed \(seed), \(each.text)")
            each = each.next
        }
        try compareClicks(oracle, seed)
        // All is read, and what was left over is settled: nothing is dropped.
        for month in closed + [each] { try adjudicate(month, &oracle) }
        try settleAndCompare(each, seed, &oracle, &random)
        try pay(closed + [each], &random)
        try checkBooks(oracle, "seed \(seed), \(each.text)")
        for month in closed + [each] {
            let report = try site.verify(month)
            #expect(report.agrees, "seed \(seed), \(month.text): \(report.differences)")
        }
        try compareClicks(oracle, seed)
        for (index, click) in oracle.clicks.enumerated() where oracle.isTaken[index] {
            #expect(oracle.paidClicks[index] <= click.count, "seed \(seed)")
        }
        let dropped = oracle.clicks.indices.count { !oracle.isTaken[$0] }
        #expect(dropped == 0, "seed \(seed)")
    }

    private func settleAndCompare(
        _ month: KoreanMonth, _ seed: UInt64, _ oracle: inout SettlementOracle,
        _ random: inout SplitMix
    ) throws {
        let due = try settle(month, &oracle, &random)
        #expect(try stored(month) == due, "seed \(seed), \(month.text)")
    }

    private func setRates(_ oracle: inout SettlementOracle, _ random: inout SplitMix) throws {
        oracle.rates.append((nil, nil, KoreanDay(text: "2020-01-01")!, 113))
        try site.setRate(113, from: "2020-01-01")
        for _ in 0..<24 {
            let first = KoreanDay(text: "2025-01-01")!
            let day = first.advanced(byDays: Int32.random(in: 0..<380, using: &random))
            let won = Int.random(in: 0...400, using: &random)
            let scope = Int.random(in: 0..<3, using: &random)
            let gonggu = scope == 0 ? Int.random(in: 0..<9, using: &random) : nil
            let influencer = scope == 1 ? site.influencers.randomElement(using: &random) : nil
            oracle.rates.append((gonggu, influencer, day, won))
            try site.setRate(
                won, from: day.text, gonggu: gonggu.map { site.gonggus[$0].id },
                influencer: influencer)
        }
    }

    /// Clicks of all kinds in a month, stored in a few batches.
    private func happen(
        in month: KoreanMonth, _ count: Int, _ oracle: inout SettlementOracle,
        _ random: inout SplitMix
    ) throws {
        var fresh: [SettlementSite.Click] = []
        for _ in 0..<count {
            let second = Int64.random(in: 0..<Int64(month.days.count) * 86_400, using: &random)
            // Midnights are where months, days and rates change.
            let edge = Int.random(in: 0..<10, using: &random) == 0
            let time =
                edge
                ? month.days.randomElement(using: &random)!.start
                : month.start.advanced(bySeconds: second)
            let verdict = [0, 0, 0, 0, 1, 2, 3, 8].randomElement(using: &random)!
            let folded = verdict == 2 ? Int.random(in: 1...600, using: &random) : 1
            let gonggu = Int.random(in: 0..<9, using: &random)
            fresh.append(
                site.click(gonggu: gonggu, at: time, verdict: verdict, count: folded))
        }
        try site.store(fresh)
        for click in fresh {
            oracle.readDays.remove(click.day)
            oracle.clicks.append(click)
            oracle.isTaken.append(false)
            oracle.paidClicks.append(0)
        }
    }

    private func judgeSome(
        _ share: Int, _ oracle: inout SettlementOracle, _ random: inout SplitMix
    ) throws {
        var changes: [(click: SettlementSite.Click, verdict: Int)] = []
        for index in oracle.clicks.indices where Int.random(in: 0..<share, using: &random) == 0 {
            let verdict = [0, 0, 1, 9].randomElement(using: &random)!
            changes.append((oracle.clicks[index], verdict))
            oracle.clicks[index].verdict = verdict
        }
        try site.judge(changes)
    }

    private func adjudicate(_ month: KoreanMonth, _ oracle: inout SettlementOracle) throws {
        try site.adjudicate(from: month.firstDay, through: month.days.last!)
        oracle.readDays.formUnion(month.days)
    }

    /// A month up to its last day's seal, with some seals made before the rest happens.
    private func live(
        through month: KoreanMonth, _ oracle: inout SettlementOracle, _ random: inout SplitMix
    ) throws {
        try happen(in: month, 120, &oracle, &random)
        try adjudicate(month, &oracle)
        try judgeSome(20, &oracle, &random)
        for day in month.days where Bool.random(using: &random) {
            guard case .sealed = try DaySealing.seal(day, in: site.connection) else { continue }
            for index in oracle.clicks.indices where oracle.clicks[index].day == day {
                oracle.isTaken[index] = true
            }
        }
        // Late, for sealed days and others, of this month and of all before.
        try happen(in: month, 15, &oracle, &random)
        if month > KoreanMonth(text: "2025-01")! {
            try happen(in: month.previous, 5, &oracle, &random)
            if Bool.random(using: &random) { try adjudicate(month.previous, &oracle) }
        }
        try judgeSome(40, &oracle, &random)
        // Days that are not sealed must be adjudicated as a whole before they can be.
        try adjudicate(month, &oracle)
        // Days on which nobody had clicked before are sealed with this month, older ones too.
        let taken = Set(
            oracle.clicks.indices.filter { oracle.isTaken[$0] }
                .map { oracle.clicks[$0].day })
        let fresh = Set(oracle.clicks.map(\.day)).subtracting(taken)
            .subtracting(oracle.readDays).filter { $0 < month.firstDay }
        for older in Set(fresh.map { KoreanMonth(of: $0) }).sorted() {
            try adjudicate(older, &oracle)
        }
        // And once more, so that some days have clicks that nobody has read.
        let sealed = Set(
            oracle.clicks.indices.filter { oracle.isTaken[$0] }
                .map { oracle.clicks[$0].day })
        if Bool.random(using: &random), let day = sealed.max(), month.days.contains(day) {
            let late = site.click(gonggu: 0, at: day.start.advanced(bySeconds: 7))
            try site.store([late])
            oracle.readDays.remove(day)
            oracle.clicks.append(late)
            oracle.isTaken.append(false)
            oracle.paidClicks.append(0)
        }
    }

    /// Drafts, perhaps again, closes, and says what the oracle makes of it.
    private func settle(
        _ month: KoreanMonth, _ oracle: inout SettlementOracle, _ random: inout SplitMix
    ) throws -> [Identifier: SettlementOracle.Due] {
        if Bool.random(using: &random) {
            let won = [-70_000, -300, 5, 90_000].randomElement(using: &random)!
            let influencer = site.influencers.randomElement(using: &random)!
            try site.connection.run(
                script: """
                    insert into settlement_adjustments
                        (influencer_id, amount_won, made_by, corrects_month, reason)
                    values ('\(influencer)', \(won), '\(site.maker)', '\(month.firstDay.text)',
                        '합의')
                    """)
            oracle.adjustments.append((influencer, won))
        }
        _ = try site.draft(month, minimum: SettlementOracle.minimumWon)
        if Bool.random(using: &random) {
            try judgeSome(50, &oracle, &random)
            _ = try site.draft(month, minimum: SettlementOracle.minimumWon)
        }
        let due = oracle.settle(month, site.gonggus)
        // What happens between draft and close is the next month's.
        if month < SettlementOracleTests.last {
            try happen(in: month, 3, &oracle, &random)
            try judgeSome(60, &oracle, &random)
        }
        let closed = try site.close(month)
        #expect(closed.ledger.unexplained == 0)
        return due
    }

    private func stored(_ month: KoreanMonth) throws -> [Identifier: SettlementOracle.Due] {
        var due: [Identifier: SettlementOracle.Due] = [:]
        for row in try site.connection.query(Self.stored, [month.date]) {
            due[try row.get("influencer_id")] = SettlementOracle.Due(
                lines: try row.get("lines_won"), carriedIn: try row.get("carried_in_won"),
                payable: try row.get("payable_won"), carriedOut: try row.get("carried_out_won"))
        }
        for row in try site.connection.query(Self.lineSums, [month.date]) {
            let influencer: Identifier = try row.get("influencer_id")
            #expect(try row.get("won", as: Int.self) == due[influencer]?.lines ?? 0)
        }
        return due
    }

    /// Pays what can be paid of some months, some of it held for a while.
    private func pay(_ months: [KoreanMonth], _ random: inout SplitMix) throws {
        for row in try site.connection.query(Self.standing) {
            let id: Identifier = try row.get("id")
            let isHeld = try row.get("status", as: String.self) == "held"
            let changes =
                isHeld
                ? "status = 'closed', held_at = null, held_by = null, hold_reason = null"
                : "status = 'held', held_at = now(), held_by = '\(site.maker)', "
                    + "hold_reason = '확인 중'"
            let isChanged = Int.random(in: 0..<10, using: &random) < (isHeld ? 5 : 3)
            if isChanged {
                try site.connection.run(
                    script: "update settlements set \(changes) where id = '\(id)'")
            }
            if isHeld == isChanged, Int.random(in: 0..<10, using: &random) < 7 {
                try site.connection.run(
                    script: """
                        update settlements set tax_invoice_number = '20260101-00000001',
                            tax_invoice_day = '2026-01-01'
                        where id = '\(id)'
                        """)
            }
        }
        // Several months on one day too: tax is of the day's total.
        let day = months.last!.next.firstDay.advanced(byDays: 9)
        for month in months where Bool.random(using: &random) {
            _ = try SettlementPayment.pay(month, on: day, by: site.payer, in: site.connection)
        }
    }

    /// Where each won is, month by month and over all of them, and what was withheld of it.
    private func checkBooks(_ oracle: SettlementOracle, _ note: String) throws {
        var (lines, whereabouts, carried) = (0, 0, 0)
        for row in try site.connection.query(Self.books) {
            func won(_ name: String) throws -> Int { try row.get(name) }
            #expect(try won("difference_won") == 0, "\(note)")
            #expect(try won("carried_in_won") == carried, "\(note)")
            carried = try won("carried_out_won")
            let kept = try won("paid_won") + won("tax_won") + won("kept_won")
            #expect(try won("gross_won") == won("paid_won") + won("tax_won"), "\(note)")
            #expect(try won("lines_won") + won("carried_in_won") == kept + carried, "\(note)")
            lines += try won("lines_won")
            whereabouts += kept
        }
        #expect(lines == whereabouts + carried, "\(note)")
        #expect(lines == oracle.settledWon(site.gonggus), "\(note)")
        for row in try site.connection.query(Self.payments) {
            func won(_ name: String) throws -> Int { try row.get(name) }
            let gross = try won("gross_won")
            guard try row.get("payee_type", as: String.self) == "individual" else {
                #expect(try won("income_won") + won("local_won") == 0, "\(note)")
                #expect(try won("vat_won") == won("tenths_won"), "\(note)")
                continue
            }
            let income = gross * 3 / 1000 * 10
            let local = income / 100 * 10
            #expect(try won("income_won") == income && won("local_won") == local, "\(note)")
            #expect(try won("paid_won") == gross - income - local, "\(note)")
        }
    }

    private static let paidByClick = Statement(
        "test_paid_by_click",
        """
        select f.id, (
            case when l.id is null and coalesce(r.sealed_verdict, f.verdict) = 0
                and s.settled_month is not null then f.click_count else 0 end
            + coalesce((select sum(clicks) from settlement_corrections c
                where c.clicked_at = f.clicked_at and c.id = f.id), 0))::bigint as paid
        from final_clicks f
        left join click_day_seals s on s.day = korean_day(f.clicked_at)
        left join late_clicks l on l.clicked_at = f.clicked_at and l.id = f.id
        left join revised_clicks r on r.clicked_at = f.clicked_at and r.id = f.id
        """)

    private func compareClicks(_ oracle: SettlementOracle, _ seed: UInt64) throws {
        var paid: [Identifier: Int] = [:]
        for row in try site.connection.query(Self.paidByClick) {
            paid[try row.get("id")] = try row.get("paid", as: Int.self)
        }
        for (index, click) in oracle.clicks.enumerated() {
            #expect(paid[click.id] == oracle.paidClicks[index], "seed \(seed), click \(click.id)")
        }
        #expect(paid.count == oracle.clicks.count)
    }
}
