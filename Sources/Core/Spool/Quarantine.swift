// Where the spool's bytes go that cannot be taken up: <spool dir>/<edge id>/quarantine/.
//
//   <segment>.<offset>.<damage>        the bytes: what lay in the segment at that offset, or, where
//                                      some records of a frame were at fault, those records in a
//                                      frame of their own that says it lies there
//   <segment>.<offset>.<damage>.txt    why, where and when, for a person
//   requeue.lock                       flock(2)ed by the one `Ingest requeue` at work
//
// The text is written first and the bytes appear by a rename, so bytes never lack their text. Both
// are on the disk before the ledger moves past the original.
//
// Bound: so many bytes and files. At it nothing more is set aside, and the segment that would have
// to be waits, reported, while all others go on. Nothing is ever dropped to make room: each record
// is somebody's money.

import Glibc
import Linux
import Synchronization

/// What is known of a file in quarantine by its name and status.
package struct QuarantinedFile: Sendable {
    package let name: String
    package let segment: SegmentName
    /// Of its first byte in the segment.
    package let offset: Int
    package let damage: SpoolDamage
    package let bytes: Int
    /// When it was set aside, since 1970.
    package let modifiedMicros: Int64

    /// - Returns: nil for a name that Ingest would not have given, or a file that is gone.
    init?(_ name: String, in folder: String) {
        guard let (segment, offset, damage) = QuarantinedFile.parts(of: name),
            let file = File.identity(of: "\(folder)/\(name)")
        else { return nil }
        self.name = name
        self.segment = segment
        self.offset = offset
        self.damage = damage
        bytes = file.bytes
        modifiedMicros = file.modifiedMicros
    }

    static func name(_ segment: SegmentName, _ offset: Int, _ damage: SpoolDamage) -> String {
        "\(segment).\(offset).\(damage.rawValue)"
    }

    private static func parts(of name: String) -> (SegmentName, Int, SpoolDamage)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, let segment = SegmentName("\(parts[0]).\(parts[1])"),
            let offset = Int(parts[2]), offset >= 0,
            let damage = SpoolDamage(rawValue: String(parts[3])),
            name == self.name(segment, offset, damage)
        else { return nil }
        return (segment, offset, damage)
    }
}

/// What the text beside quarantined bytes says besides where they are from.
package struct QuarantineNote: Sendable {
    /// One line.
    package let reason: String
    /// When it was set aside, in words.
    package let time: String

    package init(reason: String, time: String) {
        self.reason = reason
        self.time = time
    }
}

/// The quarantine of one edge's spool.
package final class Quarantine: Sendable {
    package static let filesMax = 10_000
    package static let bytesMaxDefault = 1 << 30

    package let path: String
    package let bytesMax: Int
    /// What was counted last and what came since, so that thousands that come at once are not
    /// counted a thousand times.
    private let counted = Mutex<(files: Int, bytes: Int, micros: Int64)>((0, 0, .min / 2))

    private static let countedMicros: Int64 = 1_000_000

    package init(spool: String, bytesMax: Int = Quarantine.bytesMaxDefault) {
        path = spool + "/quarantine"
        self.bytesMax = bytesMax
    }

    /// Everything in it, by name; a folder that is missing has nothing. One file status call each.
    package func files() -> [QuarantinedFile] {
        ((try? File.list(path)) ?? []).sorted().compactMap { QuarantinedFile($0, in: path) }
    }

    package func path(of file: QuarantinedFile) -> String { "\(path)/\(file.name)" }

    /// Puts bytes aside, on the disk when it returns.
    ///
    /// - Parameters:
    ///   - keepsExisting: whether a file of that name is what would be written.
    ///   - write: fills the file at the path it is given.
    /// - Returns: the file's path.
    func keep(
        _ segment: SegmentName, _ offset: Int, _ damage: SpoolDamage, bytes: Int,
        _ note: QuarantineNote, edgeID: String, keepsExisting: Bool,
        write: (String) throws(SystemError) -> Void
    ) throws(SpoolError) -> String {
        let name = QuarantinedFile.name(segment, offset, damage)
        let target = "\(path)/\(name)"
        if keepsExisting && File.exists(target) { return target }
        do throws(SystemError) {
            try File.makeDirectories(path)
        } catch {
            throw .system(error)
        }
        guard makeRoom(bytes) else {
            throw .quarantineFull(folder: path, bytesMax: bytesMax)
        }
        do throws(SystemError) {
            try writeText(
                text(of: name, segment, offset, damage, bytes: bytes, note, edgeID: edgeID),
                to: target + ".txt")
            try write(target + ".tmp")
            try File.rename(target + ".tmp", to: target)
            try File.syncDirectory(path)
        } catch {
            throw .system(error)
        }
        return target
    }

    /// Whether there is room for one more file of so many bytes, which is then taken.
    private func makeRoom(_ bytes: Int) -> Bool {
        counted.withLock { counted in
            let now = Clock.monotonic()
            if now - counted.micros >= Quarantine.countedMicros {
                let files = files()
                counted = (files.count, files.reduce(0) { $0 + $1.bytes }, now)
            }
            guard counted.files < Quarantine.filesMax, counted.bytes <= bytesMax - bytes else {
                // Somebody may just be making room.
                counted.micros = .min / 2
                return false
            }
            counted.files += 1
            counted.bytes += bytes
            return true
        }
    }

    private func text(
        of name: String, _ segment: SegmentName, _ offset: Int, _ damage: SpoolDamage, bytes: Int,
        _ note: QuarantineNote, edgeID: String
    ) -> String {
        let reason = note.reason.split(whereSeparator: \.isNewline).joined(separator: " ")
        return """
            edge: \(edgeID)
            segment: \(segment)
            offset: \(offset)
            bytes: \(bytes)
            damage: \(damage.rawValue)
            reason: \(reason)
            set aside: \(note.time)
            to bring it back once it is repaired: Ingest requeue \(name)

            """
    }

    private func writeText(_ text: String, to target: String) throws(SystemError) {
        try Quarantine.write(Array(text.utf8), to: target + ".tmp")
        try File.rename(target + ".tmp", to: target)
    }

    /// Makes a file of bytes, on the disk when it returns.
    static func write(_ bytes: [UInt8], to target: String) throws(SystemError) {
        let file = try File.open(target, .createOrTruncate)
        var failure: SystemError?
        bytes.withUnsafeBytes { bytes in
            do throws(SystemError) {
                try File.writeWhole(bytes, to: file, path: target)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        try File.sync(file, path: target)
    }

    /// Takes the lock of the one who requeues.
    package func lock() throws(SpoolError) -> Descriptor {
        let lockPath = path + "/requeue.lock"
        do throws(SystemError) {
            return try File.lock(lockPath)
        } catch {
            if error.code == EWOULDBLOCK { throw .requeueing(lock: lockPath) }
            throw .system(error)
        }
    }

    /// Removes a file and its text, after its records have got a segment of their own.
    package func remove(_ file: QuarantinedFile) throws(SpoolError) {
        do throws(SystemError) {
            try File.remove(path(of: file))
            // Only a text without its bytes is left behind if this fails.
            if File.exists(path(of: file) + ".txt") { try File.remove(path(of: file) + ".txt") }
            try File.syncDirectory(path)
        } catch {
            throw .system(error)
        }
    }
}
