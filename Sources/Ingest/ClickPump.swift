// Clicks up: from the edge's spool into the ledger, each exactly once in effect.
//
// A round reads whatever whole frames the spool has beyond the committed offsets, up to a bound,
// and puts them into one transaction: the new offsets, the clicks, and what they add to the
// statistics. So the ledger itself says how far it has got, and nothing else needs to survive:
// after any failure, or a commit whose outcome is unknown, the pump asks the ledger for the offsets
// and reads on from there.
//
// Invariant: `offsets` are the ledger's whenever no transaction is open; nil while that is unknown.
// A segment is deleted only after the ledger has committed its last byte and it is closed, and then
// not at once: an edge that has lost its memory makes it again from what is there.

import Admin
import Clicks
import Linux
import Postgres
import Settings
import Spool

/// What can keep a batch from the ledger besides PostgreSQL.
enum PumpError: Error, CustomStringConvertible {
    /// A committed offset is not where this pump left it.
    case offsetMoved
    /// A user agent or referer was deleted while its number was looked up.
    case textVanished

    var description: String {
        switch self {
        case .offsetMoved:
            "spool_offsets moved without us: a commit we took for lost, or, if this comes again, "
                + "another Ingest with the same EDGE_ID"
        case .textVanished:
            "a text was deleted from user_agents or referers while its number was looked up"
        }
    }
}

/// Moves clicks until stopped. Confined to one thread.
///
/// Unchecked: made by the main thread, handed to its own by the caller, touched by no other.
final class ClickPump: @unchecked Sendable {
    /// What a round came to.
    struct Round: Equatable {
        var clicks = 0
        /// Whether there may be more at once, because the batch was full.
        var isFull = false
    }

    private let intake: SpoolIntake
    private let databaseURL: Secret
    private let number: Int
    private let lanes: PumpLanes
    private let countries: Countries
    private let gauges: IngestGauges
    private let live: LiveFeed?
    private let tail: SpoolTail
    private var db: Connection?
    /// Of the segments there are; 0 for those that the ledger does not know.
    private var offsets: [SegmentName: Int]?
    private let texts = KnownTexts()
    private var partitions: Set<KoreanDay> = []
    private var pace: BatchPace
    /// Batches refused for their content since the last that was taken.
    private var refusals = 0

    private static let idleMilliseconds = 50
    private static let backOffMillisecondsMax = 5000
    /// In a row, after which the ledger is given time.
    private static let refusalsMax = 5

    /// - Parameters:
    ///   - batchRecordsMax: clicks in one transaction, but for the rest of a frame.
    ///   - number: 0 or 1, among the pumps that share the lanes. The second works only where there
    ///     is a backlog, and the first alone takes everything up.
    ///   - live: told of what was committed; nil where nobody looks on.
    init(
        intake: SpoolIntake, databaseURL: Secret, batchRecordsMax: Int, number: Int = 0,
        lanes: PumpLanes = PumpLanes(), countries: Countries = Countries(path: nil),
        gauges: IngestGauges, live: LiveFeed? = nil
    ) {
        self.intake = intake
        self.databaseURL = databaseURL
        pace = BatchPace(most: batchRecordsMax)
        self.number = number
        self.lanes = lanes
        self.countries = countries
        self.gauges = gauges
        self.live = live
        tail = SpoolTail(intake, texts)
    }

    /// Rounds until the signal is raised; what is committed by then stays, the rest waits in the
    /// spool.
    func run(until stopping: WakeSignal) {
        var backOffMilliseconds = 100
        while !stopping.isRaised {
            do {
                let round = try runOnce()
                backOffMilliseconds = 100
                gauges.noteUp(number)
                if !round.isFull { stopping.wait(milliseconds: ClickPump.idleMilliseconds) }
            } catch {
                note(error)
                stopping.wait(milliseconds: backOffMilliseconds)
                backOffMilliseconds = min(
                    backOffMilliseconds * 2, ClickPump.backOffMillisecondsMax)
            }
        }
    }

    /// Takes up what the spool has, in at most one transaction.
    func runOnce() throws -> Round {
        let (claim, isTakenOver) = lanes.claim(number)
        defer { lanes.release(number, pendingBytes: gauges.values.pendingBytes) }
        if case .none = claim {
            gauges.notePending(0, number)
            return Round()
        }
        do {
            let db = try connected()
            if isTakenOver { offsets = [:] }
            let all = try intake.segments()
            let segments = all.filter(claim.contains)
            try learnOffsets(of: segments, in: db)
            let closed = SpoolTail.closed(among: all)
            var taken = tail.read(
                segments, closed: closed,
                passingOver: lanes.kept.withLock { $0 }, from: offsets ?? [:],
                countries: countries.table, recordsMax: pace.records)
            var round = Round(clicks: taken.batch.clicks.count, isFull: taken.isFull)
            if !taken.batch.isEmpty {
                do {
                    try commit(taken.batch, to: db)
                } catch let error as PostgresError where error.isRefusedContent {
                    try findRefused(taken.batch, because: error, in: db)
                    round = Round(clicks: 0, isFull: true)
                }
            }
            removeConsumed(&taken)
            lanes.kept.withLock { $0.forget(exceptOf: all) }
            removeKept(&taken.problems)
            note(taken.problems)
            notePending(segments, closed: closed)
            return round
        } catch {
            // Whatever it was, the next round begins with a fresh look at the ledger.
            offsets = nil
            tail.reset()
            // New clicks need the room whether the ledger is there or not.
            var problems: [String] = []
            removeKept(&problems)
            throw error
        }
    }

    // MARK: The ledger

    private func connected() throws -> Connection {
        if let db, offsets != nil, !db.isLost { return db }
        offsets = nil
        db = nil
        let db = try Connection.toLedger(databaseURL, as: "gonggumoa-ingest-clicks")
        // It may be another server than before, one that lacks the last of what we knew.
        lanes.kept.withLock { $0.removeAll() }
        partitions = []
        texts.removeAll()
        offsets = [:]
        self.db = db
        return db
    }

    /// Asks for the offsets of segments that are new, and forgets those of segments that are gone.
    private func learnOffsets(of segments: [SegmentName], in db: Connection) throws {
        let known = offsets ?? [:]
        let new = segments.filter { known[$0] == nil }
        guard !new.isEmpty || known.count > segments.count else { return }
        var current =
            new.isEmpty
            ? [:] : try IngestQueries.offsets(of: new, edgeID: intake.edgeID, in: db)
        for segment in segments where current[segment] == nil { current[segment] = known[segment] }
        offsets = current
    }

    private func commit(_ batch: ClickBatch, to db: Connection) throws {
        let began = Clock.monotonic()
        for day in batch.days where !partitions.contains(day) {
            try IngestQueries.ensurePartition(day, in: db)
            partitions.insert(day)
        }
        let deltas = try number(batch, in: db)
        try moveOffsets(batch.progress, in: db) { try ClickPump.store(batch, deltas, in: $0) }
        refusals = 0
        tail.known = []
        for progress in batch.progress {
            tail.refused = tail.refused.filter {
                $0.key.segment != progress.segment || $0.key.offset >= progress.to
            }
        }
        pace.note(clicks: batch.clicks.count, micros: Clock.monotonic() - began)
        gauges.noteCommitted(
            IngestGauges.Commit(
                clicks: batch.clicks.count, lines: deltas.lines.count, newest: batch.newest,
                micros: Clock.monotonic() - began,
                floodClicksLeftOut: batch.floods.clicksLeftOut))
        live?.offer(deltas.lines, newest: batch.newest)
        gauges.noteKnown(batch.knownCount)
        gauges.noteTextsLost(batch.textsLost)
        for setAside in batch.setAside { note(setAside) }
    }

    /// Has the ledger's numbers for all that the batch names.
    private func number(_ batch: ClickBatch, in db: Connection) throws -> StatisticsDeltas {
        try texts.userAgents.number { try IngestQueries.userAgentIDs($0, in: db) }
        try texts.referers.number { try IngestQueries.refererIDs($0, in: db) }
        let deltas = StatisticsDeltas(of: texts)
        try texts.dimensions.number(of: texts) { try IngestQueries.dimensionIDs($0, in: db) }
        return deltas
    }

    /// Puts a batch's rows into the ledger, within a transaction.
    private static func store(
        _ batch: ClickBatch, _ deltas: StatisticsDeltas, in db: Connection
    ) throws {
        try batch.copyClicks(to: db)
        try deltas.copy(to: db)
        try batch.floods.write(to: db)
    }

    /// One transaction of new offsets and what belongs to them.
    private func moveOffsets(
        _ progress: [SegmentProgress], in db: Connection,
        with body: (Connection) throws -> Void = { _ in }
    ) throws {
        // From here until it is known to have been committed, where the ledger stands is unknown.
        let before = offsets
        offsets = nil
        do {
            try db.transaction { db in
                try IngestQueries.advance(progress, edgeID: intake.edgeID, in: db)
                try body(db)
            }
        } catch let error as PostgresError where error.isRefusedContent {
            // The server has said no, so nothing was committed.
            offsets = before
            throw error
        }
        offsets = before
        for progress in progress { offsets?[progress.segment] = progress.to }
    }

    // MARK: Content that PostgreSQL refuses

    /// It would refuse the same for ever. Finds the rows, so that the next round takes all others.
    private func findRefused(
        _ batch: ClickBatch, because error: PostgresError, in db: Connection
    ) throws {
        // A partition that was dropped behind our back refuses rows just so, and so may a text's
        // number that is no longer its own.
        partitions = []
        texts.removeAll()
        refusals += 1
        guard refusals <= ClickPump.refusalsMax else {
            refusals = 0
            throw error
        }
        if error.isUniqueViolation {
            let known = try IngestQueries.known(batch.clicks.lazy.map(\.click), in: db)
            let isNews = !known.isSubset(of: tail.known)
            tail.known.formUnion(known)
            if isNews { return }
        }
        if refusals == 1 { return }
        let search = PoisonSearch(
            tail: tail, texts: texts, countries: countries.table,
            store: { batch, db in
                try ClickPump.store(batch, try self.number(batch, in: db), in: db)
            })
        for (place, refusal) in try search.run(batch.progress, in: db) {
            tail.refused[place, default: SpoolTail.Refusal(rows: [], reason: refusal.reason)].rows
                .formUnion(refusal.rows)
        }
    }

    private func note(_ setAside: SetAside) {
        gauges.noteQuarantined(bytes: setAside.bytes, records: setAside.records)
        Log.error(
            "clicks set aside in quarantine",
            [
                ("segment", "\(setAside.place.segment)"),
                ("from", "\(setAside.place.range.lowerBound)"),
                ("to", "\(setAside.place.range.upperBound)"),
                ("damage", setAside.damage.rawValue), ("reason", setAside.reason),
            ])
    }

    // MARK: Deleting

    /// One that never held a frame has no offset in the ledger, and nothing to lose.
    private func removeConsumed(_ taken: inout SpoolTaken) {
        for ended in taken.ended where offsets?[ended.segment] ?? 0 >= ended.range.upperBound {
            tail.close(ended.segment)
            let file = File.identity(of: intake.path(of: ended.segment))
            if let file, ended.range.upperBound > SpoolFormat.segmentHeaderBytes,
                lanes.kept.withLock({ $0.keep(ended.segment, file) })
            {
                continue
            }
            remove(ended.segment, &taken.problems)
        }
    }

    /// Those whose time is over, and as many more as new clicks need the room of.
    private func removeKept(_ problems: inout [String]) {
        let (now, freeBytes) = (Clock.now(), lanes.keeping.room(in: intake.path))
        let (going, kept) = lanes.kept.withLock { kept in
            (kept.takeSuperfluous(now: now, freeBytes: freeBytes), kept)
        }
        for segment in going.over + going.early { remove(segment, &problems) }
        gauges.noteKept(kept.count, bytes: kept.bytes, early: going.early.count)
    }

    private func remove(_ segment: SegmentName, _ problems: inout [String]) {
        do {
            try intake.remove(segment)
            gauges.noteRemoved()
        } catch {
            problems.append("\(error)")
        }
    }

    private func notePending(_ segments: [SegmentName], closed: Set<SegmentName>) {
        var bytes = 0
        var oldestMicros: Int64?
        let kept = lanes.kept.withLock { $0 }
        for segment in segments where !kept.contains(segment) {
            guard let identity = File.identity(of: intake.path(of: segment)) else { continue }
            // A header alone is nothing that waits.
            let waiting = max(
                0, identity.bytes - max(offsets?[segment] ?? 0, SpoolFormat.segmentHeaderBytes))
            bytes += waiting
            if waiting > 0 && closed.contains(segment) {
                oldestMicros = min(oldestMicros ?? .max, identity.modifiedMicros)
            }
        }
        gauges.notePending(bytes, oldestMicros: oldestMicros, number)
    }

    // MARK: Trouble

    private func note(_ problems: [String]) {
        if gauges.noteSpoolProblem(problems.first, number), let first = problems.first {
            Log.error("segments left alone", [("count", "\(problems.count)"), ("reason", first)])
        }
    }

    private func note(_ error: any Error) {
        if gauges.noteDown("\(error)", number) {
            Log.error("clicks do not go up", [("reason", "\(error)")])
        }
    }
}
