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
    package init?(text: UnsafeRawBufferPointer) {
        guard text.count == Identifier.textBytes else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        var digits = 0
        for index in 0..<Identifier.textBytes {
            let byte = text[index]
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            let digit = Identifier.hexadecimalValue(of: byte)
            guard digit < 16 else { return nil }
            if digits < 16 {
                words.0 = words.0 << 4 | UInt64(digit)
            } else {
                words.1 = words.1 << 4 | UInt64(digit)
            }
            digits += 1
        }
        self.init(high: words.0, low: words.1)
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

    private static func hexadecimalValue(of byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: 255
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
