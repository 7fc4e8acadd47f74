// Segments that the ledger has and the edge may still need: after a restart of the machine it makes
// its dedupe windows and flood counts again from the clicks of the last minutes.
//
// Kept segments are spare. Where room is short they go first, the oldest foremost, so that a memory
// of the past never costs a new click its place: what is forgotten then is that a visitor has
// clicked already, if the machine is also restarted within the window.
//
// What is kept is told by nothing but the ledger's offsets: a segment at whose end the ledger
// stands. So nothing is stored twice, and an Ingest that starts anew finds them again.

import Linux
import Spool

/// For how long, and how much.
struct KeepingPolicy: Equatable, Sendable {
    /// After a segment was last written to.
    let keptMicroseconds: Int64
    /// 0 to keep nothing.
    let bytesMax: Int
    /// Within which the edge keeps its spool.
    let bounds: SpoolBounds

    /// Also a quarter of what the spool's bounds leave room for without them at most:
    /// the other bound is set without knowing the disk.
    static let freeShare = 4

    /// - Parameter windowSeconds: the edge's dedupe window; its flood counts need a minute.
    init(windowSeconds: Int, bytesMax: Int, bounds: SpoolBounds = .none) {
        self.bounds = bounds
        // A minute more for clocks that are set, and one for an edge that is slow to start.
        keptMicroseconds = Int64(max(windowSeconds, 60) + 120) * 1_000_000
        self.bytesMax = bytesMax
    }

    /// Bytes that the edge may still write to its spool, which what is kept takes up.
    func room(in folder: String) -> Int {
        bytesMax > 0
            ? bounds.room(
                used: (try? SpoolAllowance.bytes(in: folder)) ?? 0,
                diskFree: File.freeBytes(at: folder)) : .max
    }

    static let none = KeepingPolicy(windowSeconds: 1, bytesMax: 0)
}

/// Which segments are kept. Shared by the pumps, behind ``PumpTurns/kept``.
struct KeptSegments {
    private struct Entry {
        let segment: SegmentName
        let bytes: Int
        let writtenMicros: Int64
    }

    private let policy: KeepingPolicy
    private var entries: [Entry] = []
    private var names: Set<SegmentName> = []
    private(set) var bytes = 0

    init(_ policy: KeepingPolicy) {
        self.policy = policy
    }

    var count: Int { entries.count }

    func contains(_ segment: SegmentName) -> Bool { names.contains(segment) }

    /// - Returns: false if nothing is kept at all.
    mutating func keep(_ segment: SegmentName, _ file: File.Identity) -> Bool {
        guard policy.bytesMax > 0 else { return false }
        guard names.insert(segment).inserted else { return true }
        entries.append(
            Entry(
                segment: segment, bytes: file.bytes,
                writtenMicros: Int64(file.modifiedNanoseconds / 1000)))
        bytes += file.bytes
        return true
    }

    /// Forgets those that somebody has deleted.
    mutating func forget(exceptOf segments: [SegmentName]) {
        guard entries.count > 0 else { return }
        let existing = Set(segments)
        remove { !existing.contains($0.segment) }
    }

    mutating func removeAll() {
        remove { _ in true }
    }

    /// Takes out those to delete: whose time is over, and who have to make room.
    ///
    /// - Parameters:
    ///   - now: microseconds since 1970. A file from the future was written before the clock was
    ///     set back, which has ended its windows.
    ///   - freeBytes: that the edge may still write, with the kept ones in the spool.
    mutating func takeSuperfluous(
        now: Int64, freeBytes: Int
    ) -> (over: [SegmentName], early: [SegmentName]) {
        guard entries.count > 0 else { return ([], []) }
        let keptMicroseconds = policy.keptMicroseconds
        let over = remove { entry in
            let age = now - entry.writtenMicros
            return age >= keptMicroseconds || age < -keptMicroseconds
        }
        let (sum, overflows) = freeBytes.addingReportingOverflow(bytes)
        let share = (overflows ? .max : sum) / KeepingPolicy.freeShare
        let allowed = min(policy.bytesMax, share)
        guard bytes > allowed else { return (over, []) }
        entries.sort { $0.writtenMicros < $1.writtenMicros }
        var left = bytes
        let early = remove { entry in
            guard left > allowed else { return false }
            left -= entry.bytes
            return true
        }
        return (over, early)
    }

    @discardableResult
    private mutating func remove(where isGoing: (Entry) -> Bool) -> [SegmentName] {
        var going: [SegmentName] = []
        var staying: [Entry] = []
        for entry in entries {
            guard isGoing(entry) else {
                staying.append(entry)
                continue
            }
            going.append(entry.segment)
            names.remove(entry.segment)
            bytes -= entry.bytes
        }
        entries = staying
        return going
    }
}
