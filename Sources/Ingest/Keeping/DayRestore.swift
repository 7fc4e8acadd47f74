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
        let store = settings.store
        var files: [RestoredFile] = []
        defer { for file in files { store.giveBack(file.path, of: file.record) } }
        for (part, _) in parts.filter({ $0.state == "archived" }) {
            guard let record = try MaintainQueries.record(part, in: db) else {
                throw MaintainError.notArchived(day)
            }
            let file = RestoredFile(
                part: part, record: record, path: try store.fetch(part, record))
            files.append(file)
            try ArchiveFile.requireUnchanged(record, file.path)
            try reached("checked: \(record.location), \(record.content.rows) rows")
        }
        try MaintainQueries.keep(day, until: today.advanced(byDays: Int32(keepDays)), in: db)
        // Of its own, since it holds up others who make partitions.
        try IngestQueries.ensurePartition(day, in: db)
        try reached("partition made: \(day)")
        if !files.isEmpty {
            try load(files, of: day)
            try reached("restored: \(day)")
        }
        try finish(day)
        return files.reduce(0) { $0 + $1.record.content.rows }
    }

    /// A part that comes back, and where its file is to be read.
    private struct RestoredFile {
        let part: WaitingPart
        let record: ArchiveFile.Record
        let path: String
    }

    private func load(_ files: [RestoredFile], of day: KoreanDay) throws {
        try db.transaction { db in
            try MaintainQueries.makeRestoring(in: db)
            for file in files {
                var content: ArchiveFile.Content?
                let rows = try MaintainQueries.fillRestoring(in: db) { send in
                    content = try ArchiveFile.read(file.path, send)
                }
                guard content == file.record.content, rows == file.record.content.rows else {
                    throw MaintainError.changed(path: file.record.location)
                }
                try reached("loaded: \(file.record.location)")
            }
            try MaintainQueries.insertRestored(day, parts: files.map(\.part), in: db)
        }
    }
}
