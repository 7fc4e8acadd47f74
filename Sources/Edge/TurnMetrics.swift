// HOT: once a turn: one clock reading and eight stores. Bench: Benchmarks/Edge.
//
// How long turns take and how much waits at their beginning: the two figures that say whether a
// worker keeps up. A turn's length is from epoll_wait returning to the last answer sent, so it is
// also what a request that arrives during it waits at most.
//
// One worker writes, anyone reads: single words as in WorkerMetrics. A scrape that reads between
// two stores sees a turn in one histogram and not yet in the other.

import Linux
import Synchronization

/// One worker's turns. Written by its worker at each turn's end, read by anyone.
final class TurnMetrics: @unchecked Sendable {
    // Single words, each with one writer; see the head comment.
    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// Upper bounds, in microseconds, are powers of two from 2^4 to 2^20; one more word is for
    /// longer turns.
    private static let shortestBits = 4
    private static let durationBuckets = 18
    /// Upper bounds are powers of two from 1 to 512, which is all that one turn takes.
    private static let eventBuckets = 10
    private static let durationSumAt = 18
    private static let eventsAt = 24
    private static let eventSumAt = 35
    private static let waitsAt = 40
    private static let wordCount = 48

    /// Seconds, the upper bounds of ``durations``' counts but the last.
    static let durationBounds = (0..<durationBuckets - 1).map { place in
        Double(1 << (place + shortestBits)) / 1e6
    }
    /// The upper bounds of ``events``' counts but the last.
    static let eventBounds = (0..<eventBuckets).map { Double(1 << $0) }

    init() {
        precondition(Wait.allCases.count <= 8, "eight words are for the waits")
        // Whole lines on both sides, so that no two workers share one.
        let bytes = TurnMetrics.wordCount * 8 + 64
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    deinit {
        UnsafeMutableRawPointer(words).deallocate()
    }

    /// Notes a turn that ends now.
    ///
    /// - Parameters:
    ///   - events: how many descriptors were ready when it began.
    ///   - start: when it began, monotonic microseconds.
    func note(events: Int, from start: Int64, _ connections: borrowing Connections) {
        note(events: events, microseconds: UInt64(max(0, Clock.monotonic() - start)))
        for wait in 0..<Wait.allCases.count {
            let count = UInt64(connections.count(of: Wait(rawValue: wait)!))
            words[TurnMetrics.waitsAt + wait].store(count, ordering: .relaxed)
        }
    }

    /// Notes a turn of a length.
    func note(events: Int, microseconds: UInt64) {
        // The clock's microseconds are whole ones, so what took less than 2^n has at most n bits.
        let bits = UInt64.bitWidth - microseconds.leadingZeroBitCount
        let place = max(0, bits - TurnMetrics.shortestBits)
        add(1, at: min(place, TurnMetrics.durationBuckets - 1))
        add(microseconds, at: TurnMetrics.durationSumAt)
        let below = UInt64(max(events, 1) - 1)
        let eventPlace = UInt64.bitWidth - below.leadingZeroBitCount
        add(1, at: TurnMetrics.eventsAt + min(eventPlace, TurnMetrics.eventBuckets))
        add(UInt64(events), at: TurnMetrics.eventSumAt)
    }

    /// Turns by length, the last count for those longer than all bounds; and their sum in seconds.
    var durations: (counts: [UInt64], sum: Double) {
        (
            (0..<TurnMetrics.durationBuckets).map(value),
            Double(value(TurnMetrics.durationSumAt)) / 1e6
        )
    }

    /// Turns by ready descriptors, the last count for those with more than all bounds; their sum.
    var events: (counts: [UInt64], sum: Double) {
        (
            (0...TurnMetrics.eventBuckets).map { value(TurnMetrics.eventsAt + $0) },
            Double(value(TurnMetrics.eventSumAt))
        )
    }

    /// Open connections at the end of the last turn that wait for this.
    func connections(_ wait: Wait) -> UInt64 { value(TurnMetrics.waitsAt + wait.rawValue) }

    private func value(_ index: Int) -> UInt64 { words[index].load(ordering: .relaxed) }

    @inline(always)
    private func add(_ amount: UInt64, at index: Int) {
        let word = words + index
        word.pointee.store(word.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
