import Clicks
import Postgres

/// SQL on what opens and closes when. Suspended and deleted gonggus are in none of the answers.
///
/// One text for all filters ("$1 is null or …") is planned for none of them, so each has its own.
/// Limits are constants, and a row is looked at behind a fence (`offset 0`): with a parameter for a
/// limit the planner expects a tenth of the table, and joined all users to a month of gonggus,
/// which took seconds at 100 k gonggus and a million users.
package enum CalendarQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [change, today]
        + [everything, influencers, categories].flatMap { [$0.openings, $0.closings, $0.feed] }

    private static let columns = """
        g.id, g.influencer_id, u.nickname as influencer_nickname, g.title, g.thumbnail,
        g.original_price, g.gonggu_price, g.short_code, g.open_at, g.close_at, g.created_at,
        g.updated_at
        """

    private static let names = """
        shown.id, shown.influencer_id, shown.influencer_nickname, shown.title, shown.thumbnail,
        shown.original_price, shown.gonggu_price, shown.short_code, shown.open_at, shown.close_at,
        shown.created_at, shown.updated_at
        """

    /// Asked of each row that a time's index gives, hence the fence: joined, it would read all of
    /// a category for each day, or all gonggus.
    private static let inCategory = """
        exists (
            select 1
            from gonggu_categories gc
            where gc.gonggu_id = g.id and gc.category_id = $2
            offset 0
        )
        """

    /// The statements of one kind of filter. $1 is the influencer, $2 the category.
    private struct Scope {
        let openings: Statement
        let closings: Statement
        let feed: Statement
    }

    private static let everything = Scope(
        openings: list("calendar_openings", "open_at", "$1::uuid is null and $2::uuid is null"),
        closings: list("calendar_closings", "close_at", "$1::uuid is null and $2::uuid is null"),
        feed: list("calendar_feed", "$1::uuid is null and $2::uuid is null"))

    private static let influencers = Scope(
        openings: list("calendar_openings_influencer", "open_at", ofInfluencer),
        closings: list("calendar_closings_influencer", "close_at", ofInfluencer),
        feed: list("calendar_feed_influencer", ofInfluencer))

    private static let categories = Scope(
        openings: list("calendar_openings_category", "open_at", ofCategory),
        closings: list("calendar_closings_category", "close_at", ofCategory),
        feed: list("calendar_feed_category", ofCategory))

    /// An influencer has so few that a category may be looked at afterwards.
    private static let ofInfluencer = "g.influencer_id = $1 and ($2::uuid is null or \(inCategory))"
    private static let ofCategory = "$1::uuid is null and \(inCategory)"

    private static func scope(_ filter: CalendarFilter) -> Scope {
        filter.influencer != nil ? influencers : filter.category != nil ? categories : everything
    }

    /// The gonggu of each row of `few`, by the primary key.
    private static let shown = """
        cross join lateral (
            select \(columns)
            from gonggus g
            join users u on u.id = g.influencer_id
            where g.id = few.id
            offset 0
        ) shown
        """

    // MARK: A month

    /// Each day for itself, off the index of its column, or off the influencer's.
    private static func list(
        _ name: StaticString, _ column: StaticString, _ condition: String
    ) -> Statement {
        Statement(
            name,
            """
            select d.number, few.total, \(names)
            from unnest($3::timestamptz[], $4::timestamptz[])
                with ordinality as d (begins_at, ends_at, number)
            cross join lateral (
                select g.id, count(*) over () as total
                from gonggus g
                where g.hidden_at is null and g.suspended_at is null
                    and g.\(column) >= d.begins_at and g.\(column) < d.ends_at
                    and \(condition)
                order by g.\(column), g.id
                limit \(CalendarMonth.itemsMax)
            ) few
            \(shown)
            order by d.number, shown.\(column), shown.id
            """)
    }

    /// A month, day by day.
    static func month(
        _ month: KoreanMonth, _ filter: CalendarFilter, in connection: Connection
    ) throws(PostgresError) -> CalendarMonth {
        var days = month.days.map { CalendarDay(day: $0) }
        let parameters: [(any PostgresEncodable)?] = [
            filter.influencer, filter.category, days.map(\.day.start),
            days.map { $0.day.advanced(byDays: 1).start },
        ]
        let scope = scope(filter)
        for row in try connection.query(scope.openings, parameters) {
            try days[row.get("number", as: Int.self) - 1].openings.take(row)
        }
        for row in try connection.query(scope.closings, parameters) {
            try days[row.get("number", as: Int.self) - 1].closings.take(row)
        }
        return CalendarMonth(month: month, days: days)
    }

    static let today = Statement(
        "calendar_today", "select (now() at time zone 'Asia/Seoul')::date as today")

    /// The day in Korea by the database's clock.
    static func today(in connection: Connection) throws(PostgresError) -> KoreanDay {
        try connection.query(today)[0].day("today")
    }

    // MARK: The feed

    /// Off the index on closing times, from the window's edge on, or off the influencer's. $3 is
    /// the edge.
    private static func list(_ name: StaticString, _ condition: String) -> Statement {
        Statement(
            name,
            """
            with few as (
                select g.id, g.close_at
                from gonggus g
                where g.hidden_at is null and g.suspended_at is null and g.close_at >= $3
                    and \(condition)
                order by g.close_at, g.id
                limit \(CalendarFeed.gonggusMax)
            )
            select \(names)
            from few
            \(shown)
            order by few.close_at, few.id
            """)
    }

    // Of all gonggus, since one that leaves the feed changes it as well.
    static let change = Statement(
        "calendar_change",
        "select updated_at from gonggus order by updated_at desc limit 1")

    /// What the feed shows, and since when it may be so.
    static func feed(
        _ filter: CalendarFilter, in connection: Connection
    ) throws(PostgresError) -> (gonggus: [CalendarGonggu], changedAt: Timestamp) {
        let today = try today(in: connection).start
        let edge = today.advanced(bySeconds: -Int64(CalendarFeed.pastDays) * 86_400)
        let rows = try connection.query(
            scope(filter).feed, [filter.influencer, filter.category, edge])
        let changed: Timestamp? = try connection.query(change).first
            .map { row throws(PostgresError) in try row.get("updated_at") }
        return (
            try rows.map { row throws(PostgresError) in try CalendarGonggu(row) },
            max(today, changed ?? today)
        )
    }
}

extension CalendarSlot {
    /// Another of the day's, in order.
    fileprivate mutating func take(_ row: Row) throws(PostgresError) {
        total = try row.get("total")
        items.append(try CalendarGonggu(row))
    }
}

extension CalendarGonggu {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        influencerID = try row.get("influencer_id")
        influencerNickname = try row.get("influencer_nickname")
        title = try row.get("title")
        thumbnail = try row.get("thumbnail")
        originalPrice = try row.get("original_price")
        gongguPrice = try row.get("gonggu_price")
        shortCode = try row.get("short_code")
        openAt = try row.get("open_at")
        closeAt = try row.get("close_at")
        createdAt = try row.get("created_at")
        updatedAt = try row.get("updated_at")
    }
}
