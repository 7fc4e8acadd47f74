import Clicks
import Postgres

/// What a decision on a flag has to do, and how far it is.
struct DecisionRun: Sendable {
    let decision: Identifier
    let gonggu: Identifier
    /// Nil once it is erased: then the decision ties to no click any more.
    let address: NetworkAddress?
    let from: Timestamp
    /// Included.
    let to: Timestamp
    /// Clicks from then on are no business of the decision's.
    let decidedAt: Timestamp
    let by: Identifier
    let reason: String
    let state: RunState
    /// Why it cannot be made; the next adjudication of the period applies it all the same.
    let failure: String
    /// Rows of the ledger that were looked at.
    let rows: Int
    /// Clicks whose verdict changed.
    let changes: Int
    /// What is judged and committed; nil before the first page.
    let place: ClickPlace?
    /// Nothing is left to do, or can be done.
    var isFinished: Bool { state == .finished || state == .failed }
}

/// SQL on decision_runs.
enum DecisionQueries {
    static let statements = [
        insert, select, newest, unfinished, isUnfinishedOn, overlapping, rowsWithin, tryLock,
        unlock, advance, finish, fail, moved,
    ]

    private static let insert = Statement(
        "decision_insert", "insert into decision_runs (decision_id) values ($1)")

    static func begin(_ decision: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(insert, [decision])
    }

    private static func list(_ name: StaticString, _ which: StaticString) -> Statement {
        Statement(
            name,
            """
            select decision.id, decision.gonggu_id, inet_send(flag.ip_address) as address,
                decision.from_at, decision.to_at, decision.decided_at, decision.decided_by,
                decision.reason, run.state, run.failure, run.rows_read, run.changes, run.cursor_at,
                run.cursor_rank, run.cursor_id
            from decision_runs as run
            join click_decisions as decision on decision.id = run.decision_id
            join click_flags as flag on flag.id = decision.flag_id
            \(which)
            """)
    }

    private static let select = list("decision_select", "where run.decision_id = $1")
    /// By click_decisions_flag_id_idx.
    private static let newest = list(
        "decision_newest", "where decision.flag_id = $1 order by decision.seq desc limit 1")

    private static func run(_ row: Row) throws(PostgresError) -> DecisionRun {
        guard let state = RunState(rawValue: try row.get(8)) else {
            throw PostgresError(kind: .decoding, message: "there is no such state", column: "state")
        }
        var place: ClickPlace?
        if let time: Timestamp = try row.get(12) {
            place = ClickPlace(time: time, rank: try row.get(13), id: try row.get(14))
        }
        return DecisionRun(
            decision: try row.get(0), gonggu: try row.get(1), address: try row.address(2),
            from: try row.get(3), to: try row.get(4), decidedAt: try row.get(5),
            by: try row.get(6), reason: try row.get(7), state: state, failure: try row.get(9),
            rows: try row.get(10), changes: try row.get(11), place: place)
    }

    static func run(
        _ decision: Identifier, in connection: Connection
    ) throws(PostgresError) -> DecisionRun? {
        try connection.query(select, [decision]).first.map(run)
    }

    /// What the flag's newest decision came to; nil while there is none.
    static func newestRun(
        on flag: Identifier, in connection: Connection
    ) throws(PostgresError) -> DecisionRun? {
        try connection.query(newest, [flag]).first.map(run)
    }

    private static let unfinished = Statement(
        "decision_unfinished",
        """
        select decision.id
        from decision_runs as run
        join click_decisions as decision on decision.id = run.decision_id
        where run.state in ('waiting', 'running')
        order by decision.seq
        limit $1
        """)

    /// Those with something left to do, the oldest first. By decision_runs_unfinished_idx.
    static func unfinished(
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> [Identifier] {
        try connection.query(unfinished, [limit]).map { row throws(PostgresError) in
            try row.get(0)
        }
    }

    private static let isUnfinishedOn = Statement(
        "decision_unfinished_on",
        """
        select
            exists (
                select from decision_runs as run
                join click_decisions as decision on decision.id = run.decision_id
                where run.state in ('waiting', 'running') and decision.flag_id = $1
            ) as is_of_flag,
            exists (
                select from decision_runs as run
                join click_decisions as decision on decision.id = run.decision_id
                where run.state in ('waiting', 'running') and decision.gonggu_id = $2
            ) as is_of_gonggu
        """)

    /// Whether something is left to do of a decision on this flag, or on any of its gonggu.
    static func isUnfinished(
        on flag: ClickFlag, in connection: Connection
    ) throws(PostgresError) -> (flag: Bool, gonggu: Bool) {
        let row = try connection.query(isUnfinishedOn, [flag.id, flag.gonggu])[0]
        return (try row.get(0), try row.get(1))
    }

    private static let overlapping = Statement(
        "decision_overlapping",
        """
        select exists (
            select from decision_runs as run
            join click_decisions as decision on decision.id = run.decision_id
            where run.state in ('waiting', 'running')
                and tstzrange(
                    decision.from_at, greatest(decision.to_at, run.cursor_at), '[]')
                    && tstzrange($1, $2)
        )
        """)

    /// Whether a decision over a part of the period, or that has come as far, is not finished.
    static func isUnderWay(
        from: Timestamp, to: Timestamp, in connection: Connection
    ) throws(PostgresError) -> Bool {
        try connection.query(overlapping, [from, to])[0].get(0)
    }

    /// Stops at $3 of them. By the partitions' keys.
    private static let rowsWithin = Statement(
        "decision_rows_within",
        """
        select count(*)
        from (
            select from click_trackings
            where clicked_at >= $1 and clicked_at <= $2
            order by clicked_at
            limit $3
        ) as found
        """)

    /// Rows of the ledger in a period, counted up to `max`. Within a transaction.
    static func rows(
        from: Timestamp, through: Timestamp, max: Int, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.inKeyOrder { connection throws(PostgresError) in
            try connection.query(rowsWithin, [from, through, max])[0].get(0)
        }
    }

    // MARK: Working on one

    private static let tryLock = Statement(
        "decision_try_lock", "select pg_try_advisory_lock(hashtextextended('flag decisions', 0))")
    private static let unlock = Statement(
        "decision_unlock", "select pg_advisory_unlock(hashtextextended('flag decisions', 0))")

    /// Whether the session alone works on decisions now: of two over one gonggu, the one that was
    /// begun first would not know of the other. The lock goes with the session.
    static func take(in connection: Connection) throws(PostgresError) -> Bool {
        try connection.query(tryLock)[0].get(0)
    }

    static func release(in connection: Connection) throws(PostgresError) {
        _ = try connection.query(unlock)
    }

    private static let advance = Statement(
        "decision_advance",
        """
        update decision_runs
        set state = 'running', started_at = coalesce(started_at, now()),
            rows_read = rows_read + $2, changes = changes + $3, cursor_at = $4, cursor_rank = $5,
            cursor_id = $6
        where decision_id = $1
        """)

    /// Notes what a page came to, in the transaction of its changes.
    static func advance(
        _ decision: Identifier, by page: AdjudicationPass.Page, in connection: Connection
    ) throws(PostgresError) {
        guard let last = page.clicks.last else { return }
        try connection.execute(
            advance,
            [
                decision, page.clicks.count, page.changes.count, last.time, last.place.rank,
                last.id,
            ])
    }

    private static let finish = Statement(
        "decision_finish",
        """
        update decision_runs
        set state = 'finished', started_at = coalesce(started_at, now()), finished_at = now()
        where decision_id = $1
        """)

    static func finish(_ decision: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(finish, [decision])
    }

    private static let fail = Statement(
        "decision_fail",
        """
        update decision_runs
        set state = 'failed', finished_at = now(), failure = left($2, 1000)
        where decision_id = $1
        """)

    static func fail(
        _ decision: Identifier, because reason: String, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(fail, [decision, reason])
    }

    private static let moved = Statement(
        "decision_moved",
        """
        select click.visitor_key, max(change.clicked_at)
        from click_adjudications as change
        join click_trackings as click
            on click.clicked_at = change.clicked_at and click.id = change.click_id
            and click.clicked_at > $2
        where change.decision_id = $1 and change.clicked_at > $2
            and (change.from_verdict = 0) <> (change.to_verdict = 0)
        group by click.visitor_key
        """)

    /// Whose windows the decision has moved since, and when last. As many rows as visitors within
    /// a window; by click_adjudications_decision_id_idx.
    static func moved(
        by decision: Identifier, since time: Timestamp, in connection: Connection
    ) throws(PostgresError) -> [UInt64: Timestamp] {
        var found: [UInt64: Timestamp] = [:]
        for row in try connection.query(moved, [decision, time]) {
            found[UInt64(bitPattern: try row.get(0, as: Int64.self))] = try row.get(1)
        }
        return found
    }
}
