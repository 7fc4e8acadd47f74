// HOT: once a click. Bench: Benchmarks/Edge.
//
// Hashes for keys that never leave the edge's memory and the files it is in, which are readable by
// their owner alone. Who does not know the secret finds a collision no sooner than by chance, which
// is proved and not hoped for; and they cost some multiplications where SipHash costs rounds:
// hashing an agent of 150 bytes by SipHash took 930 instructions, here it takes 130. They are not
// one-way: enough results would tell the secret. So what is stored or shown, a click's visitor key,
// is always SipHash's.

import Clicks

/// A family of hashes under one secret. Immutable; copies share the keys.
@usableFromInline
struct UniversalHash: Sendable {
    /// Hashes have keys of their own, so that no two purposes are related.
    @usableFromInline
    enum Purpose: Int, CaseIterable {
        case agent
        case address
    }

    private let keys: Keys
    // The owner's, as it is, since to reach it through the owner would count references.
    /// One for each word of an agent, and one for its length.
    @usableFromInline nonisolated(unsafe) let agentKeys: UnsafePointer<UInt64>
    @usableFromInline nonisolated(unsafe) let wordKeys: UnsafePointer<UInt128>

    @inlinable
    static var agentWords: Int { ClickTexts.userAgentBytesMax / 8 }
    /// A start and one for each of two words.
    @inlinable
    static var wordsPerPurpose: Int { 3 }

    /// - Parameter word: the n-th of a stream of words that cannot be told from random ones.
    init(_ word: (UInt64) -> UInt64) {
        let purposes = Purpose.allCases.count
        keys = Keys(
            agentWords: UniversalHash.agentWords + 1,
            words: UniversalHash.wordsPerPurpose * purposes, word)
        agentKeys = UnsafePointer(keys.agentKeys)
        wordKeys = UnsafePointer(keys.wordKeys)
    }

    /// Of two different texts of up to 512 bytes the hashes are the same with probability 2⁻⁶³ or
    /// less; of longer ones only the first 512 bytes count.
    ///
    /// NH (Black, Halevi, Krawczyk, Krovetz and Rogaway, "UMAC", 1999) with words of 64 bits, the
    /// sum of (m₁ + k₁)(m₂ + k₂) over pairs of words; to it the length n is added as n·k, which
    /// differs for two lengths by any given number under at most one k; and the sum is then hashed
    /// to one word. The last pair overlaps the one before, or its words each other, which changes
    /// nothing: texts of one length are the same when their pairs are.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    func ofAgent(_ userAgent: UnsafeRawBufferPointer) -> UInt64 {
        let bytesMax = ClickTexts.userAgentBytesMax
        let count = userAgent.count < bytesMax ? userAgent.count : bytesMax
        var sum = UniversalHash.product(UInt64(count), agentKeys[UniversalHash.agentWords])
        guard count >= 16, let base = userAgent.baseAddress else {
            let (first, second) = UniversalHash.words(userAgent)
            sum &+= UniversalHash.product(first &+ agentKeys[0], second &+ agentKeys[1])
            return finished(sum)
        }
        var next = base
        let last = base + (count &- 16)
        var keys = agentKeys
        // Two pairs a turn, which itself costs half a pair; the sums of both stay where they are.
        var other: UInt128 = 0
        while last - next > 16 {
            sum &+= UniversalHash.pair(next, keys)
            other &+= UniversalHash.pair(next + 16, keys + 2)
            next += 32
            keys += 4
        }
        sum &+= other
        if next < last {
            sum &+= UniversalHash.pair(next, keys)
            keys += 2
        }
        return finished(sum &+ UniversalHash.pair(last, keys))
    }

    @inlinable
    @inline(always)
    func finished(_ sum: UInt128) -> UInt64 {
        let keys = wordKeys + UniversalHash.wordsPerPurpose &* Purpose.agent.rawValue
        let hash = keys[0] &+ keys[1] &* UInt128(sum._high) &+ keys[2] &* UInt128(sum._low)
        return hash._high
    }

    @inlinable
    @inline(always)
    static func pair(_ at: UnsafeRawPointer, _ keys: UnsafePointer<UInt64>) -> UInt128 {
        product(word(at, 0) &+ keys[0], word(at, 8) &+ keys[1])
    }

    /// One multiplication; of the type of twice the width, each would be three.
    @inlinable
    @inline(always)
    static func product(_ first: UInt64, _ second: UInt64) -> UInt128 {
        let (high, low) = first.multipliedFullWidth(by: second)
        return UInt128(_low: low, _high: high)
    }

    /// Of two words of which the other one is 0: the upper half of k₀ + k₁x₁ + k₂x₂ modulo 2¹²⁸,
    /// which is strongly universal (Lemire and Kaser, "Strongly universal string hashing is fast",
    /// 2014). An agent's sum is hashed to one word by the same.
    ///
    /// - Parameter position: of the word, 1 or 2.
    @inlinable
    @inline(always)
    func of(_ word: UInt64, at position: Int, for purpose: Purpose) -> UInt64 {
        let keys = wordKeys + UniversalHash.wordsPerPurpose &* purpose.rawValue
        return (keys[0] &+ keys[position] &* UInt128(word))._high
    }

    @inlinable
    @inline(always)
    static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Fewer than sixteen bytes, all of them in the two words: different for different bytes of the
    /// same number.
    @inline(never)
    @usableFromInline
    static func words(_ text: UnsafeRawBufferPointer) -> (UInt64, UInt64) {
        guard let base = text.baseAddress, text.count > 0 else { return (0, 0) }
        let count = text.count
        func half(_ offset: Int) -> UInt64 {
            let half = base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            return UInt64(UInt32(littleEndian: half))
        }
        func byte(_ offset: Int) -> UInt64 {
            UInt64(base.load(fromByteOffset: offset, as: UInt8.self))
        }
        if count >= 8 { return (word(base, 0), word(base, count &- 8)) }
        if count >= 4 { return (half(0), half(count &- 4)) }
        return (byte(0) | byte(count &>> 1) &<< 8 | byte(count &- 1) &<< 16, 0)
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
