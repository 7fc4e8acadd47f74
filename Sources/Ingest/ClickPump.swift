// Clicks up: from the edge's spool into the ledger, each exactly once in effect.
//
// A round reads whatever whole frames the spool has beyond those that were read, up to a bound,
// and puts them into one transaction: the new offsets, the clicks, and what they add to the
// statistics. So the ledger itself says how far it has got, and nothing else needs to survive:
// after any failure, or a commit whose outcome is unknown, the ledger is asked for the offsets, and
// whoever reads next goes on from there. How the rounds of several pumps follow each other is told
// in PumpTurns.swift.
//
// Invariant: a segment is deleted only after the ledger has committed its last byte and it is
// closed, and then not at once: an edge that has lost its memory makes it again from what is there.

import Admin
import Clicks
import Linux
import Postgres
import Settings
import Spool

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
    private let turns: PumpTurns
    private let countries: Countries
    private let gauges: IngestGauges
    private let live: LiveFeed?
    private var db: Connection?
    /// Of the batch under way.
    private let rows = BatchRows()
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
    ///   - number: from 0, among the pumps that share the turns. The first works always, others
    ///     where there is a backlog.
    ///   - turns: its own, unless given.
    ///   - live: told of what was committed; nil where nobody looks on.
    init(
        intake: SpoolIntake, databaseURL: Secret, batchRecordsMax: Int, number: Int = 0,
        turns: PumpTurns? = nil, countries: Countries = Countries(path: nil),
        gauges: IngestGauges, live: LiveFeed? = nil
    ) {
        self.intake = intake
        self.databaseURL = databaseURL
        pace = BatchPace(most: batchRecordsMax)
        self.number = number
        self.turns = turns ?? PumpTurns(intake)
        self.countries = countries
        self.gauges = gauges
        self.live = live
    }

    /// Rounds until the signal is raised; what is committed by then stays, the rest waits in the
    /// spool.
    func run(until stopping: WakeSignal) {
        var backOffMilliseconds = 100
        // A session that begins later would have all wait until nothing is under way.
        _ = try? connected()
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
        guard turns.isOffered(to: number) else { return Round() }
        do {
            let db = try connected()
            guard let reading = turns.beginReading(number) else { return Round() }
            let (read, ticket) = try read(reading, in: db)
            return try take(read, ticket, in: db)
        } catch PumpError.overtaken {
            // Whose failure it was tells of it.
            return Round(clicks: 0, isFull: true)
        } catch {
            // Whatever it was, the next round begins with a fresh look at the ledger.
            db = nil
            turns.learnAnew(isAfresh: true)
            turns.endSole(number)
            // New clicks need the room whether the ledger is there or not.
            var problems: [String] = []
            removeKept(&problems)
            throw error
        }
    }

    /// What a look at the spool has found.
    private struct Read {
        let segments: [SegmentName]
        let closed: Set<SegmentName>
        var taken: SpoolTaken
    }

    private func read(
        _ reading: PumpTurns.Reading, in db: Connection
    ) throws -> (Read, PumpTurns.Ticket?) {
        do {
            if reading.isAfresh { turns.tail.reset() }
            // Numbers that were learnt before a failure may be lost with the server's memory.
            if reading.offsets == nil { turns.texts.removeAll() }
            let segments = try intake.segments()
            let offsets = try learned(reading.offsets, of: segments, in: db)
            let closed = SpoolTail.closed(among: segments)
            let taken = turns.tail.read(
                segments.filter { !reading.finished.contains($0) }, closed: closed,
                passingOver: turns.kept.withLock { $0 }, from: offsets, texts: turns.texts,
                countries: countries.table, recordsMax: pace.records)
            turns.texts.clicksExpected = taken.batch.clicks.count
            rows.make(of: taken.batch)
            let ticket = turns.endReading(offsets, taken)
            // The other pumps are not to wait for this one's commit.
            if taken.isFull && !turns.isBacklog { notePending(segments, closed: closed) }
            return (Read(segments: segments, closed: closed, taken: taken), ticket)
        } catch {
            turns.cancelReading()
            throw error
        }
    }

    private func take(
        _ read: Read, _ ticket: PumpTurns.Ticket?, in db: Connection
    ) throws -> Round {
        var read = read
        let batch = read.taken.batch
        var round = Round(clicks: batch.clicks.count, isFull: read.taken.isFull)
        if let ticket {
            do {
                if batch.isEmpty {
                    try turns.waitUntilFirst(ticket)
                } else {
                    try commit(batch, ticket, to: db)
                }
                removeConsumed(&read.taken)
                turns.settle(ticket, batch.progress)
            } catch let error as PostgresError where error.isRefusedContent {
                turns.fail(ticket)
                try findRefused(batch, because: error, in: db)
                round = Round(clicks: 0, isFull: true)
            } catch {
                turns.fail(ticket)
                throw error
            }
        }
        if round.clicks > 0 || !round.isFull { endSearch(after: batch) }
        turns.kept.withLock { $0.forget(exceptOf: read.segments) }
        removeKept(&read.taken.problems)
        note(read.taken.problems)
        notePending(read.segments, closed: read.closed)
        return round
    }

    // MARK: The ledger

    private func connected() throws -> Connection {
        if let db, !db.isLost { return db }
        db = nil
        let db = try Connection.toLedger(databaseURL, as: "gonggumoa-ingest-clicks")
        // It may be another server than before, one that lacks the last of what we knew.
        turns.learnAnew(isAfresh: false)
        turns.kept.withLock { $0.removeAll() }
        partitions = []
        self.db = db
        return db
    }

    /// The offsets of the segments there are: asks for those of new ones.
    private func learned(
        _ known: [SegmentName: Int]?, of segments: [SegmentName], in db: Connection
    ) throws -> [SegmentName: Int] {
        let known = known ?? [:]
        let new = segments.filter { known[$0] == nil }
        guard !new.isEmpty || known.count > segments.count else { return known }
        var current =
            new.isEmpty
            ? [:] : try IngestQueries.offsets(of: new, edgeID: intake.edgeID, in: db)
        for segment in segments where current[segment] == nil { current[segment] = known[segment] }
        return current
    }

    private func commit(
        _ batch: ClickBatch, _ ticket: PumpTurns.Ticket, to db: Connection
    ) throws {
        let began = Clock.monotonic()
        for day in batch.days where !partitions.contains(day) {
            try IngestQueries.ensurePartition(day, in: db)
            partitions.insert(day)
        }
        try rows.number(in: db)
        try turns.endNumbering(ticket)
        rows.complete()
        try store(batch, ticket, in: db)
        refusals = 0
        pace.note(clicks: batch.clicks.count, micros: Clock.monotonic() - began)
        gauges.noteCommitted(
            IngestGauges.Commit(
                clicks: batch.clicks.count, lines: rows.lines.count, newest: batch.newest,
                micros: Clock.monotonic() - began,
                floodClicksLeftOut: batch.floods.clicksLeftOut))
        live?.offer(rows.lines, newest: batch.newest)
        gauges.noteKnown(batch.knownCount)
        gauges.noteTextsLost(batch.textsLost)
        for setAside in batch.setAside { note(setAside) }
    }

    /// One transaction of a batch, in its turn.
    private func store(
        _ batch: ClickBatch, _ ticket: PumpTurns.Ticket, in db: Connection
    ) throws {
        try db.transaction { db in
            // Before the clicks: there is a turn to be waited for.
            try rows.copyDeltas(to: db)
            // The clicks' table is not locked before the turn: who makes a partition meanwhile
            // would wait for us, the batch before for them, and we for it, unseen by the server.
            try turns.waitToCopy(ticket)
            let isFirst = turns.isFirst(ticket)
            if isFirst { try advance(batch, in: db) }
            let copied = try rows.copyClicks(into: try theDay(of: batch, in: db), to: db)
            precondition(copied == batch.clicks.count, "COPY takes every row or none")
            turns.endCopying(ticket)
            if !isFirst {
                try turns.waitUntilFirst(ticket)
                try advance(batch, in: db)
            }
            try batch.floods.write(to: db)
        }
    }

    /// The only one, if its partition is there: all others are left to the server, row by row, and
    /// so is the refusal.
    private func theDay(of batch: ClickBatch, in db: Connection) throws -> KoreanDay? {
        guard batch.days.count == 1, let day = batch.days.first else { return nil }
        return try IngestQueries.holdPartition(day, in: db) ? day : nil
    }

    private func advance(_ batch: ClickBatch, in db: Connection) throws {
        try IngestQueries.advance(batch.progress, edgeID: intake.edgeID, in: db)
    }

    // MARK: Content that PostgreSQL refuses

    /// It would refuse the same for ever. Finds the rows, so that the next round takes all others.
    private func findRefused(
        _ batch: ClickBatch, because error: PostgresError, in db: Connection
    ) throws {
        // A partition that was dropped behind our back refuses rows just so, and so may a text's
        // number that is no longer its own.
        partitions = []
        // The tail is looked into, and told.
        guard turns.takeSole(number) else { return }
        turns.texts.removeAll()
        let tail = turns.tail
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
            tail: tail, texts: turns.texts, countries: countries.table,
            store: { batch, db in
                self.rows.make(of: batch)
                try self.rows.number(in: db)
                self.rows.complete()
                _ = try self.rows.copyClicks(to: db)
                try self.rows.copyDeltas(to: db)
                try batch.floods.write(to: db)
            })
        for (place, refusal) in try search.run(batch.progress, in: db) {
            tail.refused[place, default: SpoolTail.Refusal(rows: [], reason: refusal.reason)].rows
                .formUnion(refusal.rows)
        }
    }

    /// Forgets what was refused of a batch that is in the ledger, and works beside others again
    /// when that was all.
    private func endSearch(after batch: ClickBatch) {
        guard turns.isSole(number) else { return }
        let tail = turns.tail
        tail.known = []
        for progress in batch.progress {
            tail.refused = tail.refused.filter {
                $0.key.segment != progress.segment || $0.key.offset >= progress.to
            }
        }
        // What is refused in a segment that somebody has deleted is never met again.
        if batch.isEmpty { tail.refused = [:] }
        if tail.refused.isEmpty { turns.endSole(number) }
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
        for ended in taken.ended {
            let file = File.identity(of: intake.path(of: ended.segment))
            if let file, ended.range.upperBound > SpoolFormat.segmentHeaderBytes,
                turns.kept.withLock({ $0.keep(ended.segment, file) })
            {
                continue
            }
            remove(ended.segment, &taken.problems)
        }
    }

    /// Those whose time is over, and as many more as new clicks need the room of.
    private func removeKept(_ problems: inout [String]) {
        let (now, freeBytes) = (Clock.now(), turns.keeping.room(in: intake.path))
        let (going, kept) = turns.kept.withLock { kept in
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
        let kept = turns.kept.withLock { $0 }
        let committed = turns.committed
        for segment in segments where !kept.contains(segment) {
            guard let identity = File.identity(of: intake.path(of: segment)) else { continue }
            // A header alone is nothing that waits.
            let waiting = max(
                0, identity.bytes - max(committed[segment] ?? 0, SpoolFormat.segmentHeaderBytes))
            bytes += waiting
            if waiting > 0 && closed.contains(segment) {
                oldestMicros = min(oldestMicros ?? .max, identity.modifiedMicros)
            }
        }
        gauges.notePending(bytes, oldestMicros: oldestMicros)
        turns.notePending(bytes)
    }

    // MARK: Trouble

    private func note(_ problems: [String]) {
        if gauges.noteSpoolProblem(problems.first), let first = problems.first {
            Log.error("segments left alone", [("count", "\(problems.count)"), ("reason", first)])
        }
    }

    private func note(_ error: any Error) {
        if gauges.noteDown("\(error)", number) {
            Log.error("clicks do not go up", [("reason", "\(error)")])
        }
    }
}
