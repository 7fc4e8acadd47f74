// HOT: once a click. Bench: Benchmarks/Edge.
//
// Hashes for keys that never leave the edge's memory and the files it is in, which are readable by
// their owner alone. Who does not know the secret finds a collision no sooner than by chance, which
// is proved and not hoped for; and they cost some multiplications where SipHash costs rounds:
// hashing an agent of 150 bytes by SipHash took 930 instructions, here it takes 200. They are not
// one-way: enough results would tell the secret. So what is stored or shown, a click's visitor key,
// is always SipHash's.

import Clicks

/// A family of hashes under one secret. Immutable; copies share the keys.
struct UniversalHash: Sendable {
    /// The hashes of ``of(_:_:for:)`` have keys of their own, so that no two purposes are related.
    enum Purpose: Int, CaseIterable {
        case agent
        case dedupe
        case flood
    }

    private let keys: Keys
    // The owner's, as it is, since to reach it through the owner would count references.
    private nonisolated(unsafe) let agentKeys: UnsafePointer<UInt64>
    private nonisolated(unsafe) let wordKeys: UnsafePointer<UInt128>

    private static let agentWords = ClickTexts.userAgentBytesMax / 8
    /// A start and one for each of up to three words.
    private static let wordsPerPurpose = 4

    /// - Parameter word: the n-th of a stream of words that cannot be told from random ones.
    init(_ word: (UInt64) -> UInt64) {
        let purposes = Purpose.allCases.count
        keys = Keys(
            agentWords: UniversalHash.agentWords,
            words: UniversalHash.wordsPerPurpose * purposes, word)
        agentKeys = UnsafePointer(keys.agentKeys)
        wordKeys = UnsafePointer(keys.wordKeys)
    }

    /// Of two different texts of up to 512 bytes the hashes are the same with probability 2⁻⁶³ or
    /// less; of longer ones only the first 512 bytes count.
    ///
    /// NH (Black, Halevi, Krawczyk, Krovetz and Rogaway, "UMAC", 1999) with words of 64 bits, the
    /// sum of (m₁ + k₁)(m₂ + k₂) over pairs of words, zeros behind the end; that and the length are
    /// then hashed to one word.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    func ofAgent(_ userAgent: UnsafeRawBufferPointer) -> UInt64 {
        let bytesMax = 512
        let count = userAgent.count < bytesMax ? userAgent.count : bytesMax
        var sum: UInt128 = 0
        guard let base = userAgent.baseAddress else { return of((0, 0, 0), for: .agent) }
        var offset = 0
        while offset &+ 16 <= count {
            let first = UniversalHash.word(base, offset) &+ agentKeys[offset &>> 3]
            let second = UniversalHash.word(base, offset &+ 8) &+ agentKeys[offset &>> 3 &+ 1]
            sum &+= UniversalHash.product(first, second)
            offset &+= 16
        }
        if offset < count {
            let rest = UniversalHash.rest(base, from: offset, to: count)
            let first = UInt64(truncatingIfNeeded: rest) &+ agentKeys[offset &>> 3]
            let second = UInt64(truncatingIfNeeded: rest &>> 64) &+ agentKeys[offset &>> 3 &+ 1]
            sum &+= UniversalHash.product(first, second)
        }
        let words = (
            UInt64(truncatingIfNeeded: sum &>> 64), UInt64(truncatingIfNeeded: sum), UInt64(count)
        )
        return of(words, for: .agent)
    }

    /// One multiplication; of the type of twice the width, each would be three.
    @inline(__always)
    private static func product(_ first: UInt64, _ second: UInt64) -> UInt128 {
        let (high, low) = first.multipliedFullWidth(by: second)
        return UInt128(_low: low, _high: high)
    }

    /// Up to three words to one: the upper half of k₀ + Σ kᵢxᵢ modulo 2¹²⁸, which is strongly
    /// universal (Lemire and Kaser, "Strongly universal string hashing is fast", 2014).
    @inline(__always)
    func of(_ words: (UInt64, UInt64, UInt64), for purpose: Purpose) -> UInt64 {
        let keys = wordKeys + purpose.rawValue &* UniversalHash.wordsPerPurpose
        var sum = keys[0] &+ keys[1] &* UInt128(words.0)
        sum &+= keys[2] &* UInt128(words.1)
        sum &+= keys[3] &* UInt128(words.2)
        return UInt64(truncatingIfNeeded: sum &>> 64)
    }

    @inline(__always)
    private static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The last bytes, fewer than sixteen, with zeros above.
    @inline(__always)
    private static func rest(_ base: UnsafeRawPointer, from offset: Int, to end: Int) -> UInt128 {
        if end >= 16 {
            // The sixteen bytes that end with the last one, less those that are not the rest's.
            let low = UInt128(word(base, end &- 16))
            let high = UInt128(word(base, end &- 8))
            return (high &<< 64 | low) &>> UInt128(truncatingIfNeeded: 8 &* (16 &- (end &- offset)))
        }
        var rest: UInt128 = 0
        for index in offset..<end {
            let byte = base.load(fromByteOffset: index, as: UInt8.self)
            rest |= UInt128(byte) &<< UInt128(truncatingIfNeeded: 8 &* (index &- offset))
        }
        return rest
    }
}

private final class Keys: @unchecked Sendable {
    // Written by init only.
    let agentKeys: UnsafeMutablePointer<UInt64>
    let wordKeys: UnsafeMutablePointer<UInt128>

    init(agentWords: Int, words: Int, _ word: (UInt64) -> UInt64) {
        agentKeys = .allocate(capacity: agentWords)
        wordKeys = .allocate(capacity: words)
        var number: UInt64 = 0
        func next() -> UInt64 {
            defer { number += 1 }
            return word(number)
        }
        for index in 0..<agentWords { (agentKeys + index).initialize(to: next()) }
        for index in 0..<words {
            (wordKeys + index).initialize(to: UInt128(next()) << 64 | UInt128(next()))
        }
    }

    deinit {
        agentKeys.deallocate()
        wordKeys.deallocate()
    }
}
