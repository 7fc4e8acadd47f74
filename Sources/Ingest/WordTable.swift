// HOT: one look-up a click and two a line of the statistics; measured by Benchmarks/Ingest.

import Clicks

/// Numbers distinct keys of four words from 0, in the order of their first appearance, with a sum
/// each. Confined to one thread.
///
/// Invariant: `slots` has a power of two of words, more than half of them free (0); a taken one
/// holds an index plus 1, and above it 32 bits of its key's hash, so that a key is compared where
/// they agree only: each comparison is a miss of the cache. A key is found by going on from its
/// hash until a free one.
final class WordTable {
    typealias Key = (UInt64, UInt64, UInt64, UInt64)

    private struct Entry {
        let key: Key
        var sum: Int64
    }

    private let seed = UInt64.random(in: .min ... .max)
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private var entries: UnsafeMutablePointer<Entry>
    private(set) var count = 0

    init() {
        mask = 255
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        entries = .allocate(capacity: (mask + 1) / 2)
    }

    deinit {
        slots.deallocate()
        entries.deallocate()
    }

    /// Has the place of a key fetched. - Returns: what ``add(_:to:hash:)`` wants.
    @inline(__always)
    func fetch(_ key: Key) -> UInt64 {
        let hash = SeededHash.of(key, seed: seed) >> 32
        CacheLine.fetch(slots + (Int(truncatingIfNeeded: hash) & mask))
        return hash
    }

    /// Adds to the sum of a key. - Returns: its index.
    @discardableResult
    func add(_ amount: Int64, to key: Key) -> Int {
        add(amount, to: key, hash: SeededHash.of(key, seed: seed) >> 32)
    }

    /// The same with what ``fetch(_:)`` has said of the key.
    @discardableResult
    @inline(__always)
    func add(_ amount: Int64, to key: Key, hash: UInt64) -> Int {
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            if slots[slot] >> 32 == hash {
                let index = Int(truncatingIfNeeded: slots[slot] & 0xFFFF_FFFF) &- 1
                if entries[index].key == key {
                    entries[index].sum &+= amount
                    return index
                }
            }
            slot = (slot &+ 1) & mask
        }
        slots[slot] = hash << 32 | UInt64(truncatingIfNeeded: count &+ 1)
        entries[count] = Entry(key: key, sum: amount)
        count += 1
        if count * 2 > mask { grow() }
        return count - 1
    }

    subscript(_ index: Int) -> (key: Key, sum: Int64) {
        precondition(0 <= index && index < count, "an index is of this table")
        return (entries[index].key, entries[index].sum)
    }

    /// Empties it, at the cost of its slots: 8 bytes for each of at least two a key.
    func removeAll() {
        guard count > 0 else { return }
        count = 0
        slots.update(repeating: 0, count: mask + 1)
    }

    private func grow() {
        let (old, oldCount) = (slots, mask + 1)
        mask = mask * 2 + 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        for taken in UnsafeBufferPointer(start: old, count: oldCount) where taken != 0 {
            var slot = Int(truncatingIfNeeded: taken >> 32) & mask
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = taken
        }
        old.deallocate()
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: (mask + 1) / 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
    }
}
