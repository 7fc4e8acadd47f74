import Clicks

// Which days are asked for, who may ask, and how counted rows become a series without gaps.

/// Why statistics are refused.
package enum StatsRefusal: Error, Equatable, Sendable {
    case gongguNotFound
    /// The caller is neither its influencer, nor finance, nor an admin.
    case notOwner
    case fieldsInvalid([StatsFault])
}

/// What is wrong with a period.
package enum StatsFault: Error, Equatable, Sendable {
    case endsBeforeBeginning
    case tooLong(daysMax: Int)
}

/// Whole Korean days, both ends included.
package struct StatsPeriod: Equatable, Sendable {
    package let from: KoreanDay
    package let to: KoreanDay
    package let interval: StatsInterval

    /// The longest period in days: a leap year.
    package static let daysMax = 366
    /// The longest period in hours: a long month of them.
    package static let daysOfHoursMax = 31
    /// The longest series there is.
    package static let pointsMax = daysOfHoursMax * 24
    private static let daysByDefault: Int32 = 30

    /// What is left out is: up to today; the last 30 days, or for hours that one day.
    ///
    /// - Parameter today: by the database's clock.
    package init(
        from: KoreanDay?, to: KoreanDay?, interval: StatsInterval, today: KoreanDay
    ) throws(StatsRefusal) {
        let last = to ?? max(today, from ?? today)
        let back = interval == .day ? StatsPeriod.daysByDefault - 1 : 0
        self.from = from ?? last.advanced(byDays: -back)
        self.to = last
        self.interval = interval
        let days = Int(last.daysSince1970) - Int(self.from.daysSince1970) + 1
        let daysMax = interval == .day ? StatsPeriod.daysMax : StatsPeriod.daysOfHoursMax
        guard days > 0 else { throw .fieldsInvalid([.endsBeforeBeginning]) }
        guard days <= daysMax else { throw .fieldsInvalid([.tooLong(daysMax: daysMax)]) }
    }

    /// The first moment of the period.
    package var start: Timestamp { from.start }
    /// The first moment after the period.
    package var end: Timestamp { to.advanced(byDays: 1).start }

    /// The start of each point, in order.
    package var points: [Timestamp] {
        let step: Int64 = interval == .day ? 86_400 : 3600
        let count = (end.microseconds - start.microseconds) / 1_000_000 / step
        return (0..<count).map { start.advanced(bySeconds: $0 * step) }
    }
}

/// Some clicks as a query counted them.
package struct CountedClicks<Key: Sendable>: Sendable {
    package let key: Key
    package let verdict: Verdict
    package let clicks: Int

    package init(key: Key, verdict: Verdict, clicks: Int) {
        self.key = key
        self.verdict = verdict
        self.clicks = clicks
    }
}

/// What is decided of statistics without the database.
package enum StatsRules {
    /// Lets in the gonggu's influencer, finance and admins.
    package static func requireReader(
        of owner: Identifier, _ caller: Account
    ) throws(StatsRefusal) {
        switch caller.role {
        case .finance, .admin: return
        case .buyer, .influencer:
            guard caller.id == owner else { throw .notOwner }
        }
    }

    /// One point for each hour or day, zero where nothing was counted.
    package static func series(
        _ rows: [CountedClicks<Timestamp>], over period: StatsPeriod
    ) -> [StatsPoint] {
        var byStart: [Timestamp: ClickCounts] = [:]
        for row in rows { byStart[row.key, default: ClickCounts()].add(row.clicks, row.verdict) }
        return period.points.map { StatsPoint(start: $0, clicks: byStart[$0] ?? ClickCounts()) }
    }

    /// The parts, largest first, the rest without a key last.
    package static func parts(_ rows: [CountedClicks<String?>]) -> [StatsPart] {
        var byKey: [String?: ClickCounts] = [:]
        for row in rows { byKey[row.key, default: ClickCounts()].add(row.clicks, row.verdict) }
        return byKey.map { StatsPart(key: $0.key, clicks: $0.value) }.sorted { left, right in
            guard let leftKey = left.key else { return false }
            guard let rightKey = right.key else { return true }
            return (right.clicks.gross, leftKey) < (left.clicks.gross, rightKey)
        }
    }

    /// The parts by verdict, which need no query of their own.
    package static func parts(byVerdictOf total: ClickCounts) -> [StatsPart] {
        parts(
            Verdict.allCases.filter { total[$0] > 0 }.map {
                CountedClicks(key: "\($0.name)", verdict: $0, clicks: total[$0])
            })
    }

    /// The sum of all points.
    package static func total(_ series: [StatsPoint]) -> ClickCounts {
        series.reduce(into: ClickCounts()) { $0.add($1.clicks) }
    }
}
