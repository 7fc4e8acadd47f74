// All links in memory, laid out as the links file is, so that a change touches one record and a
// file is written by copying. It takes as much memory as the file, up to half as much again of
// address space, and while all links are read anew a bit for each 64 bytes.
//
// A record that grows or shrinks over a multiple of 64 bytes moves to the end and leaves a dead
// one; dead ones are swept out when they are a quarter of all. A key that goes leaves a slot given
// up; the index is made again when these use up its room, or when there are more links.
//
// Invariants:
//   - a slot of the index is empty, given up, or leads to a record that is not dead;
//   - each record that is not dead has one slot for its id, and one for its code unless it has none
//     or its code is lost;
//   - the content checksum is the sum over the records that are not dead.
import Clicks
import Glibc
import Linux

/// The links that a publisher knows. Confined to one thread.
package final class LinkImage {
    /// What putting a link came to.
    package enum Change: Equatable, Sendable {
        case none
        case added
        case replaced
    }

    /// Links in it.
    package private(set) var count = 0
    /// The same for the same links, however they came in; a file has it in its header.
    package private(set) var contentChecksum: UInt64 = 0
    private(set) var index: LinkIndex

    /// Room for a header, then all records.
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    private var end = LinksFormat.headerBytes
    private var deadBytes = 0
    private let scratch: UnsafeMutableRawBufferPointer
    /// While all links are read anew: a bit for each place, whether its link was among them.
    private var seen: [UInt64]?

    private static let capacityMin = 1 << 16
    /// Less is not worth a sweep.
    private static let deadBytesMin = 1 << 20
    private static let seedsMax = 8

    /// - Parameter seed: of the index, random by default.
    package init(seed: (UInt64, UInt64)? = nil) {
        index = LinkIndex(slots: LinksFormat.slotsMin, seed: seed ?? LinkImage.randomSeed())
        capacity = LinkImage.capacityMin
        start = LinkImage.resized(nil, to: capacity)
        start.initializeMemory(as: UInt8.self, repeating: 0, count: LinksFormat.headerBytes)
        scratch = .allocate(byteCount: LinkSource.recordBytesMax, alignment: 8)
    }

    deinit {
        free(start)
        scratch.deallocate()
    }

    /// Header and records; valid until the next change.
    var records: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: end) }

    /// What it takes of memory, but for what a reading anew takes.
    package var memoryBytes: Int { capacity + index.bytes.count }

    // MARK: Changes

    /// Takes a link in, in place of the one of its id; a code that another has becomes its own.
    ///
    /// - Throws: a link that no file can hold; the image is as it was.
    @discardableResult
    package func put(_ link: LinkSource) throws(LinksError) -> Change {
        let record = try link.encode(into: scratch)
        let key = LinkKey(.id, of: record, at: 0)
        guard let slot = index.find(key, in: records) else {
            try makeRoomForOneMore()
            let place = try append(record)
            count += 1
            contentChecksum &+= LinkHash.content(of: record)
            note(seenAt: place)
            if !index.enter(key, at: place) { try remakeIndex(withOtherSeed: true) }
            try claimCode(at: place)
            return .added
        }
        let place = index.place(at: slot)
        note(seenAt: place)
        let old = self.record(at: place)
        if old.count == record.count,
            memcmp(old.baseAddress!, record.baseAddress!, old.count) == 0
        {
            return .none
        }
        try replace(old, at: place, slot, with: record)
        return .replaced
    }

    /// Whether there was such a link.
    @discardableResult
    package func remove(_ id: Identifier) -> Bool {
        let key = LinkKey(kind: .id, first: id.high, second: id.low)
        guard let slot = index.find(key, in: records) else { return false }
        let place = index.place(at: slot)
        let old = record(at: place)
        if let codeSlot = slotOfOwnCode(old) { index.giveUp(codeSlot) }
        index.giveUp(slot)
        contentChecksum &-= LinkHash.content(of: old)
        kill(at: place, old.count)
        count -= 1
        return true
    }

    /// Whether a link of its id is there, and one of its code; for whom twice is a mistake.
    func has(_ link: LinkSource) -> (id: Bool, code: Bool) {
        let id = LinkKey(kind: .id, first: link.id.high, second: link.id.low)
        let code = Array(link.shortCode.utf8).withUnsafeBytes { LinkKey(code: $0) }
        return (
            index.find(id, in: records) != nil,
            code.map { index.find($0, in: records) != nil } ?? false
        )
    }

    private func replace(
        _ old: UnsafeRawBufferPointer, at place: Int, _ slot: Int,
        with record: UnsafeRawBufferPointer
    ) throws(LinksError) {
        let (oldBytes, oldHash) = (old.count, LinkHash.content(of: old))
        let codeSlot = slotOfOwnCode(old)
        let keepsCode = LinkKey(.code, of: old, at: 0) == LinkKey(.code, of: record, at: 0)
        var new = place
        if oldBytes == record.count {
            (start + place).copyMemory(from: record.baseAddress!, byteCount: record.count)
        } else {
            // What may fail comes first. It may also move all records: `old` is not to be used.
            new = try append(record)
            kill(at: place, oldBytes)
            index.move(slot, to: new)
            note(seenAt: new)
        }
        contentChecksum &+= LinkHash.content(of: record) &- oldHash
        if let codeSlot {
            if keepsCode { return index.move(codeSlot, to: new) }
            index.giveUp(codeSlot)
        }
        try claimCode(at: new)
    }

    // MARK: Reading everything anew

    /// From now until ``endReading()`` the links that are put are all there are.
    package func beginReading() {
        seen = [UInt64](repeating: 0, count: end / LinkImage.seenBytes + 1)
    }

    /// Removes the links that were not put since ``beginReading()``. - Returns: how many.
    @discardableResult
    package func endReading() throws(LinksError) -> Int {
        guard let seen else { preconditionFailure("a reading that ends has begun") }
        var gone: [Identifier] = []
        forEachRecord { place, record in
            if seen[place / LinkImage.seenBytes] & LinkImage.seenBit(place) == 0 {
                gone.append(Identifier(high: record.number(at: 0), low: record.number(at: 8)))
            }
        }
        self.seen = nil
        for id in gone { remove(id) }
        return gone.count
    }

    private func note(seenAt place: Int) {
        guard seen != nil else { return }
        while seen!.count <= place / LinkImage.seenBytes { seen!.append(0) }
        seen![place / LinkImage.seenBytes] |= LinkImage.seenBit(place)
    }

    /// What a word of `seen` is for.
    private static let seenBytes = 64 * LinksFormat.recordUnit

    private static func seenBit(_ place: Int) -> UInt64 {
        1 << UInt64(place / LinksFormat.recordUnit % 64)
    }

    // MARK: Codes

    /// Enters a record under its code, which it takes from whoever has it.
    private func claimCode(at place: Int) throws(LinksError) {
        let key = LinkKey(.code, of: records, at: place)
        guard key.isCodeThere else { return }
        setLost(false, at: place)
        if let slot = index.find(key, in: records) {
            let other = index.place(at: slot)
            if other != place {
                setLost(true, at: other)
                index.move(slot, to: place)
            }
        } else {
            if !index.hasRoom(for: 1) || !index.enter(key, at: place) {
                try remakeIndex(withOtherSeed: index.hasRoom(for: 1))
            }
        }
    }

    private func slotOfOwnCode(_ record: UnsafeRawBufferPointer) -> Int? {
        let key = LinkKey(.code, of: record, at: 0)
        guard key.isCodeThere, flags(of: record) & LinksFormat.lostCodeFlag == 0 else { return nil }
        return index.find(key, in: records)
    }

    private func setLost(_ isLost: Bool, at place: Int) {
        let before = record(at: place)
        let old = flags(of: before)
        let new = isLost ? old | LinksFormat.lostCodeFlag : old & ~LinksFormat.lostCodeFlag
        guard new != old else { return }
        contentChecksum &-= LinkHash.content(of: before)
        start.store(new, at: place + 64)
        contentChecksum &+= LinkHash.content(of: record(at: place))
    }

    // MARK: Memory

    private func record(at place: Int) -> UnsafeRawBufferPointer {
        let location = Int(records.number(at: place + 66, as: UInt16.self))
        let bytes = LinksFormat.recordBytes(location: location)
        return UnsafeRawBufferPointer(rebasing: records[place..<place + bytes])
    }

    private func flags(of record: UnsafeRawBufferPointer) -> UInt16 { record.number(at: 64) }

    /// Those that are not dead, in the order of their places.
    private func forEachRecord(_ body: (Int, UnsafeRawBufferPointer) -> Void) {
        var place = LinksFormat.headerBytes
        while place < end {
            let record = record(at: place)
            let bytes = record.count
            if flags(of: record) & LinksFormat.deadFlag == 0 { body(place, record) }
            place += bytes
        }
    }

    /// - Returns: the place of the copy.
    private func append(_ record: UnsafeRawBufferPointer) throws(LinksError) -> Int {
        let place = end
        guard UInt32(exactly: (place + record.count) / 8) != nil else {
            throw .full(path: "the links' file")
        }
        if end + record.count > capacity {
            capacity = max(capacity / 2 * 3, end + record.count)
            start = LinkImage.resized(start, to: capacity)
        }
        (start + place).copyMemory(from: record.baseAddress!, byteCount: record.count)
        end += record.count
        return place
    }

    private func kill(at place: Int, _ bytes: Int) {
        let flags: UInt16 = records.number(at: place + 64)
        start.store(flags | LinksFormat.deadFlag, at: place + 64)
        deadBytes += bytes
    }

    /// realloc(3) has the kernel move large memory's pages instead of copying it.
    private static func resized(
        _ memory: UnsafeMutableRawPointer?, to bytes: Int
    ) -> UnsafeMutableRawPointer {
        guard let memory = realloc(memory, bytes) else {
            preconditionFailure("the machine has memory for its links, \(bytes) bytes")
        }
        return memory
    }

    private func makeRoomForOneMore() throws(LinksError) {
        guard count < LinksFormat.linksMax else { throw .full(path: "the links' file") }
        let slots = LinksFormat.slots(forLinks: count + 1)
        if slots > index.slots || !index.hasRoom(for: 2) {
            try remakeIndex(withOtherSeed: false, links: count + 1)
        }
    }

    /// Makes the index from the records. Where two claim a code, the later has lost it.
    private func remakeIndex(withOtherSeed: Bool, links: Int? = nil) throws(LinksError) {
        let slots = LinksFormat.slots(forLinks: links ?? count)
        for attempt in 0..<LinkImage.seedsMax {
            let isKept = attempt == 0 && !withOtherSeed
            index = LinkIndex(
                slots: slots, seed: isKept ? index.hash.seed : LinkImage.randomSeed())
            var isWhole = true
            forEachRecord { place, record in
                guard isWhole else { return }
                isWhole = index.enter(LinkKey(.id, of: record, at: 0), at: place)
                let code = LinkKey(.code, of: record, at: 0)
                guard isWhole, code.isCodeThere, flags(of: record) & LinksFormat.lostCodeFlag == 0
                else { return }
                if index.find(code, in: records) != nil {
                    setLost(true, at: place)
                } else {
                    isWhole = index.enter(code, at: place)
                }
            }
            if isWhole { return }
        }
        throw .crowded(path: "the links' file")
    }

    /// Moves the records together if much between them is dead. Before a file is written.
    func sweepIfWorthwhile() throws(LinksError) {
        precondition(seen == nil, "records stay where they are while all are read")
        guard deadBytes >= LinkImage.deadBytesMin, deadBytes > end / 4 else { return }
        var target = LinksFormat.headerBytes
        forEachRecord { place, record in
            let bytes = record.count
            memmove(start + target, start + place, bytes)
            target += bytes
        }
        end = target
        deadBytes = 0
        try remakeIndex(withOtherSeed: false)
    }

    private static func randomSeed() -> (UInt64, UInt64) {
        let words = Randomness.words(2)
        return (words[0], words[1])
    }
}

extension LinkKey {
    /// Whether it is a code at all: zeros stand for none.
    var isCodeThere: Bool { first | second != 0 }
}
