import Clicks
import Postgres

// SQL of verification. It reads what was stored; what it writes goes to temporary tables that have
// the names used here.

/// SQL of verification.
package enum SettlementVerificationQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [stored, wrongCorrections, recount, recountGonggus]

    static let stored = Statement(
        "verify_stored",
        """
        select encode(manifest_sha256, 'hex') as manifest, minimum_payout_won
        from settlement_months
        where month = $1 and status = 'closed'
        """)

    /// Of each click the month's draft looked at: the correction names its gonggu, month and rate;
    /// what is paid after it is between nothing and the whole click; and if nothing was noted
    /// since, it is what the click is worth.
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
}
