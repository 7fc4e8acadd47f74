// HOT
// Strict JSON (RFC 8259), as much of it as one small object needs: texts are unescaped into room
// that the caller lends, all other values are only checked and stepped over.

/// A place in a JSON text. Lives inside one call of the function it was made in, whose caller keeps
/// the bytes alive. Every method returns false where the text is not JSON, and the reader is of no
/// further use then.
struct JSONReader {
    /// How deep arrays and objects may lie in one another.
    static var depthMax: Int { 16 }

    let window: ByteWindow
    private(set) var index = 0

    init(_ window: ByteWindow) {
        self.window = window
    }

    var isAtEnd: Bool { index == window.end }

    /// The next byte, or 0 (which no JSON has outside of a string) at the end.
    var next: UInt8 { index < window.end ? window.byte(index) : 0 }

    mutating func skipBlanks() {
        while index < window.end {
            switch window.byte(index) {
            case 0x20, 0x09, 0x0A, 0x0D: index &+= 1
            default: return
            }
        }
    }

    /// Steps over `byte` if it is next.
    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte, index < window.end else { return false }
        index &+= 1
        return true
    }

    mutating func take(_ literal: StaticString) -> Bool {
        let after = window.end(of: literal, from: index, to: window.end)
        guard after != 0 else { return false }
        index = after
        return true
    }

    // MARK: Values

    /// Steps over one value of any kind.
    mutating func skipValue() -> Bool {
        // The bit of each depth says whether it is an object; `depth` is how many are open.
        var objects: UInt32 = 0
        var depth = 0
        while true {
            skipBlanks()
            let opener = next
            if opener == UInt8(ascii: "{") || opener == UInt8(ascii: "[") {
                guard depth < JSONReader.depthMax else { return false }
                index &+= 1
                depth &+= 1
                let bit: UInt32 = 1 &<< UInt32(depth)
                let isObject = opener == UInt8(ascii: "{")
                objects = isObject ? objects | bit : objects & ~bit
                skipBlanks()
                if !take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    if isObject, !skipName() { return false }
                    continue
                }
                depth &-= 1
            } else {
                guard skipScalar() else { return false }
            }
            var isOpen = true
            while isOpen, depth > 0 {
                let isObject = objects &>> UInt32(depth) & 1 != 0
                skipBlanks()
                if take(UInt8(ascii: ",")) {
                    if isObject {
                        skipBlanks()
                        guard skipName() else { return false }
                    }
                    isOpen = false
                } else {
                    guard take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
                        return false
                    }
                    depth &-= 1
                }
            }
            if depth == 0 && isOpen { return true }
        }
    }

    private mutating func skipName() -> Bool {
        guard readText(into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) != nil else {
            return false
        }
        skipBlanks()
        return take(UInt8(ascii: ":"))
    }

    private mutating func skipScalar() -> Bool {
        switch next {
        case UInt8(ascii: "\""):
            return readText(into: UnsafeMutableRawBufferPointer(start: nil, count: 0)) != nil
        case UInt8(ascii: "t"): return take("true")
        case UInt8(ascii: "f"): return take("false")
        case UInt8(ascii: "n"): return take("null")
        default: return skipNumber()
        }
    }

    private mutating func skipNumber() -> Bool {
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) {
            guard skipDigits() else { return false }
        }
        if take(UInt8(ascii: ".")) {
            guard skipDigits() else { return false }
        }
        if next | 0x20 == UInt8(ascii: "e") {
            index &+= 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard skipDigits() else { return false }
        }
        return true
    }

    private mutating func skipDigits() -> Bool {
        let start = index
        while Ascii.isDigit(next) { index &+= 1 }
        return index > start
    }

    // MARK: Texts

    /// Reads a string and writes as much of its UTF-8 as there is room for.
    /// - Returns: the bytes of the whole text, which may be more than there was room for; nil where
    ///   it is no well-formed string.
    mutating func readText(into room: UnsafeMutableRawBufferPointer) -> Int? {
        guard take(UInt8(ascii: "\"")) else { return nil }
        var target = JSONTextRoom(room)
        while index < window.end {
            let byte = window.byte(index)
            switch byte {
            case UInt8(ascii: "\""):
                index &+= 1
                return target.count
            case UInt8(ascii: "\\"):
                index &+= 1
                guard let scalar = readEscape() else { return nil }
                target.append(scalar: scalar)
            case 0x20..<0x80:
                target.append(byte)
                index &+= 1
            case 0x80...:
                guard let scalar = readMultibyte() else { return nil }
                target.append(scalar: scalar)
            default:
                return nil
            }
        }
        return nil
    }

    private mutating func readEscape() -> UInt32? {
        let letter = next
        index &+= 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt32(letter)
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"): break
        default: return nil
        }
        guard let first = readFourDigits() else { return nil }
        guard first & 0xF800 == 0xD800 else { return first }
        // Half a pair stands for no character, so there is no UTF-8 for it.
        guard first < 0xDC00, take("\\u"), let second = readFourDigits(),
            second & 0xFC00 == 0xDC00
        else { return nil }
        return 0x1_0000 &+ (first & 0x3FF) &<< 10 &+ second & 0x3FF
    }

    private mutating func readFourDigits() -> UInt32? {
        guard index &+ 4 <= window.end else { return nil }
        var value: UInt32 = 0
        for _ in 0..<4 {
            let digit = Ascii.hexadecimalValue(window.byte(index))
            guard digit < 16 else { return nil }
            value = value &<< 4 | UInt32(digit)
            index &+= 1
        }
        return value
    }

    /// A character of two to four bytes in the table of RFC 3629, section 4: no overlong form, no
    /// surrogate, nothing above U+10FFFF.
    private mutating func readMultibyte() -> UInt32? {
        let lead = window.byte(index)
        let count: Int
        let least: UInt32
        var scalar: UInt32
        switch lead {
        case 0xC2...0xDF: (count, least, scalar) = (2, 0x80, UInt32(lead & 0x1F))
        case 0xE0...0xEF: (count, least, scalar) = (3, 0x800, UInt32(lead & 0x0F))
        case 0xF0...0xF4: (count, least, scalar) = (4, 0x1_0000, UInt32(lead & 0x07))
        default: return nil
        }
        guard index &+ count <= window.end else { return nil }
        for offset in 1..<count {
            let byte = window.byte(index &+ offset)
            guard byte & 0xC0 == 0x80 else { return nil }
            scalar = scalar &<< 6 | UInt32(byte & 0x3F)
        }
        guard scalar >= least, scalar <= 0x10_FFFF, scalar & 0xFFFF_F800 != 0xD800 else {
            return nil
        }
        index &+= count
        return scalar
    }
}

/// Room for a text, which keeps counting where the room has ended.
private struct JSONTextRoom {
    private let room: UnsafeMutableRawBufferPointer
    private(set) var count = 0

    init(_ room: UnsafeMutableRawBufferPointer) {
        self.room = room
    }

    mutating func append(_ byte: UInt8) {
        if count < room.count { room.storeBytes(of: byte, toByteOffset: count, as: UInt8.self) }
        count &+= 1
    }

    mutating func append(scalar: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 {
            0x80 | UInt8(truncatingIfNeeded: scalar &>> shift) & 0x3F
        }
        switch scalar {
        case 0..<0x80:
            append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            append(0xC0 | UInt8(truncatingIfNeeded: scalar &>> 6))
            append(tail(0))
        case 0x800..<0x1_0000:
            append(0xE0 | UInt8(truncatingIfNeeded: scalar &>> 12))
            append(tail(6))
            append(tail(0))
        default:
            append(0xF0 | UInt8(truncatingIfNeeded: scalar &>> 18))
            append(tail(12))
            append(tail(6))
            append(tail(0))
        }
    }
}
