// One identifier type for everything that has a row: clicks, gonggus, users. It is a value of two
// words, so that the edge can compare and hash it without touching memory, and it reads and writes
// its text form in a caller's buffer, so that nothing is allocated on the way.

/// A 128-bit UUID (RFC 9562), most significant word first.
package struct Identifier: Hashable, Sendable, BitwiseCopyable {
    package let high: UInt64
    package let low: UInt64

    /// Bytes of the text form, `8-4-4-4-12` hexadecimal digits.
    package static let textBytes = 36

    @inlinable
    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A version 7 UUID: sorts by time, so that new rows land at the right edge of a B-tree.
    ///
    /// - Parameters:
    ///   - unixMilliseconds: the time; only the low 48 bits are kept (until the year 10889).
    ///   - random: 74 bits of it are used. Unpredictability is the caller's affair.
    @inlinable
    package init(unixMilliseconds: UInt64, random: (UInt64, UInt64)) {
        high = unixMilliseconds << 16 | 0x7000 | random.0 & 0x0FFF
        low = 0x8000_0000_0000_0000 | random.1 & 0x3FFF_FFFF_FFFF_FFFF
    }

    /// The milliseconds since 1970 that a version 7 identifier carries.
    package var unixMilliseconds: UInt64 { high >> 16 }

    /// The version digit of RFC 9562: 4 for random, 7 for time-ordered.
    package var version: UInt8 { UInt8(truncatingIfNeeded: high >> 12 & 0xF) }
}

extension Identifier: Comparable {
    /// Orders as the text form does.
    @inlinable
    package static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

// MARK: Text

extension Identifier {
    /// Reads exactly 36 bytes of text, in either case. Nil for anything else; braces, missing
    /// hyphens and the URN form are not accepted, since one identifier has one spelling in a link.
    ///
    /// Eight digits are judged and valued at once in the bytes of a word: once a click, this was
    /// 830 instructions digit by digit (callgrind, with the edge around it).
    package init?(text: UnsafeRawBufferPointer) {
        guard text.count == Identifier.textBytes, let base = text.baseAddress else { return nil }
        func half(_ offset: Int) -> UInt64 {
            UInt64(
                UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        func whole(_ offset: Int) -> UInt64 {
            UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        // The bytes 8, 13, 18 and 23 are hyphens, each at the edge of a half word.
        let hyphens =
            half(8) & 0xFF | half(10) >> 16 & 0xFF00 | half(18) << 16 & 0xFF_0000
            | half(20) & 0xFF00_0000
        var faults = hyphens ^ 0x2D2D_2D2D
        let first = Identifier.value(ofDigits: whole(0), &faults)
        let second = Identifier.value(ofDigits: half(9) | half(14) << 32, &faults)
        let third = Identifier.value(ofDigits: half(19) | half(24) << 32, &faults)
        let fourth = Identifier.value(ofDigits: whole(28), &faults)
        guard faults == 0 else { return nil }
        self.init(high: first << 32 | second, low: third << 32 | fourth)
    }

    /// The value of eight hexadecimal digits, the first in the lowest byte. If any is none, sets
    /// bits of `faults`.
    @inline(__always)
    private static func value(ofDigits word: UInt64, _ faults: inout UInt64) -> UInt64 {
        // Added to a byte below 0x80, these set its top bit from a certain character on.
        let from0 = word &+ 0x5050_5050_5050_5050
        let after9 = word &+ 0x4646_4646_4646_4646
        let lower = word | 0x2020_2020_2020_2020
        let fromA = lower &+ 0x1F1F_1F1F_1F1F_1F1F
        let afterF = lower &+ 0x1919_1919_1919_1919
        let tops: UInt64 = 0x8080_8080_8080_8080
        let letters = fromA & ~afterF
        faults |= (word | ~(from0 & ~after9 | letters)) & tops
        let nines = (letters & tops) >> 7 &* 9
        var digits = (word & 0x0F0F_0F0F_0F0F_0F0F &+ nines).byteSwapped
        digits = (digits | digits >> 4) & 0x00FF_00FF_00FF_00FF
        digits = (digits | digits >> 8) & 0x0000_FFFF_0000_FFFF
        return (digits | digits >> 16) & 0xFFFF_FFFF
    }

    package init?(_ text: some StringProtocol) {
        var copy = String(text)
        guard let identifier = copy.withUTF8({ Identifier(text: UnsafeRawBufferPointer($0)) })
        else { return nil }
        self = identifier
    }

    /// Writes the 36 lower-case bytes of the text form. `target` has room for them.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    package func writeText(to target: UnsafeMutableRawPointer) {
        var offset = 0
        for digit in 0..<32 {
            if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                target.storeBytes(of: UInt8(ascii: "-"), toByteOffset: offset, as: UInt8.self)
                offset += 1
            }
            let word = digit < 16 ? high : low
            let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - digit % 16 * 4)) & 0xF
            let character =
                nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
            target.storeBytes(of: character, toByteOffset: offset, as: UInt8.self)
            offset += 1
        }
    }
}

extension Identifier: CustomStringConvertible {
    package var description: String {
        String(unsafeUninitializedCapacity: Identifier.textBytes) { buffer in
            writeText(to: UnsafeMutableRawPointer(buffer.baseAddress!))
            return Identifier.textBytes
        }
    }
}
