// fdatasync away from the workers, because it takes as long as the disk does. With `interval`, what
// was answered in the last interval can be lost by a power failure, never by the end of a process.
import Glibc
import Linux
import Synchronization

/// When written clicks are put on the device; the spellings are those of `EDGE_FSYNC`.
package enum SpoolSyncPolicy: String, CaseIterable, Sendable {
    /// By a thread, every 50 ms.
    case interval
    /// By the worker, before it answers.
    case always
    /// When the kernel thinks fit, within some 30 s.
    case never
}

/// Syncs the segments of all workers of an Edge process, also those rotated away since.
package final class SpoolSync: Sendable {
    package let policy: SpoolSyncPolicy
    private let intervalMilliseconds: Int32
    private let report: @Sendable (SystemError) -> Void
    private let entries = Mutex<[Entry]>([])
    private let isStopping = Atomic<Bool>(false)
    private let wake: WakeSignal
    private let thread = Mutex<SystemThread?>(nil)

    private struct Entry {
        let segment: OpenSegment
        let gauges: SpoolGauges
    }

    /// - Parameters:
    ///   - intervalMilliseconds: 1 … 10,000; between two rounds of `interval`.
    ///   - report: called with the first failure of a row of failures, on the failing thread.
    package init(
        policy: SpoolSyncPolicy, intervalMilliseconds: Int = 50,
        report: @escaping @Sendable (SystemError) -> Void
    ) throws(SystemError) {
        precondition(1...10_000 ~= intervalMilliseconds, "a round is due within ten seconds")
        self.policy = policy
        self.intervalMilliseconds = Int32(intervalMilliseconds)
        self.report = report
        wake = try WakeSignal()
        if policy == .interval {
            let started = SystemThread(name: "spool-sync") { self.run() }
            thread.withLock { $0 = started }
        }
    }

    /// Syncs what the closed writers have left and ends the thread, which keeps this object alive
    /// until then.
    package func stop() {
        isStopping.store(true, ordering: .relaxed)
        wake.raise()
        let started = thread.withLock { thread -> SystemThread? in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }

    /// Takes a new segment into the rounds, until it is retired and synced.
    func enroll(_ segment: OpenSegment, _ gauges: SpoolGauges) {
        guard policy == .interval else { return }
        entries.withLock { $0.append(Entry(segment: segment, gauges: gauges)) }
    }

    /// Syncs one segment now.
    /// - Returns: what went wrong, already counted and reported.
    func sync(_ segment: OpenSegment, _ gauges: SpoolGauges) -> SystemError? {
        let failure = segment.sync()
        let wasFailing = gauges.syncFailing.exchange(failure != nil, ordering: .relaxed)
        if let failure {
            gauges.syncFaults.add(1, ordering: .relaxed)
            if !wasFailing { report(failure) }
        }
        return failure
    }

    private func run() {
        while !isStopping.load(ordering: .relaxed) {
            var wait = pollfd(fd: wake.raw, events: Int16(POLLIN), revents: 0)
            _ = poll(&wait, 1, intervalMilliseconds)
            runOnce()
        }
        // Whatever was written before `stop` was called.
        runOnce()
    }

    private func runOnce() {
        var finished: [SegmentName] = []
        // Memory of this thread's own. That of the array itself would go back to whoever appends
        // next by its count of references alone: right, but beyond what a sanitizer can see.
        for entry in entries.withLock({ $0.map { $0 } }) {
            let segment = entry.segment
            let isRetired = segment.isRetired.load(ordering: .acquiring)
            if !segment.hasSyncFailed.load(ordering: .relaxed) && segment.isDirty {
                _ = sync(segment, entry.gauges)
            }
            if isRetired { finished.append(segment.name) }
        }
        if !finished.isEmpty {
            entries.withLock { $0.removeAll { finished.contains($0.segment.name) } }
        }
    }
}
