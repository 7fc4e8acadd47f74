import Guards
import Synchronization
import TestSupport
import Testing

@Suite struct DedupeWindowTests {
    private static let second: Int64 = 1_000_000
    private static let start: Int64 = 1_700_000_000 * second

    @Test func `the estimate of open windows is near the truth, and falls with time`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 1 << 17)
        let now: Int64 = 1_800_000_000_000_000
        var random = SplitMix(state: 1)
        #expect(window.entries == 1 << 17 && window.openWindows(now: now) == 0)
        for number in 0..<20_000 {
            _ = window.claim(key: random.next() | 1 << 63, now: now + Int64(number))
        }
        let estimate = window.openWindows(now: now + 20_000)
        #expect((18_000...22_000).contains(estimate), "\(estimate)")
        #expect(window.openWindows(now: now + 300_000_000 + 20_000) == 0)
        let flood = FloodGuard(
            clicksPerMinuteMax: 60, rowsPerMinuteMax: 600, entriesMin: 1 << 15)
        #expect(flood.entries == 1 << 15 && flood.activeAddresses(now: now) == 0)
        for _ in 0..<5000 { _ = flood.count(key: random.next(), now: now) }
        let active = flood.activeAddresses(now: now + 59_000_000)
        #expect((4500...5500).contains(active), "\(active)")
        #expect(flood.activeAddresses(now: now + 61_000_000) == 0)
    }

    @Test func `the first click is valid and the next one within the window is not`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 64)
        #expect(window.claim(key: 9, now: Self.start))
        #expect(!window.claim(key: 9, now: Self.start))
        #expect(!window.claim(key: 9, now: Self.start + 299 * Self.second))
    }

    @Test func `a click is a duplicate one microsecond before the window ends, valid at its end`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 64)
        #expect(window.claim(key: 9, now: Self.start))
        #expect(!window.claim(key: 9, now: Self.start + 300 * Self.second - 1))
        #expect(window.claim(key: 9, now: Self.start + 300 * Self.second))
    }

    @Test func `duplicates do not extend the window`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 64)
        #expect(window.claim(key: 9, now: Self.start))
        for second in 1..<300 {
            #expect(!window.claim(key: 9, now: Self.start + Int64(second) * Self.second))
        }
        #expect(window.claim(key: 9, now: Self.start + 300 * Self.second))
    }

    @Test func `looking does not start a window`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 64)
        #expect(!window.isOpen(key: 9, now: Self.start))
        #expect(window.claim(key: 9, now: Self.start))
        #expect(window.isOpen(key: 9, now: Self.start + 1))
    }

    @Test func `at the bound the oldest window goes first and is counted`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 8)
        for key in 1...8 { #expect(window.claim(key: UInt64(key), now: Self.start + Int64(key))) }
        #expect(window.evictions == 0)
        #expect(window.claim(key: 9, now: Self.start + 9))
        #expect(window.evictions == 1)
        #expect(!window.claim(key: 2, now: Self.start + 10), "the second oldest is still known")
        #expect(window.claim(key: 1, now: Self.start + 10), "the oldest was forgotten")
    }

    @Test func `a clock set back an hour does not refuse clicks for an hour`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 8)
        for key in 1...8 { #expect(window.claim(key: UInt64(key), now: Self.start)) }
        let back = Self.start - 3600 * Self.second
        for key in 1...9 { #expect(window.claim(key: UInt64(key), now: back + Int64(key))) }
        #expect(!window.claim(key: 3, now: back + 100))
        #expect(window.evictions == 1, "only the ninth live pair had to push one out")
    }

    @Test func `a random trace is judged as by a dictionary`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 1 << 16)
        var oracle: [UInt64: Int64] = [:]
        var now = Self.start
        for _ in 0..<300_000 {
            now += Int64(random.next() % (2 * UInt64(Self.second)))
            let key = SplitMix.mixed(random.next() % 800 + 1)
            let isFirst = oracle[key].map { now - $0 >= 300 * Self.second } ?? true
            if isFirst { oracle[key] = now }
            #expect(window.claim(key: key, now: now) == isFirst)
        }
        #expect(window.evictions == 0)
    }

    /// Threads race over few keys, the clock moving fast enough that windows end all the time.
    @Test func `threads never start one window twice and never refuse without a window`() async {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        let window = DedupeWindow(windowSeconds: 1, entriesMin: 1 << 12)
        let clock = SharedClock(start: Self.start)
        let clicksPerThread = 250_000
        let outcomes = await withTaskGroup(of: [Outcome].self) { group in
            for thread in 0..<4 {
                group.addTask {
                    var random = SplitMix(state: seed &+ UInt64(thread))
                    return (0..<clicksPerThread).map { _ in
                        let key = SplitMix.mixed(random.next() % 200 + 1)
                        let now = clock.advance(by: Int64(random.next() % 40))
                        return Outcome(
                            key: key, time: now, isValid: window.claim(key: key, now: now))
                    }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(outcomes.count == 4 * clicksPerThread)
        var doubled = 0
        var refusedWithoutWindow = 0
        for (_, clicks) in Dictionary(grouping: outcomes, by: \.key) {
            let valid = clicks.filter(\.isValid).map(\.time).sorted()
            doubled += zip(valid, valid.dropFirst()).count { $1 - $0 < Self.second }
            for click in clicks where !click.isValid {
                let next = valid.partitioningIndex { $0 > click.time }
                let isNear = [next - 1, next].contains {
                    valid.indices.contains($0) && abs(valid[$0] - click.time) < Self.second
                }
                if !isNear { refusedWithoutWindow += 1 }
            }
        }
        #expect(doubled == 0)
        #expect(refusedWithoutWindow == 0)
        #expect(outcomes.contains(where: \.isValid) && outcomes.contains { !$0.isValid })
    }

    /// All threads claim the same new pairs in the same order, so they meet at nearly each of them.
    @Test func `of threads that claim a new pair at once exactly one wins`() async {
        let keys = 200_000
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 1 << 21)
        let wins = await withTaskGroup(of: [UInt64].self) { group in
            for thread in 0..<4 {
                group.addTask {
                    (1...UInt64(keys)).map(SplitMix.mixed).filter {
                        window.claim(key: $0, now: Self.start + Int64(thread))
                    }
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(wins.count == keys)
        #expect(Set(wins).count == keys)
        #expect(window.evictions == 0)
    }

    // MARK: Across processes

    @Test func `restored records refuse what they refused, in any order and given twice`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let live = DedupeWindow(windowSeconds: 300, entriesMin: 1 << 15)
        var valid: [(key: UInt64, time: Int64)] = []
        var now = Self.start
        for _ in 0..<20_000 {
            now += Int64(random.next() % 200_000)
            let key = SplitMix.mixed(random.next() % 1000 + 1)
            if live.claim(key: key, now: now) { valid.append((key, now)) }
        }
        let rebuilt = DedupeWindow(windowSeconds: 300, entriesMin: 1 << 15)
        for record in (valid + valid.prefix(500)).shuffled(using: &random) {
            rebuilt.restore(key: record.key, time: record.time)
        }
        for number in 1...UInt64(1000) {
            let key = SplitMix.mixed(number)
            #expect(rebuilt.isOpen(key: key, now: now) == live.isOpen(key: key, now: now))
        }
    }

    @Test func `a restored record never pushes out a later one`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 8)
        for key in 1...8 { window.restore(key: UInt64(key), time: Self.start + Int64(key)) }
        window.restore(key: 9, time: Self.start)
        #expect(!window.isOpen(key: 9, now: Self.start + 10))
        window.restore(key: 10, time: Self.start + 10)
        #expect(window.isOpen(key: 10, now: Self.start + 10))
        #expect(!window.isOpen(key: 1, now: Self.start + 10), "the oldest had to go")
    }

    @Test func `claims that were never written down are taken back`() {
        let window = DedupeWindow(windowSeconds: 300, entriesMin: 64)
        for key in 1...4 { #expect(window.claim(key: UInt64(key), now: Self.start + Int64(key))) }
        let withdrawn = window.withdraw(since: Self.start + 2) { key, time in
            key == 3 && time == Self.start + 3
        }
        #expect(withdrawn == 2)
        let open = (1...4).filter { window.isOpen(key: UInt64($0), now: Self.start + 5) }
        #expect(open == [1, 3])
        #expect(window.claim(key: 2, now: Self.start + 5))
    }

    @Test func `two tables over one memory are one table`() {
        let bytes = DedupeWindow.tableBytes(entriesMin: 64)
        let memory = TableMemory.heap(bytes: bytes)
        let first = DedupeWindow(windowSeconds: 300, memory: memory)
        let second = DedupeWindow(windowSeconds: 300, memory: memory)
        #expect(first.claim(key: 9, now: Self.start))
        #expect(!second.claim(key: 9, now: Self.start + 1))
    }

    private struct Outcome {
        let key: UInt64
        let time: Int64
        let isValid: Bool
    }
}

/// A clock that all threads push forward.
private final class SharedClock: Sendable {
    private let time: Atomic<Int64>

    init(start: Int64) { time = Atomic(start) }

    func advance(by microseconds: Int64) -> Int64 {
        time.add(microseconds, ordering: .relaxed).newValue
    }
}

extension Array where Element == Int64 {
    /// The first index whose element satisfies the predicate, the elements being partitioned by it.
    func partitioningIndex(where predicate: (Int64) -> Bool) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
