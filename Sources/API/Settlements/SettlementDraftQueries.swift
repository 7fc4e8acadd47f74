import Clicks
import Postgres

// SQL that makes a draft out of sealed days. Verification runs the same statements over recounted
// tables of the same names, so none of them names a schema. Their cost grows with gonggus × days
// and with what was noted since, never with clicks.

/// SQL that writes a month's draft.
package enum SettlementDraftQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        forgetLate, forgetRevised, deleteCorrections, deleteLines, deleteSettlements,
        emptySettlements, open, insertCorrections, unrated, insertLines, upsertSettlements, total,
        ledgerTotals, manifest, keepManifest,
    ]

    // MARK: Beginning anew

    static let forgetLate = Statement(
        "draft_forget_late", "update late_clicks set drafted_month = null where drafted_month = $1")
    static let forgetRevised = Statement(
        "draft_forget_revised",
        "update revised_clicks set drafted_month = null where drafted_month = $1")
    static let deleteCorrections = Statement(
        "draft_delete_corrections", "delete from settlement_corrections where month = $1")
    static let deleteLines = Statement(
        "draft_delete_lines", "delete from settlement_lines where month = $1")
    /// Holds outlive a draft.
    static let deleteSettlements = Statement(
        "draft_delete_settlements", "delete from settlements where month = $1 and held_at is null")
    static let emptySettlements = Statement(
        "draft_empty_settlements",
        """
        update settlements
        set clicks = 0, lines_won = 0, carried_in_won = 0, payable_won = 0, carried_out_won = 0
        where month = $1
        """)

    static let open = Statement(
        "draft_open",
        """
        insert into settlement_months (month, drafted_by, minimum_payout_won)
        values ($1, $2, $3)
        on conflict (month) do update
        set drafted_at = clock_timestamp(), drafted_by = excluded.drafted_by,
            minimum_payout_won = excluded.minimum_payout_won
        """)

    /// Takes back what an earlier draft of the month wrote.
    static func begin(
        _ month: KoreanMonth, by drafter: Identifier, minimumPayoutWon: Int,
        in connection: Connection
    ) throws(PostgresError) {
        for statement in [
            forgetLate, forgetRevised, deleteCorrections, deleteLines, deleteSettlements,
            emptySettlements,
        ] {
            try connection.execute(statement, [month.date])
        }
        try connection.execute(open, [month.date, drafter, minimumPayoutWon])
    }

    // MARK: What was noted since days were frozen

    /// A late click is taken up once the day's adjudication has read as many clicks as the day
    /// has; until then it waits. What a click is paid already is its part of the seal and all of
    /// its corrections; what it is worth now is its final verdict's; the rest is the correction.
    static let insertCorrections = Statement(
        "draft_corrections",
        """
        with noted as (
            select clicked_at, id from late_clicks
            where drafted_month is null and clicked_at < $2
            union
            select clicked_at, id from revised_clicks
            where drafted_month is null and clicked_at < $2
        ),
        late_days as materialized (
            select late.day, (
                select max(read.clicks_read)
                from adjudication_days as read
                join adjudication_runs as run on run.id = read.run_id
                where read.day = late.day and run.state = 'finished'
            ) >= (
                select sum(clicks) from click_stats
                where hour >= late.day::timestamp at time zone '+09:00'::interval
                    and hour < (late.day + 1)::timestamp at time zone '+09:00'::interval
            ) as is_read
            from (
                select distinct korean_day(clicked_at) as day
                from late_clicks
                where drafted_month is null and clicked_at < $2
            ) as late
        ),
        judged as materialized (
            select noted.clicked_at, noted.id, final.gonggu_id,
                case when final.verdict = 0 then final.click_count else 0 end as worth,
                case
                    when late.id is null and revised.sealed_verdict = 0 then final.click_count
                    else 0
                end + coalesce((
                    select sum(clicks) from settlement_corrections as paid
                    where paid.clicked_at = noted.clicked_at and paid.id = noted.id
                ), 0)::bigint as paid,
                late.id is null or late.drafted_month is not null or late_days.is_read as is_ready
            from noted
            join final_clicks as final
                on final.clicked_at = noted.clicked_at and final.id = noted.id
            left join late_clicks as late
                on late.clicked_at = noted.clicked_at and late.id = noted.id
            left join revised_clicks as revised
                on revised.clicked_at = noted.clicked_at and revised.id = noted.id
            left join late_days
                on late_days.day = korean_day(noted.clicked_at)
        ),
        late_taken as (
            update late_clicks as late set drafted_month = $1
            from judged
            where judged.is_ready and late.clicked_at = judged.clicked_at and late.id = judged.id
                and late.drafted_month is null
        ),
        revised_taken as (
            update revised_clicks as revised set drafted_month = $1
            from judged
            where judged.is_ready and revised.clicked_at = judged.clicked_at
                and revised.id = judged.id and revised.drafted_month is null
        )
        insert into settlement_corrections
            (clicked_at, id, month, gonggu_id, corrects_month, clicks, rate_won)
        select clicked_at, id, $1, gonggu_id, korean_month(clicked_at), worth - paid,
            cpc_rate_at(gonggu_id, korean_day(clicked_at))
        from judged
        where is_ready and worth <> paid
        """)

    /// Settles what came late or was judged anew before the month's end.
    static func insertCorrections(
        _ month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(insertCorrections, [month.date, month.end])
    }

    // MARK: Lines

    private static let counted = """
        counted as (
            select each.gonggu_id, date_trunc('month', each.day)::date as corrects_month,
                cpc_rate_at(each.gonggu_id, each.day) as rate_won, each.clicks
            from click_day_seals as seal
            join click_day_counts as each on each.day = seal.day
            where seal.settled_month is null and seal.day < $2
            union all
            select gonggu_id, corrects_month, rate_won, clicks
            from settlement_corrections
            where month = $1
        )
        """

    /// Days before the first default are all that can have none, so a million rates are not looked
    /// up twice.
    static let unrated = Statement(
        "draft_unrated",
        """
        select each.gonggu_id
        from click_day_seals as seal
        join click_day_counts as each on each.day = seal.day
        where seal.settled_month is null and seal.day < $2
            and seal.day < coalesce(
                (
                    select min(effective_from) from cpc_rates
                    where gonggu_id is null and influencer_id is null
                ), 'infinity')
            and cpc_rate_at(each.gonggu_id, each.day) is null
        union all
        select gonggu_id
        from settlement_corrections
        where month = $1 and rate_won is null
        limit 1
        """)

    static let insertLines = Statement(
        "draft_lines",
        """
        with \(counted),
        summed as (
            select gonggu_id, corrects_month, rate_won, sum(clicks)::bigint as clicks
            from counted
            group by gonggu_id, corrects_month, rate_won
            having sum(clicks) <> 0
        ),
        entries as (
            select gonggu.influencer_id,
                case when summed.corrects_month = $1 then 'clicks' else 'correction' end as kind,
                summed.gonggu_id, summed.corrects_month, summed.clicks, summed.rate_won,
                summed.clicks * summed.rate_won as amount_won, gonggu.title, '' as note,
                0::bigint as sequence
            from summed
            join gonggus as gonggu on gonggu.id = summed.gonggu_id
            union all
            select influencer_id, 'manual', null, corrects_month, 0, null, amount_won, '',
                reason, sequence
            from settlement_adjustments
            where settled_month is null and corrects_month <= $1
        )
        insert into settlement_lines (
            month, influencer_id, number, kind, gonggu_id, corrects_month, clicks, rate_won,
            amount_won, title, note
        )
        select $1, influencer_id,
            row_number() over (
                partition by influencer_id
                order by kind, corrects_month, gonggu_id, rate_won, sequence),
            kind, gonggu_id, corrects_month, clicks, rate_won, amount_won, title, note
        from entries
        """)

    /// A line a gonggu, month and rate, and one an adjustment. Throws where clicks have no rate.
    static func insertLines(_ month: KoreanMonth, in connection: Connection) throws {
        let end = month.next.date
        if let row = try connection.query(unrated, [month.date, end]).first {
            throw SettlementRefusal.rateMissing(gonggu: try row.get("gonggu_id"))
        }
        try connection.execute(insertLines, [month.date, end])
    }

    // MARK: Settlements

    /// Whoever has lines, or a balance from the month before. Below the minimum, and below one won,
    /// all of it is carried on.
    static let upsertSettlements = Statement(
        "draft_settlements",
        """
        with entered as (
            select influencer_id, sum(clicks)::bigint as clicks, sum(amount_won)::bigint as won
            from settlement_lines
            where month = $1
            group by influencer_id
        ),
        carried as (
            select influencer_id, carried_out_won as won
            from settlements
            where month = $2 and carried_out_won <> 0
        ),
        due as (
            select influencer_id, coalesce(entered.clicks, 0) as clicks,
                coalesce(entered.won, 0) as lines_won, coalesce(carried.won, 0) as carried_in_won
            from entered
            full join carried using (influencer_id)
        )
        insert into settlements (
            id, month, influencer_id, nickname, clicks, lines_won, carried_in_won, payable_won,
            carried_out_won
        )
        select settlement_id($1, influencer_id), $1, influencer_id, person.nickname, clicks,
            lines_won, carried_in_won,
            case
                when lines_won + carried_in_won >= greatest($3::bigint, 1)
                    then lines_won + carried_in_won
                else 0
            end,
            case
                when lines_won + carried_in_won >= greatest($3::bigint, 1) then 0
                else lines_won + carried_in_won
            end
        from due
        join users as person on person.id = due.influencer_id
        on conflict (month, influencer_id) do update
        set nickname = excluded.nickname, clicks = excluded.clicks, lines_won = excluded.lines_won,
            carried_in_won = excluded.carried_in_won, payable_won = excluded.payable_won,
            carried_out_won = excluded.carried_out_won
        """)

    static func upsertSettlements(
        _ month: KoreanMonth, minimumPayoutWon: Int, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(
            upsertSettlements, [month.date, month.previous.date, minimumPayoutWon])
    }

    // MARK: Control totals and the hash

    static let total = Statement(
        "draft_total",
        """
        update settlement_months
        set (settlements, settled_clicks, lines_won, carried_in_won, payable_won, carried_out_won)
            = (
                select count(*), coalesce(sum(clicks), 0), coalesce(sum(lines_won), 0),
                    coalesce(sum(carried_in_won), 0), coalesce(sum(payable_won), 0),
                    coalesce(sum(carried_out_won), 0)
                from settlements
                where month = $1
            ),
            lines = (select count(*) from settlement_lines where month = $1),
            sealed_clicks = (
                select coalesce(sum(clicks), 0)
                from click_day_seals
                where settled_month is null and sha256 is not null and day < $2
            ),
            corrected_clicks = (
                select coalesce(sum(clicks), 0) from settlement_corrections where month = $1
            )
        where month = $1
        """)

    /// Adds up what was written.
    static func total(_ month: KoreanMonth, in connection: Connection) throws(PostgresError) {
        try connection.execute(total, [month.date, month.next.date])
    }

    /// Two ways to the same number: what statistics count as valid on gonggus, which Ingest and
    /// adjudication write, against what is sealed, corrected and waiting.
    static let ledgerTotals = Statement(
        "draft_ledger_totals",
        """
        with ledger as (
            select coalesce(sum(clicks), 0)::bigint as gross,
                coalesce(sum(clicks) filter (where verdict = 0), 0)::bigint as valid,
                coalesce(sum(clicks) filter (where verdict in (2, 8)), 0)::bigint as held
            from click_stats
            where hour >= $2 and hour < $3
                and gonggu_id not in (select id from unpaid_links)
        ),
        waiting as (
            select coalesce(sum(final.click_count) filter (where final.verdict = 0), 0)::bigint
                as clicks
            from late_clicks as late
            join final_clicks as final
                on final.clicked_at = late.clicked_at and final.id = late.id
            where late.drafted_month is null and late.clicked_at >= $2 and late.clicked_at < $3
        ),
        settled as (
            select
                (
                    select coalesce(sum(clicks), 0)::bigint from click_day_seals
                    where day >= $1 and day < $4
                ) + (
                    select coalesce(sum(clicks), 0)::bigint from settlement_corrections
                    where corrects_month = $1
                ) as clicks
        )
        update settlement_months
        set gross_clicks = ledger.gross, valid_clicks = ledger.valid, held_clicks = ledger.held,
            rejected_clicks = ledger.gross - ledger.valid - ledger.held,
            pending_clicks = waiting.clicks,
            unexplained_clicks = ledger.valid - waiting.clicks - settled.clicks
        from ledger, waiting, settled
        where month = $1
        """)

    static func totalLedger(_ month: KoreanMonth, in connection: Connection) throws(PostgresError) {
        try connection.execute(
            ledgerTotals, [month.date, month.start, month.end, month.next.date])
    }

    static let manifest = Statement(
        "draft_manifest",
        """
        select sha256(convert_to(string_agg(line || chr(10), '' order by place), 'UTF8')) as sha256
        from settlement_manifest($1) with ordinality as manifest (line, place)
        """)

    /// The 32 bytes over all that the month pays.
    static func manifest(
        of month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) -> [UInt8] {
        try connection.query(manifest, [month.date])[0].get("sha256")
    }

    static let keepManifest = Statement(
        "draft_keep_manifest",
        "update settlement_months set manifest_sha256 = $2 where month = $1")

    static func keepManifest(
        _ sha256: [UInt8], of month: KoreanMonth, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(keepManifest, [month.date, sha256])
    }
}
