import Clicks
import Postgres
import Testing
import TestSupport

@testable import API

// A year of clicks, rates, floods, late arrivals, appeals, holds and adjustments at random, settled
// by the real statements and by a plain oracle side by side. The oracle knows one rule: at each
// draft every click is worth its count × the rate of its day if it is adjudicated and valid, and
// what is not paid of it yet is paid or taken back now.

@Suite struct SettlementOracleTests {
    /// The obvious way to the same won: one number a click, in memory.
    struct Oracle {
        var clicks: [SettlementSite.Click] = []
        /// Days whose clicks have all been read by a finished run; what comes later unsets it.
        var readDays: Set<KoreanDay> = []
        /// By click: it was there when its day was frozen, or a draft has taken it up.
        var isTaken: [Bool] = []
        var paidClicks: [Int] = []
        var rates: [(gonggu: Int?, influencer: Identifier?, from: KoreanDay, won: Int)] = []
        var carried: [Identifier: Int] = [:]
        var adjustments: [(influencer: Identifier, won: Int)] = []

        func rate(_ gonggu: Int, _ owner: Identifier, _ day: KoreanDay) -> Int {
            func newest(_ isOurs: ((gonggu: Int?, influencer: Identifier?)) -> Bool) -> Int? {
                var best: (KoreanDay, Int)?
                for rate in rates where rate.from <= day && isOurs((rate.gonggu, rate.influencer)) {
                    if best == nil || rate.from >= best!.0 { best = (rate.from, rate.won) }
                }
                return best?.1
            }
            return newest { $0.gonggu == gonggu } ?? newest { $0.influencer == owner }
                ?? newest { $0.gonggu == nil && $0.influencer == nil }!
        }
    }

    /// What a month comes to for one influencer.
    struct Due: Equatable {
        var lines = 0
        var carriedIn = 0
        var payable = 0
        var carriedOut = 0
    }

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
        "test_books", "select month, difference_won from settlement_books order by month")

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `a year at random comes to what the oracle says`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var oracle = Oracle()
        try setRates(&oracle, &random)
        let keys = try #require(PayeeKeys("k:" + String(repeating: "5a", count: 32)))
        try site.setPayee(site.influencers[0], .individual, keys: keys)
        try site.setPayee(site.influencers[1], .business, keys: keys)
        var each = month("2025-01")
        var closed: [KoreanMonth] = []
        for _ in 0..<6 {
            try live(through: each, &oracle, &random)
            // Some of the next month comes before this one is settled.
            if Bool.random(using: &random) {
                try happen(in: each.next, 10, &oracle, &random)
            }
            let due = try settle(each, &oracle, &random)
            #expect(try stored(each) == due, "seed \(seed), \(each.text)")
            closed.append(each)
            try pay(closed, &random)
            each = each.next
        }
        for row in try site.connection.query(Self.books) {
            #expect(try row.get("difference_won", as: Int.self) == 0, "seed \(seed)")
        }
        for month in closed {
            let report = try site.verify(month)
            #expect(report.agrees, "seed \(seed), \(month.text): \(report.differences)")
        }
        // Nothing twice, nothing dropped: each click's pay, added up over all that was closed.
        try compareClicks(oracle, seed)
    }

    private func setRates(_ oracle: inout Oracle, _ random: inout SplitMix) throws {
        oracle.rates.append((nil, nil, KoreanDay(text: "2020-01-01")!, 113))
        try site.setRate(113, from: "2020-01-01")
        for _ in 0..<12 {
            let first = KoreanDay(text: "2025-01-01")!
            let day = first.advanced(byDays: Int32.random(in: 0..<190, using: &random))
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
        in month: KoreanMonth, _ count: Int, _ oracle: inout Oracle, _ random: inout SplitMix
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
        _ share: Int, _ oracle: inout Oracle, _ random: inout SplitMix
    ) throws {
        var changes: [(click: SettlementSite.Click, verdict: Int)] = []
        for index in oracle.clicks.indices where Int.random(in: 0..<share, using: &random) == 0 {
            let verdict = [0, 0, 1, 9].randomElement(using: &random)!
            changes.append((oracle.clicks[index], verdict))
            oracle.clicks[index].verdict = verdict
        }
        try site.judge(changes)
    }

    private func adjudicate(_ month: KoreanMonth, _ oracle: inout Oracle) throws {
        try site.adjudicate(from: month.firstDay, through: month.days.last!)
        oracle.readDays.formUnion(month.days)
    }

    /// A month up to its last day's seal, with some seals made before the rest happens.
    private func live(
        through month: KoreanMonth, _ oracle: inout Oracle, _ random: inout SplitMix
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
        _ month: KoreanMonth, _ oracle: inout Oracle, _ random: inout SplitMix
    ) throws -> [Identifier: Due] {
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
        _ = try site.draft(month, minimum: 9000)
        if Bool.random(using: &random) {
            try judgeSome(50, &oracle, &random)
            _ = try site.draft(month, minimum: 9000)
        }
        let due = self.due(month, &oracle)
        // What happens between draft and close is the next month's.
        try happen(in: month, 3, &oracle, &random)
        try judgeSome(60, &oracle, &random)
        let closed = try site.close(month)
        #expect(closed.ledger.unexplained == 0)
        return due
    }

    /// Every click whose day is before the month's end and that is taken, or can be.
    private func due(_ month: KoreanMonth, _ oracle: inout Oracle) -> [Identifier: Due] {
        var due: [Identifier: Due] = [:]
        for index in oracle.clicks.indices where oracle.clicks[index].time < month.end {
            let click = oracle.clicks[index]
            let isRead = oracle.readDays.contains(click.day)
            guard oracle.isTaken[index] || isRead else { continue }
            oracle.isTaken[index] = true
            let worth = click.verdict == 0 ? click.count : 0
            let owner = site.gonggus[click.gonggu].influencer
            let rate = oracle.rate(click.gonggu, owner, click.day)
            due[owner, default: Due()].lines += (worth - oracle.paidClicks[index]) * rate
            oracle.paidClicks[index] = worth
        }
        for adjustment in oracle.adjustments {
            due[adjustment.influencer, default: Due()].lines += adjustment.won
        }
        oracle.adjustments = []
        for (influencer, won) in oracle.carried where won != 0 {
            due[influencer, default: Due()].carriedIn = won
        }
        oracle.carried = [:]
        for influencer in due.keys {
            let balance = due[influencer]!.lines + due[influencer]!.carriedIn
            if balance >= 9000 {
                due[influencer]!.payable = balance
            } else {
                due[influencer]!.carriedOut = balance
                oracle.carried[influencer] = balance
            }
        }
        return due.filter { $0.value.lines != 0 || $0.value.carriedIn != 0 }
    }

    private func stored(_ month: KoreanMonth) throws -> [Identifier: Due] {
        var due: [Identifier: Due] = [:]
        for row in try site.connection.query(Self.stored, [month.date]) {
            due[try row.get("influencer_id")] = Due(
                lines: try row.get("lines_won"), carriedIn: try row.get("carried_in_won"),
                payable: try row.get("payable_won"), carriedOut: try row.get("carried_out_won"))
        }
        for row in try site.connection.query(Self.lineSums, [month.date]) {
            let influencer: Identifier = try row.get("influencer_id")
            #expect(try row.get("won", as: Int.self) == due[influencer]?.lines ?? 0)
        }
        return due
    }

    /// Pays what can be paid of all months, some of it held for a while.
    private func pay(_ months: [KoreanMonth], _ random: inout SplitMix) throws {
        try site.connection.run(
            script: """
                update settlements set status = 'closed', held_at = null, held_by = null,
                    hold_reason = null
                where status = 'held' and random() < 0.5;
                update settlements set status = 'held', held_at = now(),
                    held_by = '\(site.maker)', hold_reason = '확인 중'
                where status = 'closed' and random() < 0.3;
                update settlements set tax_invoice_number = '20260101-00000001',
                    tax_invoice_day = '2026-01-01'
                where status = 'closed' and random() < 0.7;
                """)
        for month in months where Bool.random(using: &random) {
            _ = try SettlementPayment.pay(
                month, on: KoreanDay(text: "2025-12-10")!, by: site.payer, in: site.connection)
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

    private func compareClicks(_ oracle: Oracle, _ seed: UInt64) throws {
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
