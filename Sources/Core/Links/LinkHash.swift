// HOT: one hash a look-up. Two 64×64→128-bit multiplications of the key and the seed, folded, as in
// wyhash. Not a cryptographic hash: it need only keep those who do not know the seed, which never
// leaves the host, from choosing keys that fall into the same slots.

/// Hashes of the links file's index and content.
@usableFromInline
struct LinkHash {
    @usableFromInline let seed: (UInt64, UInt64)

    init(seed: (UInt64, UInt64)) {
        self.seed = seed
    }

    /// The slot is in the lower bits, the tag is the upper half.
    @inlinable
    @inline(always)
    func of(_ key: LinkKey) -> UInt64 {
        let mixed = LinkHash.fold(
            key.first ^ seed.0, key.second ^ seed.1 ^ key.kind.rawValue << 17)
        return LinkHash.fold(mixed ^ seed.1, LinkHash.odd ^ seed.0)
    }

    /// The hash of a record's bytes for the content checksum; the same in every file.
    static func content(of record: UnsafeRawBufferPointer) -> UInt64 {
        precondition(record.count % 8 == 0, "records are padded to whole words")
        var state = UInt64(record.count)
        for offset in stride(from: 0, to: record.count, by: 8) {
            let word: UInt64 = record.number(at: offset)
            state = fold(state ^ word ^ 0xE703_7ED1_A0B4_28DB, odd) ^ word
        }
        return fold(state, odd)
    }

    @inlinable
    static var odd: UInt64 { 0x9E37_79B9_7F4A_7C15 }

    @inlinable
    @inline(always)
    static func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let product = left.multipliedFullWidth(by: right)
        return product.high ^ product.low
    }
}
