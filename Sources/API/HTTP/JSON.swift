// JSON as a value: what a body is before it is known to be right, and what an answer is on its way
// out. Foundation's decoders are not used for this, because their faults are English sentences
// about Swift types, they stop at the first one, they take a repeated member silently, and their
// output's order changes from run to run.
//
// Reading accepts exactly RFC 8259, and refuses besides: repeated members (which of two is meant
// differs between parsers), lone surrogates, and nesting beyond `depthMax`.

/// A JSON value; an object keeps the order of its members.
package indirect enum JSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int)
    /// Any number written with a fraction or an exponent, or beyond 64 bits.
    case number(Double)
    case text(String)
    case list([JSON])
    case object([Member])

    /// A name and its value.
    package struct Member: Hashable, Sendable {
        package let name: String
        package let value: JSON

        package init(_ name: String, _ value: JSON) {
            self.name = name
            self.value = value
        }
    }

    /// Arrays and objects inside each other, at most.
    package static let depthMax = 32

    /// The member of that name; nil if there is none, or if this is not an object.
    package subscript(_ name: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The element at that place; nil if there is none, or if this is not a list.
    package subscript(_ index: Int) -> JSON? {
        guard case .list(let elements) = self, elements.indices.contains(index) else { return nil }
        return elements[index]
    }

    /// The text; nil if this is not one. The next three are alike.
    package var text: String? {
        if case .text(let value) = self { value } else { nil }
    }

    package var integer: Int? {
        if case .integer(let value) = self { value } else { nil }
    }

    package var list: [JSON]? {
        if case .list(let value) = self { value } else { nil }
    }

    package var members: [Member]? {
        if case .object(let value) = self { value } else { nil }
    }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByFloatLiteral, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .text(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(floatLiteral value: Double) { self = .number(value) }
    package init(arrayLiteral elements: JSON...) { self = .list(elements) }
    package init(nilLiteral: ()) { self = .null }
    package init(dictionaryLiteral elements: (String, JSON)...) {
        self = .object(elements.map { Member($0.0, $0.1) })
    }
}

// MARK: Writing

extension JSON {
    /// UTF-8 without blanks; the same value gives the same bytes.
    package var bytes: [UInt8] {
        var target: [UInt8] = []
        target.reserveCapacity(1024)
        write(to: &target)
        return target
    }

    /// Appends what ``bytes`` returns.
    package func write(to target: inout [UInt8]) {
        switch self {
        case .null: target.append(contentsOf: "null".utf8)
        case .bool(let value): target.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): target.append(contentsOf: String(value).utf8)
        case .number(let value):
            precondition(value.isFinite, "JSON has no way to write \(value)")
            target.append(contentsOf: "\(value)".utf8)
        case .text(let value): JSON.write(value, to: &target)
        case .list(let elements):
            target.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { target.append(UInt8(ascii: ",")) }
                element.write(to: &target)
            }
            target.append(UInt8(ascii: "]"))
        case .object(let members):
            target.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { target.append(UInt8(ascii: ",")) }
                JSON.write(member.name, to: &target)
                target.append(UInt8(ascii: ":"))
                member.value.write(to: &target)
            }
            target.append(UInt8(ascii: "}"))
        }
    }

    /// What needs no escape, which is nearly everything, is copied a piece at a time: byte by byte,
    /// texts were a quarter of what a list of gonggus cost.
    private static func write(_ text: String, to target: inout [UInt8]) {
        target.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { bytes in
            var copied = 0
            for (index, byte) in bytes.enumerated() where byte.isEscaped {
                target.append(contentsOf: bytes[copied..<index])
                writeEscape(of: byte, to: &target)
                copied = index + 1
            }
            target.append(contentsOf: bytes[copied...])
        }
        target.append(UInt8(ascii: "\""))
    }

    private static func writeEscape(of byte: UInt8, to target: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"):
            target.append(UInt8(ascii: "\\"))
            target.append(byte)
        case UInt8(ascii: "\n"): target.append(contentsOf: "\\n".utf8)
        default:
            let digits = String(byte, radix: 16)
            target.append(contentsOf: "\\u00".utf8)
            if digits.utf8.count == 1 { target.append(UInt8(ascii: "0")) }
            target.append(contentsOf: digits.utf8)
        }
    }
}

extension UInt8 {
    /// The quotation mark, the backslash and control characters.
    fileprivate var isEscaped: Bool { self < 0x20 || self == 0x22 || self == 0x5C || self == 0x7F }
}
