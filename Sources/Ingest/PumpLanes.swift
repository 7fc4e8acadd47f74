// Two pumps where there is a backlog, one where there is none. With a connection each, one reads
// and encodes while the server copies what the other has sent, and the server copies on two cores.
// But rows that two sessions insert in turn make the ledger's index grow in its middle, a fifth
// larger; so while clicks are taken up as they come, one pump takes all, in the order of time.
//
// A segment is one pump's at a time, so what makes a click stored exactly once holds for each pump
// alone. Who takes over a segment asks the ledger for its offset.
//
// Invariant: no segment is claimed by two pumps. While the second holds a claim, the first takes
// no more than its half; the second takes none while the first holds everything.

import Spool
import Synchronization

/// The segments that a pump takes up in a round.
enum LaneClaim {
    case all
    /// Those whose worker and sequence add up to an even or to an odd number, so that two pumps
    /// share also what a single worker has written.
    case half(Int)
    case none

    func contains(_ segment: SegmentName) -> Bool {
        switch self {
        case .all: true
        case .half(let half):
            (segment.worker + Int(segment.sequence)) % PumpLanes.count == half
        case .none: false
        }
    }
}

/// Which pump takes up which segments. Shared by the pumps' threads; held for a moment.
final class PumpLanes: Sendable {
    /// A third would only wait for a core, or for the ledger's index.
    static let count = 2
    /// Bytes in the spool from which the second pump helps: some 64,000 clicks.
    static let backlogBytes = 6 << 20

    private struct State {
        var isBacklog = false
        var isFirstHoldingAll = false
        var isSecondHolding = false
        /// Who last claimed the second half, by itself or with the first.
        var lastOfSecondHalf = 0
    }

    private let state = Mutex(State())
    /// Of all workers, whichever pump has read them to their ends.
    let kept: Mutex<KeptSegments>
    let keeping: KeepingPolicy

    private let backlogBytes: Int

    init(keeping policy: KeepingPolicy = .none, backlogBytes: Int = PumpLanes.backlogBytes) {
        self.backlogBytes = backlogBytes
        keeping = policy
        kept = Mutex(KeptSegments(policy))
    }

    /// Takes what a pump, 0 or 1, may read in its next round. Ends with
    /// ``release(_:pendingBytes:)``.
    /// - Returns: also whether the other pump had some of it meanwhile, so that the offsets that
    ///   this one remembers are old.
    func claim(_ pump: Int) -> (claim: LaneClaim, isTakenOver: Bool) {
        state.withLock { state in
            let claim: LaneClaim
            if pump == 0 {
                state.isFirstHoldingAll = !state.isBacklog && !state.isSecondHolding
                claim = state.isFirstHoldingAll ? .all : .half(0)
            } else {
                state.isSecondHolding = state.isBacklog && !state.isFirstHoldingAll
                claim = state.isSecondHolding ? .half(1) : .none
            }
            switch claim {
            case .all, .half(1):
                defer { state.lastOfSecondHalf = pump }
                return (claim, state.lastOfSecondHalf != pump)
            case .half, .none: return (claim, false)
            }
        }
    }

    /// Gives back what was claimed.
    /// - Parameter pendingBytes: of all segments, as far as it is known.
    func release(_ pump: Int, pendingBytes: Int) {
        state.withLock { state in
            if pump == 0 { state.isFirstHoldingAll = false } else { state.isSecondHolding = false }
            state.isBacklog = pendingBytes > backlogBytes
        }
    }
}
