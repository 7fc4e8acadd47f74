// Where files of archived days are: in a folder, or in a bucket, whose files are made in the folder
// first. A location says which, so that both may be in use.

import Glibc
import Linux
import ObjectStore

/// Confined to one thread.
struct ArchiveStore {
    let folder: String
    let bucket: S3Bucket?
    /// Before the names of objects.
    let prefix: String

    func path(_ part: WaitingPart) -> String { "\(folder)/\(ArchiveFile.name(part)).csv.gz" }
    func manifestPath(_ part: WaitingPart) -> String {
        "\(folder)/\(ArchiveFile.name(part)).json"
    }

    private var beginning: String? { bucket.map { "s3://\($0.name)/\(prefix)/" } }

    /// Where a part written now will be.
    func location(_ part: WaitingPart) -> String {
        beginning.map { $0 + ArchiveFile.name(part) + ".csv.gz" } ?? path(part)
    }

    /// Sends file and manifest to the bucket, if there is one.
    func send(_ part: WaitingPart, _ record: ArchiveFile.Record) throws {
        guard let bucket else { return }
        let manifest = try ArchiveFile.sum(ofFile: manifestPath(part))
        let key = "\(prefix)/\(ArchiveFile.name(part))"
        try bucket.put(
            key + ".csv.gz", file: path(part), bytes: record.fileBytes,
            sha256: ArchiveFile.hexadecimal(record.fileSHA256), contentType: "application/gzip")
        try bucket.put(
            key + ".json", file: manifestPath(part), bytes: manifest.bytes,
            sha256: ArchiveFile.hexadecimal(manifest.sha256), contentType: "application/json")
    }

    /// The path of a part's file, fetched if it is in the bucket. ``giveBack(_:of:)`` ends its use.
    func fetch(_ part: WaitingPart, _ record: ArchiveFile.Record) throws -> String {
        guard record.location.hasPrefix("s3://") else { return record.location }
        guard let bucket, let beginning, record.location.hasPrefix(beginning) else {
            throw MaintainError.elsewhere(record.location)
        }
        let fetched = path(part) + ".fetched"
        let key = prefix + "/" + record.location.dropFirst(beginning.utf8.count)
        try bucket.get(key, to: fetched)
        return fetched
    }

    /// Removes what was fetched.
    func giveBack(_ path: String, of record: ArchiveFile.Record) {
        // What cannot be removed is overwritten the next time.
        if path != record.location { unlink(path) }
    }

    /// Removes what was made here for a bucket that has it now.
    func removeSent(_ part: WaitingPart, _ record: ArchiveFile.Record) throws {
        guard record.location.hasPrefix("s3://") else { return }
        for path in [path(part), manifestPath(part)] where File.exists(path) {
            try File.remove(path)
        }
    }
}
