// The links file: every link an edge may be asked for, complete, in one file that is mapped and
// swapped as a whole. This comment is the specification of format version 3. Version 2 is version 3
// with whole locations and records at multiples of 8, version 1 is version 2 without banners, dead
// records, given-up slots and lost codes, so that readers take all three.
//
// WHO MAY  Ingest writes `<file>.tmp-<pid>`, fsyncs, renames it over `<file>`, fsyncs the folder.
//   A file that has its name is never changed or shortened: edges have it mapped.
//
// LIMITS   links     at most 2^26, 67 million
//          location  1 … 2,000 bytes
//          file      at most 32 GiB: a record's place is 32 bits, in units of 8 bytes
//   A link whose shop's address has up to 60 bytes takes a record of 128 bytes, with up to 124 one
//   of 192, and 4 to 8 slots of the index, 32 to 64 bytes: a million links take 162 MB.
//
// All numbers are little-endian. CRC is CRC-32C.
//
// HEADER
//   0    8  magic "GGMLINKS"             64   8  generated at, µs since 1970
//   8    2  version, 3                   72  16  seed of the index, two words
//   10   2  header bytes, 128            88   8  content checksum
//   12   4  zeros                        96  24  zeros
//   16   8  bytes of the file            120  4  CRC of everything behind the header
//   24   8  links                        124  4  CRC of the 124 bytes before
//   32   8  slots of the index, a power of two, at least 4 a link
//   40   8  where the index begins, a multiple of 64
//   48   8  where the records begin, 128
//   56   8  bytes of the records
//   Every later version keeps the magic, the version and the last CRC where they are, so that this
//   one can refuse it by name.
//
// RECORD   at a multiple of 64, a cache line, the next one right behind it
//   0   16  link id         32  8  opens at, µs since 1970      64  2  flags
//   16  16  influencer id   40  8  closes at, µs since 1970     66  2  bytes of the location
//   48  16  short code, 1 to 16 of [0-9A-Za-z_-], then zeros; a banner may have none, all zeros
//   68      the location, then zeros to the next multiple of 64
//   A link is open from `opens at` on and before `closes at`. The location is the value of the
//   answer's `Location` header as it is sent, of 2,000 bytes at most. Nearly all end with `?` or
//   `&`, `utm_source=gonggumoa&utm_campaign=` and the link id's text: then a flag stands for these
//   and the record has only what is before. A 16-byte value is its more significant word, then the
//   other. The influencer of a banner is zero.
//   Flags: 1 suspended; 2 a banner, else a gonggu; 4 its code is another link's by now, and leads
//   there; 8 the location ends as said, with `?`; 16 with `&`; 0x8000 dead: a link that is gone, or
//   has moved to another place. No slot leads to it, and the header counts its bytes but not it.
//
// INDEX    behind the records and zeros up to a multiple of 64; the file ends with it. A slot is
//   32 bits of a record's place divided by 8 (0: the slot is empty), then 32 bits of tag. Each link
//   is entered twice, under its id and under its short code. A key's hash (LinkHash.swift) is keyed
//   with the seed, a new one for each publisher, so that nobody can choose short codes that
//   collide: the upper half of the hash is the tag, the lower bits are the first slot to look at.
//   If that is taken the next is used, and after the last the first. No entry is 256 slots or more
//   from its first, so a look-up ends there or at an empty slot, and mostly within one cache line.
//   A slot of 1 was given up: it leads nowhere, and the search goes on behind it.
//
// CONTENT CHECKSUM   the wrapping sum of the hashes of all records that are not dead: the same for
//   the same links in any order, whenever and with whatever seed they were written.
//
// READING  A file is taken when its magic, header CRC, version, length, layout and body CRC are
//   right, in this order, and refused as a whole otherwise. Every look-up checks its places against
//   the file all the same: whoever can write a wrong file can write a right checksum.

/// Numbers of the format that both sides use.
@usableFromInline
package enum LinksFormat {
    package static let version: UInt16 = 3
    static let versionsRead: ClosedRange<UInt16> = 1...3
    static let magic: UInt64 = 0x534B_4E49_4C4D_4747  // "GGMLINKS"
    @inlinable static var headerBytes: Int { 128 }
    static let recordFixedBytes = 68
    /// What each record's bytes are a multiple of.
    static let recordUnit = 64
    @inlinable static var slotBytes: Int { 8 }
    static let slotsPerLinkMin = 4
    static let slotsMin = 8
    @inlinable static var probeSlotsMax: Int { 256 }
    static let suspendedFlag: UInt16 = 1
    static let bannerFlag: UInt16 = 2
    static let lostCodeFlag: UInt16 = 4
    @inlinable static var queryFlag: UInt16 { 8 }
    @inlinable static var moreQueryFlag: UInt16 { 16 }
    static let deadFlag: UInt16 = 0x8000
    /// What a slot holds that was given up.
    static let tombstone: UInt64 = 1
    package static let shortCodeBytesMax = 16
    @inlinable
    package static var locationBytesMax: Int { 2000 }
    package static let linksMax = 1 << 26

    /// The bytes of a record whose location has so many in it.
    static func recordBytes(location bytes: Int) -> Int {
        (recordFixedBytes + bytes + recordUnit - 1) & -recordUnit
    }

    /// Slots for a number of links: the smallest power of two that leaves half of them empty.
    static func slots(forLinks links: Int) -> Int {
        var slots = slotsMin
        while slots < links * slotsPerLinkMin { slots *= 2 }
        return slots
    }

    /// Whether a byte may be in a short code, which stands in a URL's path as it is.
    package static func isShortCodeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }
}

/// The words a look-up is made by: an identifier's, or a short code's bytes padded with zeros.
@usableFromInline
struct LinkKey: Equatable, BitwiseCopyable, Sendable {
    @usableFromInline
    enum Kind: UInt64, BitwiseCopyable, Sendable {
        case id = 0x6964
        case code = 0x636F_6465
    }

    @usableFromInline let kind: Kind
    @usableFromInline let first: UInt64
    @usableFromInline let second: UInt64

    @inlinable
    init(kind: Kind, first: UInt64, second: UInt64) {
        self.kind = kind
        self.first = first
        self.second = second
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian number at an offset. The caller has made sure that it lies within the
    /// buffer: only debug builds, and so the tests, trap where it does not.
    @inline(always)
    func number<Number: FixedWidthInteger & BitwiseCopyable>(
        at offset: Int, as: Number.Type = Number.self
    ) -> Number {
        Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}

extension UnsafeMutableRawPointer {
    @inline(always)
    func store(_ number: some FixedWidthInteger & BitwiseCopyable, at offset: Int) {
        storeBytes(of: number.littleEndian, toByteOffset: offset, as: type(of: number))
    }
}
