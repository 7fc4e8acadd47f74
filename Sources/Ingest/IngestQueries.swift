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
        agentIDsStatement, noteSeenStatement, refererIDsStatement, dimensionIDsStatement,
        userAgents.takeNumbers, referers.takeNumbers, dimensions.takeNumbers,
        ensurePartitionStatement, foldStatement, FloodFlags.open,
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

    /// Deltas that one transaction folds at most, some 0.2 s of a core: as long may clicks that
    /// come meanwhile have to share it. Ten thousand would take a tenth longer for all together.
    static let foldDeltasMax = 25_000

    /// Moves rollup deltas into the hourly table. - Returns: deltas moved; as many as the bound if
    /// more may be waiting.
    static func foldStatistics(
        atMost deltasMax: Int = foldDeltasMax, in db: Connection
    ) throws -> Int {
        try db.query(foldStatement, [deltasMax])[0].get("folded", as: Int.self)
    }
}
