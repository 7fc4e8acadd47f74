import Clicks

@testable import API

/// The obvious way to the same won: one number a click, in memory.
struct SettlementOracle {
    var clicks: [SettlementSite.Click] = []
    /// Days whose clicks have all been read by a finished run; what comes later unsets it.
    var readDays: Set<KoreanDay> = []
    /// By click: it was there when its day was frozen, or a draft has taken it up.
    var isTaken: [Bool] = []
    var paidClicks: [Int] = []
    var rates: [(gonggu: Int?, influencer: Identifier?, from: KoreanDay, won: Int)] = []
    var carried: [Identifier: Int] = [:]
    var adjustments: [(influencer: Identifier, won: Int)] = []
    /// Of those that were settled.
    private var adjustedWon = 0

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

    /// What a month comes to for one influencer.
    struct Due: Equatable {
        var lines = 0
        var carriedIn = 0
        var payable = 0
        var carriedOut = 0
    }

    static let minimumWon = 9000

    /// What the month pays: every click whose day is before its end and that is taken, or can be,
    /// is worth what it is now, less what it was paid.
    mutating func settle(
        _ month: KoreanMonth, _ gonggus: [SettlementSite.Gonggu]
    ) -> [Identifier: Due] {
        var due: [Identifier: Due] = [:]
        for index in clicks.indices where clicks[index].time < month.end {
            let click = clicks[index]
            guard isTaken[index] || readDays.contains(click.day) else { continue }
            isTaken[index] = true
            let owner = gonggus[click.gonggu].influencer
            let rate = rate(click.gonggu, owner, click.day)
            due[owner, default: Due()].lines += (click.worth - paidClicks[index]) * rate
            paidClicks[index] = click.worth
        }
        for adjustment in adjustments {
            due[adjustment.influencer, default: Due()].lines += adjustment.won
            adjustedWon += adjustment.won
        }
        adjustments = []
        for (influencer, won) in carried where won != 0 {
            due[influencer, default: Due()].carriedIn = won
        }
        carried = [:]
        for influencer in due.keys {
            let balance = due[influencer]!.lines + due[influencer]!.carriedIn
            if balance >= SettlementOracle.minimumWon {
                due[influencer]!.payable = balance
            } else {
                due[influencer]!.carriedOut = balance
                carried[influencer] = balance
            }
        }
        return due.filter { $0.value.lines != 0 || $0.value.carriedIn != 0 }
    }

    /// What all that was settled comes to, added up click by click.
    func settledWon(_ gonggus: [SettlementSite.Gonggu]) -> Int {
        clicks.indices.reduce(adjustedWon) { sum, index in
            let click = clicks[index]
            let owner = gonggus[click.gonggu].influencer
            return sum + paidClicks[index] * rate(click.gonggu, owner, click.day)
        }
    }
}

extension SettlementSite.Click {
    /// Clicks to be paid by what it is judged to be now.
    var worth: Int { verdict == 0 ? count : 0 }
}
