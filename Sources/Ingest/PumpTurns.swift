// Pumps take turns, so that a backlog keeps every core busy and still arrives in order. A batch
// goes through four steps, and but for one the pumps stand in line by the batch's ticket:
//
//   read     one pump at a time, in the order of the spool's times: the batch and its rows, with
//            gaps where the ledger has no number yet; gives the ticket
//   number   of texts that are new: all at once, each pump those that its batch has brought. The
//            gaps are filled when all before have theirs, and the statistics are copied
//   copy     of the clicks: in line, so that the ledger's index grows at its right edge only
//   commit   offsets, flags, COMMIT: in line, while the next batch is being copied already
//
// After a failure nothing is known of texts either: a number may be lost with the transaction that
// has stored it, since that does not wait for the disk.
//
// Each batch begins where the one before ends, whether that one is in the ledger yet or not. So it
// must not be committed before it, nor at all if that one fails: it moves the offsets only after
// the one before is committed, and if that one was not, it is rolled back and read again. That the
// ledger moves an offset only from where the batch began says the same a second time.
//
// The first in line moves the offsets before its clicks: a session of ours that the server has not
// yet buried holds them, and is waited for. After any failure the next batch is read when nothing
// is under way any more, from what the ledger then says, and is the first in line.
//
// Where there is no backlog, one pump takes everything.

import Linux
import Spool
import Synchronization

/// Which pump does what when. Shared by the pumps' threads.
final class PumpTurns: Sendable {
    /// One reads, one copies, one commits: what waits for the disk keeps nobody from a core.
    static let count = 3
    /// Bytes in the spool for each click that a batch may have, from which all pumps work: more
    /// than a batch and a half.
    static let backlogBytesPerRecord = 160

    /// What a pump needs to read. Given back with ``endReading(_:)`` or ``cancelReading()``.
    struct Reading {
        /// Where the batches under way end; nil if the ledger has to be asked.
        let offsets: [SegmentName: Int]?
        /// Segments that batches under way have read to their ends.
        let finished: Set<SegmentName>
        /// Whether what the tail remembers may be wrong.
        let isAfresh: Bool
    }

    /// A batch's place in line.
    struct Ticket: Comparable, Hashable {
        fileprivate let number: Int

        static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    }

    private struct State {
        var isBacklog = false
        var isReading = false
        /// The pump that works alone, as it looks for what the ledger refuses.
        var sole: Int?
        var next = 0
        /// Batches that are neither committed nor given up, with the segments they end.
        var underWay: [Ticket: Set<SegmentName>] = [:]
        /// Those of them whose texts and dimensions have no numbers yet.
        var unnumbered: Set<Ticket> = []
        /// Those of them whose clicks are not copied yet.
        var uncopied: Set<Ticket> = []
        /// The first that failed; all after it fail, too.
        var failed: Ticket?
        var isAfresh = false
        /// Where the batches under way end; nil while that is unknown.
        var offsets: [SegmentName: Int]?
        /// Where the ledger stands, as far as we know.
        var committed: [SegmentName: Int] = [:]

        func isOffered(to pump: Int) -> Bool {
            if let sole { return sole == pump }
            return pump == 0 || isBacklog
        }

        mutating func fail(_ ticket: Ticket) {
            failed = min(failed ?? ticket, ticket)
        }
    }

    /// Of whoever reads.
    let tail: SpoolTail
    /// Of whoever reads.
    let texts = KnownTexts()
    /// Whichever pump has read them to their ends.
    let kept: Mutex<KeptSegments>
    let keeping: KeepingPolicy
    private let backlogBytes: Int
    private let state = Monitor(State())

    /// - Parameter backlogBytes: in the spool, from which all pumps work and not the first alone.
    init(
        _ intake: SpoolIntake, keeping policy: KeepingPolicy = .none,
        backlogBytes: Int = .max
    ) {
        tail = SpoolTail(intake)
        self.backlogBytes = backlogBytes
        keeping = policy
        kept = Mutex(KeptSegments(policy))
    }

    // MARK: Reading

    /// Whether a pump has something to do here.
    func isOffered(to pump: Int) -> Bool { state.withLock { $0.isOffered(to: pump) } }

    /// Waits until nobody else reads. - Returns: nil if there is nothing for this pump now.
    func beginReading(_ pump: Int) -> Reading? {
        let answer: (reading: Reading?, Void) = state.wait { state in
            guard state.isOffered(to: pump) else { return (nil, ()) }
            if state.isReading { return nil }
            let isKnown = state.failed == nil && state.offsets != nil && state.sole == nil
            guard isKnown || state.underWay.isEmpty else { return nil }
            if state.failed != nil {
                state.failed = nil
                state.offsets = nil
            }
            defer { state.isAfresh = false }
            state.isReading = true
            let reading = Reading(
                offsets: state.offsets,
                finished: state.underWay.values.reduce(into: []) { $0.formUnion($1) },
                isAfresh: state.isAfresh)
            return (reading, ())
        }
        return answer.reading
    }

    /// - Parameters:
    ///   - offsets: of all segments, from which was read.
    ///   - taken: what was.
    /// - Returns: nil if that is nothing.
    func endReading(_ offsets: [SegmentName: Int], _ taken: SpoolTaken) -> Ticket? {
        state.withLock { state in
            state.isReading = false
            var after = offsets
            for progress in taken.batch.progress { after[progress.segment] = progress.to }
            state.offsets = after
            // What is under way is not yet the ledger's.
            let known = state.underWay.isEmpty ? [:] : state.committed
            state.committed = offsets
            for (segment, offset) in known where offsets[segment] != nil {
                state.committed[segment] = offset
            }
            if taken.batch.isEmpty && taken.ended.isEmpty { return nil }
            let ticket = Ticket(number: state.next)
            state.next += 1
            state.underWay[ticket] = Set(taken.ended.map(\.segment))
            state.unnumbered.insert(ticket)
            state.uncopied.insert(ticket)
            return ticket
        }
    }

    /// Nothing could be read.
    func cancelReading() {
        state.withLock { state in
            state.isReading = false
            state.fail(Ticket(number: state.next))
        }
    }

    // MARK: In line

    /// Says that the ledger has numbered what the batch has brought, and waits until it has
    /// numbered what those before have: its rows name that as well.
    /// - Throws: ``PumpError/overtaken`` if one of them has failed.
    func endNumbering(_ ticket: Ticket) throws(PumpError) {
        state.withLock { _ = $0.unnumbered.remove(ticket) }
        try wait(ticket) { state in state.unnumbered.allSatisfy { $0 > ticket } }
    }

    /// Waits until all before have copied their clicks.
    /// - Throws: ``PumpError/overtaken`` if one of them has failed.
    func waitToCopy(_ ticket: Ticket) throws(PumpError) {
        try wait(ticket) { state in state.uncopied.min() == ticket }
    }

    /// Lets the next copy.
    func endCopying(_ ticket: Ticket) {
        state.withLock { _ = $0.uncopied.remove(ticket) }
    }

    /// Whether all before are in the ledger.
    func isFirst(_ ticket: Ticket) -> Bool {
        state.withLock { $0.failed == nil && $0.underWay.keys.min() == ticket }
    }

    /// Waits for that.
    /// - Throws: ``PumpError/overtaken`` if one of them has failed.
    func waitUntilFirst(_ ticket: Ticket) throws(PumpError) {
        try wait(ticket) { state in state.underWay.keys.min() == ticket }
    }

    private func wait(
        _ ticket: Ticket, until isDue: (State) -> Bool
    ) throws(PumpError) {
        let isDone = state.wait { state -> Bool? in
            if let failed = state.failed, failed < ticket { return false }
            return isDue(state) ? true : nil
        }
        if !isDone { throw .overtaken }
    }

    /// The batch is in the ledger, and what it has ended is deleted or kept.
    func settle(_ ticket: Ticket, _ progress: [SegmentProgress]) {
        state.withLock { state in
            state.underWay[ticket] = nil
            state.unnumbered.remove(ticket)
            state.uncopied.remove(ticket)
            for progress in progress { state.committed[progress.segment] = progress.to }
        }
    }

    /// The batch is not in the ledger, or nobody knows, and none after it may be.
    func fail(_ ticket: Ticket) {
        state.withLock { state in
            state.underWay[ticket] = nil
            state.unnumbered.remove(ticket)
            state.uncopied.remove(ticket)
            state.fail(ticket)
        }
    }

    // MARK: Trouble

    /// Has the ledger asked where it stands before the next batch is read.
    /// - Parameter isAfresh: whether the tail is to forget what it remembers.
    func learnAnew(isAfresh: Bool) {
        state.withLock { state in
            state.fail(Ticket(number: state.next))
            state.isAfresh = state.isAfresh || isAfresh
        }
    }

    /// Waits until no other pump reads or has a batch under way; none begins until
    /// ``endSole(_:)``. - Returns: false if another came first.
    func takeSole(_ pump: Int) -> Bool {
        state.wait { state in
            if let sole = state.sole, sole != pump { return false }
            state.sole = pump
            return state.isReading || !state.underWay.isEmpty ? nil : true
        }
    }

    func isSole(_ pump: Int) -> Bool { state.withLock { $0.sole == pump } }

    func endSole(_ pump: Int) {
        state.withLock { if $0.sole == pump { $0.sole = nil } }
    }

    // MARK: How far

    /// Whether all pumps have work.
    var isBacklog: Bool { state.withLock { $0.isBacklog } }

    /// Where the ledger stands, of the segments that were there at the last reading.
    var committed: [SegmentName: Int] { state.withLock { $0.committed } }

    func notePending(_ bytes: Int) {
        let isBacklog = bytes > backlogBytes
        state.withLock { $0.isBacklog = isBacklog }
    }
}
