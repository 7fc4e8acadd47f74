import Clicks
import Hummingbird
import Postgres

/// The route of an influencer's gonggus side by side.
package struct OverviewRoutes: Sendable {
    let pool: ConnectionPool

    private static let influencer = Parameter<Identifier?>.optional(
        "influencer_id", Schema.identifier,
        about: Wording("재무와 관리자만. 기본은 본인", "For finance and admins; oneself by default"))
    private static let from = Parameter<KoreanDay?>.optional(
        "from", Schema.day, about: Wording("첫날(한국 시간). 기본은 30일", "The first day, in Korea"))
    private static let to = Parameter<KoreanDay?>.optional(
        "to", Schema.day, about: Wording("마지막 날(한국 시간). 기본은 오늘", "The last day, included"))

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares it.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/tracking/overview", id: "clickOverview", tag: .tracking,
            Wording("공구별 클릭과 예상 수익", "An influencer's gonggus side by side"),
            access: .role(.influencer, .finance), inputs: [Self.influencer, Self.from, Self.to],
            answer: .ok(Overview.schema), handler: { try await overview($0) })
    }

    /// 403 another influencer's, 422 a period that is empty or too long.
    func overview(_ call: Call) async throws -> Overview {
        let caller = call.account
        let influencer = call[Self.influencer] ?? caller.id
        guard influencer == caller.id || caller.seesAllClicks else { throw Problem(.roleMissing) }
        let (from, to) = (call[Self.from], call[Self.to])
        return try await pool.run { connection in
            let today = try RunQueries.now(in: connection).koreanDay
            let period = try StatsPeriod(from: from, to: to, interval: .day, today: today)
            return Overview(
                influencer: influencer, period: period,
                rows: try OverviewQueries.rows(of: influencer, over: period, in: connection))
        }
    }
}
