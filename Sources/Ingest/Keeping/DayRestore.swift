// `Ingest restore`: a day comes back from its file. The file is checked whole before anything is
// loaded, and once more while it is; rows, referers and the file's new state are one transaction,
// so a death leaves the day archived and a second run begins anew. Statistics are not touched:
// they were kept.

import Clicks

extension MaintainRun {
    /// Brings a day's clicks back into the ledger, where maintain leaves them for `keepDays`.
    /// - Returns: rows read from files; 0 if the day was restored already.
    /// - Throws: ``MaintainError``, and what files and the ledger throw.
    func restore(_ day: KoreanDay, keepDays: Int) throws -> Int {
        let parts = try MaintainQueries.parts(of: day, in: db)
        guard !parts.isEmpty else { throw MaintainError.notArchived(day) }
        if let unfinished = parts.first(where: { ["detached", "written"].contains($0.state) }) {
            throw MaintainError.unfinished(unfinished.part)
        }
        let archived = parts.filter { $0.state == "archived" }.map(\.part)
        var records: [ArchiveFile.Record] = []
        for part in archived {
            guard let record = try MaintainQueries.record(part, in: db) else {
                throw MaintainError.notArchived(day)
            }
            try ArchiveFile.requireUnchanged(record)
            records.append(record)
            try reached("checked: \(record.location), \(record.content.rows) rows")
        }
        try MaintainQueries.keep(day, until: today.advanced(byDays: Int32(keepDays)), in: db)
        // Of its own, since it holds up others who make partitions.
        try IngestQueries.ensurePartition(day, in: db)
        try reached("partition made: \(day)")
        if !archived.isEmpty {
            try load(records, of: day, parts: archived)
            try reached("restored: \(day)")
        }
        try finish(day)
        return records.reduce(0) { $0 + $1.content.rows }
    }

    private func load(
        _ records: [ArchiveFile.Record], of day: KoreanDay, parts: [WaitingPart]
    ) throws {
        try db.transaction { db in
            try MaintainQueries.makeRestoring(in: db)
            for record in records {
                var content: ArchiveFile.Content?
                let rows = try MaintainQueries.fillRestoring(in: db) { send in
                    content = try ArchiveFile.read(record.location, send)
                }
                guard content == record.content, rows == record.content.rows else {
                    throw MaintainError.changed(path: record.location)
                }
                try reached("loaded: \(record.location)")
            }
            try MaintainQueries.insertRestored(day, parts: parts, in: db)
        }
    }
}
