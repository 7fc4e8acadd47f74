// HOT: `find`, once a click. One hash, mostly one cache line of the index, two of the record. Every
// place is checked against the bytes before it is read, although the file's checksum was right.
// Measured by the links' bench.
import Clicks
import Linux

/// A link as an edge needs it to answer and to judge. A view: valid while its table lives.
public struct LinkRecord {
    public let id: Identifier
    public let influencerID: Identifier
    /// Open from here on …
    public let opensAt: Timestamp
    /// … and before here.
    public let closesAt: Timestamp
    public let isSuspended: Bool
    /// Whether it is a banner, which has no influencer and no page of its own.
    public let isBanner: Bool
    /// The value of the answer's `Location` header, ready to send.
    public let location: UnsafeRawBufferPointer

    @inlinable
    public func isOpen(at time: Timestamp) -> Bool {
        !isSuspended && opensAt <= time && time < closesAt
    }
}

/// A links file, mapped. Immutable, so any number of threads may ask it. The map goes with the
/// last reference, so a worker that uses a record has the table in a property of its own, or says
/// `withExtendedLifetime`: a local variable may be let go after its last mention.
public final class LinkTable: Sendable {
    package let path: String
    private let map: MappedFile
    private let view: LinkView

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

    /// A look-up of an id that is done in steps, each of which has fetched what the next one reads.
    public func query(id: Identifier) -> LinkQuery {
        view.query(LinkKey(kind: .id, first: id.high, second: id.low))
    }

    /// The same of a short code; nil for every text that is none.
    public func query(code: UnsafeRawBufferPointer) -> LinkQuery? {
        LinkKey(code: code).map { view.query($0) }
    }

    /// Has the record fetched that the query finds.
    public func prefetch(_ query: LinkQuery) { view.prefetch(query) }

    /// The link that the query is for.
    public func find(_ query: LinkQuery) -> LinkRecord? { view.find(query) }
}

/// A question to one table, meaningless to another: their seeds differ.
public struct LinkQuery: BitwiseCopyable, Sendable {
    let key: LinkKey
    let hash: UInt64
}

/// The bytes of a links file and what its header says of them; valid while the bytes are.
///
/// Invariant: the header was checked against the bytes, so the index lies within them.
struct LinkView: @unchecked Sendable {
    // Unchecked because of the pointer: what it points to is never written.
    let header: LinksHeader
    private let bytes: UnsafeRawBufferPointer
    private let hash: LinkHash

    init(_ bytes: UnsafeRawBufferPointer, path: String) throws(LinksError) {
        self.bytes = bytes
        header = try LinksHeader(bytes, path: path)
        hash = LinkHash(seed: (header.seedFirst, header.seedSecond))
    }

    /// Begins a look-up, and has its first slot fetched.
    func query(_ key: LinkKey) -> LinkQuery {
        let hash = self.hash.of(key)
        CacheLine.fetch(base + (header.indexAt + slot(of: hash, 0) * LinksFormat.slotBytes))
        return LinkQuery(key: key, hash: hash)
    }

    /// Has the lines of the record fetched at which the first slot with the query's tag points:
    /// that is the right one but for one in 2³². Beyond the first few slots nothing is done.
    func prefetch(_ query: LinkQuery) {
        for distance in 0..<LinkView.prefetchSlotsMax {
            let entry = entry(query.hash, distance)
            let place = Int(entry & 0xFFFF_FFFF) * 8
            if place == 0 { return }
            if entry >> 32 == query.hash >> 32 {
                CacheLine.fetch(base + place)
                CacheLine.fetch(base + (place + CacheLine.bytes))
                CacheLine.fetch(base + (place + 2 * CacheLine.bytes))
                return
            }
        }
    }

    private static var prefetchSlotsMax: Int { 4 }

    func find(_ query: LinkQuery) -> LinkRecord? {
        let tag = query.hash >> 32
        for distance in 0..<LinksFormat.probeSlotsMax {
            let entry = entry(query.hash, distance)
            let place = Int(entry & 0xFFFF_FFFF) * 8
            if place == 0 { return nil }
            if entry >> 32 == tag, let record = record(at: place, query.key) { return record }
        }
        return nil
    }

    @inline(__always)
    private func slot(of hash: UInt64, _ distance: Int) -> Int {
        (Int(truncatingIfNeeded: hash) &+ distance) & (header.slots - 1)
    }

    @inline(__always)
    private func entry(_ hash: UInt64, _ distance: Int) -> UInt64 {
        bytes.number(at: header.indexAt + slot(of: hash, distance) * LinksFormat.slotBytes)
    }

    private var base: UnsafeRawPointer { bytes.baseAddress! }

    /// - Returns: nil if the record is another link's, or does not lie among the records.
    @inline(__always)
    private func record(at place: Int, _ key: LinkKey) -> LinkRecord? {
        let end = LinksFormat.headerBytes + header.recordsBytes
        guard place >= LinksFormat.headerBytes, place <= end - LinksFormat.recordFixedBytes,
            LinkKey(key.kind, of: bytes, at: place) == key
        else { return nil }
        let locationAt = place + LinksFormat.recordFixedBytes
        let locationBytes = Int(bytes.number(at: place + 66, as: UInt16.self))
        guard 1...LinksFormat.locationBytesMax ~= locationBytes, locationBytes <= end - locationAt
        else { return nil }
        let flags: UInt16 = bytes.number(at: place + 64)
        return LinkRecord(
            id: Identifier(high: bytes.number(at: place), low: bytes.number(at: place + 8)),
            influencerID: Identifier(
                high: bytes.number(at: place + 16), low: bytes.number(at: place + 24)),
            opensAt: Timestamp(microseconds: bytes.number(at: place + 32)),
            closesAt: Timestamp(microseconds: bytes.number(at: place + 40)),
            isSuspended: flags & LinksFormat.suspendedFlag != 0,
            isBanner: flags & LinksFormat.bannerFlag != 0,
            location: UnsafeRawBufferPointer(
                rebasing: bytes[locationAt..<locationAt + locationBytes]))
    }
}

extension LinkKey {
    /// Nil if no link can have the code. The bytes' alphabet is not looked at: a code of other
    /// bytes is in no file, and one that ends with a zero would be taken for a shorter one.
    @inline(__always)
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
    @inline(__always)
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
    @inline(__always)
    init(_ kind: Kind, of bytes: UnsafeRawBufferPointer, at place: Int) {
        let offset = kind == .id ? place : place + 48
        self.init(
            kind: kind, first: bytes.number(at: offset), second: bytes.number(at: offset + 8))
    }
}
