import Clicks
import Judging
import Postgres
import Spool

/// Every statement that the way up uses, beside its binding and decoding.
enum IngestQueries {
    /// Of the named tests: each is prepared against the migrated schema.
    static let all = [
        knownStatement, offsetsStatement, openSegmentsStatement, moveOffsetsStatement,
        forgetOffsetsStatement, holdPartitionsStatement, isPartitionStatement,
        insertAgentsStatement, agentIDsStatement, insertReferersStatement, refererIDsStatement,
        noteSeenStatement, ensurePartitionStatement, foldStatement, FloodFlags.open,
        insertDimensions, selectDimensions,
    ]

    // MARK: Offsets

    private static let offsetsStatement = Statement(
        "ingest_offsets",
        """
        select segment, committed_bytes
        from spool_offsets
        where edge_id = $1
            and segment = any ($2::text[])
        limit $3
        """)

    /// How far the named segments of an edge are in the ledger; 0 for those it knows nothing of.
    /// One look-up a segment, by the primary key.
    static func offsets(
        of segments: [SegmentName], edgeID: String, in db: Connection
    ) throws -> [SegmentName: Int] {
        var offsets = Dictionary(uniqueKeysWithValues: segments.map { ($0, 0) })
        let names = segments.map(\.description)
        for row in try db.query(offsetsStatement, [edgeID, names, names.count]) {
            guard let segment = SegmentName(try row.get("segment", as: String.self)) else {
                continue
            }
            offsets[segment] = try row.get("committed_bytes", as: Int.self)
        }
        return offsets
    }

    private static let openSegmentsStatement = Statement(
        "ingest_open_segments",
        """
        insert into spool_offsets (edge_id, segment, committed_bytes, records)
        select $1, segment, committed_bytes, records
        from unnest($2::text[], $3::bigint[], $4::bigint[]) as new (
            segment, committed_bytes, records)
        on conflict (edge_id, segment) do nothing
        """)

    private static let moveOffsetsStatement = Statement(
        "ingest_move_offsets",
        """
        update spool_offsets as old
        set committed_bytes = new.committed_bytes,
            records = old.records + new.records,
            updated_at = now()
        from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) as new (
            segment, from_bytes, committed_bytes, records)
        where old.edge_id = $1
            and old.segment = new.segment
            and old.committed_bytes = new.from_bytes
        """)

    /// Moves the offsets of a batch, in the transaction of its clicks and before them: where an
    /// earlier transaction of ours has lost its connection and not its life, this waits until that
    /// one is settled, so that its clicks are never met as duplicates.
    ///
    /// - Throws: ``PumpError/offsetMoved`` if any is not where the batch began: somebody else takes
    ///   up the same spool, and nothing of this batch may stay.
    static func advance(
        _ progress: [SegmentProgress], edgeID: String, in db: Connection
    ) throws {
        let (new, known) = (progress.filter { $0.from == 0 }, progress.filter { $0.from > 0 })
        var moved = 0
        if !new.isEmpty {
            moved += try db.execute(
                openSegmentsStatement,
                [edgeID, new.map(\.segment.description), new.map(\.to), new.map(\.records)])
        }
        if !known.isEmpty {
            moved += try db.execute(
                moveOffsetsStatement,
                [
                    edgeID, known.map(\.segment.description), known.map(\.from), known.map(\.to),
                    known.map(\.records),
                ])
        }
        guard moved == progress.count else { throw PumpError.offsetMoved }
    }

    private static let forgetOffsetsStatement = Statement(
        "ingest_forget_offsets",
        """
        delete from spool_offsets
        where edge_id = $1
            and updated_at < now() - interval '7 days'
            and segment <> all ($2::text[])
        """)

    /// Drops the offsets of segments that were deleted long ago. They are kept for a week, so that
    /// a spool that comes back from a snapshot or a late mount is not taken up twice.
    @discardableResult
    static func forgetOffsets(
        edgeID: String, exceptOf segments: [SegmentName], in db: Connection
    ) throws -> Int {
        try db.execute(forgetOffsetsStatement, [edgeID, segments.map(\.description)])
    }

    // MARK: Clicks

    private static let knownStatement = Statement(
        "ingest_known_clicks",
        """
        select new.place
        from unnest($1::timestamptz[], $2::uuid[], $3::uuid[], $4::bigint[])
            with ordinality as new (clicked_at, id, gonggu_id, visitor_key, place)
        join click_trackings as old
            on old.clicked_at = new.clicked_at and old.id = new.id
        where old.gonggu_id = new.gonggu_id and old.visitor_key = new.visitor_key
        limit \(knownMax)
        """)

    /// Clicks asked for in one question.
    private static let knownMax = 10_000

    /// The ids of those clicks that the ledger has already: same time, id, gonggu and visitor. One
    /// look-up each, by the primary key.
    static func known(
        _ clicks: some Sequence<Click>, in db: Connection
    ) throws -> Set<Identifier> {
        var known = Set<Identifier>()
        let all = Array(clicks)
        for start in stride(from: 0, to: all.count, by: knownMax) {
            let part = all[start..<min(start + knownMax, all.count)]
            let rows = try db.query(
                knownStatement,
                [
                    part.map { PostgresTimestamp(microseconds: $0.time.microseconds) },
                    part.map { PostgresUUID(high: $0.id.high, low: $0.id.low) },
                    part.map { PostgresUUID(high: $0.gongguID.high, low: $0.gongguID.low) },
                    part.map { Int(Int64(bitPattern: $0.visitorKey)) },
                ])
            for row in rows {
                known.insert(all[start + (try row.get("place", as: Int.self)) - 1].id)
            }
        }
        return known
    }

    private static let holdPartitionsStatement = Statement(
        "ingest_hold_partitions", "lock table only click_trackings in row exclusive mode")

    private static let isPartitionStatement = Statement(
        "ingest_is_partition",
        """
        select 1 as one
        from pg_inherits
        where inhparent = 'click_trackings'::regclass
            and inhrelid = to_regclass($1)
            and not inhdetachpending
        """)

    /// Whether the day has a partition that takes clicks. If so it stays one until the end of the
    /// transaction, as it does beneath a COPY into the whole: who detaches or replaces partitions
    /// waits for this lock.
    static func holdPartition(_ day: KoreanDay, in db: Connection) throws -> Bool {
        try db.execute(holdPartitionsStatement)
        return try !db.query(isPartitionStatement, [day.clickTable]).isEmpty
    }

    // MARK: Texts
    //
    // A transaction that stores texts or dimensions does not wait for the disk: who uses their
    // numbers commits later, and does, and the server's log has one order.

    private static let insertAgentsStatement = Statement(
        "ingest_insert_agents",
        """
        with new as materialized (
            select agent, device, os, browser, in_app, place
            from unnest($1::text[], $2::smallint[], $3::text[], $4::text[], $5::text[])
                with ordinality as new (agent, device, os, browser, in_app, place),
                set_config('synchronous_commit', 'off', true)
        ),
        stored as (
            insert into user_agents (agent, device, os, browser, in_app)
            select agent, device, os, browser, in_app
            from new
            on conflict (agent_hash) do nothing
            returning id, agent
        )
        select stored.id, new.place
        from stored
        join new on new.agent = stored.agent
        limit \(TextPlaces.questionTextsMax)
        """)

    private static let agentIDsStatement = Statement(
        "ingest_agent_ids",
        """
        select known.id, new.place,
            known.seen_on < (now() at time zone 'Asia/Seoul')::date as is_unseen_today
        from unnest($1::text[]) with ordinality as new (agent, place)
        join user_agents as known on known.agent_hash = dictionary_hash(new.agent)
        limit \(TextPlaces.questionTextsMax)
        """)

    private static let noteSeenStatement = Statement(
        "ingest_note_seen",
        """
        with unseen as (
            select id
            from user_agents
            where id = any ($1::int[])
            order by id
            for update
        )
        update user_agents
        set seen_on = (now() at time zone 'Asia/Seoul')::date
        from unseen
        where user_agents.id = unseen.id
        """)

    /// The numbers of at most ``TextPlaces/questionTextsMax`` user agents, in the order given;
    /// those not seen before are stored, of others it is noted that they were seen today.
    ///
    /// A number may be used for a day, no longer: `Ingest maintain` deletes agents that nobody has
    /// asked for in so long that every click with them is erased, and two days more.
    static func userAgentIDs(_ agents: [String], in db: Connection) throws -> [Int32] {
        try ids(of: agents, look: { try lookForAgents($0, in: db) }) { missing in
            let traits = missing.map { AgentTraits(of: $0) }
            return try db.query(
                insertAgentsStatement,
                [
                    missing, traits.map { Int($0.device.rawValue) }, traits.map(\.system.rawValue),
                    traits.map(\.browser.rawValue), traits.map(\.app.rawValue),
                ])
        }
    }

    private static func lookForAgents(_ agents: [String], in db: Connection) throws -> [Row] {
        let rows = try db.query(agentIDsStatement, [agents])
        let unseen = try rows.filter { try $0.get("is_unseen_today") }
        guard !unseen.isEmpty else { return rows }
        try db.execute(noteSeenStatement, [try unseen.map { try $0.get("id", as: Int.self) }])
        // One that was deleted in between is not found again.
        return try db.query(agentIDsStatement, [agents])
    }

    private static let insertReferersStatement = Statement(
        "ingest_insert_referers",
        """
        with new as materialized (
            select referer, host, place
            from unnest($1::text[], $2::text[]) with ordinality as new (referer, host, place),
                set_config('synchronous_commit', 'off', true)
        ),
        stored as (
            insert into referers (referer, host)
            select referer, host
            from new
            on conflict (referer_hash) do nothing
            returning id, referer
        )
        select stored.id, new.place
        from stored
        join new on new.referer = stored.referer
        limit \(TextPlaces.questionTextsMax)
        """)

    private static let refererIDsStatement = Statement(
        "ingest_referer_ids",
        """
        select known.id, new.place
        from unnest($1::text[]) with ordinality as new (referer, place)
        join referers as known on known.referer_hash = dictionary_hash(new.referer)
        limit \(TextPlaces.questionTextsMax)
        """)

    /// The numbers of at most ``TextPlaces/questionTextsMax`` referers, in the order given;
    /// those not seen before are stored.
    static func refererIDs(_ referers: [String], in db: Connection) throws -> [Int32] {
        try ids(of: referers, look: { try db.query(refererIDsStatement, [$0]) }) { missing in
            try db.query(insertReferersStatement, [missing, missing.map(RefererHost.of)])
        }
    }

    /// Looks first and inserts what is missing: an insert that meets a conflict uses up a number
    /// all the same, and there are two thousand million of them.
    ///
    /// - Parameters:
    ///   - look: rows of `id` and `place`, from 1, of those that are stored.
    ///   - insert: the same of those that it has stored itself.
    static func ids<Wanted>(
        of wanted: [Wanted], look: ([Wanted]) throws -> [Row], insert: ([Wanted]) throws -> [Row]
    ) throws -> [Int32] {
        precondition(
            wanted.count <= TextPlaces.questionTextsMax, "a question has a bounded size")
        var ids = [Int32?](repeating: nil, count: wanted.count)
        func learn(_ places: [Int], by ask: ([Wanted]) throws -> [Row]) throws {
            guard !places.isEmpty else { return }
            for row in try ask(places.map { wanted[$0] }) {
                ids[places[try row.get("place", as: Int.self) - 1]] = try row.get("id")
            }
        }
        try learn(Array(wanted.indices), by: look)
        try learn(wanted.indices.filter { ids[$0] == nil }, by: insert)
        // What another Ingest stored in between.
        try learn(wanted.indices.filter { ids[$0] == nil }, by: look)
        // Inserted, and gone again before we looked: somebody cleans up, so ask once more later.
        guard !ids.contains(nil) else { throw PumpError.textVanished }
        return ids.map { $0! }
    }

    // MARK: Upkeep

    private static let ensurePartitionStatement = Statement(
        "ingest_ensure_partition", "select ensure_click_partition($1::date)")

    /// Makes the day's partition unless it is there.
    static func ensurePartition(_ day: KoreanDay, in db: Connection) throws {
        _ = try db.query(
            ensurePartitionStatement, [PostgresDate(daysSince1970: day.daysSince1970)])
    }

    private static let foldStatement = Statement(
        "ingest_fold_stats", "select fold_click_stats($1) as folded")

    /// Deltas that one transaction folds at most, some 0.2 s of a core: as long may clicks that come
    /// meanwhile have to share it. Ten thousand would take a tenth longer for all together.
    static let foldDeltasMax = 25_000

    /// Moves rollup deltas into the hourly table. - Returns: deltas moved; as many as the bound if
    /// more may be waiting.
    static func foldStatistics(
        atMost deltasMax: Int = foldDeltasMax, in db: Connection
    ) throws -> Int {
        try db.query(foldStatement, [deltasMax])[0].get("folded", as: Int.self)
    }
}
