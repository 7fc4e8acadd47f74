// One run of `Ingest maintain`: finds what is due and does it, step by step. Everything that is
// done is remembered by the tables themselves, so a run may end at any instant, by `kill -9` too,
// and the next goes on from there:
//
//   partition ─detach─► pending ─► detached ─set aside─► click_detached_… + row 'detached'
//      ─file, synced, renamed, manifest─► row 'written' ─file read back, table read again─►
//      table dropped, row 'archived' (one transaction)
//
// A table is dropped only in the process that has just read its file to the end and found in it,
// by count and SHA-256, what it found in the table.

import Admin
import Clicks
import Gzip
import Linux
import ObjectStore
import Postgres
import Schema
import Settings

/// What stops a step and not the run.
enum MaintainError: Error, CustomStringConvertible {
    /// The file does not say what the table says.
    case unequal(WaitingPart, path: String)
    /// The file is not the one that was written down.
    case changed(path: String)
    /// Whoever uses the ledger's table did not let us change it, that often.
    case busy(KoreanDay, attempts: Int)
    /// The ledger knows of no archive of the day, or of that part.
    case notArchived(KoreanDay)
    /// The file is in a bucket that the settings do not name.
    case elsewhere(String)
    /// A part of the day is a table still.
    case unfinished(WaitingPart)

    var description: String {
        switch self {
        case .unequal(let part, let path):
            "\(path) does not hold what the table of \(part.day), part \(part.part) holds; the "
                + "table stays, and the next run writes the file again"
        case .changed(let path):
            "\(path) is not the file that was written down: length or SHA-256 differ"
        case .busy(let day, let attempts):
            "the partition of \(day) was in use at \(attempts) attempts; the next run tries again"
        case .notArchived(let day): "no archive of \(day) is written down"
        case .elsewhere(let location):
            "\(location) is in a bucket, or under a prefix, that ARCHIVE_S3_… does not name"
        case .unfinished(let part):
            "part \(part.part) of \(part.day) is not archived yet: run `Ingest maintain` first"
        }
    }
}

/// Confined to one thread. The session holds the lock of those who maintain.
struct MaintainRun {
    let db: Connection
    let settings: MaintainSettings
    let today: KoreanDay
    /// Told what was just done; what it throws ends the run as a death at that moment would.
    let reached: (String) throws -> Void

    private static let swapAttempts = 60
    private static let agentsPerStatement = 10_000

    /// A session without a bound on statements, since some go through a whole day. One that dies is
    /// noticed by the server within a second, in the middle of a statement too.
    static func connect(_ url: Secret, as name: String) throws -> Connection {
        let db = try Connection(url: url.text, applicationName: name)
        try db.run(
            script: """
                set client_connection_check_interval = '1s';
                set lock_timeout = '60s';
                set datestyle = 'ISO, YMD';
                set jit = off;
                """)
        try Migrator.requireCurrent(db)
        return db
    }

    var rules: MaintainRules {
        MaintainRules(
            today: today, daysOnline: settings.daysOnline, retentionDays: settings.retentionDays)
    }

    func plan() throws -> [MaintainStep] {
        rules.steps(
            days: try MaintainQueries.days(in: db), waiting: try MaintainQueries.waiting(in: db))
    }

    /// Does everything that is due. A step that fails is logged, and the others are done all the
    /// same, unless the session is lost.
    /// - Returns: steps that failed.
    func runOnce() throws -> Int {
        var failures = 0
        for step in try plan() {
            do {
                try perform(step)
            } catch let error
                where error is PostgresError || error is MaintainError
                || error is SystemError || error is GzipError || error is ObjectStoreError
            {
                failures += 1
                Log.error("maintain could not \(step)", [("reason", "\(error)")])
                if db.isLost { throw error }
            }
        }
        return failures
    }

    private func perform(_ step: MaintainStep) throws {
        try reached("begun: \(step)")
        switch step {
        case .settle(let day):
            if let part = try MaintainQueries.settle(day, in: db) {
                try reached("set aside: \(day)")
                try archive(part)
            }
        case .archive(let part): try archive(part)
        case .makePartition(let day): try IngestQueries.ensurePartition(day, in: db)
        case .erase(let day): try erase(day)
        case .finish(let day): try finish(day)
        case .detach(let day):
            try MaintainQueries.detach(day, in: db)
            try reached("detached: \(day)")
            if let part = try MaintainQueries.settle(day, in: db) {
                try reached("set aside: \(day)")
                try archive(part)
            }
        case .eraseFlags(let day):
            _ = try MaintainQueries.eraseFlags(before: day, in: db)
        case .forgetAgents(let day):
            let most = MaintainRun.agentsPerStatement
            while try MaintainQueries.forgetAgents(before: day, atMost: most, in: db) == most {}
        }
        try reached("done: \(step)")
    }

    // MARK: Steps

    func finish(_ day: KoreanDay) throws {
        try MaintainQueries.makeGongguIndex(day, in: db)
        try reached("indexed: \(day)")
        if try MaintainQueries.tidyKey(day, in: db) { try reached("key made anew: \(day)") }
        try MaintainQueries.noteFinished(day, in: db)
    }

    private func erase(_ day: KoreanDay) throws {
        let rows = try MaintainQueries.copyErased(day, in: db)
        try reached("copied without addresses: \(day), \(rows) rows")
        for attempt in 1... {
            do {
                let late = try MaintainQueries.swapErased(day, in: db)
                try reached("erased: \(day), \(late) late rows")
                return
            } catch let error as PostgresError
                where error.sqlState == "55P03" || error.sqlState == "40P01"
            {
                guard attempt < MaintainRun.swapAttempts else {
                    throw MaintainError.busy(day, attempts: attempt)
                }
                // Longer than what we held the others up, so that they catch up in between.
                Clock.sleep(milliseconds: Int.random(in: 500...2000))
            }
        }
    }

    /// From whatever state the part is in to its file alone.
    private func archive(_ part: WaitingPart) throws {
        let store = settings.store
        let record = try MaintainQueries.record(part, in: db) ?? write(part, store)
        do {
            let path = try store.fetch(part, record)
            defer { store.giveBack(path, of: record) }
            try verify(part, record, path)
        } catch let error where MaintainRun.isDamage(error) {
            // Its table is still there, so the next run writes it again. A database or a bucket
            // that is away says nothing about the file.
            try MaintainQueries.noteDamaged(part, in: db)
            throw error
        }
        try reached("verified: \(record.location), \(record.content.rows) rows")
        try store.removeSent(part, record)
        try MaintainQueries.dropArchived(part, in: db)
    }

    private static func isDamage(_ error: any Error) -> Bool {
        switch error {
        case MaintainError.unequal, MaintainError.changed: true
        case is GzipError: true
        case let error as SystemError: error.isMissing
        case let error as ObjectStoreError: error.isMissing
        default: false
        }
    }

    private func write(
        _ part: WaitingPart, _ store: ArchiveStore
    ) throws -> ArchiveFile.Record {
        let path = store.path(part)
        let temporary = path + ".partial"
        let content = try ArchiveFile.write(to: temporary) { send in
            try MaintainQueries.export(part, in: db, send)
        }
        try reached("written: \(temporary)")
        let file = try ArchiveFile.sum(ofFile: temporary)
        let record = ArchiveFile.Record(
            content: content, fileBytes: file.bytes, fileSHA256: file.sha256,
            location: store.location(part))
        try File.rename(temporary, to: path)
        try reached("renamed: \(path)")
        try ArchiveFile.replace(
            store.manifestPath(part), with: ArchiveFile.manifest(part, record))
        try File.syncDirectory(store.folder)
        try reached("manifest written: \(path)")
        try store.send(part, record)
        try reached("kept: \(record.location)")
        try MaintainQueries.noteWritten(part, record, in: db)
        try reached("written down: \(record.location)")
        return record
    }

    /// Reads the file back and the table again.
    private func verify(
        _ part: WaitingPart, _ record: ArchiveFile.Record, _ path: String
    ) throws {
        try ArchiveFile.requireUnchanged(record, path)
        try reached("read back: \(record.location)")
        var sum = ContentSum()
        let rows = try MaintainQueries.export(part, in: db) { sum.add($0) }
        let table = ArchiveFile.Content(rows: rows, bytes: sum.bytes, sha256: sum.digest.value())
        guard table == record.content else {
            throw MaintainError.unequal(part, path: record.location)
        }
    }
}
