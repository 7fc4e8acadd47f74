import Clicks
import Postgres

/// Where a run stands.
package enum RunState: String, CaseIterable, Sendable {
    case waiting
    case running
    case finished
    /// It cannot be made as it was asked for; the failure says why.
    case failed
}

/// One adjudication of a period.
package struct AdjudicationRun: Sendable {
    package let id: Identifier
    package let from: Timestamp
    /// Not included.
    package let to: Timestamp
    package let ruleSet: String
    package let state: RunState
    package let failure: String
    package let requestedAt: Timestamp
    package let finishedAt: Timestamp?
    package let rows: Int
    package let clicks: Int
    package let changes: Int
    /// Who asked; nil for a command on the server.
    let by: Identifier?
    /// What is judged and committed; nil before the first page.
    let place: ClickPlace?
}

/// SQL on rule_sets and adjudication_runs.
package enum RunQueries {
    static let statements = [
        ruleSets, ruleSet, addRuleSet, unfinished, insert, select, list, tryLock, unlock, advance,
        noteDay, finish, fail, moves, gonggus, rulesOver, overlapping, now,
    ]

    private static let ruleSets = Statement(
        "rule_sets",
        """
        select version, name, window_seconds, flood_clicks_per_minute, bot_table, datacenters
        from rule_sets
        order by version desc
        limit 1000
        """)

    private static let ruleSet = Statement(
        "rule_set",
        """
        select version, name, window_seconds, flood_clicks_per_minute, bot_table, datacenters
        from rule_sets
        where name = $1
        """)

    private static func rules(_ row: Row) throws(PostgresError) -> AdjudicationRules {
        AdjudicationRules(
            version: try row.get(0), name: try row.get(1), windowSeconds: try row.get(2),
            floodClicksPerMinute: try row.get(3), botTable: try row.get(4),
            datacenters: try row.get(5))
    }

    /// All of them, the newest first.
    static func ruleSets(
        in connection: Connection
    ) throws(PostgresError) -> [AdjudicationRules] {
        try connection.query(ruleSets).map(rules)
    }

    /// The rules of that name, which this build can apply.
    static func ruleSet(named name: String, in connection: Connection) throws -> AdjudicationRules {
        guard let row = try connection.query(ruleSet, [name]).first else {
            throw AdjudicationRefusal.ruleSetUnknown
        }
        let rules = try rules(row)
        guard rules.isKnownHere else { throw AdjudicationRefusal.ruleSetNotHere }
        return rules
    }

    private static let addRuleSet = Statement(
        "rule_set_add",
        """
        insert into rule_sets
            (version, name, window_seconds, flood_clicks_per_minute, bot_table, datacenters, note)
        select greatest(max(version) + 1, 1000), $1, $2, $3, $4, $5, $6
        from rule_sets
        returning version
        """)

    /// A new rule set with this build's lists; its version follows the highest, and 999, below
    /// which builds have theirs.
    static func addRuleSet(
        name: String, windowSeconds: Int, floodClicksPerMinute: Int, botTable: Int,
        datacenters: String, note: String, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.query(
            addRuleSet,
            [name, windowSeconds, floodClicksPerMinute, botTable, datacenters, note])[0].get(0)
    }

    private static let now = Statement("adjudication_now", "select now()")

    static func now(in connection: Connection) throws(PostgresError) -> Timestamp {
        try connection.query(now)[0].get(0)
    }

    // MARK: Runs

    /// What was asked for before and is not finished: the same beginning and rules, and an end on
    /// the same day.
    private static let unfinished = Statement(
        "adjudication_unfinished",
        """
        select run.id
        from adjudication_runs as run
        join rule_sets on rule_sets.version = run.rule_set
        where run.state in ('waiting', 'running')
            and run.from_at = $1
            and run.to_at > $2::timestamptz - interval '1 day' and run.to_at <= $2
            and rule_sets.name = $3
        """)

    private static let insert = Statement(
        "adjudication_insert",
        """
        insert into adjudication_runs (from_at, to_at, rule_set, requested_by)
        values ($1, least($2, now()), $3, $4)
        returning id
        """)

    /// Asks for a run, or finds the same one unfinished. A period that is not over ends now: what
    /// is clicked later no run has seen. Refused over clicks that a decision is being applied to.
    static func request(
        _ period: AdjudicationPeriod, rules: AdjudicationRules, by: Identifier?,
        in connection: Connection
    ) throws -> Identifier {
        try connection.transaction { connection in
            try LedgerQueries.lockAll(in: connection)
            let known = try connection.query(unfinished, [period.start, period.end, rules.name])
            if let row = known.first { return try row.get(0) }
            guard try period.start < now(in: connection) else { throw AdjudicationRefusal.notYet }
            guard
                try !DecisionQueries.isUnderWay(
                    from: period.start, to: period.end, in: connection)
            else { throw AdjudicationRefusal.underWay }
            do throws(PostgresError) {
                return try connection.query(
                    insert, [period.start, period.end, rules.version, by])[0].get(0)
            } catch {
                guard error.violates("adjudication_runs_one_at_a_time") else { throw error }
                throw AdjudicationRefusal.underWay
            }
        }
    }

    private static let select = Statement(
        "adjudication_select",
        """
        select run.id, run.from_at, run.to_at, rule_sets.name, run.state, run.failure,
            run.requested_at, run.finished_at, run.rows_read, run.clicks_read, run.changes,
            run.requested_by, run.cursor_at, run.cursor_rank, run.cursor_id
        from adjudication_runs as run
        join rule_sets on rule_sets.version = run.rule_set
        where run.id = $1
        """)

    /// The newest, or those that are not finished, the oldest of them first.
    private static let list = Statement(
        "adjudication_list",
        """
        select run.id, run.from_at, run.to_at, rule_sets.name, run.state, run.failure,
            run.requested_at, run.finished_at, run.rows_read, run.clicks_read, run.changes,
            run.requested_by, run.cursor_at, run.cursor_rank, run.cursor_id
        from adjudication_runs as run
        join rule_sets on rule_sets.version = run.rule_set
        where not $1 or run.state in ('waiting', 'running')
        order by case when $1 then run.requested_at end, run.requested_at desc, run.id
        limit $2
        """)

    private static func run(_ row: Row) throws(PostgresError) -> AdjudicationRun {
        var place: ClickPlace?
        if let time: Timestamp = try row.get(12) {
            place = ClickPlace(time: time, rank: try row.get(13), id: try row.get(14))
        }
        guard let state = RunState(rawValue: try row.get(4)) else {
            throw PostgresError(kind: .decoding, message: "there is no such state", column: "state")
        }
        return AdjudicationRun(
            id: try row.get(0), from: try row.get(1), to: try row.get(2), ruleSet: try row.get(3),
            state: state, failure: try row.get(5), requestedAt: try row.get(6),
            finishedAt: try row.get(7), rows: try row.get(8), clicks: try row.get(9),
            changes: try row.get(10), by: try row.get(11), place: place)
    }

    static func run(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> AdjudicationRun? {
        try connection.query(select, [id]).first.map(run)
    }

    static func runs(
        onlyUnfinished: Bool, limit: Int, in connection: Connection
    ) throws(PostgresError) -> [AdjudicationRun] {
        try connection.query(list, [onlyUnfinished, limit]).map(run)
    }

    private static let tryLock = Statement(
        "adjudication_try_lock",
        "select pg_try_advisory_lock(hashtextextended('adjudication ' || $1::uuid::text, 0))")
    private static let unlock = Statement(
        "adjudication_unlock",
        "select pg_advisory_unlock(hashtextextended('adjudication ' || $1::uuid::text, 0))")

    /// Whether the session has the run to itself now. The lock goes with the session, so a run
    /// whose process died can be taken up at once.
    static func take(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Bool {
        try connection.query(tryLock, [id])[0].get(0)
    }

    static func release(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        _ = try connection.query(unlock, [id])
    }

    private static let advance = Statement(
        "adjudication_advance",
        """
        update adjudication_runs
        set state = 'running', started_at = coalesce(started_at, now()),
            rows_read = rows_read + $2, clicks_read = clicks_read + $3, changes = changes + $4,
            cursor_at = $5, cursor_rank = $6, cursor_id = $7
        where id = $1
        """)

    private static let noteDay = Statement(
        "adjudication_note_days",
        """
        insert into adjudication_days (run_id, day, rows_read, clicks_read)
        select $1, day, count(*), sum(clicks)
        from unnest($2::date[], $3::bigint[]) as seen (day, clicks)
        group by day
        on conflict on constraint adjudication_days_pkey do update
        set rows_read = adjudication_days.rows_read + excluded.rows_read,
            clicks_read = adjudication_days.clicks_read + excluded.clicks_read
        """)

    /// Notes what a page came to, in the transaction of its changes.
    static func advance(
        _ id: Identifier, by page: AdjudicationPass.Page, in connection: Connection
    ) throws(PostgresError) {
        guard let last = page.clicks.last else { return }
        try connection.execute(
            advance,
            [
                id, page.clicks.count, page.clicks.reduce(0) { $0 + $1.count },
                page.changes.count, last.time, last.place.rank, last.id,
            ])
        try connection.execute(
            noteDay,
            [
                id,
                page.clicks.map {
                    PostgresDate(daysSince1970: $0.time.koreanDay.daysSince1970)
                },
                page.clicks.map(\.count),
            ])
    }

    private static let finish = Statement(
        "adjudication_finish",
        """
        update adjudication_runs
        set state = 'finished', started_at = coalesce(started_at, now()), finished_at = now()
        where id = $1
        """)

    static func finish(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(finish, [id])
    }

    private static let fail = Statement(
        "adjudication_fail",
        """
        update adjudication_runs
        set state = 'failed', finished_at = now(), failure = left($2, 1000)
        where id = $1
        """)

    static func fail(
        _ id: Identifier, because reason: String, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(fail, [id, reason])
    }

    // MARK: What a run changed

    /// At most 90 lines. By click_adjudications_run_id_idx.
    private static let moves = Statement(
        "adjudication_moves",
        """
        select change.from_verdict, change.to_verdict, count(*) as rows,
            sum(click.click_count)::bigint as clicks
        from click_adjudications as change
        join click_trackings as click
            on click.clicked_at = change.clicked_at and click.id = change.click_id
            and click.clicked_at >= $2 and click.clicked_at < $3
        where change.run_id = $1
        group by change.from_verdict, change.to_verdict
        order by change.from_verdict, change.to_verdict
        limit 100
        """)

    private static let gonggus = Statement(
        "adjudication_gonggus",
        """
        select change.gonggu_id, sum(click.click_count)::bigint as clicks,
            coalesce(sum(click.click_count) filter (
                where change.to_verdict = 0 and change.from_verdict <> 0), 0)::bigint as gained,
            coalesce(sum(click.click_count) filter (
                where change.from_verdict = 0 and change.to_verdict <> 0), 0)::bigint as lost
        from click_adjudications as change
        join click_trackings as click
            on click.clicked_at = change.clicked_at and click.id = change.click_id
            and click.clicked_at >= $2 and click.clicked_at < $3
        where change.run_id = $1
        group by change.gonggu_id
        order by clicks desc, change.gonggu_id
        limit $4
        """)

    static func report(
        of run: AdjudicationRun, in connection: Connection
    ) throws(PostgresError) -> AdjudicationReport {
        var report = AdjudicationReport()
        report.rows = run.rows
        report.clicks = run.clicks
        report.moves = try connection.query(moves, [run.id, run.from, run.to])
            .map { row throws(PostgresError) in
                AdjudicationReport.Move(
                    from: try row.knownVerdict(0), to: try row.knownVerdict(1),
                    rows: try row.get(2), clicks: try row.get(3))
            }
        report.gonggus = try connection.query(
            gonggus, [run.id, run.from, run.to, AdjudicationReport.gonggusMax]
        )
        .map { row throws(PostgresError) in
            AdjudicationReport.GongguChange(
                gonggu: try row.get(0), clicks: try row.get(1), gained: try row.get(2),
                lost: try row.get(3))
        }
        return report
    }

    // MARK: What decisions ask

    private static let rulesOver = Statement(
        "adjudication_rules_over",
        """
        select version, name, window_seconds, flood_clicks_per_minute, bot_table, datacenters
        from rule_sets
        order by version = (
            select rule_set
            from adjudication_runs
            where state = 'finished' and from_at <= $1 and to_at > $1
            order by finished_at desc
            limit 1
        ) desc nulls last, version = $2 desc, version desc
        limit 1
        """)

    /// By which rules a time's clicks are judged: those of its newest finished run, else the
    /// edge's.
    static func rules(
        over time: Timestamp, in connection: Connection
    ) throws -> AdjudicationRules {
        let rows = try connection.query(rulesOver, [time, Int(RuleSet.current.version)])
        guard let row = rows.first else { throw AdjudicationRefusal.ruleSetUnknown }
        let rules = try rules(row)
        guard rules.isKnownHere else { throw AdjudicationRefusal.ruleSetNotHere }
        return rules
    }

    private static let overlapping = Statement(
        "adjudication_overlapping",
        """
        select exists (
            select from adjudication_runs
            where state in ('waiting', 'running')
                and tstzrange(from_at, to_at) && tstzrange($1, $2, '[]')
        )
        """)

    /// Whether a run that is not finished covers a part of the period.
    static func isUnderWay(
        from: Timestamp, to: Timestamp, in connection: Connection
    ) throws(PostgresError) -> Bool {
        try connection.query(overlapping, [from, to])[0].get(0)
    }
}
