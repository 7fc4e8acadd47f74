/// JSON (RFC 8259) read in the plainest way: recursion, arrays, every value kept. What the readers
/// of the hot path are held against.
indirect enum PlainJSON {
    case object([(name: [UInt8], value: PlainJSON)])
    case array([PlainJSON])
    case text([UInt8])
    /// As it was written.
    case number([UInt8])
    case literal(String)

    /// Nil for what is no JSON text, or holds values in more than `depthMax` values.
    init?(_ bytes: [UInt8], depthMax: Int) {
        var reader = PlainJSONReader(bytes: bytes)
        guard let value = reader.value(depth: depthMax) else { return nil }
        reader.skipBlanks()
        guard reader.rest.isEmpty else { return nil }
        self = value
    }

    var text: [UInt8]? {
        if case .text(let bytes) = self { bytes } else { nil }
    }

    var isNull: Bool {
        if case .literal("null") = self { true } else { false }
    }
}

private struct PlainJSONReader {
    var rest: ArraySlice<UInt8>

    init(bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func skipBlanks() {
        rest = rest.drop { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
    }

    private mutating func take(_ text: String) -> Bool {
        guard rest.starts(with: text.utf8) else { return false }
        rest = rest.dropFirst(text.utf8.count)
        return true
    }

    /// - Parameter depth: how many more arrays and objects may be opened in one another.
    mutating func value(depth: Int) -> PlainJSON? {
        skipBlanks()
        switch rest.first {
        case UInt8(ascii: "{"): return depth > 0 ? object(depth: depth - 1) : nil
        case UInt8(ascii: "["): return depth > 0 ? array(depth: depth - 1) : nil
        case UInt8(ascii: "\""): return text().map { .text($0) }
        default:
            for literal in ["true", "false", "null"] where take(literal) {
                return .literal(literal)
            }
            return number()
        }
    }

    private mutating func object(depth: Int) -> PlainJSON? {
        rest = rest.dropFirst()
        var members: [(name: [UInt8], value: PlainJSON)] = []
        skipBlanks()
        if take("}") { return .object([]) }
        while true {
            skipBlanks()
            guard let name = text() else { return nil }
            skipBlanks()
            guard take(":"), let value = value(depth: depth) else { return nil }
            members.append((name, value))
            skipBlanks()
            if take("}") { return .object(members) }
            guard take(",") else { return nil }
        }
    }

    private mutating func array(depth: Int) -> PlainJSON? {
        rest = rest.dropFirst()
        var values: [PlainJSON] = []
        skipBlanks()
        if take("]") { return .array([]) }
        while true {
            guard let value = value(depth: depth) else { return nil }
            values.append(value)
            skipBlanks()
            if take("]") { return .array(values) }
            guard take(",") else { return nil }
        }
    }

    private mutating func number() -> PlainJSON? {
        let start = rest
        _ = take("-")
        let whole = digits()
        guard !whole.isEmpty, whole.count == 1 || whole.first != 0x30 else { return nil }
        if take("."), digits().isEmpty { return nil }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            if digits().isEmpty { return nil }
        }
        return .number(Array(start[..<rest.startIndex]))
    }

    private mutating func digits() -> ArraySlice<UInt8> {
        let digits = rest.prefix { 0x30...0x39 ~= $0 }
        rest = rest.dropFirst(digits.count)
        return digits
    }

    /// The UTF-8 of a string.
    private mutating func text() -> [UInt8]? {
        guard take("\"") else { return nil }
        var units: [UInt8] = []
        while let byte = rest.first {
            rest = rest.dropFirst()
            switch byte {
            case UInt8(ascii: "\""):
                // The standard library's own decoder says what is UTF-8.
                return String(validating: units, as: UTF8.self) == nil ? nil : units
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                units += Array(String(scalar).utf8)
            case 0..<0x20: return nil
            default: units.append(byte)
            }
        }
        return nil
    }

    private static let escapes: [UInt8: Unicode.Scalar] = [
        0x22: "\"", 0x5C: "\\", 0x2F: "/", 0x62: "\u{8}", 0x66: "\u{C}", 0x6E: "\n", 0x72: "\r",
        0x74: "\t",
    ]

    private mutating func escape() -> Unicode.Scalar? {
        guard let letter = rest.popFirst() else { return nil }
        if let scalar = PlainJSONReader.escapes[letter] { return scalar }
        guard letter == UInt8(ascii: "u"), let first = unit() else { return nil }
        guard UTF16.isLeadSurrogate(first) || UTF16.isTrailSurrogate(first) else {
            return Unicode.Scalar(first)
        }
        guard UTF16.isLeadSurrogate(first), take("\\u"), let second = unit(),
            UTF16.isTrailSurrogate(second)
        else { return nil }
        return String(decoding: [first, second], as: UTF16.self).unicodeScalars.first
    }

    private mutating func unit() -> UInt16? {
        let digits = rest.prefix(4)
        rest = rest.dropFirst(4)
        // `UInt16(_:radix:)` would take a sign.
        let isHexadecimal = digits.allSatisfy {
            0x30...0x39 ~= $0 || 0x41...0x46 ~= $0 || 0x61...0x66 ~= $0
        }
        guard digits.count == 4, isHexadecimal else { return nil }
        return UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
