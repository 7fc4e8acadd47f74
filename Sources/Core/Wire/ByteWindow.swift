// HOT
// Looking at bytes sixteen or more at a time without ever reading one that is not ours. A scan asks
// for the class of a block of bytes as a mask of bits (see CScan.h for why that is C) and looks
// closer at those that the mask flags.
//
// Measured with the micro harness: Swift's own SIMD types cost 3,432 ns a request here (their masks
// compile to loops over lanes), the same work on UInt64 words 94 ns and 1,830 instructions.

import CScan

/// The bytes one call looks at. Lives inside one call of the function it was made in, whose caller
/// keeps the buffer alive. Invariant: no access at or beyond ``end``; word access only at or
/// before ``lastWord``.
struct ByteWindow {
    let base: UnsafeRawPointer
    let end: Int

    @inline(always)
    init(_ base: UnsafeRawPointer, end: Int) {
        self.base = base
        self.end = end
    }

    /// The last offset at which eight bytes can be read; negative in a window of less.
    @inline(always)
    var lastWord: Int { end &- 8 }

    @inline(always)
    func byte(_ offset: Int) -> UInt8 {
        assert(offset >= 0 && offset < end, "a byte is read outside of the window")
        return base.load(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(always)
    func word(_ offset: Int) -> UInt64 {
        assert(offset >= 0 && offset <= lastWord, "a word is read outside of the window")
        return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(always)
    func quarterWord(_ offset: Int) -> UInt16 {
        assert(offset >= 0 && offset &+ 2 <= end, "a quarter word is read outside of the window")
        return UInt16(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(always)
    func halfWord(_ offset: Int) -> UInt32 {
        assert(offset >= 0 && offset &+ 4 <= end, "a half word is read outside of the window")
        return UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

// MARK: Words

/// One byte repeated eight times.
@inline(always)
func each(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }

/// Eight characters as the word that holds them in memory order.
@inline(always)
func letters(
    _ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar, _ d: Unicode.Scalar,
    _ e: Unicode.Scalar, _ f: Unicode.Scalar, _ g: Unicode.Scalar, _ h: Unicode.Scalar
) -> UInt64 {
    UInt64(letters(a, b, c, d)) | UInt64(letters(e, f, g, h)) << 32
}

/// Four characters as the half word that holds them in memory order.
@inline(always)
func letters(
    _ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar, _ d: Unicode.Scalar
) -> UInt32 {
    a.value | b.value << 8 | c.value << 16 | d.value << 24
}

// MARK: Scans

extension ByteWindow {
    /// The first byte at or after `start` that `isStop` says is one, or ``end``.
    ///
    /// - Parameters:
    ///   - mask: flags every stop among so many bytes, and perhaps others that `isStop` lets pass.
    ///   - isStop: exact.
    @inline(always)
    private func first(
        from start: Int, flaggedBy mask: (UnsafeRawPointer) -> UInt32, blockBytes: Int,
        where isStop: (UInt8) -> Bool
    ) -> Int {
        var index = start
        let lastBlock = end &- blockBytes
        while index < lastBlock {
            var flags = mask(base + index)
            while flags != 0 {
                let found = index &+ flags.trailingZeroBitCount
                if isStop(byte(found)) { return found }
                flags &= flags &- 1
            }
            index &+= blockBytes
        }
        if lastBlock >= 0 {
            // The last block overlaps the one before, so that it never reads past the end.
            guard index < end else { return end }
            var flags = mask(base + lastBlock) &>> UInt32(truncatingIfNeeded: index &- lastBlock)
            while flags != 0 {
                let found = index &+ flags.trailingZeroBitCount
                if isStop(byte(found)) { return found }
                flags &= flags &- 1
            }
            return end
        }
        while index < end, !isStop(byte(index)) { index &+= 1 }
        return index
    }

    /// The first byte at or after `start` that is no token character (RFC 9110, 5.6.2), or ``end``.
    @inline(always)
    func endOfToken(from start: Int) -> Int {
        first(from: start, flaggedBy: Block.notName, blockBytes: 16) { byte in
            byte == UInt8(ascii: ":") || !CharacterClass.token.contains(byte)
        }
    }

    /// Where a colon ends letters and hyphens that begin at `start`; 0 for what is no such name.
    @inline(always)
    func endOfName(from start: Int) -> Int {
        var index = start
        while index &+ 16 <= end {
            let flags = Block.notName(base + index)
            guard flags == 0 else {
                let found = index &+ flags.trailingZeroBitCount
                return byte(found) == UInt8(ascii: ":") ? found : 0
            }
            index &+= 16
        }
        return 0
    }

    /// The first control character other than HTAB at or after `start`, or ``end``. Bytes from 0x80
    /// up are obs-text (RFC 9110, 5.5) and pass.
    @inline(always)
    func endOfFieldText(from start: Int) -> Int {
        first(from: start, flaggedBy: Block.notText, blockBytes: 32) {
            !Ascii.isFieldText($0)
        }
    }

    /// The first byte at or after `start` that no target may have, or ``end``; in the path also the
    /// question mark. What a browser leaves unescaped (WHATWG URL, 1.3) passes, though RFC 3986
    /// would have `|`, `{` and their like escaped: shoppers' browsers do send them.
    @inline(always)
    func endOfTarget(from start: Int, inPath: Bool) -> Int {
        first(from: start, flaggedBy: Block.notTarget, blockBytes: 16) { byte in
            !CharacterClass.target.contains(byte) || inPath && byte == UInt8(ascii: "?")
        }
    }

    /// The first byte from `start` on that no registered name may have (RFC 3986, 3.2.2), or
    /// ``end``; a percent sign is one.
    @inline(always)
    func endOfRegisteredName(from start: Int) -> Int {
        first(from: start, flaggedBy: Block.notLabel, blockBytes: 16) {
            !CharacterClass.registeredName.contains($0)
        }
    }

    /// Whether the text from `start` to `limit` is letters, digits, `-` and `.` alone, as the names
    /// of almost all hosts are; there are 16 more bytes behind it.
    @inline(always)
    func isPlainHost(from start: Int, to limit: Int) -> Bool {
        assert(limit &+ 16 <= end, "a block is read outside of the window")
        var index = start
        repeat {
            let flags = Block.notHostText(base + index)
            if flags != 0 { return index &+ flags.trailingZeroBitCount >= limit }
            index &+= 16
        } while index < limit
        return true
    }

    /// The first byte from `start` on that is no letter, digit, `-` or `_`, or ``end``.
    @inline(always)
    func endOfLabel(from start: Int) -> Int {
        first(from: start, flaggedBy: Block.notLabel, blockBytes: 16) {
            !CharacterClass.label.contains($0)
        }
    }

    /// The first `wanted` at or after `start`, or ``end``.
    @inline(always)
    func firstIndex(of wanted: UInt8, from start: Int) -> Int {
        first(from: start, flaggedBy: { Block.equal($0, wanted) }, blockBytes: 32) {
            $0 == wanted
        }
    }

    /// The first `wanted` at or after `start` and before `limit`, or `limit`; by the C library, for
    /// bytes that may be many.
    @_semantics("no_performance_analysis")
    @inline(always)
    func nearest(_ wanted: UInt8, from start: Int, to limit: Int) -> Int {
        assert(start >= 0 && limit <= end, "bytes are looked for outside of the window")
        guard start < limit, let found = cscan_find(base + start, limit &- start, wanted) else {
            return limit
        }
        return found - base
    }

    /// Whether the bytes from `start` on end a head, or hold a line feed that must be refused; if
    /// not, parsing again would only say `partial` again.
    @inline(never)
    func endsHead(from start: Int) -> Bool {
        var index = firstIndex(of: Ascii.lineFeed, from: start)
        while index < end {
            guard index > 0, byte(index &- 1) == Ascii.carriageReturn else { return true }
            if index > 1 && byte(index &- 2) == Ascii.lineFeed { return true }
            index = firstIndex(of: Ascii.lineFeed, from: index &+ 1)
        }
        return false
    }

    /// The part of this window before `limit`, which is not behind its end.
    @inline(always)
    func upTo(_ limit: Int) -> ByteWindow {
        assert(limit <= end, "a part ends where the window does or before")
        return ByteWindow(base, end: limit)
    }
}

/// The classes of bytes. The proof that nothing here allocates or locks cannot look into C; what it
/// would see there are ten instructions without a call.
enum Block {
    @_semantics("no_performance_analysis")
    @inline(always)
    static func notName(_ bytes: UnsafeRawPointer) -> UInt32 { cscan_not_name_16(bytes) }

    @_semantics("no_performance_analysis")
    @inline(always)
    static func notLabel(_ bytes: UnsafeRawPointer) -> UInt32 { cscan_not_label_16(bytes) }

    @_semantics("no_performance_analysis")
    @inline(always)
    static func notHostText(_ bytes: UnsafeRawPointer) -> UInt32 { cscan_not_host_text_16(bytes) }

    @_semantics("no_performance_analysis")
    @inline(always)
    static func notText(_ bytes: UnsafeRawPointer) -> UInt32 { cscan_not_text_32(bytes) }

    @_semantics("no_performance_analysis")
    @inline(always)
    static func notTarget(_ bytes: UnsafeRawPointer) -> UInt32 { cscan_not_target_16(bytes) }

    @_semantics("no_performance_analysis")
    @inline(always)
    static func equal(_ bytes: UnsafeRawPointer, _ byte: UInt8) -> UInt32 {
        cscan_equal_32(bytes, byte)
    }
}

// MARK: Bytes

enum Ascii {
    static var tab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0A }
    static var carriageReturn: UInt8 { 0x0D }
    static var space: UInt8 { 0x20 }
    /// CR LF as ``ByteWindow/quarterWord(_:)`` reads it.
    static var lineEnd: UInt16 { 0x0A0D }

    @inline(always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// Whether a field value may hold the byte (RFC 9110, 5.5): HTAB, SP, VCHAR and obs-text.
    @inline(always)
    static func isFieldText(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == tab
    }

    /// 0…15, or 255 where it is no hexadecimal digit.
    @inline(always)
    static func hexadecimalValue(_ byte: UInt8) -> UInt8 {
        if isDigit(byte) { return byte &- 0x30 }
        let letter = (byte | 0x20) &- UInt8(ascii: "a")
        return letter < 6 ? letter &+ 10 : 255
    }
}

/// A set of ASCII characters in two words. Computed, not stored: a stored global would be
/// initialised under a lock on first use.
struct CharacterClass {
    let low: UInt64
    let high: UInt64

    @inline(always)
    func contains(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        return (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 != 0
    }

    /// tchar of RFC 9110, 5.6.2: letters, digits and !#$%&'*+-.^_`|~
    static var token: CharacterClass {
        @inline(always) get {
            CharacterClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
        }
    }

    /// Visible ASCII without " # < >
    static var target: CharacterClass {
        @inline(always) get {
            CharacterClass(low: 0xAFFF_FFF2_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
        }
    }

    /// unreserved and sub-delims of RFC 3986: letters, digits and -._~!$&'()*+,;=
    static var registeredName: CharacterClass {
        @inline(always) get {
            CharacterClass(low: 0x2BFF_7FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
        }
    }

    /// Letters, digits, - and _: what channels, short codes and UUIDs are made of.
    static var label: CharacterClass {
        @inline(always) get {
            CharacterClass(low: 0x03FF_2000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE)
        }
    }
}
