// HOT: `find`, once a click. One hash, mostly one cache line of the index, two of the record. Every
// place is checked against the bytes before it is read, although the file's checksum was right.
// Measured by the links' bench.
import Clicks
import Linux

/// A link as an edge needs it to answer and to judge. A view: valid while its table lives.
public struct LinkRecord: BitwiseCopyable {
    /// A record of the links file, which lies there whole.
    @usableFromInline let record: UnsafeRawPointer

    @inlinable
    init(_ record: UnsafeRawPointer) {
        self.record = record
    }

    @inlinable
    public var id: Identifier { Identifier(high: word(0), low: word(8)) }
    @inlinable
    public var influencerID: Identifier { Identifier(high: word(16), low: word(24)) }
    /// Open from here on …
    @inlinable
    public var opensAt: Timestamp { Timestamp(microseconds: Int64(bitPattern: word(32))) }
    /// … and before here.
    @inlinable
    public var closesAt: Timestamp { Timestamp(microseconds: Int64(bitPattern: word(40))) }
    @inlinable
    public var isSuspended: Bool { half(64) & 1 != 0 }
    /// Whether it is a banner, which has no influencer and no page of its own.
    @inlinable
    public var isBanner: Bool { half(64) & 2 != 0 }
    /// The value of the answer's `Location` header, whole or up to our parameters.
    @inlinable
    public var location: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: record + 68, count: Int(half(66)))
    }
    /// What comes behind ``location``, and before ``Campaign/parameters`` and the id's text: `?` or
    /// `&`; 0 where nothing comes behind it.
    @inlinable
    @inline(always)
    public var separator: UInt8 {
        let flags = half(64)
        if flags & LinksFormat.queryFlag != 0 { return UInt8(ascii: "?") }
        return flags & LinksFormat.moreQueryFlag != 0 ? UInt8(ascii: "&") : 0
    }

    @inlinable
    public func isOpen(at time: Timestamp) -> Bool {
        !isSuspended && opensAt.microseconds <= time.microseconds
            && time.microseconds < closesAt.microseconds
    }

    @inlinable
    func word(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: record.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inlinable
    func half(_ offset: Int) -> UInt16 {
        UInt16(littleEndian: record.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }
}

/// A links file, mapped. Immutable, so any number of threads may ask it. The map goes with the
/// last reference, so a worker that uses a record has the table in a property of its own, or says
/// `withExtendedLifetime`: a local variable may be let go after its last mention.
public final class LinkTable: Sendable {
    package let path: String
    private let map: MappedFile
    @usableFromInline let view: LinkView

    /// Maps the file, has all of it in memory, and checks its checksums.
    ///
    /// Cost: what reading the file costs, plus some 0.15 s a gigabyte.
    package init(path: String) throws(LinksError) {
        do throws(SystemError) {
            map = try MappedFile(path: path, populate: true)
        } catch {
            throw .system(error)
        }
        self.path = path
        view = try LinkView(map.bytes, path: path)
    }

    package var linkCount: Int { view.header.links }
    package var fileBytes: Int { view.header.fileBytes }
    package var generatedAt: Timestamp { Timestamp(microseconds: view.header.generatedAtMicros) }
    /// The same for the same links in any order, whenever they were written.
    package var contentChecksum: UInt64 { view.header.contentChecksum }

    /// The link of an id.
    public func find(id: Identifier) -> LinkRecord? { find(query(id: id)) }

    /// The link of a short code; nil for every text that is none.
    public func find(code: UnsafeRawBufferPointer) -> LinkRecord? {
        query(code: code).flatMap { find($0) }
    }

    /// A look-up of an id that is done in steps: what one reads, ``prefetchSlot(_:)`` and
    /// ``prefetchRecord(_:)`` before it have fetched.
    @inlinable
    @inline(always)
    public func query(id: Identifier) -> LinkQuery {
        view.query(LinkKey(kind: .id, first: id.high, second: id.low))
    }

    /// The same of a short code; nil for every text that is none.
    public func query(code: UnsafeRawBufferPointer) -> LinkQuery? {
        LinkKey(code: code).map { view.query($0) }
    }

    /// Has the place fetched at which the index is looked at first.
    @inlinable
    @inline(always)
    public func prefetchSlot(_ query: LinkQuery) { view.prefetchSlot(query) }

    /// Has the record fetched that the query finds.
    @inlinable
    @inline(always)
    public func prefetchRecord(_ query: LinkQuery) { view.prefetchRecord(query) }

    /// The link that the query is for.
    @inlinable
    @inline(always)
    public func find(_ query: LinkQuery) -> LinkRecord? { view.find(query) }
}

/// A question to one table, meaningless to another: their seeds differ.
public struct LinkQuery: BitwiseCopyable, Sendable {
    @usableFromInline let key: LinkKey
    @usableFromInline let hash: UInt64

    @inlinable
    init(key: LinkKey, hash: UInt64) {
        self.key = key
        self.hash = hash
    }
}

/// The bytes of a links file and what its header says of them; valid while the bytes are.
///
/// Invariant: the header was checked against the bytes, so the index lies within them.
@usableFromInline
struct LinkView: @unchecked Sendable {
    // Unchecked because of the pointers: what they point to is never written.
    let header: LinksHeader
    @usableFromInline let base: UnsafeRawPointer
    @usableFromInline let index: UnsafeRawPointer
    @usableFromInline let slotMask: UInt64
    /// The last place at which a record can begin.
    @usableFromInline let lastPlace: Int
    @usableFromInline let hash: LinkHash

    init(_ bytes: UnsafeRawBufferPointer, path: String) throws(LinksError) {
        header = try LinksHeader(bytes, path: path)
        base = bytes.baseAddress!
        index = base + header.indexAt
        slotMask = UInt64(header.slots - 1)
        lastPlace =
            LinksFormat.headerBytes + header.recordsBytes - LinksFormat.recordFixedBytes
        hash = LinkHash(seed: (header.seedFirst, header.seedSecond))
    }

    @inlinable
    @inline(always)
    func query(_ key: LinkKey) -> LinkQuery {
        LinkQuery(key: key, hash: hash.of(key))
    }

    @inlinable
    @inline(always)
    func prefetchSlot(_ query: LinkQuery) {
        CacheLine.fetch(
            index + Int(truncatingIfNeeded: query.hash & slotMask) &* LinksFormat.slotBytes)
    }

    /// Has the lines of the record fetched at which the first slot with the query's tag points:
    /// that is the right one but for one in 2³². Beyond the first few slots nothing is done, and a
    /// long address comes when it is copied.
    @inlinable
    @inline(always)
    func prefetchRecord(_ query: LinkQuery) {
        var distance: UInt64 = 0
        while distance < LinkView.prefetchSlotsMax {
            let entry = entry(query.hash, distance)
            let place = Int(truncatingIfNeeded: entry & 0xFFFF_FFFF) &* 8
            if place == 0 { return }
            if entry &>> 32 == query.hash &>> 32 {
                CacheLine.fetch(base + place)
                CacheLine.fetch(base + (place &+ CacheLine.bytes))
                return
            }
            distance &+= 1
        }
    }

    @inlinable
    static var prefetchSlotsMax: UInt64 { 4 }

    @inlinable
    @inline(always)
    func find(_ query: LinkQuery) -> LinkRecord? {
        var distance: UInt64 = 0
        while distance < UInt64(LinksFormat.probeSlotsMax) {
            let entry = entry(query.hash, distance)
            let place = Int(truncatingIfNeeded: entry & 0xFFFF_FFFF) &* 8
            if place == 0 { return nil }
            if entry &>> 32 == query.hash &>> 32, isRecord(at: place, of: query.key) {
                return LinkRecord(base + place)
            }
            distance &+= 1
        }
        return nil
    }

    @inlinable
    @inline(always)
    func entry(_ hash: UInt64, _ distance: UInt64) -> UInt64 {
        let slot = Int(truncatingIfNeeded: (hash &+ distance) & slotMask)
        let entry = index.loadUnaligned(
            fromByteOffset: slot &* LinksFormat.slotBytes, as: UInt64.self)
        return UInt64(littleEndian: entry)
    }

    /// Whether the record at a place is this link's, and lies among the records.
    @inlinable
    @inline(always)
    func isRecord(at place: Int, of key: LinkKey) -> Bool {
        guard place >= LinksFormat.headerBytes, place <= lastPlace else { return false }
        let record = LinkRecord(base + place)
        let offset = key.kind == .id ? 0 : 48
        guard record.word(offset) == key.first, record.word(offset &+ 8) == key.second else {
            return false
        }
        let locationBytes = record.location.count
        return locationBytes > 0 && locationBytes <= LinksFormat.locationBytesMax
            && locationBytes <= lastPlace &- place
    }
}

extension LinkKey {
    /// Nil if no link can have the code. The bytes' alphabet is not looked at: a code of other
    /// bytes is in no file, and one that ends with a zero would be taken for a shorter one.
    @inline(always)
    init?(code: UnsafeRawBufferPointer) {
        guard 1...LinksFormat.shortCodeBytesMax ~= code.count, code[code.count - 1] != 0
        else { return nil }
        guard code.count > 8 else {
            self.init(kind: .code, first: LinkKey.word(code), second: 0)
            return
        }
        // The last eight bytes, less those that the first word has.
        let last: UInt64 = code.number(at: code.count - 8)
        self.init(
            kind: .code, first: code.number(at: 0), second: last >> UInt64(8 * (16 - code.count)))
    }

    /// One to eight bytes, padded with zeros. By overlapping loads: copying the bytes into a word
    /// and reading it took a look-up from 24 to 93 ns at 10,000 links (AMD EPYC, Swift 6.3.1),
    /// since the word is read before the narrower stores have arrived.
    @inline(always)
    private static func word(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        let count = bytes.count
        if count == 8 { return bytes.number(at: 0) }
        if count >= 4 {
            let low: UInt32 = bytes.number(at: 0)
            let high: UInt32 = bytes.number(at: count - 4)
            return UInt64(low) | UInt64(high) << UInt64(8 * (count - 4))
        }
        let middle = UInt64(bytes[count / 2]) << UInt64(8 * (count / 2))
        let last = UInt64(bytes[count - 1]) << UInt64(8 * (count - 1))
        return UInt64(bytes[0]) | middle | last
    }

    /// The key that the record at a place has; the place is within the buffer.
    @inline(always)
    init(_ kind: Kind, of bytes: UnsafeRawBufferPointer, at place: Int) {
        let offset = kind == .id ? place : place + 48
        self.init(
            kind: kind, first: bytes.number(at: offset), second: bytes.number(at: offset + 8))
    }
}
