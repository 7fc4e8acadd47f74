import Clicks
import Postgres

// SQL on days: which there are, whether they may be counted, and the stream that is hashed. The
// tables of a day's notes are small beside its clicks; the stream itself is the only statement of
// the whole room whose cost grows with clicks.

/// SQL on click_day_seals and click_day_counts.
package enum DaySealQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        openDays, freeze, readiness, seal, addCounts, settledDays, storedCounts,
    ]

    static let openDays = Statement(
        "day_seals_open",
        """
        with present as (
            select to_date(substring(child.relname from '^click_trackings_([0-9]{8})$'), 'YYYYMMDD')
                as day
            from pg_inherits as tree
            join pg_class as child on child.oid = tree.inhrelid
            where tree.inhparent = 'click_trackings'::regclass
        )
        select present.day
        from present
        left join click_day_seals as seal on seal.day = present.day
        where present.day < $1 and seal.sha256 is null
        order by present.day
        limit 4000
        """)

    /// Days that have a partition, are before `end` and not sealed, in order.
    static func openDays(
        before end: KoreanDay, in connection: Connection
    ) throws(PostgresError) -> [KoreanDay] {
        try connection.query(openDays, [end.date]).map { row throws(PostgresError) in
            try row.day("day")
        }
    }

    static let freeze = Statement("day_seals_freeze", "select freeze_click_day($1) as is_frozen")

    /// In a transaction of its own; false where the day has no partition.
    static func freeze(_ day: KoreanDay, in connection: Connection) throws -> Bool {
        try connection.transaction { connection in
            try connection.query(freeze, [day.date])[0].get("is_frozen")
        }
    }

    /// Whether one finished run over the day has read every click that was there when it was
    /// frozen. Rows are only added, so a run that read as many read them all, unless it met late
    /// ones while others were still being written, that is unless the day was frozen in the middle
    /// of it.
    static let readiness = Statement(
        "day_seals_readiness",
        """
        with counted as (
            select
                (
                    select count(*) from click_trackings
                    where clicked_at >= $2 and clicked_at < $3
                ) as rows,
                (
                    select count(*) from late_clicks
                    where clicked_at >= $2 and clicked_at < $3
                ) as late
        )
        select counted.rows - counted.late as rows, exists (
            select
            from adjudication_days as read
            join adjudication_runs as run on run.id = read.run_id and run.state = 'finished'
            join click_day_seals as seal on seal.day = $1
            where read.day = $1 and read.rows_read >= counted.rows - counted.late
                and (
                    counted.late = 0 or run.started_at >= seal.frozen_at
                    or run.finished_at <= seal.frozen_at)
        ) as is_read
        from counted
        """)

    /// Rows of the frozen day, and whether they are adjudicated.
    static func readiness(
        of day: KoreanDay, in connection: Connection
    ) throws(PostgresError) -> (rows: Int, isAdjudicated: Bool) {
        let end = day.advanced(byDays: 1).start
        let row = try connection.query(readiness, [day.date, day.start, end])[0]
        let rows: Int = try row.get("rows")
        let isRead: Bool = try row.get("is_read")
        return (rows, rows == 0 || isRead)
    }

    static let seal = Statement(
        "day_seals_seal",
        "update click_day_seals set clicks = $2, sha256 = $3 where day = $1 and sha256 is null")

    static let addCounts = Statement(
        "day_counts_add",
        """
        insert into click_day_counts (day, gonggu_id, clicks)
        select $1, gonggu_id, clicks
        from unnest($2::uuid[], $3::bigint[]) as counted (gonggu_id, clicks)
        """)

    /// Writes what was counted; false where somebody else sealed the day meanwhile.
    static func seal(
        _ day: KoreanDay, _ count: DayCount, in connection: Connection
    ) throws(PostgresError) -> Bool {
        let gonggus = count.clicks.keys.sorted()
        let sealed = try connection.execute(seal, [day.date, count.total, count.sha256])
        guard sealed == 1 else { return false }
        try connection.execute(addCounts, [day.date, gonggus, gonggus.map { count.clicks[$0]! }])
        return true
    }

    static let settledDays = Statement(
        "day_seals_settled",
        """
        select day, clicks, sha256
        from click_day_seals
        where settled_month = $1
        order by day
        limit 4000
        """)

    /// The seals that a closed month pays for.
    static func settledDays(
        of month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) -> [(day: KoreanDay, clicks: Int, sha256: [UInt8])] {
        try connection.query(settledDays, [month.date]).map { row throws(PostgresError) in
            (try row.day("day"), try row.get("clicks"), try row.get("sha256"))
        }
    }

    static let storedCounts = Statement(
        "day_counts_stored", "select gonggu_id, clicks from click_day_counts where day = $1")

    /// Valid clicks of a sealed day by gonggu; as many rows as gonggus were clicked.
    static func storedCounts(
        of day: KoreanDay, in connection: Connection
    ) throws(PostgresError) -> [Identifier: Int] {
        var clicks: [Identifier: Int] = [:]
        for row in try connection.query(storedCounts, [day.date]) {
            clicks[try row.get("gonggu_id")] = try row.get("clicks", as: Int.self)
        }
        return clicks
    }
}
