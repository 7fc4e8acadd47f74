// Every statement of maintain and restore, beside its binding and decoding.
//
// Names of tables are made of a day's digits and a part's number, nothing else, where a statement
// cannot stand in a function: what runs concurrently, and COPY.

import Clicks
import Postgres

enum MaintainQueries {
    /// Each is prepared against the migrated schema by a test.
    static let all = [
        lockStatement, daysStatement, waitingStatement, detachedTableStatement, settleStatement,
        copyErasedStatement, swapErasedStatement, finishedStatement, invalidIndexesStatement,
        sizesStatement, eraseFlagsStatement, forgetAgentsStatement, writtenStatement,
        damagedStatement, archivedStatement, fileStatement, restorableStatement, keepStatement,
    ]

    static func partition(_ day: KoreanDay) -> String { "click_trackings_\(day.digits)" }
    static func table(_ part: WaitingPart) -> String {
        "click_detached_\(part.day.digits)_\(part.part)"
    }

    private static let lockStatement = Statement(
        "maintain_lock",
        "select pg_try_advisory_lock(hashtextextended('ingest_maintain', 0)) as is_ours")

    /// Whether this session is now the one that maintains; until it ends.
    static func takeLock(in db: Connection) throws -> Bool {
        try db.query(lockStatement)[0].get("is_ours")
    }

    // MARK: What there is

    private static let daysStatement = Statement(
        "maintain_days",
        """
        select
            to_date(right(partition.relname, 8), 'YYYYMMDD') as day,
            link.inhrelid is not null as is_attached,
            coalesce(link.inhdetachpending, false) as is_pending,
            coalesce(known.finished_at is not null, false) as is_finished,
            coalesce(known.erased_at is not null, false) as is_erased,
            known.keep_until,
            click_month_is_settled(to_date(right(partition.relname, 8), 'YYYYMMDD')) as is_settled
        from pg_class as partition
        left join pg_inherits as link
            on link.inhrelid = partition.oid
            and link.inhparent = 'click_trackings'::regclass
        left join click_days as known
            on known.day = to_date(right(partition.relname, 8), 'YYYYMMDD')
        where partition.relkind = 'r'
            and partition.relname ~ '^click_trackings_[0-9]{8}$'
            and partition.relnamespace = (
                select relnamespace from pg_class where oid = 'click_trackings'::regclass)
        order by day
        limit 100000
        """)

    /// Of all tables with a partition's name, the oldest first. Reads the catalog's tables whole.
    static func days(in db: Connection) throws -> [DayState] {
        try db.query(daysStatement).map { row in
            let table: DayState.Table =
                try row.get("is_pending")
                ? .pending : row.get("is_attached") ? .partition : .detached
            return DayState(
                day: try day(row, "day"), table: table, isFinished: try row.get("is_finished"),
                isErased: try row.get("is_erased"),
                keepUntil: try row.get("keep_until", as: PostgresDate?.self).map {
                    KoreanDay(daysSince1970: $0.daysSince1970)
                }, isSettled: try row.get("is_settled"))
        }
    }

    private static let waitingStatement = Statement(
        "maintain_waiting",
        """
        select day, part
        from click_archives
        where state in ('detached', 'written')
        order by day, part
        limit 100000
        """)

    static func waiting(in db: Connection) throws -> [WaitingPart] {
        try db.query(waitingStatement).map {
            WaitingPart(day: try day($0, "day"), part: try $0.get("part"))
        }
    }

    private static func day(_ row: Row, _ column: String) throws -> KoreanDay {
        KoreanDay(daysSince1970: try row.get(column, as: PostgresDate.self).daysSince1970)
    }

    static func date(_ day: KoreanDay) -> PostgresDate {
        PostgresDate(daysSince1970: day.daysSince1970)
    }

    // MARK: A day that is over

    private static let invalidIndexesStatement = Statement(
        "maintain_invalid_indexes",
        """
        select index.relname::text as name
        from pg_index
        join pg_class as index on index.oid = pg_index.indexrelid
        where pg_index.indrelid = $1::text::regclass
            and not pg_index.indisvalid
        limit 100
        """)

    /// Makes the index by gonggu and time, after the remains of an attempt that was cut off. The
    /// partition can be written to meanwhile.
    static func makeGongguIndex(_ day: KoreanDay, in db: Connection) throws {
        let partition = partition(day)
        for row in try db.query(invalidIndexesStatement, [partition]) {
            let name: String = try row.get("name")
            try db.run(script: "drop index concurrently if exists \"\(name)\"")
        }
        try db.run(
            script: """
                create index concurrently if not exists \(partition)_gonggu_idx
                on \(partition) (gonggu_id, clicked_at) with (fillfactor = 100)
                """)
    }

    private static let sizesStatement = Statement(
        "maintain_sizes",
        """
        select
            greatest(partition.reltuples, 0)::bigint as rows,
            pg_relation_size($2::text::regclass) as index_bytes
        from pg_class as partition
        where partition.oid = $1::text::regclass
        """)

    /// Vacuums for good, as nothing will change, and makes the key anew where it is bloated.
    /// - Returns: whether it was.
    static func tidyKey(_ day: KoreanDay, in db: Connection) throws -> Bool {
        let partition = partition(day)
        try db.run(script: "vacuum (freeze, analyze) \(partition)")
        let row = try db.query(sizesStatement, [partition, partition + "_pkey"])[0]
        let isBloated = MaintainRules.isBloated(
            indexBytes: try row.get("index_bytes"), rows: try row.get("rows"))
        if isBloated { try db.run(script: "reindex index concurrently \(partition)_pkey") }
        return isBloated
    }

    private static let finishedStatement = Statement(
        "maintain_finished",
        """
        insert into click_days (day, finished_at)
        values ($1, now())
        on conflict on constraint click_days_pkey do update set finished_at = now()
        """)

    static func noteFinished(_ day: KoreanDay, in db: Connection) throws {
        try db.execute(finishedStatement, [date(day)])
    }

    // MARK: Erasing

    private static let copyErasedStatement = Statement(
        "maintain_copy_erased", "select copy_click_day_erased($1) as rows")
    private static let swapErasedStatement = Statement(
        "maintain_swap_erased", "select swap_click_day_erased($1) as rows")

    /// Writes the day anew beside the partition. - Returns: rows.
    static func copyErased(_ day: KoreanDay, in db: Connection) throws -> Int {
        try db.query(copyErasedStatement, [date(day)])[0].get("rows")
    }

    /// Puts the copy in the partition's place. - Returns: rows that came while it was made.
    /// - Throws: SQLSTATE 55P03 where others did not let it, for now.
    static func swapErased(_ day: KoreanDay, in db: Connection) throws -> Int {
        try db.query(swapErasedStatement, [date(day)])[0].get("rows")
    }

    private static let eraseFlagsStatement = Statement(
        "maintain_erase_flags",
        """
        update click_flags
        set ip_address = null
        where day < $1
            and ip_address is not null
            and (
                not click_table_exists(click_table_name('trackings', day))
                or exists (
                    select from click_days
                    where click_days.day = click_flags.day and erased_at is not null
                )
            )
        """)

    /// Of days whose clicks have none any more.
    static func eraseFlags(before day: KoreanDay, in db: Connection) throws -> Int {
        try db.execute(eraseFlagsStatement, [date(day)])
    }

    private static let forgetAgentsStatement = Statement(
        "maintain_forget_agents",
        """
        delete from user_agents
        where seen_on < $1
            and id = any (array(select id from user_agents where seen_on < $1 limit $2))
        """)

    /// Deletes agents that no click has come with since. - Returns: how many; as many as the bound
    /// where there are more.
    static func forgetAgents(
        before day: KoreanDay, atMost agentsMax: Int, in db: Connection
    ) throws -> Int {
        try db.execute(forgetAgentsStatement, [date(day), agentsMax])
    }

    // MARK: Detaching

    private static let detachedTableStatement = Statement(
        "maintain_detached_table", "select click_table_exists($1) as exists")

    static func exists(_ table: String, in db: Connection) throws -> Bool {
        try db.query(detachedTableStatement, [table])[0].get("exists")
    }

    /// Waits for those who use the table, and lets others go on.
    static func detach(_ day: KoreanDay, in db: Connection) throws {
        try db.run(
            script: "alter table click_trackings detach partition \(partition(day)) concurrently")
    }

    private static let settleStatement = Statement(
        "maintain_settle",
        """
        select settle_click_detachment($1) as part
        from (select pg_advisory_xact_lock(hashtextextended('ensure_click_partition', 0))) as lock
        """)

    /// - Returns: what is to be archived; nil if there was nothing detached.
    static func settle(_ day: KoreanDay, in db: Connection) throws -> WaitingPart? {
        try db.query(settleStatement, [date(day)])[0].get("part", as: Int?.self).map {
            WaitingPart(day: day, part: $0)
        }
    }
}
