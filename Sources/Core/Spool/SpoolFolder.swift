// Edge's side of the folder: one Edge process at a time, and names that always rise. What may be
// in the folder and who may delete it is specified in SpoolFormat.swift.
import Glibc
import Linux
import Synchronization

/// The folder that one Edge process writes its segments into, locked for it alone.
package final class SpoolFolder: Sendable {
    package let path: String
    package let edgeID: String
    private let state: Mutex<State>

    /// Invariant: `lock` is locked; `startMicros` is noted in its file and later than every
    /// segment's that was in the folder when the lock was taken.
    private struct State: ~Copyable {
        var lock: Descriptor
        var startMicros: Int64
        /// The latest that was noted or named when the lock was taken, -1 for none.
        var previousStartMicros: Int64
    }

    /// Makes the folder if it is not there, locks it, and fixes the start that this process's
    /// segments carry.
    ///
    /// - Parameters:
    ///   - root: the spool directory; the folder in it has the edge's id for its name.
    ///   - nowMicros: since 1970; may be earlier than at the last start.
    package static func open(
        _ root: String, edgeID: String, nowMicros: Int64
    ) throws(SpoolError) -> SpoolFolder {
        guard isValid(edgeID: edgeID) else { throw .edgeID(edgeID) }
        let path = root + "/" + edgeID
        do throws(SystemError) {
            return SpoolFolder(path, edgeID, try take(path, nowMicros: nowMicros))
        } catch {
            switch error.code {
            case EWOULDBLOCK: throw .held(lock: error.object, by: "Edge")
            case EOVERFLOW: throw .startExhausted(folder: path)
            default: throw .system(error)
            }
        }
    }

    private init(_ path: String, _ edgeID: String, _ state: consuming sending State) {
        self.path = path
        self.edgeID = edgeID
        self.state = Mutex(state)
    }

    /// Whether the text may name an edge: 1 to 64 of `[A-Za-z0-9._-]`, beginning without a dot, so
    /// that it is one harmless file name.
    package static func isValid(edgeID: String) -> Bool {
        1...SpoolFormat.edgeIDBytesMax ~= edgeID.utf8.count && edgeID.utf8.first != 0x2E
            && edgeID.utf8.allSatisfy { byte in
                switch byte {
                case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
                default: false
                }
            }
    }

    /// Microseconds since 1970 that the names of this process's segments carry.
    package var startMicros: Int64 { state.withLock { $0.startMicros } }

    /// The start of the last process that has used the folder; -1 if nothing in it tells.
    package var previousStartMicros: Int64 { state.withLock { $0.previousStartMicros } }

    /// Creates a segment's file, still without a header. If the folder was removed it is made
    /// again, and its lock taken again before anything is written.
    func create(worker: Int, sequence: Int64) throws(SystemError) -> OpenSegment {
        let name = SegmentName(
            worker: worker, startMicros: try confirmedStart(), sequence: sequence)
        return try OpenSegment(name, folder: path)
    }

    /// Writes a new segment's header. If that fails the segment is taken back.
    func writeHeader(of segment: OpenSegment) throws(SystemError) {
        let header = SegmentHeader(name: segment.name, edgeID: edgeID)
        var failure: SystemError?
        withUnsafeTemporaryAllocation(
            byteCount: SpoolFormat.segmentHeaderBytes, alignment: 8
        ) { bytes in
            header.write(to: bytes)
            failure = segment.append(UnsafeRawBufferPointer(bytes))
        }
        if let failure {
            segment.takeBack()
            throw failure
        }
    }

    private func confirmedStart() throws(SystemError) -> Int64 {
        var failure: SystemError?
        let start = state.withLock { state -> Int64 in
            if !SpoolFolder.isCurrent(state.lock, path) {
                do throws(SystemError) {
                    state = try SpoolFolder.take(path, nowMicros: state.startMicros)
                } catch {
                    failure = error
                }
            }
            return state.startMicros
        }
        if let failure { throw failure }
        return start
    }

    /// Whether the lock file under its name is still the one that is locked.
    private static func isCurrent(_ lock: borrowing Descriptor, _ path: String) -> Bool {
        var held = stat()
        var named = stat()
        return fstat(lock.raw, &held) == 0 && stat(path + "/edge.lock", &named) == 0
            && held.st_ino == named.st_ino && held.st_dev == named.st_dev
    }

    /// - Returns: the lock and a start later than any before, noted in the lock's file.
    /// - Throws: EWOULDBLOCK if another process has the lock, EOVERFLOW if there is no later start.
    private static func take(
        _ path: String, nowMicros: Int64
    ) throws(SystemError) -> State {
        try File.makeDirectories(path)
        let lockPath = path + "/edge.lock"
        let lock = try File.lock(lockPath)
        var last = Int64(-1)
        for name in try File.list(path).compactMap({ SegmentName($0) }) {
            last = max(last, name.startMicros)
        }
        if let noted = note(in: try File.contents(of: lockPath, bytesMax: 4096)) {
            last = max(last, noted)
        }
        let start = max(nowMicros, last + 1)
        guard 0...SpoolFormat.startMicrosMax ~= start else {
            throw SystemError("start", path, code: EOVERFLOW)
        }
        var text = Array((String(start) + "\n").utf8)
        // Rewritten in place: the lock is on the file, so it cannot be replaced by a rename. A torn
        // note is longer or shorter than it should be or no number, and then the names decide.
        guard pwrite(lock.raw, &text, text.count, 0) == text.count else {
            throw SystemError("pwrite", lockPath)
        }
        try File.truncate(lock, to: text.count, path: lockPath)
        try File.syncData(lock, path: lockPath)
        return State(lock: lock, startMicros: start, previousStartMicros: last)
    }

    /// The number that is the whole text but for its line's end; nil if there is none in range.
    private static func note(in text: [UInt8]) -> Int64? {
        guard text.last == UInt8(ascii: "\n"),
            let number = Int64(String(decoding: text.dropLast(), as: UTF8.self)),
            0...SpoolFormat.startMicrosMax ~= number
        else { return nil }
        return number
    }
}
