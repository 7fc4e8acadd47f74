// HOT
// Looking at bytes eight at a time without ever reading one that is not ours. Measured with
// callgrind on the micro harness: Swift's SIMD types cost 3,432 ns a request here (their masks
// compile to loops over lanes), the same work on UInt64 words 94 ns.
//
// How the word tricks work. A test leaves 0x80 in each byte that it flags. Carries and borrows can
// only run upwards, so the *lowest* flagged byte is right in the tests marked exact; the others may
// flag a harmless byte, which the byte test that follows each stop lets pass. None misses one.

/// The bytes one call looks at. Lives inside one call of the function it was made in, whose caller
/// keeps the buffer alive. Invariant: no access at or beyond ``end``; word access only at or
/// before ``lastWord``.
struct ByteWindow {
    let base: UnsafeRawPointer
    let end: Int

    @inline(__always)
    init(_ base: UnsafeRawPointer, end: Int) {
        self.base = base
        self.end = end
    }

    /// The last offset at which eight bytes can be read; negative in a window of less.
    @inline(__always)
    var lastWord: Int { end &- 8 }

    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        assert(offset >= 0 && offset < end, "a byte is read outside of the window")
        return base.load(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    func word(_ offset: Int) -> UInt64 {
        assert(offset >= 0 && offset <= lastWord, "a word is read outside of the window")
        return UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inline(__always)
    func quarterWord(_ offset: Int) -> UInt16 {
        assert(offset >= 0 && offset &+ 2 <= end, "a quarter word is read outside of the window")
        return UInt16(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    func halfWord(_ offset: Int) -> UInt32 {
        assert(offset >= 0 && offset &+ 4 <= end, "a half word is read outside of the window")
        return UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

// MARK: Words

/// One byte repeated eight times.
@inline(__always)
func each(_ byte: UInt8) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(byte) }

/// The offset of the lowest flagged byte. `flags` is not zero.
@inline(__always)
func firstFlag(_ flags: UInt64) -> Int { flags.trailingZeroBitCount &>> 3 }

/// Flags exactly the bytes equal to `value`, comparing only the bits of `mask` (at most 0x7F).
@inline(__always)
func equal(_ word: UInt64, _ value: UInt8, mask: UInt8 = 0x7F) -> UInt64 {
    each(0x80) &- ((word & each(mask)) ^ each(value))
}

/// Flags letters; exact up to the lowest byte from 0x80 up, which the caller stops at.
@inline(__always)
func letterFlags(_ word: UInt64) -> UInt64 {
    let folded = word | each(0x20)
    return (folded &+ each(0x1F)) & ~(folded &+ each(0x05))
}

/// Eight characters as the word that holds them in memory order.
@inline(__always)
func letters(
    _ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar, _ d: Unicode.Scalar,
    _ e: Unicode.Scalar, _ f: Unicode.Scalar, _ g: Unicode.Scalar, _ h: Unicode.Scalar
) -> UInt64 {
    UInt64(letters(a, b, c, d)) | UInt64(letters(e, f, g, h)) << 32
}

/// Four characters as the half word that holds them in memory order.
@inline(__always)
func letters(
    _ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar, _ d: Unicode.Scalar
) -> UInt32 {
    a.value | b.value << 8 | c.value << 16 | d.value << 24
}

// MARK: Scans

// Each scan runs over words while a whole one is left and hands the rest to a loop over bytes. The
// byte that usually ends it is tested first.
extension ByteWindow {
    /// The first byte at or after `start` that is no token character (RFC 9110, 5.6.2), or ``end``.
    @inline(__always)
    func endOfToken(from start: Int) -> Int {
        var index = start
        while index <= lastWord {
            // Letters and the hyphen are what names are made of; digits and the rest of the token
            // characters stop the word and pass the byte test.
            let word = self.word(index)
            let isHyphen = each(0x80) &- (word ^ each(UInt8(ascii: "-")))
            let stops = (~(letterFlags(word) | isHyphen) | word) & each(0x80)
            if stops == 0 {
                index &+= 8
                continue
            }
            index &+= firstFlag(stops)
            let byte = self.byte(index)
            if byte == UInt8(ascii: ":") || !CharacterClass.token.contains(byte) { return index }
            index &+= 1
        }
        return endOfShortToken(from: index)
    }

    @inline(never)
    private func endOfShortToken(from start: Int) -> Int {
        var index = start
        while index < end, CharacterClass.token.contains(byte(index)) { index &+= 1 }
        return index
    }

    /// The first control character other than HTAB at or after `start`, or ``end``. Bytes from 0x80
    /// up are obs-text (RFC 9110, 5.5) and pass.
    @inline(__always)
    func endOfFieldText(from start: Int) -> Int {
        var index = start
        while index <= lastWord {
            let stops = fieldTextStops(word(index))
            if stops == 0 {
                index &+= 8
                continue
            }
            index &+= firstFlag(stops)
            let byte = self.byte(index)
            if byte == Ascii.carriageReturn || !Ascii.isFieldText(byte) { return index }
            index &+= 1
        }
        return endOfShortFieldText(from: index)
    }

    /// Flags controls, HTAB and DEL among them, and for nothing the byte after 0xFF.
    @inline(__always)
    private func fieldTextStops(_ word: UInt64) -> UInt64 {
        ((word &- each(0x20)) | (word &+ each(0x01))) & ~word & each(0x80)
    }

    @inline(never)
    private func endOfShortFieldText(from start: Int) -> Int {
        var index = start
        while index < end, Ascii.isFieldText(byte(index)) { index &+= 1 }
        return index
    }

    /// The first byte at or after `start` that no target may have, or ``end``; in the path also the
    /// question mark. What a browser leaves unescaped (WHATWG URL, 1.3) passes, though RFC 3986
    /// would have `|`, `{` and their like escaped: shoppers' browsers do send them.
    @inline(__always)
    func endOfTarget(from start: Int, inPath: Bool) -> Int {
        var index = start
        while index <= lastWord {
            let word = self.word(index)
            // " and # differ in the lowest bit, < and > in the one above; in the path `<=>?` are
            // one test, and the byte test lets = pass.
            let marks =
                equal(word, 0x22, mask: 0x7E) | equal(word, 0x3C, mask: inPath ? 0x7C : 0x7D)
            let bounds = (word &- each(0x21)) | (word &+ each(0x01)) | word
            let stops = (marks | bounds) & each(0x80)
            if stops == 0 {
                index &+= 8
                continue
            }
            index &+= firstFlag(stops)
            if isEndOfTarget(byte(index), inPath: inPath) { return index }
            index &+= 1
        }
        while index < end, !isEndOfTarget(byte(index), inPath: inPath) { index &+= 1 }
        return index
    }

    @inline(__always)
    private func isEndOfTarget(_ byte: UInt8, inPath: Bool) -> Bool {
        !CharacterClass.target.contains(byte) || inPath && byte == UInt8(ascii: "?")
    }

    /// The first byte from `start` up to `limit` that is no letter, digit, hyphen or dot, or at
    /// most seven bytes before it: what is left is for a loop over bytes.
    @inline(__always)
    func skipHostName(from start: Int, to limit: Int) -> Int {
        var index = start
        while index &+ 8 <= limit {
            let word = self.word(index)
            // 0x2D to 0x39 are - . / and the digits.
            let isDigit = (word &+ each(0x53)) & ~(word &+ each(0x46))
            let isSlash = each(0x80) &- (word ^ each(UInt8(ascii: "/")))
            let stops = (~(letterFlags(word) | isDigit) | isSlash | word) & each(0x80)
            if stops != 0 { return index &+ firstFlag(stops) }
            index &+= 8
        }
        return index
    }

    /// Whether the bytes from `start` on end a head, or hold a line feed that must be refused; if
    /// not, parsing again would only say `partial` again.

    func endsHead(from start: Int) -> Bool {
        var index = start
        while index < end {
            if index <= lastWord {
                let feeds = equal(word(index), Ascii.lineFeed) & each(0x80)
                if feeds == 0 {
                    index &+= 8
                    continue
                }
                index &+= firstFlag(feeds)
            }
            if byte(index) == Ascii.lineFeed {
                guard index > 0, byte(index &- 1) == Ascii.carriageReturn else { return true }
                if index > 1 && byte(index &- 2) == Ascii.lineFeed { return true }
            }
            index &+= 1
        }
        return false
    }
}

// MARK: Bytes

enum Ascii {
    static var tab: UInt8 { 0x09 }
    static var lineFeed: UInt8 { 0x0A }
    static var carriageReturn: UInt8 { 0x0D }
    static var space: UInt8 { 0x20 }

    @inline(__always)
    static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    @inline(__always)
    static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// Whether a field value may hold the byte (RFC 9110, 5.5): HTAB, SP, VCHAR and obs-text.
    @inline(__always)
    static func isFieldText(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == tab
    }

    /// 0…15, or 255 where it is no hexadecimal digit.
    @inline(__always)
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

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        guard byte < 0x80 else { return false }
        return (byte < 64 ? low : high) &>> UInt64(byte & 63) & 1 != 0
    }

    /// tchar of RFC 9110, 5.6.2: letters, digits and !#$%&'*+-.^_`|~
    static var token: CharacterClass {
        @inline(__always) get {
            CharacterClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE)
        }
    }

    /// Visible ASCII without " # < >
    static var target: CharacterClass {
        @inline(__always) get {
            CharacterClass(low: 0xAFFF_FFF2_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF)
        }
    }

    /// unreserved and sub-delims of RFC 3986: letters, digits and -._~!$&'()*+,;=
    static var registeredName: CharacterClass {
        @inline(__always) get {
            CharacterClass(low: 0x2BFF_7FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE)
        }
    }

    /// Letters, digits, - and _: what channels, short codes and UUIDs are made of.
    static var label: CharacterClass {
        @inline(__always) get {
            CharacterClass(low: 0x03FF_2000_0000_0000, high: 0x07FF_FFFE_87FF_FFFE)
        }
    }
}
