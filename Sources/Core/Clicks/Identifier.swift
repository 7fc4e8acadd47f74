// One identifier type for everything that has a row: clicks, gonggus, users. It is a value of two
// words, so that the edge can compare and hash it without touching memory, and it reads and writes
// its text form in a caller's buffer, so that nothing is allocated on the way.

import CTexts

/// A 128-bit UUID (RFC 9562), most significant word first.
public struct Identifier: Hashable, Sendable, BitwiseCopyable {
    public let high: UInt64
    public let low: UInt64

    /// Bytes of the text form, `8-4-4-4-12` hexadecimal digits.
    @inlinable
    public static var textBytes: Int { 36 }

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A version 7 UUID: sorts by time, so that new rows land at the right edge of a B-tree.
    ///
    /// - Parameters:
    ///   - unixMilliseconds: the time; only the low 48 bits are kept (until the year 10889).
    ///   - random: 74 bits of it are used. Unpredictability is the caller's affair.
    @inlinable
    public init(unixMilliseconds: UInt64, random: (UInt64, UInt64)) {
        high = unixMilliseconds << 16 | 0x7000 | random.0 & 0x0FFF
        low = 0x8000_0000_0000_0000 | random.1 & 0x3FFF_FFFF_FFFF_FFFF
    }

    /// A version 7 UUID that sorts by the microsecond: where the other form has twelve random bits,
    /// this one has the time's fraction of a millisecond (RFC 9562, 6.2, method 3).
    ///
    /// - Parameters:
    ///   - timeWord: of the time, see ``timeWord(of:)``.
    ///   - random: 62 bits of it are used.
    @inlinable
    public init(timeWord: UInt64, random: UInt64) {
        high = timeWord
        low = 0x8000_0000_0000_0000 | random & 0x3FFF_FFFF_FFFF_FFFF
    }

    /// The upper word of the identifiers of a moment, not before 1970.
    public static func timeWord(of time: Timestamp) -> UInt64 {
        let (milliseconds, rest) = UInt64(time.microseconds).quotientAndRemainder(dividingBy: 1000)
        return milliseconds << 16 | 0x7000 | rest * 4096 / 1000
    }

    /// The milliseconds since 1970 that a version 7 identifier carries.
    public var unixMilliseconds: UInt64 { high >> 16 }

    /// The version digit of RFC 9562: 4 for random, 7 for time-ordered.
    public var version: UInt8 { UInt8(truncatingIfNeeded: high >> 12 & 0xF) }
}

extension Identifier: Comparable {
    /// Orders as the text form does.
    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

// MARK: Text

extension Identifier {
    /// Reads exactly 36 bytes of text, in either case. Nil for anything else; braces, missing
    /// hyphens and the URN form are not accepted, since one identifier has one spelling in a link.
    ///
    /// All digits are judged and valued at once, see CTexts.h: once a click, this was 830
    /// instructions digit by digit (callgrind, with the edge around it).
    @inlinable
    @inline(always)
    public init?(text: UnsafeRawBufferPointer) {
        guard text.count == Identifier.textBytes, let base = text.baseAddress else { return nil }
        var words: (UInt64, UInt64) = (0, 0)
        let isUUID = withUnsafeMutablePointer(to: &words) {
            ctexts_uuid_36(base, UnsafeMutableRawPointer($0).assumingMemoryBound(to: UInt64.self))
        }
        guard isUUID != 0 else { return nil }
        self.init(high: words.0, low: words.1)
    }

    /// The same as on processors that cannot take all bytes at once.
    package init?(textByByte text: UnsafeRawBufferPointer) {
        guard text.count == Identifier.textBytes, let base = text.baseAddress else { return nil }
        var words: [UInt64] = [0, 0]
        guard ctexts_uuid_36_by_byte(base, &words) != 0 else { return nil }
        self.init(high: words[0], low: words[1])
    }

    public init?(_ text: some StringProtocol) {
        var copy = String(text)
        guard let identifier = copy.withUTF8({ Identifier(text: UnsafeRawBufferPointer($0)) })
        else { return nil }
        self = identifier
    }

    /// Writes the 36 lower-case bytes of the text form. `target` has room for them.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    public func writeText(to target: UnsafeMutableRawPointer) {
        ctexts_put_uuid(high, low, target)
    }

    /// The same as on processors that cannot write all bytes at once.
    package func writeTextByByte(to target: UnsafeMutableRawPointer) {
        ctexts_put_uuid_by_byte(high, low, target)
    }
}

extension Identifier: CustomStringConvertible {
    public var description: String {
        String(unsafeUninitializedCapacity: Identifier.textBytes) { buffer in
            writeText(to: UnsafeMutableRawPointer(buffer.baseAddress!))
            return Identifier.textBytes
        }
    }
}
