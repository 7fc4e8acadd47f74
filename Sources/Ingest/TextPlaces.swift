// HOT: three look-ups a click, measured by Benchmarks/Ingest. Nearly every click repeats a text, so
// a look-up is a hash of its bytes, one probe and one comparison, and allocates nothing.

import Clicks
import Glibc

/// Texts of clicks, each once, with the number that the ledger has given it. Confined to whoever
/// reads.
///
/// A place is an index from 0, in the order of first appearance, and is good until ``removeAll()``.
///
/// Invariants: `slots` are as in ``WordTable``, a place instead of an index. The bytes of a text
/// lie within the first `arenaBytes` of `arena`.
final class TextPlaces {
    private struct Entry {
        let hash: UInt64
        let offset: Int
        let count: Int32
        let isPlain: Bool
        let extra: Int32
    }

    /// Keeping a text costs so much besides its bytes.
    static let entryBytes = MemoryLayout<Entry>.stride + 20

    private let describe: (UnsafeRawBufferPointer) -> Int32
    private let seed = UInt64.random(in: .min ... .max)
    private var slots: UnsafeMutablePointer<UInt64>
    private var mask: Int
    private var entries: UnsafeMutablePointer<Entry>
    /// What the ledger calls each; 0 while that is not known. Apart from the entries: a row wants
    /// this alone, and so it fits the nearest cache.
    private var ledgerNumbers: UnsafeMutablePointer<Int32>
    private(set) var count = 0
    private var arena: UnsafeMutableRawPointer
    private var arenaCapacity = 1 << 12
    private var arenaBytes = 0
    private var unnumbered: [Int32] = []
    /// Given to a batch that asks for their numbers.
    private var asked: [Int32] = []
    /// What the batches have been told.
    private(set) var numbers = LedgerNumbers()
    /// Places by the keys that texts came with, a newer one instead of an older: a repeated text is
    /// found without a look at its bytes.
    private let recent: UnsafeMutablePointer<Recent>

    private struct Recent {
        var key: UInt64 = 0
        var found = Found(place: 0, extra: 0)
    }

    /// A text's place, and what was described of it.
    struct Found {
        let place: Int32
        let extra: Int32

        /// Of no text: the device is unknown, and the host is ``KnownTexts/none``.
        static let none = Found(place: -1, extra: 0)
    }

    private static let recentCount = 1 << 16

    private static let slotsAtFirst = 128

    /// - Parameter describe: what is to be known of each text besides, asked for once.
    init(describe: @escaping (UnsafeRawBufferPointer) -> Int32 = { _ in 0 }) {
        self.describe = describe
        mask = TextPlaces.slotsAtFirst - 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        entries = .allocate(capacity: (mask + 1) / 2)
        ledgerNumbers = .allocate(capacity: (mask + 1) / 2)
        arena = .allocate(byteCount: arenaCapacity, alignment: 16)
        recent = .allocate(capacity: TextPlaces.recentCount)
        recent.initialize(repeating: Recent(), count: TextPlaces.recentCount)
    }

    deinit {
        slots.deallocate()
        entries.deallocate()
        ledgerNumbers.deallocate()
        arena.deallocate()
        recent.deallocate()
    }

    /// Bytes that the texts and their keeping take.
    var bytes: Int { arenaBytes + count * TextPlaces.entryBytes }

    /// The same of a text that has a key: no other text of this process has it, see ``ClickTexts``.
    /// - Parameter key: 0 for none.
    @inline(__always)
    func find(_ text: UnsafeRawBufferPointer, key: UInt64) -> Found {
        let entry = entry(of: key)
        if key != 0, entry.pointee.key == key { return entry.pointee.found }
        let place = place(of: text)
        let found = Found(place: place, extra: entries[Int(place)].extra)
        if key != 0 { entry.pointee = Recent(key: key, found: found) }
        return found
    }

    /// Has what ``find(_:key:)`` will look at fetched.
    @inline(__always)
    func fetch(key: UInt64) {
        CacheLine.fetch(entry(of: key))
    }

    @inline(__always)
    private func entry(of key: UInt64) -> UnsafeMutablePointer<Recent> {
        // Keys of one source are numbers from 1, and its own number stands above them: what two
        // sources see most is not to push each other out.
        let mixed = key &+ (key >> 32) &* 0x2AAB
        return recent + (Int(truncatingIfNeeded: mixed) & (TextPlaces.recentCount - 1))
    }

    /// The place of a text, a new one if it was not seen before. Texts are told apart by their
    /// bytes, so two that differ only in what the ledger cannot keep have a place each and one
    /// number.
    func place(of text: UnsafeRawBufferPointer) -> Int32 {
        let hash = SeededHash.of(text, seed: seed)
        let tag = hash >> 32
        var slot = Int(truncatingIfNeeded: tag) & mask
        while slots[slot] != 0 {
            if slots[slot] >> 32 == tag {
                let place = Int32(truncatingIfNeeded: slots[slot]) &- 1
                if isText(place, text, hash) { return place }
            }
            slot = (slot &+ 1) & mask
        }
        return add(text, hash, slot)
    }

    /// What was described of a text.
    func extra(_ place: Int32) -> Int32 { entries[Int(place)].extra }

    /// What the ledger calls a text; 0 before ``learnNumbers()`` has found it.
    func number(_ place: Int32) -> Int32 { ledgerNumbers[Int(place)] }

    /// As text that PostgreSQL takes: what is no UTF-8, and NUL, becomes U+FFFD.
    func text(_ place: Int32) -> String { TextPlaces.repaired(raw(place)) }

    /// The text's own bytes if it is ASCII without NUL, as nearly all are: then PostgreSQL takes
    /// them as they are. They are good until the next new text.
    func plainBytes(_ place: Int32) -> UnsafeRawBufferPointer? {
        entries[Int(place)].isPlain ? raw(place) : nil
    }

    /// As text that PostgreSQL takes: what is no UTF-8, and NUL, becomes U+FFFD.
    static func repaired(_ text: UnsafeRawBufferPointer) -> String {
        guard text.contains(0) else { return String(decoding: text, as: UTF8.self) }
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
        var result = String.UnicodeScalarView()
        for scalar in scalars { result.append(scalar == "\0" ? "\u{FFFD}" : scalar) }
        return String(result)
    }

    /// Forgets everything; all places are void.
    func removeAll() {
        count = 0
        arenaBytes = 0
        unnumbered = []
        asked = []
        numbers = LedgerNumbers()
        recent.update(repeating: Recent(), count: TextPlaces.recentCount)
        slots.update(repeating: 0, count: mask + 1)
    }

    // MARK: Inside

    private func raw(_ place: Int32) -> UnsafeRawBufferPointer {
        precondition(0 <= place && place < count, "a place is of this table")
        let entry = entries[Int(place)]
        return UnsafeRawBufferPointer(start: arena + entry.offset, count: Int(entry.count))
    }

    private func isText(_ place: Int32, _ text: UnsafeRawBufferPointer, _ hash: UInt64) -> Bool {
        let entry = entries[Int(place)]
        guard entry.hash == hash, Int(entry.count) == text.count else { return false }
        guard let other = text.baseAddress else { return true }
        return memcmp(arena + entry.offset, other, text.count) == 0
    }

    private func add(_ text: UnsafeRawBufferPointer, _ hash: UInt64, _ slot: Int) -> Int32 {
        let place = Int32(count)
        if arenaBytes + text.count > arenaCapacity { growArena(for: text.count) }
        if let source = text.baseAddress {
            (arena + arenaBytes).copyMemory(from: source, byteCount: text.count)
        }
        entries[count] = Entry(
            hash: hash, offset: arenaBytes, count: Int32(text.count),
            isPlain: text.allSatisfy { 1...0x7F ~= $0 }, extra: describe(text))
        ledgerNumbers[count] = 0
        arenaBytes += text.count
        slots[slot] = hash & ~0xFFFF_FFFF | UInt64(truncatingIfNeeded: count &+ 1)
        count += 1
        unnumbered.append(place)
        if count * 2 > mask { growSlots() }
        return place
    }

    private func growArena(for more: Int) {
        let capacity = max(arenaCapacity * 2, arenaBytes + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: arena, byteCount: arenaBytes)
        arena.deallocate()
        arena = larger
        arenaCapacity = capacity
    }

    private func growSlots() {
        slots.deallocate()
        mask = mask * 2 + 1
        slots = .allocate(capacity: mask + 1)
        slots.initialize(repeating: 0, count: mask + 1)
        let larger = UnsafeMutablePointer<Entry>.allocate(capacity: (mask + 1) / 2)
        larger.update(from: entries, count: count)
        entries.deallocate()
        entries = larger
        let largerNumbers = UnsafeMutablePointer<Int32>.allocate(capacity: (mask + 1) / 2)
        largerNumbers.update(from: ledgerNumbers, count: count)
        ledgerNumbers.deallocate()
        ledgerNumbers = largerNumbers
        for place in 0..<count {
            let tag = entries[place].hash >> 32
            var slot = Int(truncatingIfNeeded: tag) & mask
            while slots[slot] != 0 { slot = (slot &+ 1) & mask }
            slots[slot] = tag << 32 | UInt64(truncatingIfNeeded: place &+ 1)
        }
    }
}

// MARK: Numbers

extension TextPlaces {
    /// The order of their bytes: below 0, 0 or above. Swift's own way, byte by byte through an
    /// iterator, was half of all instructions of a first batch.
    static func compare(_ left: String, _ right: String) -> Int {
        let order = left.utf8.withContiguousStorageIfAvailable { left in
            right.utf8.withContiguousStorageIfAvailable { right -> Int in
                guard let one = left.baseAddress, let other = right.baseAddress else {
                    return left.count - right.count
                }
                let order = memcmp(one, other, min(left.count, right.count))
                return order != 0 ? Int(order) : left.count - right.count
            }
        }
        guard let order, let order else { preconditionFailure("texts of bytes are contiguous") }
        return order
    }

    /// Texts that one question to the ledger may have: bounds the message, not the batch.
    static let questionTextsMax = 5000

    /// The texts that have no number yet and that nobody was given before.
    func takeUnnumbered() -> Unnumbered<String> {
        defer {
            asked += unnumbered
            unnumbered = []
        }
        return Unnumbered(wanted: unnumbered.map { (text($0), $0) }, numbers: numbers)
    }

    /// Takes note of the numbers that others have learnt meanwhile.
    func learnNumbers() {
        guard !asked.isEmpty else { return }
        numbers.read { number in
            asked.removeAll { place in
                ledgerNumbers[Int(place)] = number(place)
                return ledgerNumbers[Int(place)] != 0
            }
        }
    }
}
