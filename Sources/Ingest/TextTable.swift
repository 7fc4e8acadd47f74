// The texts of a batch, each once. Nearly every click repeats one, so a look-up is a hash of its
// bytes and a comparison, and allocates nothing.

import Glibc

/// Distinct texts in the order of their first appearance.
///
/// Invariant: `slots` has a power of two of places, more than half of them free; a taken one holds
/// the number of a text, and a text is found by going on from its hash until a free one.
struct TextTable {
    /// What the ledger can keep of each: see ``repaired(_:)``.
    private(set) var texts: [String] = []
    private var bytes: [UInt8] = []
    /// Where each text ends in `bytes`; it begins where the one before ends.
    private var ends: [Int] = []
    private var hashes: [Int] = []
    private var slots = [Int32](repeating: -1, count: 64)

    /// The number of a text. Texts are told apart by their bytes, so two that differ only in what
    /// the ledger cannot keep have a number each and the same text.
    mutating func index(of text: UnsafeRawBufferPointer) -> Int32 {
        var hasher = Hasher()
        hasher.combine(bytes: text)
        let hash = hasher.finalize()
        let mask = slots.count - 1
        var slot = hash & mask
        while slots[slot] >= 0 {
            if isText(Int(slots[slot]), text, hash) { return slots[slot] }
            slot = (slot + 1) & mask
        }
        let index = Int32(texts.count)
        slots[slot] = index
        texts.append(TextTable.repaired(text))
        bytes.append(contentsOf: text)
        ends.append(bytes.count)
        hashes.append(hash)
        if texts.count * 2 > slots.count { grow() }
        return index
    }

    /// As text that PostgreSQL takes: what is no UTF-8, and NUL, becomes U+FFFD.
    static func repaired(_ text: UnsafeRawBufferPointer) -> String {
        guard text.contains(0) else { return String(decoding: text, as: UTF8.self) }
        let scalars = String(decoding: text, as: UTF8.self).unicodeScalars
        var result = String.UnicodeScalarView()
        for scalar in scalars { result.append(scalar == "\0" ? "\u{FFFD}" : scalar) }
        return String(result)
    }

    private func isText(_ index: Int, _ text: UnsafeRawBufferPointer, _ hash: Int) -> Bool {
        guard hashes[index] == hash else { return false }
        let start = index == 0 ? 0 : ends[index - 1]
        guard ends[index] - start == text.count else { return false }
        guard let other = text.baseAddress else { return true }
        return bytes.withUnsafeBytes { memcmp($0.baseAddress! + start, other, text.count) == 0 }
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        for (index, hash) in hashes.enumerated() {
            var slot = hash & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int32(index)
        }
    }
}
