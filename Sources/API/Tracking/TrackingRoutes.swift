import Clicks
import Hummingbird
import Postgres

/// The routes under /tracking.
package struct TrackingRoutes: Sendable {
    let pool: ConnectionPool

    private static let gonggu = Parameter.path("gonggu_id", Schema.identifier)
    private static let from = Parameter<KoreanDay?>.optional(
        "from", Schema.day,
        about: Wording("첫날(한국 시간). 기본은 30일 전, 시간 단위면 하루", "The first day, in Korea"))
    private static let to = Parameter<KoreanDay?>.optional(
        "to", Schema.day, about: Wording("마지막 날(한국 시간). 기본은 오늘", "The last day, included"))
    private static let interval = Parameter.query(
        "interval", Schema.oneOf(StatsInterval.self), default: .day)
    private static let by = Parameter<StatsDimension?>.optional(
        "by", Schema.oneOf(StatsDimension.self))

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/tracking/stats/{gonggu_id}", id: "clickStats",
            tag: .tracking,
            Wording("공구별 클릭 통계", "Clicks of a gonggu, by what was thought of them"),
            access: .role(.influencer, .finance),
            inputs: [Self.gonggu, Self.from, Self.to, Self.interval, Self.by],
            answer: .ok(ClickStats.schema), errors: [.gongguNotFound, .notOwner],
            handler: { call in try await stats(call) })
    }

    /// 404 unknown, 403 somebody else's, 422 a period that is empty or too long.
    func stats(_ call: Call) async throws -> ClickStats {
        let (caller, gonggu) = (call.account, call[Self.gonggu])
        let (from, to, interval) = (call[Self.from], call[Self.to], call[Self.interval])
        let dimension = call[Self.by]
        return try await pool.transaction { connection in
            // One snapshot, so that the breakdown adds up to the totals while clicks come in.
            try connection.run(script: "set transaction isolation level repeatable read read only")
            guard let subject = try StatsQueries.subject(gonggu, in: connection) else {
                throw StatsRefusal.gongguNotFound
            }
            try StatsRules.requireReader(of: subject.owner, caller)
            let period = try StatsPeriod(
                from: from, to: to, interval: interval, today: subject.now.koreanDay)
            let rows = try StatsQueries.counts(of: gonggu, over: period, in: connection)
            let series = StatsRules.series(rows, over: period)
            let total = StatsRules.total(series)
            let parts = try dimension.map { dimension in
                try StatsQueries.counts(of: gonggu, over: period, by: dimension, in: connection)
                    .map { StatsRules.parts($0) } ?? StatsRules.parts(byVerdictOf: total)
            }
            return ClickStats(
                gonggu: gonggu, period: period, total: total, series: series, parts: parts)
        }
    }
}

extension StatsRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .gongguNotFound: Problem(.gongguNotFound)
        case .notOwner: Problem(.notOwner)
        case .fieldsInvalid(let faults):
            Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension StatsFault {
    fileprivate var fault: Fault {
        switch self {
        case .endsBeforeBeginning:
            Fault("to", "BEFORE_FROM", "from보다 빠를 수 없습니다", "This must not be before from")
        case .tooLong(let daysMax):
            Fault(
                "to", "PERIOD_TOO_LONG", "기간은 \(daysMax)일 이내여야 합니다",
                "Ask for at most \(daysMax) days")
        }
    }
}
