// HOT: two stores a turn. Bench: Benchmarks/Edge, keep-alive row.
//
// A worker claims dedupe windows while it judges a turn's clicks and writes the clicks down at the
// turn's end. A process that dies between the two leaves claims of clicks that nobody got an answer
// for; their shoppers click again and must not be duplicates of themselves. So each worker marks in
// shared memory which turn it is in, and the next process doubts exactly the claims from there on.
//
// Memory order: begin() is a plain store before the turn's first claim, and a claim's swap is a
// release, so whoever finds the claim finds the mark. end() is a release after the write(2).
//
// Layout: 128 bytes each, that no two workers share a line. First the owner's, one word: the start
// of the process for which the tables are whole, or 0 while they are being made. Then each
// worker's, one word: the time of the turn it is in, 0 between turns.

import Synchronization

/// Which turns are under way, and for which process the tables beside it are whole.
public final class TurnMarks: @unchecked Sendable {
    // Single words; each worker's has one writer.
    private let memory: TableMemory
    private let base: UnsafeMutableRawPointer

    public static let workersMax = 256
    private static let strideBytes = 128
    public static let tableBytes = (workersMax + 1) * strideBytes
    /// Changes with the meaning of the bytes; part of a shared table's form.
    public static let layoutVersion: UInt64 = 1

    /// - Parameter memory: ``tableBytes`` of it, zeroed or as the last process left it.
    public init(memory: TableMemory) {
        precondition(memory.bytes.count == TurnMarks.tableBytes, "marks have one size")
        self.memory = memory
        base = memory.bytes.baseAddress!
    }

    /// The start of the process, in microseconds since 1970, for which the tables are whole; 0 for
    /// none.
    public var owner: Int64 {
        get { word(0).pointee.load(ordering: .acquiring) }
        set { word(0).pointee.store(newValue, ordering: .releasing) }
    }

    /// The worker begins to judge clicks, which will have this time.
    @inline(__always)
    public func begin(worker: Int, now: Int64) {
        word(worker &+ 1).pointee.store(now, ordering: .relaxed)
    }

    /// All that the worker has judged is written down, or given up.
    @inline(__always)
    public func end(worker: Int) {
        word(worker &+ 1).pointee.store(0, ordering: .releasing)
    }

    /// The time of the oldest turn under way; nil if there is none.
    public var oldestUnderWay: Int64? {
        (1...TurnMarks.workersMax).map { word($0).pointee.load(ordering: .acquiring) }
            .filter { $0 != 0 }.min()
    }

    /// Ends all turns: those of a process that is dead.
    public func endAll() {
        for worker in 0..<TurnMarks.workersMax { end(worker: worker) }
    }

    @inline(__always)
    private func word(_ index: Int) -> UnsafeMutablePointer<Atomic<Int64>> {
        (base + index &* TurnMarks.strideBytes).assumingMemoryBound(to: Atomic<Int64>.self)
    }
}
