import Clicks
import Postgres

// The one statement of settlement whose cost grows with clicks. It is a COPY, which cannot be
// prepared and takes no parameters; the only thing spelt into it is a day.

/// The clicks that a sealed day consists of.
package enum DayStreamQueries {
    /// The valid clicks on gonggus of a day as they were when it was frozen, in the order that is
    /// hashed: what was noted since is left out, or taken with the verdict it had. Banners' are
    /// paid to nobody.
    ///
    /// The ledger's and the verdicts' tables are joined here rather than by the view final_clicks:
    /// named with the day, both are read for that day alone. Merged along the ledger's key, since
    /// sorting or hashing three million rows a day costs more than reading them in order.
    package static func statement(of day: KoreanDay) -> Statement {
        let period =
            "'\(day.text) 00:00+09' and %.clicked_at < '\(day.advanced(byDays: 1).text) "
            + "00:00+09'"
        func within(_ table: String) -> String {
            "\(table).clicked_at >= " + period.replacing("%", with: table)
        }
        return Statement(
            "day_stream",
            """
            copy (
                select click.clicked_at, click.id, click.gonggu_id, click.click_count
                from click_trackings as click
                left join (
                    select noted.clicked_at, noted.id, min(noted.verdict) as verdict
                    from (
                        select final.clicked_at, final.click_id as id, final.verdict::int
                        from final_verdicts as final
                        where \(within("final")) and not exists (
                            select from revised_clicks as revised
                            where revised.clicked_at = final.clicked_at
                                and revised.id = final.click_id
                        )
                        union all
                        select revised.clicked_at, revised.id, revised.sealed_verdict::int
                        from revised_clicks as revised
                        where \(within("revised"))
                        union all
                        -- Below every verdict: whatever else is noted, it is not of the day.
                        select late.clicked_at, late.id, -1
                        from late_clicks as late
                        where \(within("late"))
                    ) as noted
                    group by noted.clicked_at, noted.id
                ) as noted on noted.clicked_at = click.clicked_at and noted.id = click.id
                where \(within("click")) and coalesce(noted.verdict, click.verdict) = 0
                    and click.gonggu_id not in (select id from unpaid_links)
                order by click.clicked_at, click.id
            ) to stdout (format binary)
            """)
    }

    /// Runs the stream, within a transaction, by the plan that goes along the key.
    ///
    /// - Returns: rows.
    static func copyOut(
        _ day: KoreanDay, in connection: Connection, _ take: (UnsafeRawBufferPointer) -> Void
    ) throws -> Int {
        try connection.run(
            script: """
                set local enable_hashjoin = off; set local enable_nestloop = off;
                set local work_mem = '64MB'; set local jit = off; set local enable_seqscan = off;
                set local enable_bitmapscan = off; set local max_parallel_workers_per_gather = 0;
                """)
        defer {
            // If the transaction is broken its settings are gone with it.
            try? connection.run(
                script: """
                    set local enable_hashjoin = on; set local enable_nestloop = on;
                    set local enable_seqscan = on; set local enable_bitmapscan = on;
                    """)
        }
        return try connection.copyOut(statement(of: day), take)
    }
}
