import Clicks
import Linux
import Synchronization

/// What the threads of Ingest tell its operators. Written by them, read by the admin listener.
final class IngestGauges: Sendable {
    struct Values: Sendable {
        var clicksCommitted = 0
        var batchesCommitted = 0
        var linesCommitted = 0
        var floodClicksLeftOut = 0
        /// Of transactions, with the look-ups before them.
        var commitSeconds = TimeHistogram()
        var segmentsRemoved = 0
        /// In the ledger and still in the spool, for an edge that has to remember.
        var segmentsKept = 0
        var bytesKept = 0
        /// Deleted before their time, for want of room.
        var segmentsDroppedEarly = 0
        var quarantinedBytes = 0
        var quarantinedRanges = 0
        /// Records among them, where they could be told apart.
        var quarantinedRecords = 0
        /// Clicks passed over because the ledger had them.
        var clicksKnown = 0
        /// Agents and referers of stored clicks that were in damaged frames.
        var textsLost = 0
        var failures = 0
        var pendingBytes = 0
        /// When the oldest closed segment that waits was last written to.
        var oldestMicros: Int64?
        /// When the newest committed click happened, microseconds since 1970.
        var lastClickMicros: Int64?
        var deltasFolded = 0
        /// Deltas of ours that may not be folded yet.
        var unfolded = 0
        var links = LinkTotals()
        /// Why clicks do not go up right now, by pump; none while they do.
        var clicksProblems = [0: "not started"]
        var linksProblem: String? = "not started"
        /// Why a segment is left alone while the others go up; nil if none is.
        var spoolProblem: String?
        /// Why statistics are not folded and partitions not made ahead; nil while they are.
        var upkeepProblem: String?

        var clicksProblem: String? { clicksProblems.min { $0.key < $1.key }?.value }
    }

    private let state = Mutex(Values())

    var values: Values { state.withLock { $0 } }

    /// - Parameter pumps: that there will be: none of them has started yet.
    init(pumps: Int = 1) {
        for pump in 0..<pumps { state.withLock { $0.clicksProblems[pump] = "not started" } }
    }

    func noteUp(_ pump: Int) { state.withLock { $0.clicksProblems[pump] = nil } }

    /// - Returns: whether this is news, so that a long outage is logged once.
    @discardableResult
    func noteDown(_ problem: String, _ pump: Int) -> Bool {
        state.withLock { state in
            state.failures += 1
            let isKnown = state.clicksProblems.values.contains(problem)
            state.clicksProblems[pump] = problem
            return !isKnown
        }
    }

    /// - Parameter oldestMicros: when the oldest closed segment that waits was last written to.
    func notePending(_ bytes: Int, oldestMicros: Int64? = nil) {
        state.withLock { state in
            state.pendingBytes = bytes
            state.oldestMicros = oldestMicros
        }
    }
    func noteRemoved() { state.withLock { $0.segmentsRemoved += 1 } }

    func noteKept(_ segments: Int, bytes: Int, early: Int) {
        state.withLock { state in
            state.segmentsKept = segments
            state.bytesKept = bytes
            state.segmentsDroppedEarly += early
        }
    }

    /// - Returns: whether this is news.
    func noteSpoolProblem(_ problem: String?) -> Bool {
        state.withLock { state in
            defer { state.spoolProblem = problem }
            return state.spoolProblem != problem
        }
    }

    /// - Parameter isAll: whether none was left.
    func noteFolded(_ deltas: Int, isAll: Bool) {
        state.withLock { state in
            state.deltasFolded += deltas
            state.unfolded = isAll ? 0 : max(0, state.unfolded - deltas)
            state.upkeepProblem = nil
        }
    }

    /// - Returns: whether this is news.
    func noteUpkeepDown(_ problem: String) -> Bool {
        state.withLock { state in
            state.failures += 1
            defer { state.upkeepProblem = problem }
            return state.upkeepProblem != problem
        }
    }

    func noteKnown(_ clicks: Int) {
        if clicks > 0 { state.withLock { $0.clicksKnown += clicks } }
    }

    func noteTextsLost(_ texts: Int) {
        if texts > 0 { state.withLock { $0.textsLost += texts } }
    }

    func noteQuarantined(bytes: Int, records: Int) {
        state.withLock { state in
            state.quarantinedRecords += records
            state.quarantinedBytes += bytes
            state.quarantinedRanges += 1
        }
    }

    /// What a transaction came to.
    struct Commit {
        let clicks: Int
        let lines: Int
        let newest: Timestamp?
        let micros: Int64
        let floodClicksLeftOut: Int
    }

    func noteCommitted(_ commit: Commit) {
        let (clicks, lines, newest) = (commit.clicks, commit.lines, commit.newest)
        state.withLock { state in
            state.clicksCommitted += clicks
            state.floodClicksLeftOut += commit.floodClicksLeftOut
            state.commitSeconds.note(micros: commit.micros)
            state.batchesCommitted += 1
            state.linesCommitted += lines
            state.unfolded += lines
            if let newest {
                state.lastClickMicros = max(state.lastClickMicros ?? 0, newest.microseconds)
            }
        }
    }

    func notePublished(_ totals: LinkTotals) {
        state.withLock { state in
            state.links = totals
            state.linksProblem = nil
        }
    }

    @discardableResult
    func noteLinksDown(_ problem: String) -> Bool {
        state.withLock { state in
            state.failures += 1
            defer { state.linksProblem = problem }
            return state.linksProblem != problem
        }
    }
}
