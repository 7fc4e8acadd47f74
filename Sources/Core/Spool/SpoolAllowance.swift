// How much the spool may hold. With the database away for hours an edge goes on writing, and a
// disk that is full to the last byte takes down more than clicks. So there is a bound, and a
// policy at it: the edge stops recording, says so, goes on redirecting, and records again by
// itself when Ingest has made room.
//
// No worker asks the kernel for it. One thread looks at the folder a few times a second and says
// how much may still be written; workers take pieces of that, some at a time, each as a mark on
// its own count of bytes. A worker compares two numbers when it commits, and takes its next piece
// every quarter of a megabyte. Who finds nothing left ends the recording of all.
//
// Invariant: a worker's count is read before the folder is measured, so whatever is written
// meanwhile counts twice and never not at all. A piece that was taken during the look may count
// for the last look and not for this, so a piece a worker is held back: the folder exceeds the
// bound by no more than the segments' headers, or a frame that is longer than a piece.

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

    /// Nearly twelve hours of 5,000 clicks a second, at 101 bytes each.
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
    /// What workers may still take.
    private let left = Atomic<Int>(0)
    private let pieceBytes: Int
    /// Written by the measuring thread and, towards true, by a worker that finds nothing left.
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
        pieceBytes = max(4 << 10, min(256 << 10, bounds.bytesMax / (64 * max(1, gauges.count))))
        measure()
    }

    /// Whether a worker may write so many bytes now. Two loads, and a compare-and-swap a piece;
    /// called by that worker alone.
    package func admits(_ bytes: Int, of worker: Int, written: Int) -> Bool {
        if isStopped.load(ordering: .relaxed) { return false }
        let mark = shares[worker].mark.load(ordering: .relaxed)
        if written + bytes <= mark { return true }
        let missing = written + bytes - mark
        var available = left.load(ordering: .relaxed)
        while available >= missing {
            let piece = min(available, max(missing, pieceBytes))
            let (isTaken, found) = left.compareExchange(
                expected: available, desired: available - piece, ordering: .relaxed)
            if isTaken {
                shares[worker].mark.store(mark + piece, ordering: .relaxed)
                return true
            }
            available = found
        }
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
        /// - Parameter untold: why it had stopped, if that was since the last look.
        case resumed(untold: SpoolStop?)
    }

    /// Looks at the folder, stops or resumes recording, and says what may still be written. One
    /// thread at a time; one file status call a segment.
    @discardableResult
    package func measure() -> Change {
        let counts = shares.map(\.gauges.bytesWritten)
        var glance = Glance(diskFree: File.freeBytes(at: folder))
        // A folder that cannot be listed is missing, and then its writers say so.
        glance.bytes = (try? SpoolAllowance.bytes(in: folder)) ?? 0
        let room =
            bounds.room(used: glance.bytes, diskFree: glance.diskFree) - shares.count * pieceBytes
        let wasStopped = isStopped.load(ordering: .relaxed)
        let resumesFrom = bounds.roomToResume(used: glance.bytes, diskFree: glance.diskFree)
        let isOpen = wasStopped ? room >= resumesFrom : room > 0
        // What a worker has taken and not used goes back: the room that was measured has it.
        for (share, count) in zip(shares, counts) { share.mark.store(count, ordering: .relaxed) }
        left.store(isOpen ? room : 0, ordering: .relaxed)
        if isOpen == wasStopped { isStopped.store(!isOpen, ordering: .releasing) }
        return state.withLock { state in
            let isNews = state.stop == nil && (wasStopped || !isOpen)
            if isNews { state.stops += 1 }
            let why = reason(glance)
            state.glance = glance
            state.stop = isOpen ? nil : why
            if isOpen { return wasStopped ? .resumed(untold: isNews ? why : nil) : .none }
            return isNews ? .stopped(why) : .none
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
