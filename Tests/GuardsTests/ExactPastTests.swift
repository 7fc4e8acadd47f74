import Clicks
import Guards
import TestSupport
import Testing

@Suite struct ExactPastTests {
    /// A click at every few seconds or milliseconds, so that windows and minutes end often.
    private func clicks(seed: UInt64) -> [(visitor: UInt64, gonggu: Identifier, time: Timestamp)] {
        var random = SplitMix(state: seed)
        var time: Int64 = 1_795_000_000_000_000
        return (0..<20_000).map { _ in
            time += [0, 1, 1000, 400_000, 1_000_000, 7_000_000].randomElement(using: &random)!
            return (
                UInt64.random(in: 1...40, using: &random),
                Identifier(high: 1, low: UInt64.random(in: 1...3, using: &random)),
                Timestamp(microseconds: time)
            )
        }
    }

    @Test func `windows open and close as those of the edge's table do`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        let table = DedupeWindow(windowSeconds: 300, entriesMin: 1 << 16)
        var exact = ExactWindows(windowSeconds: 300)
        var valid = 0
        for (visitor, gonggu, time) in clicks(seed: seed) {
            exact.forget(before: time)
            let isFirst = !exact.isOpen(visitor: visitor, gonggu: gonggu, now: time)
            if isFirst {
                exact.start(visitor: visitor, gonggu: gonggu, at: time)
                valid += 1
            }
            let key = SplitMix.mixed(visitor &* 31 &+ gonggu.low)
            #expect(isFirst == table.claim(key: key, now: time.microseconds), "seed \(seed)")
        }
        #expect(table.evictions == 0 && valid > 1000 && exact.count <= 120, "seed \(seed)")
    }

    @Test func `exactly a window later is a window of its own`() {
        var exact = ExactWindows(windowSeconds: 300)
        let (gonggu, start) = (Identifier(high: 1, low: 1), Timestamp(microseconds: 1_000_000))
        exact.start(visitor: 7, gonggu: gonggu, at: start)
        let end = start.advanced(bySeconds: 300)
        let before = Timestamp(microseconds: end.microseconds - 1)
        #expect(exact.isOpen(visitor: 7, gonggu: gonggu, now: before))
        #expect(!exact.isOpen(visitor: 7, gonggu: gonggu, now: end))
        #expect(!exact.isOpen(visitor: 8, gonggu: gonggu, now: before))
    }

    @Test func `an address's minute is the one that the edge counts`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        let table = FloodGuard(clicksPerMinuteMax: 60, rowsPerMinuteMax: 600, entriesMin: 1 << 12)
        var exact = ExactMinutes()
        var largest = 0
        for (visitor, _, time) in clicks(seed: seed) {
            let address = NetworkAddress(ipv4: UInt32(visitor % 5))
            let counted = exact.count(1, from: address, now: time)
            let key = SplitMix.mixed(visitor % 5)
            #expect(
                counted == table.count(key: key, now: time.microseconds).clicksInWindow,
                "seed \(seed)")
            largest = max(largest, counted)
        }
        #expect(largest > 10 && table.evictions == 0 && exact.count <= 5, "seed \(seed)")
    }

    @Test func `an IPv6 network of 64 bits is one subscriber`() {
        var exact = ExactMinutes()
        let now = Timestamp(microseconds: 5_000_000)
        for low in 1...10 {
            let address = NetworkAddress(high: 0x2001_0db8 << 32, low: UInt64(low))
            #expect(exact.count(2, from: address, now: now) == 2 * low)
        }
    }
}
