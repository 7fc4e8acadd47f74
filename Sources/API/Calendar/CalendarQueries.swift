import Clicks
import Postgres

/// SQL on what opens and closes when. Suspended and deleted gonggus are in none of the answers.
package enum CalendarQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [openings, closings, feed, change, today]

    private static let columns = """
        g.id, g.influencer_id, u.nickname as influencer_nickname, g.title, g.thumbnail,
        g.original_price, g.gonggu_price, g.short_code, g.open_at, g.close_at, g.created_at,
        g.updated_at
        """

    private static let filter = """
        g.hidden_at is null and g.suspended_at is null
        and ($1::uuid is null or g.influencer_id = $1)
        and ($2::uuid is null or exists (
            select 1 from gonggu_categories gc
            where gc.gonggu_id = g.id and gc.category_id = $2
        ))
        """

    // MARK: A month

    /// Each day of a list for itself, off the index of its column: the first of it by number and
    /// the count, then the rows of those few.
    private static func moments(_ name: StaticString, _ column: StaticString) -> Statement {
        Statement(
            name,
            """
            select d.number, counted.total, \(columns)
            from unnest($3::timestamptz[], $4::timestamptz[])
                with ordinality as d (begins_at, ends_at, number)
            cross join lateral (
                select count(*) as total
                from gonggus g
                where g.\(column) >= d.begins_at and g.\(column) < d.ends_at and \(filter)
            ) counted
            cross join lateral (
                select g.id
                from gonggus g
                where g.\(column) >= d.begins_at and g.\(column) < d.ends_at and \(filter)
                order by g.\(column), g.id
                limit $5
            ) few
            join gonggus g on g.id = few.id
            join users u on u.id = g.influencer_id
            order by d.number, g.\(column), g.id
            """)
    }

    private static let openings = moments("calendar_openings", "open_at")
    private static let closings = moments("calendar_closings", "close_at")

    /// A month, day by day.
    static func month(
        _ month: KoreanMonth, _ filter: CalendarFilter, in connection: Connection
    ) throws(PostgresError) -> CalendarMonth {
        var days = month.days.map { CalendarDay(day: $0) }
        let parameters: [(any PostgresEncodable)?] = [
            filter.influencer, filter.category, days.map(\.day.start),
            days.map { $0.day.advanced(byDays: 1).start }, CalendarMonth.itemsMax,
        ]
        for row in try connection.query(openings, parameters) {
            try days[row.get("number", as: Int.self) - 1].openings.take(row)
        }
        for row in try connection.query(closings, parameters) {
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

    /// Off the index on closing times, from the window's edge on.
    static let feed = Statement(
        "calendar_feed",
        """
        with few as (
            select g.id
            from gonggus g
            where g.close_at >= $3 and \(filter)
            order by g.close_at, g.id
            limit $4
        )
        select \(columns)
        from few
        join gonggus g on g.id = few.id
        join users u on u.id = g.influencer_id
        order by g.close_at, g.id
        """)

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
            feed, [filter.influencer, filter.category, edge, CalendarFeed.gonggusMax])
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
