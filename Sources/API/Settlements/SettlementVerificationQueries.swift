import Clicks
import Postgres

// SQL of verification. It reads what was stored; what it writes goes to temporary tables that have
// the names used here.

/// SQL of verification.
package enum SettlementVerificationQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        stored, archivedDays, wrongCorrections, recount, recountGonggus, differentLines,
    ]

    static let stored = Statement(
        "verify_stored",
        """
        select encode(manifest_sha256, 'hex') as manifest, minimum_payout_won
        from settlement_months
        where month = $1 and status = 'closed'
        """)

    /// Of the days that the month pays for, or whose clicks it corrects, those whose clicks are not
    /// all in the ledger: a part was detached and is not restored, or the day has no partition.
    static let archivedDays = Statement(
        "verify_archived_days",
        """
        with corrected as (
            select clicked_at, id from settlement_corrections where month = $1
            union
            select clicked_at, id from late_clicks where drafted_month = $1
            union
            select clicked_at, id from revised_clicks where drafted_month = $1
        ),
        asked as (
            select day from click_day_seals where settled_month = $1 and clicks > 0
            union
            select korean_day(corrected.clicked_at)
            from corrected
            left join click_trackings as click
                on click.clicked_at = corrected.clicked_at and click.id = corrected.id
            where click.id is null
        ),
        parts as (
            select asked.day, bool_and(part.state = 'archived') as is_restorable
            from asked
            join click_archives as part on part.day = asked.day
            where part.state in ('detached', 'written', 'archived')
            group by asked.day
        )
        select asked.day, coalesce(parts.is_restorable, false) as is_restorable
        from asked
        left join parts on parts.day = asked.day
        where parts.day is not null or not exists (
            select from pg_inherits
            where inhparent = 'click_trackings'::regclass
                and inhrelid = to_regclass(click_table_name('trackings', asked.day))
        )
        order by asked.day
        limit 4000
        """)

    static func archivedDays(
        of month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) -> [VerificationReport.ArchivedDay] {
        try connection.query(archivedDays, [month.date]).map { row throws(PostgresError) in
            VerificationReport.ArchivedDay(
                day: try row.day("day"), isRestorable: try row.get("is_restorable"))
        }
    }

    /// Of each click the month's draft looked at: it is stored, unless its day is one of $3; the
    /// correction names its gonggu, month and rate; what is paid after it is between nothing and
    /// the whole click; and if nothing was noted since, it is what the click is worth.
    static let wrongCorrections = Statement(
        "verify_corrections",
        """
        with looked_at as (
            select clicked_at, id from settlement_corrections where month = $1
            union
            select clicked_at, id from late_clicks where drafted_month = $1
            union
            select clicked_at, id from revised_clicks where drafted_month = $1
        ),
        judged as (
            select seen.clicked_at, seen.id, click.gonggu_id, click.click_count, fix.gonggu_id as g,
                fix.corrects_month, fix.rate_won,
                case when click.verdict = 0 then click.click_count else 0 end as worth,
                case
                    when late.id is null
                        and coalesce(revised.sealed_verdict, click.verdict) = 0
                        then click.click_count
                    else 0
                end + coalesce((
                    select sum(clicks) from settlement_corrections as paid
                    where paid.clicked_at = seen.clicked_at and paid.id = seen.id
                        and paid.month <= $1
                ), 0)::bigint as paid,
                fix.id is not null as is_corrected,
                coalesce(revised.drafted_month, late.drafted_month) = $1
                    and (revised.id is null or revised.drafted_month is not null) as is_last
            from looked_at as seen
            left join final_clicks as click
                on click.clicked_at = seen.clicked_at and click.id = seen.id
            left join settlement_corrections as fix
                on fix.clicked_at = seen.clicked_at and fix.id = seen.id and fix.month = $1
            left join late_clicks as late
                on late.clicked_at = seen.clicked_at and late.id = seen.id
            left join revised_clicks as revised
                on revised.clicked_at = seen.clicked_at and revised.id = seen.id
        ),
        told as (
            select clicked_at, id, case
                when gonggu_id is null and korean_day(clicked_at) = any ($3::date[]) then null
                when gonggu_id is null then 'the click is not stored'
                when is_corrected and g <> gonggu_id then 'it names another gonggu'
                when is_corrected and corrects_month <> korean_month(clicked_at)
                    then 'it names another month'
                when is_corrected
                    and rate_won is distinct from cpc_rate_at(gonggu_id, korean_day(clicked_at))
                    then 'it is of another rate'
                when paid < 0 or paid > click_count
                    then 'paid are ' || paid || ' of ' || click_count || ' clicks'
                when is_last and paid <> worth
                    then 'paid are ' || paid || ' clicks, valid are ' || worth
            end as fault
            from judged
        )
        select clicked_at, id, fault
        from told
        where fault is not null
        order by clicked_at, id
        limit $2
        """)

    static let recount = Statement(
        "verify_recount",
        "update click_day_seals set clicks = $2, sha256 = $3 where day = $1")

    static let recountGonggus = Statement(
        "verify_recount_gonggus",
        """
        insert into click_day_counts (day, gonggu_id, clicks)
        select $1, gonggu_id, clicks
        from unnest($2::uuid[], $3::bigint[]) as counted (gonggu_id, clicks)
        """)

    /// Over a table that ``shadow(_:in:)`` makes.
    static let differentLines = Statement(
        "verify_lines",
        """
        with found as (select line from settlement_manifest($1) as line)
        (
            select true as is_stored, line
            from (select line from stored_manifest except select line from found) as missing
            order by line limit $2
        )
        union all
        (
            select false as is_stored, line
            from (select line from found except select line from stored_manifest) as added
            order by line limit $2
        )
        """)

    /// From here on the names of settlement's tables mean copies without this month's results. Days
    /// that cannot be recounted keep what their seals say.
    static func shadow(
        _ month: KoreanMonth, keeping kept: [KoreanDay], in connection: Connection
    ) throws(PostgresError) {
        let (this, previous) = ("'\(month.firstDay.text)'", "'\(month.previous.firstDay.text)'")
        let days = "'{\(kept.map(\.text).joined(separator: ","))}'::date[]"
        try connection.run(
            script: """
                create temp table stored_manifest on commit drop as
                    select line from settlement_manifest(\(this)) as line;
                create temp table click_day_counts on commit drop as
                    select count.* from click_day_counts as count
                    join click_day_seals as seal on seal.day = count.day
                    where seal.settled_month = \(this) and seal.day = any (\(days));
                create temp table click_day_seals on commit drop as
                    select day, null::date as settled_month,
                        case when day = any (\(days)) then clicks end as clicks,
                        case when day = any (\(days)) then sha256 end as sha256
                    from click_day_seals where settled_month = \(this);
                create temp table settlement_adjustments on commit drop as
                    select sequence, influencer_id, amount_won, corrects_month, reason,
                        null::date as settled_month
                    from settlement_adjustments where settled_month = \(this);
                create temp table settlements on commit drop as
                    select * from settlements where month = \(previous);
                create unique index on settlements (month, influencer_id);
                create temp table settlement_lines on commit drop as
                    select * from settlement_lines limit 0;
                create temp table settlement_months on commit drop as
                    select * from settlement_months where month = \(this);
                update settlement_months set status = 'draft', settlements = 0, lines = 0,
                    sealed_clicks = 0, corrected_clicks = 0, settled_clicks = 0, lines_won = 0,
                    carried_in_won = 0, payable_won = 0, carried_out_won = 0;
                """)
    }
}
