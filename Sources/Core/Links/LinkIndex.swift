// The index of a links file, in memory: which slot leads to which record. LinksFormat.swift is the
// specification; what is here besides is how slots are taken and given up.

/// Slots by the hashes of keys. Confined to one thread.
final class LinkIndex {
    let hash: LinkHash
    let slots: Int
    /// Slots that are not empty, those given up included.
    private(set) var used = 0
    private let entries: UnsafeMutablePointer<UInt64>

    /// - Parameter slots: a power of two.
    init(slots: Int, seed: (UInt64, UInt64)) {
        precondition(slots.nonzeroBitCount == 1, "the slots are a power of two")
        hash = LinkHash(seed: seed)
        self.slots = slots
        entries = .allocate(capacity: slots)
        entries.initialize(repeating: 0, count: slots)
    }

    deinit { entries.deallocate() }

    /// As they stand in a file.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: entries, count: slots * LinksFormat.slotBytes)
    }

    /// Whether as many entries may be added: an eighth is left for what was given up.
    func hasRoom(for more: Int) -> Bool { used + more <= slots / 8 * 5 }

    /// The slot of a key; nil if no record has it.
    func find(_ key: LinkKey, in records: UnsafeRawBufferPointer) -> Int? {
        let hash = hash.of(key)
        for distance in 0..<LinksFormat.probeSlotsMax {
            let slot = slot(hash, distance)
            let entry = UInt64(littleEndian: entries[slot])
            if entry == 0 { return nil }
            let place = Int(entry & 0xFFFF_FFFF) * 8
            if entry >> 32 == hash >> 32, place >= LinksFormat.headerBytes,
                LinkKey(key.kind, of: records, at: place) == key
            {
                return slot
            }
        }
        return nil
    }

    /// Enters a key that is not there. - Returns: false if all slots it may have are taken.
    func enter(_ key: LinkKey, at place: Int) -> Bool {
        let hash = hash.of(key)
        for distance in 0..<LinksFormat.probeSlotsMax {
            let slot = slot(hash, distance)
            let entry = UInt64(littleEndian: entries[slot])
            guard entry == 0 || entry == LinksFormat.tombstone else { continue }
            entries[slot] = (hash & ~0xFFFF_FFFF | UInt64(place / 8)).littleEndian
            used += entry == 0 ? 1 : 0
            return true
        }
        return false
    }

    /// Where the record of a slot is.
    func place(at slot: Int) -> Int {
        Int(UInt64(littleEndian: entries[slot]) & 0xFFFF_FFFF) * 8
    }

    /// Has a slot lead to another record of the same key.
    func move(_ slot: Int, to place: Int) {
        let entry = UInt64(littleEndian: entries[slot])
        entries[slot] = (entry & ~0xFFFF_FFFF | UInt64(place / 8)).littleEndian
    }

    func giveUp(_ slot: Int) {
        entries[slot] = LinksFormat.tombstone.littleEndian
    }

    private func slot(_ hash: UInt64, _ distance: Int) -> Int {
        (Int(truncatingIfNeeded: hash) &+ distance) & (slots - 1)
    }
}
