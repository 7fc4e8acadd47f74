// Ingest's side of the folder: what there is to read, what may go, and where the unreadable is
// kept. What may be in the folder and who may delete it is specified in SpoolFormat.swift.
import Glibc
import Linux

/// The folder of one edge as its one Ingest sees it, locked against a second one.
package final class SpoolIntake: Sendable {
    package let path: String
    package let edgeID: String
    package let quarantine: Quarantine
    private let lock: Descriptor

    /// Makes the folder if it is not there yet: Ingest may start before Edge.
    package static func open(
        _ root: String, edgeID: String, quarantineBytesMax: Int = Quarantine.bytesMaxDefault
    ) throws(SpoolError) -> SpoolIntake {
        guard SpoolFolder.isValid(edgeID: edgeID) else { throw .edgeID(edgeID) }
        let path = root + "/" + edgeID
        do throws(SystemError) {
            try File.makeDirectories(path)
            let lock = try File.lock(path + "/ingest.lock")
            let quarantine = Quarantine(spool: path, bytesMax: quarantineBytesMax)
            return SpoolIntake(path, edgeID, quarantine, lock)
        } catch {
            if error.code == EWOULDBLOCK { throw .held(lock: error.object, by: "Ingest") }
            throw .system(error)
        }
    }

    private init(
        _ path: String, _ edgeID: String, _ quarantine: Quarantine, _ lock: consuming Descriptor
    ) {
        self.quarantine = quarantine
        self.path = path
        self.edgeID = edgeID
        self.lock = lock
    }

    /// The segments there are, sorted by worker and then by age. A folder that was removed has
    /// none. To know which are closed, ask ``SegmentName/isClosed(among:)`` with this list.
    package func segments() throws(SystemError) -> [SegmentName] {
        do throws(SystemError) {
            return try File.list(path).compactMap { SegmentName($0) }.sorted()
        } catch {
            if error.code == ENOENT { return [] }
            throw error
        }
    }

    package func path(of segment: SegmentName) -> String {
        "\(path)/\(segment)"
    }

    /// - Throws: ENOENT if the segment is gone: a writer takes back one that never held a frame.
    package func reader(of segment: SegmentName) throws(SystemError) -> SegmentReader {
        try SegmentReader(segment, folder: path, edgeID: edgeID)
    }

    /// Deletes a segment; nothing if it is gone already. For closed segments only, after all that
    /// was in it has been committed to the ledger.
    package func remove(_ segment: SegmentName) throws(SystemError) {
        do throws(SystemError) {
            try File.remove(path(of: segment))
        } catch {
            if error.code != ENOENT { throw error }
        }
    }

    /// Copies a damaged range into quarantine. Does nothing if that was done before, so it may be
    /// repeated after a crash.
    ///
    /// - Returns: the file's path.
    @discardableResult
    package func quarantine(
        _ segment: SegmentName, _ range: Range<Int>, _ damage: SpoolDamage, _ note: QuarantineNote
    ) throws(SpoolError) -> String {
        try quarantine.keep(
            segment, range.lowerBound, damage, bytes: range.count, note, edgeID: edgeID,
            keepsExisting: true
        ) { target throws(SystemError) in
            try copy(segment, range, to: target)
        }
    }

    /// Puts records of a frame into quarantine, in a frame of their own. A file of the same name
    /// is replaced: it was made by an attempt that has come to nothing.
    @discardableResult
    package func quarantine(
        _ places: [Int], of split: SplitFrame, _ segment: SegmentName, frameAt offset: Int,
        _ damage: SpoolDamage, _ note: QuarantineNote
    ) throws(SpoolError) -> String {
        let frame = split.sealed(places, at: offset)
        return try quarantine.keep(
            segment, offset, damage, bytes: frame.count, note, edgeID: edgeID, keepsExisting: false
        ) { target throws(SystemError) in
            try Quarantine.write(frame, to: target)
        }
    }

    private func copy(
        _ segment: SegmentName, _ range: Range<Int>, to target: String
    ) throws(SystemError) {
        let source = try File.open(path(of: segment), .read)
        let copy = try File.open(target, .createOrTruncate)
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { chunk.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let part = UnsafeMutableRawBufferPointer(
                rebasing: chunk[..<min(chunk.count, range.upperBound - offset)])
            let count = try File.read(source, into: part, at: offset, path: path(of: segment))
            if count == 0 { break }
            try File.writeWhole(
                UnsafeRawBufferPointer(rebasing: part[..<count]), to: copy, path: target)
            offset += count
        }
        try File.sync(copy, path: target)
    }
}
