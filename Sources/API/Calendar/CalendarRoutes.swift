import Clicks
import Hummingbird
import Postgres

/// The routes of the calendar: a month to show, and a feed to subscribe to.
package struct CalendarRoutes: Sendable {
    let pool: ConnectionPool
    let edgeURL: String

    private static let month = Parameter<KoreanMonth?>.optional(
        "month", Schema.month, about: Wording("한국 시간의 달. 기본은 이번 달", "In Korea; this one if absent"))
    private static let influencer = Parameter<Identifier?>.optional(
        "influencer_id", Schema.identifier)
    private static let category = Parameter<Identifier?>.optional("category_id", Schema.identifier)
    /// Calendars look again within the hour anyway.
    private static let caching = "public, max-age=300"

    /// - Parameter edgeURL: where the edge serves `/go/…`; a slash at its end does not count.
    package init(pool: ConnectionPool, edgeURL: String) {
        self.pool = pool
        self.edgeURL = edgeURL.withoutTrailingSlashes
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("calendar", Wording("캘린더", "Calendar"))
        table.add(
            .get, "/api/v1/calendar", id: "calendarMonth", tag: tag,
            Wording("한 달의 오픈과 마감, 한국 날짜별", "What opens and closes in a month, by day in Korea"),
            access: .everyone, inputs: [Self.month, Self.influencer, Self.category],
            answer: .ok(CalendarMonth.schema), handler: { try await month($0) })
        table.add(
            .get, "/api/v1/calendar.ics", id: "calendarFeed", tag: tag,
            Wording(
                "휴대폰 캘린더가 구독하는 피드 (iCalendar)", "The feed that calendars subscribe to (iCalendar)"),
            access: .everyone, inputs: [Self.influencer, Self.category],
            answer: .raw(ConditionalBody.outcomes("text/calendar")),
            handler: { try await feed($0) })
    }

    func month(_ call: Call) async throws -> CalendarMonth {
        let (asked, filter) = (call[Self.month], filter(call))
        return try await pool.run { connection in
            let month = try asked ?? KoreanMonth(of: CalendarQueries.today(in: connection))
            return try CalendarQueries.month(month, filter, in: connection)
        }
    }

    func feed(_ call: Call) async throws -> Response {
        let filter = filter(call)
        let (gonggus, changedAt) = try await pool.run {
            try CalendarQueries.feed(filter, in: $0)
        }
        let feed = CalendarFeed(
            gonggus: gonggus, changedAt: changedAt, edgeURL: edgeURL, language: call.language)
        return ConditionalBody(
            bytes: feed.bytes, mediaType: "text/calendar; charset=utf-8", caching: Self.caching,
            lastModified: feed.changedAt, disposition: "inline; filename=\"gonggumoa.ics\"",
            varies: true
        ).response(to: call.request)
    }

    private func filter(_ call: Call) -> CalendarFilter {
        CalendarFilter(influencer: call[Self.influencer], category: call[Self.category])
    }
}
