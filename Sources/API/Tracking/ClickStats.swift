import Clicks

// Click statistics as they are answered. Every click is in exactly one of valid, held and rejected,
// so the three add up to gross; that is an invariant of ``ClickCounts``, not of the queries.

/// Clicks by what was thought of them.
package struct ClickCounts: Equatable, Sendable {
    private var byVerdict = [Int](repeating: 0, count: Verdict.allCases.count)

    package init() {}

    /// The clicks of that verdict.
    package subscript(_ verdict: Verdict) -> Int { byVerdict[Int(verdict.rawValue)] }

    /// Counts some more.
    package mutating func add(_ clicks: Int, _ verdict: Verdict) {
        byVerdict[Int(verdict.rawValue)] += clicks
    }

    /// Counts all of another's.
    package mutating func add(_ other: ClickCounts) {
        for verdict in Verdict.allCases { add(other[verdict], verdict) }
    }

    /// All clicks that reached a link.
    package var gross: Int { byVerdict.reduce(0, +) }
    /// Clicks that are paid.
    package var valid: Int { self[.valid] }
    /// Clicks that a person will decide on.
    package var held: Int { sum(where: \.isHeld) }
    /// Clicks that are not paid.
    package var rejected: Int { gross - valid - held }

    fileprivate var flood: Int { self[.flood] }
    fileprivate var datacenter: Int { self[.datacenter] }
    fileprivate var duplicate: Int { self[.duplicate] }
    fileprivate var bot: Int { self[.bot] }
    fileprivate var prefetch: Int { self[.prefetch] }
    fileprivate var inactive: Int { self[.inactive] }
    fileprivate var selfMade: Int { self[.self] }
    fileprivate var malformed: Int { self[.malformed] }
    fileprivate var refused: Int { self[.refused] }

    private func sum(where isCounted: (Verdict) -> Bool) -> Int {
        Verdict.allCases.reduce(0) { $0 + (isCounted($1) ? self[$1] : 0) }
    }

    static let schema = Schema<ClickCounts>(
        "ClickCounts",
        [
            Field(
                "gross", .count, \.gross, about: Wording("전체 클릭", "All clicks"), example: 10),
            Field(
                "valid", .count, \.valid, about: Wording("유효 클릭", "Clicks that are paid"),
                example: 6),
            Field(
                "held", .count, \.held,
                about: Wording("보류 클릭", "Clicks that a person will decide on"), example: 1),
            Field(
                "rejected", .count, \.rejected,
                about: Wording("무효 클릭", "Clicks that are not paid"), example: 3),
            Field("held_by", heldSchema, \.self),
            Field("rejected_by", rejectedSchema, \.self),
        ])

    private static let heldSchema = Schema<ClickCounts>(
        "HeldClicks",
        [
            Field("flood", .count, \.flood, example: 1),
            Field("datacenter", .count, \.datacenter, example: 0),
        ])

    private static let rejectedSchema = Schema<ClickCounts>(
        "RejectedClicks",
        [
            Field("duplicate", .count, \.duplicate, example: 2),
            Field("bot", .count, \.bot, example: 1),
            Field("prefetch", .count, \.prefetch, example: 0),
            Field("inactive", .count, \.inactive, example: 0),
            Field("self", .count, \.selfMade, example: 0),
            Field("malformed", .count, \.malformed, example: 0),
            Field("refused", .count, \.refused, example: 0),
        ])
}

/// How long each point of a series is.
package enum StatsInterval: String, CaseIterable, Sendable {
    case hour
    case day
}

/// What clicks can be broken down by.
package enum StatsDimension: String, CaseIterable, Sendable {
    case country
    case device
    case referer
    case channel
    case verdict
}

/// The clicks of one hour or one Korean day.
package struct StatsPoint: Equatable, Sendable {
    package let start: Timestamp
    package var clicks: ClickCounts

    static let schema = Schema<StatsPoint>(
        "StatsPoint",
        [Field("start", .time, \.start), Field("clicks", ClickCounts.schema, \.clicks)])
}

/// The clicks that share one value of the dimension.
package struct StatsPart: Equatable, Sendable {
    /// Nil is all the values that are not among the largest.
    package let key: String?
    package var clicks: ClickCounts

    /// Parts beyond these are summed up in one without a key.
    package static let countMax = 100

    static let schema = Schema<StatsPart>(
        "StatsPart",
        [
            Field(
                "key", Schema.text(0...1000).orNull, \.key,
                about: Wording(
                    "값. 빈 문자열은 값이 없음, null은 나머지 전부",
                    "The value; empty where there is none, null for all the smaller ones"),
                example: "KR"),
            Field("clicks", ClickCounts.schema, \.clicks),
        ])
}

/// The statistics of one gonggu.
package struct ClickStats: Equatable, Sendable {
    package let gonggu: Identifier
    package let period: StatsPeriod
    /// The sum of the series.
    package let total: ClickCounts
    /// One point each hour or day of the period, also where nobody clicked.
    package let series: [StatsPoint]
    /// Largest first; nil where no dimension was asked for.
    package let parts: [StatsPart]?

    static let schema = Schema<ClickStats>(
        "ClickStats",
        [
            Field("gonggu_id", .identifier, \.gonggu),
            Field("from", .day, \.period.from),
            Field("to", .day, \.period.to),
            Field("interval", .oneOf(StatsInterval.self), \.period.interval),
            Field(
                "timezone", .text(1...40), \.timezone,
                about: Wording("날짜와 시간의 기준", "What days and hours are cut by"),
                example: "Asia/Seoul"),
            Field("total", ClickCounts.schema, \.total),
            Field("series", StatsPoint.schema.list(0...StatsPeriod.pointsMax), \.series),
            Field(
                "breakdown", StatsPart.schema.list(0...(StatsPart.countMax + 1)).orNull, \.parts),
        ])

    private var timezone: String { "Asia/Seoul" }
}
