// Clicks up: from the edge's spool into the ledger, each exactly once in effect.
//
// A round reads whatever whole frames the spool has beyond the committed offsets, up to a bound, and
// puts them into one transaction: the clicks, what they add to the statistics, and the new offsets.
// So the ledger itself says how far it has got, and nothing else needs to survive: after any
// failure, or a commit whose outcome is unknown, the pump asks the ledger for the offsets and reads
// on from there.
//
// Invariant: `offsets` are the ledger's whenever no transaction is open; nil while that is unknown.
// A segment is deleted only after the ledger has committed its last byte and it is closed.

import Admin
import Clicks
import Linux
import Postgres
import Schema
import Settings
import Spool

/// What can keep a batch from the ledger besides PostgreSQL.
enum PumpError: Error, CustomStringConvertible {
    /// A committed offset is not where this pump left it.
    case offsetMoved

    var description: String {
        switch self {
        case .offsetMoved:
            "spool_offsets moved without us: another Ingest takes up the same EDGE_ID"
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
    private let batchRecordsMax: Int
    private let gauges: IngestGauges
    private var db: Connection?
    private var offsets: [SegmentName: Int]?
    private var readers: [SegmentName: SegmentReader] = [:]
    private var userAgents = TextDictionary()
    private var referers = TextDictionary()
    private var partitions: Set<KoreanDay> = []
    /// After a batch that PostgreSQL refused for its content: one frame at a time, to find which.
    private var framesMax = Int.max

    private static let idleMilliseconds = 50
    private static let backOffMillisecondsMax = 5000
    /// Reading ahead is bounded: a closed segment's reader holds a buffer and a descriptor.
    private static let readersMax = 64

    init(
        intake: SpoolIntake, databaseURL: Secret, batchRecordsMax: Int, gauges: IngestGauges
    ) {
        self.intake = intake
        self.databaseURL = databaseURL
        self.batchRecordsMax = batchRecordsMax
        self.gauges = gauges
    }

    /// Rounds until the signal is raised; what is committed by then stays, the rest waits in the
    /// spool.
    func run(until stopping: WakeSignal) {
        var backOffMilliseconds = 100
        while !stopping.isRaised {
            do {
                let round = try runOnce()
                backOffMilliseconds = 100
                gauges.noteUp()
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
        let db = try connected()
        let segments = try intake.segments()
        var batch = ClickBatch()
        let isFull = try read(segments, into: &batch)
        if !batch.isEmpty {
            do {
                try commit(batch, to: db)
            } catch let error as PostgresError where error.isRefusedContent {
                try setAside(batch, because: error, in: db)
            }
        }
        try removeConsumed(segments)
        gauges.notePending(try pendingBytes(segments))
        return Round(clicks: batch.clicks.count, isFull: isFull || framesMax == 1)
    }

    // MARK: Reading

    /// - Returns: whether the bound stopped it, so that more is waiting.
    private func read(_ segments: [SegmentName], into batch: inout ClickBatch) throws -> Bool {
        var frames = 0
        for segment in segments {
            guard let reader = try reader(of: segment) else { continue }
            let isClosed = segment.isClosed(among: segments)
            var offset = offsets?[segment] ?? 0
            segment: while true {
                if batch.clicks.count >= batchRecordsMax || frames >= framesMax { return true }
                switch try reader.next(at: offset, isClosed: isClosed) {
                case .frame(let frame, let next):
                    batch.append(frame, of: segment, from: offset, to: next)
                    offset = next
                    frames += 1
                case .torn(let range):
                    batch.skip(segment, from: offset, to: range.upperBound)
                    offset = range.upperBound
                case .damaged(let range, let damage):
                    try quarantine(segment, range, damage)
                    batch.skip(segment, from: offset, to: range.upperBound)
                    offset = range.upperBound
                case .waiting, .ended:
                    break segment
                }
            }
        }
        return false
    }

    private func reader(of segment: SegmentName) throws -> SegmentReader? {
        if let reader = readers[segment] { return reader }
        if readers.count >= ClickPump.readersMax { readers.removeAll() }
        do throws(SystemError) {
            let reader = try intake.reader(of: segment)
            readers[segment] = reader
            return reader
        } catch  where error.isMissing {
            // The writer took back a segment that never held a frame.
            return nil
        }
    }

    private func quarantine(
        _ segment: SegmentName, _ range: Range<Int>, _ damage: SpoolDamage
    ) throws {
        try intake.quarantine(segment, range, damage)
        gauges.noteQuarantined(bytes: range.count)
        Log.error(
            "spool damaged, set aside in quarantine",
            [
                ("segment", "\(segment)"), ("from", "\(range.lowerBound)"),
                ("to", "\(range.upperBound)"), ("damage", damage.rawValue),
            ])
    }

    // MARK: Writing

    private func connected() throws -> Connection {
        if let db, offsets != nil, !db.isLost { return db }
        offsets = nil
        db = nil
        let db = try Connection(
            url: databaseURL.text, applicationName: "gonggumoa-ingest-clicks",
            statementTimeoutSeconds: 60)
        try Migrator.requireCurrent(db)
        offsets = try IngestQueries.offsets(edgeID: intake.edgeID, in: db)
        partitions = []
        self.db = db
        return db
    }

    private func commit(_ batch: ClickBatch, to db: Connection) throws {
        for day in batch.days where !partitions.contains(day) {
            try IngestQueries.ensurePartition(day, in: db)
            partitions.insert(day)
        }
        let userAgentIDs = try userAgents.numbers(of: batch.userAgents.texts) {
            try IngestQueries.userAgentIDs($0, in: db)
        }
        let refererIDs = try referers.numbers(of: batch.referers.texts) {
            try IngestQueries.refererIDs($0, in: db)
        }
        // From here until it is known to have been committed, where the ledger stands is unknown.
        let before = offsets
        offsets = nil
        do {
            try db.transaction { db in
                try batch.copyClicks(
                    userAgentIDs: userAgentIDs, refererIDs: refererIDs, to: db)
                try batch.copyStatistics(to: db)
                try IngestQueries.advance(batch.progress, edgeID: intake.edgeID, in: db)
            }
        } catch let error as PostgresError where error.isRefusedContent {
            // The server has said no, so nothing was committed.
            offsets = before
            throw error
        }
        offsets = before
        for progress in batch.progress { offsets?[progress.segment] = progress.to }
        framesMax = .max
        gauges.noteCommitted(clicks: batch.clicks.count, lastClick: batch.clicks.last?.click.time)
    }

    /// PostgreSQL refuses something in the batch, and would do so for ever. Read one frame at a time
    /// until the one is found; that one goes to quarantine and the rest goes on.
    private func setAside(
        _ batch: ClickBatch, because error: PostgresError, in db: Connection
    ) throws {
        guard framesMax == 1, let progress = batch.progress.last else {
            framesMax = 1
            // A partition that was dropped behind our back refuses rows just so.
            partitions = []
            return
        }
        Log.error("frame refused by the ledger", [("reason", "\(error)")])
        try quarantine(progress.segment, progress.from..<progress.to, .record)
        try db.transaction { db in
            try IngestQueries.advance(
                batch.progress.map {
                    SegmentProgress(segment: $0.segment, from: $0.from, to: $0.to, records: 0)
                }, edgeID: intake.edgeID, in: db)
        }
        for progress in batch.progress { offsets?[progress.segment] = progress.to }
        framesMax = .max
    }

    // MARK: Deleting

    private func removeConsumed(_ segments: [SegmentName]) throws {
        for segment in segments where segment.isClosed(among: segments) {
            // One that never held a frame has no offset in the ledger, and nothing to lose.
            let committed = offsets?[segment] ?? 0
            guard let reader = readers[segment],
                case .ended = try reader.next(at: committed, isClosed: true)
            else { continue }
            try intake.remove(segment)
            readers[segment] = nil
            gauges.noteRemoved()
        }
    }

    private func pendingBytes(_ segments: [SegmentName]) throws -> Int {
        var bytes = 0
        for segment in segments {
            guard let identity = File.identity(of: intake.path(of: segment)) else { continue }
            bytes += max(0, identity.bytes - (offsets?[segment] ?? 0))
        }
        return bytes
    }

    private func note(_ error: any Error) {
        if gauges.noteDown("\(error)") {
            Log.error("clicks do not go up", [("reason", "\(error)")])
        }
        // Whatever it was, the next round begins with a fresh look at the ledger.
        offsets = nil
        if let error = error as? PostgresError, !error.isConnectionLost { db = nil }
        readers.removeAll()
    }
}

extension PostgresError {
    /// SQLSTATE classes 22 (data exception) and 23 (integrity constraint): the same rows would be
    /// refused again.
    fileprivate var isRefusedContent: Bool {
        kind == .server && (sqlState.hasPrefix("22") || sqlState.hasPrefix("23"))
    }
}
