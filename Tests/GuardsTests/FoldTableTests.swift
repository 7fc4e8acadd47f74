import Clicks
import Guards
import TestSupport
import Testing

@Suite struct FoldTableTests {
    private static let second: Int64 = 1_000_000
    private static let start: Int64 = 1_700_000_000 * second

    private func click(
        _ number: UInt64, address: UInt64 = 1, gonggu: UInt64 = 1, time: Int64 = start,
        verdict: Verdict = .flood
    ) -> Click {
        Click(
            id: Identifier(high: 7, low: number), gongguID: Identifier(high: 2, low: gonggu),
            time: Timestamp(microseconds: time), visitorKey: 3, userID: Identifier(high: 4, low: 5),
            address: NetworkAddress(high: 0x2001_0DB8 << 32 | address, low: number),
            reason: 6, verdict: verdict, path: .report)
    }

    private func makeTable(entriesMin: Int = 256) -> FoldTable {
        FoldTable(memory: .heap(bytes: FoldTable.tableBytes(entriesMin: entriesMin)))
    }

    @Test func `clicks of an address, link and second become one record of the first`() {
        let table = makeTable()
        for number in 1...5 {
            let isKept = table.add(
                click(UInt64(number), time: Self.start + Int64(number)), addressKey: 1)
            #expect(isKept)
        }
        var folded = click(1, time: Self.start + 1)
        folded.count = 5
        #expect(!table.isDue(now: Self.start + 999_999))
        #expect(table.isDue(now: Self.start + Self.second))
        var found: [Click] = []
        table.collect(now: Self.start + Self.second) {
            found.append($0); return true
        }
        #expect(found == [folded])
        table.commit()
        #expect(table.isEmpty && !table.isDue(now: Self.start + 9 * Self.second))
    }

    /// Each step is a stop of the process, or of its write.
    @Test func `what an ended process had written is left out, the rest is kept`() {
        let memory = TableMemory.heap(bytes: FoldTable.tableBytes(entriesMin: 64))
        let table = FoldTable(memory: memory)
        for number in 1...3 { _ = table.add(click(1, gonggu: UInt64(number)), addressKey: 1) }
        _ = table.add(click(9, gonggu: 4), addressKey: 1)
        table.collect(now: Self.start + Self.second) { $0.id.low == 1 }
        let next = FoldTable(memory: memory)
        #expect(next.folds.count == 4 && next.folds.allSatisfy { $0.count == 1 })
        #expect(next.forget { $0.low == 1 } == 3)
        var found: [Click] = []
        next.collect(now: Self.start) {
            found.append($0); return true
        }
        next.commit()
        #expect(found == [click(9, gonggu: 4)] && next.isEmpty)
    }

    @Test func `a clock set back an hour does not hold folds back for an hour`() {
        let table = makeTable()
        _ = table.add(click(1), addressKey: 1)
        let back = Self.start - 3600 * Self.second
        #expect(table.isDue(now: back))
        #expect(table.collect(now: back) { _ in true } == 1)
        table.commit()
        _ = table.add(click(2, time: back), addressKey: 1)
        #expect(!table.isDue(now: back + 1))
    }

    @Test func `what a record must tell apart stays apart`() {
        let table = makeTable()
        let clicks = [
            click(1), click(2, address: 2), click(3, gonggu: 2),
            click(4, time: Self.start + Self.second), click(5, verdict: .bot),
        ]
        for click in clicks + clicks { _ = table.add(click, addressKey: click.address.high) }
        var found: [Click] = []
        table.collect(now: Self.start + 2 * Self.second) {
            found.append($0); return true
        }
        #expect(found.count == 5 && found.allSatisfy { $0.count == 2 })
    }

    @Test func `a write that failed keeps the folds, and they go on counting`() {
        let table = makeTable()
        _ = table.add(click(1), addressKey: 1)
        table.collect(now: Self.start + Self.second) { _ in true }
        table.rollback()
        _ = table.add(click(2), addressKey: 1)
        var counts: [UInt32] = []
        table.collect(now: Self.start + Self.second) {
            counts.append($0.count); return true
        }
        #expect(counts == [2])
    }

    @Test func `a spool without room takes the rest the next time`() {
        let table = makeTable()
        for number in 1...10 { _ = table.add(click(1, gonggu: UInt64(number)), addressKey: 1) }
        var room = 4
        let taken = table.collect(now: Self.start + Self.second) { _ in
            room -= 1
            return room >= 0
        }
        table.commit()
        #expect(taken == 4)
        #expect(table.collect(now: Self.start + Self.second) { _ in true } == 6)
    }

    @Test func `little room makes all folds due at once`() {
        let table = makeTable(entriesMin: 64)
        var kept = 0
        var number: UInt64 = 0
        while !table.isDue(now: Self.start) {
            number += 1
            if table.add(click(number, gonggu: number), addressKey: SplitMix.mixed(number)) {
                kept += 1
            }
        }
        #expect(kept == 48)
        #expect(table.collect(now: Self.start) { _ in true } == 48)
        table.commit()
        #expect(table.isEmpty)
    }

    /// Also with more addresses than room: what is not folded is refused, so that it gets stored.
    @Test func `whatever comes, no total is lost`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let table = makeTable(entriesMin: 64)
        struct Fold: Hashable { let address, gonggu: UInt64; let second: Int64 }
        var oracle: [Fold: Int] = [:]
        var found: [Fold: Int] = [:]
        func note(_ click: Click, in counts: inout [Fold: Int]) {
            let fold = Fold(
                address: click.address.high, gonggu: click.gongguID.low,
                second: click.time.microseconds / Self.second)
            counts[fold, default: 0] += Int(click.count)
        }
        var now = Self.start
        for number in 0..<100_000 as Range<UInt64> {
            now += Int64(random.next() % 5000)
            let click = click(
                number, address: random.next() % 8, gonggu: random.next() % 12, time: now)
            note(click, in: &oracle)
            if !table.add(click, addressKey: click.address.high) { note(click, in: &found) }
            guard number % 50 == 0, table.isDue(now: now) else { continue }
            var batch: [Click] = []
            table.collect(now: now) {
                batch.append($0); return true
            }
            if random.next() % 4 == 0 {
                table.rollback()
            } else {
                for click in batch { note(click, in: &found) }
                table.commit()
            }
        }
        table.collect(now: now + Self.second) {
            note($0, in: &found); return true
        }
        #expect(found == oracle)
    }
}
