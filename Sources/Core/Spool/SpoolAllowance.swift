// How much the spool may hold. With the database away for hours an edge goes on writing, and a disk
// that is full to the last byte takes down more than clicks. So there is a bound, and a policy at it:
// the edge stops recording, says so, goes on redirecting, and records again by itself when Ingest
// has made room.
//
// No worker asks the kernel for it. One thread looks at the folder a few times a second and grants
// each worker an even share of what is left, as a mark on that worker's own count of bytes. A worker
// compares two numbers when it commits. Whoever reaches its mark ends the recording of all, since
// what is left then is less than what arrives between two looks.
//
// Invariant: a worker's count is read before the folder is measured, so whatever is written
// meanwhile counts twice and never not at all. The folder exceeds the bound by no more than the
// segments' headers.

import Linux
import Synchronization

/// Bounds of a spool, the same for the edge that keeps to them and the Ingest that makes room.
package struct SpoolBounds: Equatable, Sendable {
    /// Of all segments of the folder, those that are kept although the ledger has them included.
    package let bytesMax: Int
    /// What the folder's file system keeps free for others.
    package let diskFreeMin: Int

    package init(bytesMax: Int, diskFreeMin: Int) {
        self.bytesMax = bytesMax
        self.diskFreeMin = diskFreeMin
    }

    package static let none = SpoolBounds(bytesMax: .max, diskFreeMin: 0)

    /// Four hours of 5,000 clicks a second.
    package static let bytesMaxDefault = 20 << 30
    package static let diskFreeMinDefault = 1 << 30

    /// Bytes that may still be written.
    package func room(used: Int, diskFree: Int?) -> Int {
        max(0, min(bytesMax - used, (diskFree ?? .max) - diskFreeMin))
    }

    /// Room from which recording goes on once it has stopped: an eighth of what there is in all, so
    /// that it does not stop again at once; at most 1 GiB, some minutes of a busy edge.
    package func roomToResume(used: Int, diskFree: Int?) -> Int {
        let whole = min(bytesMax, used + max(0, (diskFree ?? .max / 2) - diskFreeMin))
        return max(1, min(bytesMax / 8, 1 << 20), min(whole / 8, 1 << 30))
    }
}

/// Why nothing is recorded.
package enum SpoolStop: Equatable, Sendable, CustomStringConvertible {
    case spoolFull(bytes: Int, max: Int)
    case diskFull(free: Int, min: Int)

    package var description: String {
        switch self {
        case .spoolFull(let bytes, let max):
            "the spool has \(bytes) of at most \(max) bytes (SPOOL_BYTES_MAX)"
        case .diskFull(let free, let min):
            "the spool's disk has \(free) bytes free, \(min) are to stay so (SPOOL_DISK_FREE_MIN)"
        }
    }
}

/// What the workers of one edge may still write. Shared by them and by the thread that measures.
package final class SpoolAllowance: Sendable {
    package let bounds: SpoolBounds
    private let folder: String
    private let shares: [Share]
    /// Written by the measuring thread and, towards true, by a worker at its mark.
    private let isStopped = Atomic<Bool>(false)
    private let state = Mutex(State())

    /// One worker's: its count, and the mark that it may not pass.
    private final class Share: Sendable {
        let gauges: SpoolGauges
        let mark = Atomic<Int>(0)

        init(_ gauges: SpoolGauges) { self.gauges = gauges }
    }

    private struct State {
        var glance = Glance()
        var stop: SpoolStop?
        var stops = 0
    }

    /// What the last look at the folder has found.
    package struct Glance: Sendable {
        package var bytes = 0
        /// Nil if the file system does not tell.
        package var diskFree: Int?
    }

    /// - Parameter gauges: of each worker's writer, by the worker's number.
    package init(_ bounds: SpoolBounds, folder: String, gauges: [SpoolGauges]) {
        self.bounds = bounds
        self.folder = folder
        shares = gauges.map(Share.init)
        measure()
    }

    /// Whether a worker may write so many bytes now. Two loads; called by that worker alone.
    package func admits(_ bytes: Int, of worker: Int, written: Int) -> Bool {
        if isStopped.load(ordering: .relaxed) { return false }
        if written + bytes <= shares[worker].mark.load(ordering: .relaxed) { return true }
        isStopped.store(true, ordering: .relaxed)
        return false
    }

    /// Whether recording has stopped.
    package var hasStopped: Bool { isStopped.load(ordering: .relaxed) }

    /// Why recording has stopped; nil while it goes on.
    package var stop: SpoolStop? {
        guard hasStopped else { return nil }
        // A worker may have stopped it since the last look, and that was for the spool's bound or
        // the disk's, whichever is nearer.
        return state.withLock { $0.stop ?? reason($0.glance) }
    }

    /// The last look's.
    package var glance: Glance { state.withLock { $0.glance } }

    /// How often recording has stopped.
    package var stopCount: Int { state.withLock { $0.stops } }

    private func reason(_ glance: Glance) -> SpoolStop {
        if let free = glance.diskFree, free - bounds.diskFreeMin < bounds.bytesMax - glance.bytes {
            return .diskFull(free: free, min: bounds.diskFreeMin)
        }
        return .spoolFull(bytes: glance.bytes, max: bounds.bytesMax)
    }

    /// What a look at the folder has changed.
    package enum Change: Equatable, Sendable {
        case none
        case stopped(SpoolStop)
        case resumed
    }

    /// Looks at the folder, stops or resumes recording, and grants each worker its share. One
    /// thread at a time; one file status call a segment.
    @discardableResult
    package func measure() -> Change {
        let counts = shares.map(\.gauges.bytesWritten)
        var glance = Glance(diskFree: File.freeBytes(at: folder))
        // A folder that cannot be listed is missing, and then its writers say so.
        glance.bytes = (try? SpoolAllowance.bytes(in: folder)) ?? 0
        let room = bounds.room(used: glance.bytes, diskFree: glance.diskFree)
        let wasStopped = isStopped.load(ordering: .relaxed)
        let resumesFrom = bounds.roomToResume(used: glance.bytes, diskFree: glance.diskFree)
        let isOpen = wasStopped ? room >= resumesFrom : room > 0
        // Frames already sealed by a worker are checked against marks before the flag opens.
        for (share, count) in zip(shares, counts) {
            let grant = isOpen ? room / shares.count : 0
            let (mark, overflows) = count.addingReportingOverflow(grant)
            share.mark.store(overflows ? .max : mark, ordering: .relaxed)
        }
        if isOpen == wasStopped { isStopped.store(!isOpen, ordering: .releasing) }
        return state.withLock { state in
            state.glance = glance
            let isNews = state.stop == nil && (wasStopped || !isOpen)
            if isNews { state.stops += 1 }
            state.stop = isOpen ? nil : reason(glance)
            if isOpen { return wasStopped ? .resumed : .none }
            return isNews ? state.stop.map { .stopped($0) } ?? .none : .none
        }
    }

    /// Bytes of the segments of a spool's folder.
    package static func bytes(in folder: String) throws(SystemError) -> Int {
        var bytes = 0
        for name in try File.list(folder) where SegmentName(name) != nil {
            // Nil: Ingest has deleted it since.
            bytes += File.identity(of: "\(folder)/\(name)")?.bytes ?? 0
        }
        return bytes
    }
}
