import Synchronization

/// What one worker's writer has done, for `/readyz` and `/metrics`. Read from any thread; written
/// by the worker and, for the syncs, by the syncing thread. Counters rise until the process ends.
/// Relaxed throughout: each is a figure of its own, nothing is concluded from two of them.
package final class SpoolGauges: Sendable {
    let writeFailing = Atomic<Bool>(false)
    let syncFailing = Atomic<Bool>(false)
    let records = Atomic<Int>(0)
    let unrecorded = Atomic<Int>(0)
    let frames = Atomic<Int>(0)
    let bytes = Atomic<Int>(0)
    let segments = Atomic<Int>(0)
    let writeFaults = Atomic<Int>(0)
    let syncFaults = Atomic<Int>(0)

    package init() {}

    /// Whether clicks go unrecorded now, or may not survive a power loss.
    package var isFailing: Bool {
        writeFailing.load(ordering: .relaxed) || syncFailing.load(ordering: .relaxed)
    }
    package var recordsWritten: Int { records.load(ordering: .relaxed) }
    /// Records that were dropped because they could not be written.
    package var recordsUnrecorded: Int { unrecorded.load(ordering: .relaxed) }
    package var framesWritten: Int { frames.load(ordering: .relaxed) }
    /// Bytes of frames.
    package var bytesWritten: Int { bytes.load(ordering: .relaxed) }
    package var segmentsOpened: Int { segments.load(ordering: .relaxed) }
    /// Segments that could not be opened or were abandoned because of a failed write.
    package var writeFailures: Int { writeFaults.load(ordering: .relaxed) }
    package var syncFailures: Int { syncFaults.load(ordering: .relaxed) }
}
