import Clicks
import Linux
import Synchronization

/// What the threads of Ingest tell its operators. Written by them, read by the admin listener.
final class IngestGauges: Sendable {
    struct Values: Sendable {
        var clicksCommitted = 0
        var batchesCommitted = 0
        var segmentsRemoved = 0
        /// In the ledger and still in the spool, for an edge that has to remember.
        var segmentsKept = 0
        var bytesKept = 0
        /// Deleted before their time, for want of room.
        var segmentsDroppedEarly = 0
        var quarantinedBytes = 0
        var quarantinedRanges = 0
        var failures = 0
        var pendingBytes = 0
        /// When the newest committed click happened, microseconds since 1970.
        var lastClickMicros: Int64?
        var deltasFolded = 0
        var linksPublished = 0
        var linksRefused = 0
        var publications = 0
        /// Why clicks do not go up right now; nil while they do.
        var clicksProblem: String? = "not started"
        var linksProblem: String? = "not started"
        /// Why a segment is left alone while the others go up; nil if none is.
        var spoolProblem: String?
        /// Why statistics are not folded and partitions not made ahead; nil while they are.
        var upkeepProblem: String?
    }

    private let state = Mutex(Values())

    var values: Values { state.withLock { $0 } }

    func noteUp() { state.withLock { $0.clicksProblem = nil } }

    /// - Returns: whether this is news, so that a long outage is logged once.
    @discardableResult
    func noteDown(_ problem: String) -> Bool {
        state.withLock { state in
            state.failures += 1
            defer { state.clicksProblem = problem }
            return state.clicksProblem != problem
        }
    }

    func notePending(_ bytes: Int) { state.withLock { $0.pendingBytes = bytes } }
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

    func noteFolded(_ deltas: Int) {
        state.withLock { state in
            state.deltasFolded += deltas
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

    func noteQuarantined(bytes: Int) {
        state.withLock { state in
            state.quarantinedBytes += bytes
            state.quarantinedRanges += 1
        }
    }

    func noteCommitted(clicks: Int, newest: Timestamp?) {
        state.withLock { state in
            state.clicksCommitted += clicks
            state.batchesCommitted += 1
            if let newest { state.lastClickMicros = newest.microseconds }
        }
    }

    func notePublished(links: Int, refused: Int, isWritten: Bool) {
        state.withLock { state in
            state.linksPublished = links
            state.linksRefused = refused
            if isWritten { state.publications += 1 }
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
