// HOT: one look-up a click and two a line of the statistics; measured by Benchmarks/Ingest.

/// Numbers distinct keys of four words from 0, in the order of their first appearance, with a sum
/// each. Confined to one thread.
///
/// Invariant: `slots` has a power of two of words, more than half of them free (-1); a taken one
/// holds an index, and a key is found by going on from its hash until a free one.
final class WordTable {
    typealias Key = (UInt64, UInt64, UInt64, UInt64)

    private struct Entry {
        let key: Key
        var sum: Int64
    }

    private let seed = UInt64.random(in: .min ... .max)
    private var slots: UnsafeMutablePointer<Int32>
    private var mask: Int
    private var entries: UnsafeMutablePointer<Entry>
    private(set) var count = 0

    init() {
        mask = 255
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: -1, count: mask + 1)
        entries = .allocate(capacity: (mask + 1) / 2)
    }

    deinit {
        slots.deallocate()
        entries.deallocate()
    }

    /// Adds to the sum of a key. - Returns: its index.
    @discardableResult
    func add(_ amount: Int64, to key: Key) -> Int {
        var slot = Int(truncatingIfNeeded: SeededHash.of(key, seed: seed)) & mask
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].key == key {
                entries[index].sum &+= amount
                return index
            }
            slot = (slot &+ 1) & mask
        }
        slots[slot] = Int32(truncatingIfNeeded: count)
        entries[count] = Entry(key: key, sum: amount)
        count += 1
        if count * 2 > mask { grow() }
        return count - 1
    }

    /// The sum of a key; nil if there is none.
    func sum(of key: Key) -> Int64? {
        var slot = Int(truncatingIfNeeded: SeededHash.of(key, seed: seed)) & mask
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].key == key { return entries[index].sum }
            slot = (slot &+ 1) & mask
        }
        return nil
    }

    subscript(_ index: Int) -> (key: Key, sum: Int64) {
        precondition(0 <= index && index < count, "an index is of this table")
        return (entries[index].key, entries[index].sum)
    }

    /// Empties it, at the cost of its slots: 4 bytes for each of at least two a key.
    func removeAll() {
        guard count > 0 else { return }
        count = 0
        slots.update(repeating: -1, count: mask + 1)
    }

    private func grow() {
        slots.deallocate()
        mask = mask * 2 + 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: -1, count: mask + 1)
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: (mask + 1) / 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
        for index in 0..<count {
            var slot =
                Int(truncatingIfNeeded: SeededHash.of(entries[index].key, seed: seed)) & mask
            while slots[slot] >= 0 { slot = (slot &+ 1) & mask }
            slots[slot] = Int32(truncatingIfNeeded: index)
        }
    }
}
