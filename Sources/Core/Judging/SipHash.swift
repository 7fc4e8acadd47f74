// HOT
// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash fast on short input. Who does not know
// the key can neither choose visitors that collide nor test whether a stored visitor key is a
// certain person's, which a plain hash of four billion addresses would allow.

/// A hash being made. Feed words and bytes in any pieces; only their sequence counts.
public struct SipHash: Sendable, BitwiseCopyable {
    /// 128 bits of key.
    public struct Key: Equatable, Sendable, BitwiseCopyable {
        public static var bytes: Int { 16 }

        let low: UInt64
        let high: UInt64

        public init(low: UInt64, high: UInt64) {
            self.low = low
            self.high = high
        }

        /// - Parameter bytes: exactly 16, read little-endian as in the paper.
        public init(bytes: UnsafeRawBufferPointer) {
            precondition(bytes.count == Key.bytes, "a SipHash key has 16 bytes")
            low = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
            high = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }

        /// A key from a secret of any length, such as a setting's text: two hashes of it under
        /// fixed keys. It is as hard to guess as the secret, up to 128 bits.
        public init(secret: UnsafeRawBufferPointer) {
            var halves = (SipHash(Key(low: 0, high: 0)), SipHash(Key(low: 0, high: 1)))
            halves.0.absorb(secret)
            halves.1.absorb(secret)
            low = halves.0.finish()
            high = halves.1.finish()
        }
    }

    @usableFromInline var v0: UInt64
    @usableFromInline var v1: UInt64
    @usableFromInline var v2: UInt64
    @usableFromInline var v3: UInt64
    /// Bytes that do not fill a word yet, lowest first, and how many came in all. Invariant: bits
    /// of `tail` above the bytes that wait are zero.
    @usableFromInline var tail: UInt64 = 0
    @usableFromInline var count: UInt64 = 0

    public init(_ key: Key) {
        v0 = key.low ^ 0x736F_6D65_7073_6575
        v1 = key.high ^ 0x646F_7261_6E64_6F6D
        v2 = key.low ^ 0x6C79_6765_6E65_7261
        v3 = key.high ^ 0x7465_6462_7974_6573
    }

    /// Eight bytes at once, little-endian.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    public mutating func absorb(_ word: UInt64) {
        let waiting = (count & 7) &* 8
        count &+= 8
        guard waiting != 0 else {
            compress(word)
            return
        }
        compress(tail | word &<< waiting)
        tail = word &>> (64 &- waiting)
    }

    /// - Complexity: two rounds a word.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public mutating func absorb(_ bytes: UnsafeRawBufferPointer) {
        // A copy of our own stays in registers; `self` goes through memory at each word, which
        // made hashing a user agent twice as dear.
        var hash = self
        var index = 0
        while index &+ 8 <= bytes.count {
            let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            hash.absorb(UInt64(littleEndian: word))
            index &+= 8
        }
        while index < bytes.count {
            let waiting = (hash.count & 7) &* 8
            hash.tail |= UInt64(bytes[index]) &<< waiting
            hash.count &+= 1
            index &+= 1
            if waiting == 56 {
                hash.compress(hash.tail)
                hash.tail = 0
            }
        }
        self = hash
    }

    /// The hash of what was absorbed. A finished hash is of no further use.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    public mutating func finish() -> UInt64 {
        compress(tail | count &<< 56)
        v2 ^= 0xFF
        round()
        round()
        round()
        round()
        return v0 ^ v1 ^ v2 ^ v3
    }

    /// The hash of what was absorbed, which is whole words, and one word more.
    @inlinable
    @inline(always)
    func finished(with word: UInt64) -> UInt64 {
        assert(count & 7 == 0, "no bytes wait to fill a word")
        var hash = self
        hash.compress(word)
        hash.count &+= 8
        return hash.finish()
    }

    /// The same of two words more.
    @inlinable
    @inline(always)
    func finished(with first: UInt64, _ second: UInt64) -> UInt64 {
        assert(count & 7 == 0, "no bytes wait to fill a word")
        var hash = self
        hash.compress(first)
        hash.compress(second)
        hash.count &+= 16
        return hash.finish()
    }

    @inlinable
    @inline(always)
    mutating func compress(_ word: UInt64) {
        v3 ^= word
        round()
        round()
        v0 ^= word
    }

    @inlinable
    @inline(always)
    mutating func round() {
        v0 &+= v1
        v1 = SipHash.rotate(v1, 13) ^ v0
        v0 = SipHash.rotate(v0, 32)
        v2 &+= v3
        v3 = SipHash.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = SipHash.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = SipHash.rotate(v1, 17) ^ v2
        v2 = SipHash.rotate(v2, 32)
    }

    @inlinable
    @inline(always)
    static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 {
        word &<< bits | word &>> (64 &- bits)
    }
}
