import Clicks
import Hummingbird
import Postgres

/// The routes of single clicks: pages of them, and all of a period as CSV.
package struct ClickListRoutes: Sendable {
    let pool: ConnectionPool

    private static let gonggu = Parameter<Identifier>.required("gonggu_id", Schema.identifier)
    private static let from = Parameter<KoreanDay?>.optional(
        "from", Schema.day, about: Wording("첫날(한국 시간). 기본은 30일", "The first day, in Korea"))
    private static let to = Parameter<KoreanDay?>.optional(
        "to", Schema.day, about: Wording("마지막 날(한국 시간). 기본은 오늘", "The last day, included"))
    private static let verdict = Parameter<VerdictName?>.optional(
        "verdict", Schema.oneOf(VerdictName.self))
    private static let cursor = Parameter<String?>.optional(
        "cursor", ClickCursor.schema,
        about: Wording("앞 쪽의 next_cursor", "The next_cursor of the page before"))
    private static let size = Parameter.query(
        "size", Schema.integer(1...ClickList.countMax), default: 50)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/tracking/clicks", id: "listClicks", tag: .tracking,
            Wording("클릭 하나하나와 판정 이유, 새것부터", "Single clicks with verdict and reason, newest first"),
            access: .role(.influencer, .finance),
            inputs: [Self.gonggu, Self.from, Self.to, Self.verdict, Self.cursor, Self.size],
            answer: .ok(ClickList.schema), errors: [.gongguNotFound, .notOwner],
            handler: { try await list($0) })
        table.add(
            .get, "/api/v1/tracking/clicks.csv", id: "exportClicks", tag: .tracking,
            Wording("기간의 모든 클릭, 오래된 것부터", "All clicks of a period, oldest first"),
            access: .role(.influencer, .finance),
            inputs: [Self.gonggu, Self.from, Self.to, Self.verdict],
            answer: .raw(.bytes("text/csv")), errors: [.gongguNotFound, .notOwner],
            handler: { try await export($0) })
    }

    /// 404 unknown, 403 somebody else's, 422 a period that is empty or too long.
    func list(_ call: Call) async throws -> ClickList {
        let (caller, language, size) = (call.account, call.language, call[Self.size])
        let (asked, cursor) = (question(call), call[Self.cursor].flatMap { ClickCursor($0) })
        let clicks = try await pool.transaction { connection in
            let wish = try asked.wish(for: caller, in: connection)
            return try ClickListQueries.newest(
                wish, before: cursor, limit: size, in: connection)
        }
        return ClickList(
            items: clicks.map {
                ShownClick(
                    item: $0, language: language, showsWholeAddress: caller.seesAllClicks)
            },
            nextCursor: clicks.count == size ? clicks.last?.cursor.text : nil)
    }

    /// As ``list(_:)``; the body is made page by page as the client takes it.
    func export(_ call: Call) async throws -> Response {
        let (caller, asked) = (call.account, question(call))
        let wish = try await pool.run { try asked.wish(for: caller, in: $0) }
        let name = "clicks-\(wish.gonggu)-\(wish.from.koreanDay.text).csv"
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/csv; charset=utf-8", .cacheControl: "no-store",
                .contentDisposition: "attachment; filename=\"\(name)\"",
            ],
            body: ClickCSV(
                pool: pool, wish: wish, showsWholeAddress: caller.seesAllClicks
            ).body)
    }

    private func question(_ call: Call) -> ClickQuestion {
        ClickQuestion(
            gonggu: call[Self.gonggu], from: call[Self.from], to: call[Self.to],
            verdict: call[Self.verdict]?.verdict)
    }
}

/// A verdict by its name.
package enum VerdictName: String, CaseIterable, Sendable {
    case valid, duplicate, flood, bot, prefetch, inactive
    case own = "self"
    case malformed, datacenter, refused

    var verdict: Verdict {
        self == .valid ? .valid : AppealedVerdict(rawValue: rawValue)?.verdict ?? .valid
    }
}

/// Which clicks somebody asks for, not yet checked.
struct ClickQuestion: Sendable {
    let gonggu: Identifier
    let from: KoreanDay?
    let to: KoreanDay?
    let verdict: Verdict?

    /// What may be read: 404 unknown, 403 somebody else's, 422 a faulty period.
    func wish(
        for caller: Account, in connection: Connection
    ) throws -> ClickListQueries.Wish {
        guard let subject = try StatsQueries.subject(gonggu, in: connection) else {
            throw StatsRefusal.gongguNotFound
        }
        try StatsRules.requireReader(of: subject.owner, caller)
        let period = try StatsPeriod(
            from: from, to: to, interval: .day, today: subject.now.koreanDay)
        return ClickListQueries.Wish(
            gonggu: gonggu, from: period.start, to: period.end, verdict: verdict)
    }
}
