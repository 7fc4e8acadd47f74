// The reading half of ``JSON``: one pass over the bytes, recursive to `JSON.depthMax`.

/// Why bytes are not JSON, and where; the place is for logs and tests, never for clients.
package struct JSONFault: Error, Equatable {
    package let offset: Int
}

extension JSON {
    /// Reads one whole JSON text. Cost is linear in the bytes, except that an object's members are
    /// compared with a set of the names before them.
    package init(reading bytes: some Sequence<UInt8>) throws(JSONFault) {
        var reader = JSONReader(bytes: Array(bytes))
        reader.skipBlanks()
        self = try reader.readValue(depth: 0)
        reader.skipBlanks()
        guard reader.offset == reader.bytes.count else { throw reader.fault }
    }
}

private struct JSONReader {
    let bytes: [UInt8]
    var offset = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    var fault: JSONFault { JSONFault(offset: offset) }
    var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D {
            offset += 1
        }
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard current == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    mutating func readValue(depth: Int) throws(JSONFault) -> JSON {
        switch current {
        case UInt8(ascii: "{"): return try readObject(depth: depth + 1)
        case UInt8(ascii: "["): return try readList(depth: depth + 1)
        case UInt8(ascii: "\""): return .text(try readText())
        case UInt8(ascii: "t"): return try readWord("true", .bool(true))
        case UInt8(ascii: "f"): return try readWord("false", .bool(false))
        case UInt8(ascii: "n"): return try readWord("null", .null)
        default: return try readNumber()
        }
    }

    mutating func readWord(_ word: StaticString, _ value: JSON) throws(JSONFault) -> JSON {
        let end = offset + word.utf8CodeUnitCount
        let matches = word.withUTF8Buffer { text in
            end <= bytes.count && bytes[offset..<end].elementsEqual(text)
        }
        guard matches else { throw fault }
        offset = end
        return value
    }

    mutating func readObject(depth: Int) throws(JSONFault) -> JSON {
        guard depth <= JSON.depthMax else { throw fault }
        offset += 1
        var members: [JSON.Member] = []
        var names: Set<String> = []
        skipBlanks()
        if take("}") { return .object(members) }
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw fault }
            let name = try readText()
            guard names.insert(name).inserted else { throw fault }
            skipBlanks()
            guard take(":") else { throw fault }
            skipBlanks()
            members.append(.init(name, try readValue(depth: depth)))
            skipBlanks()
            if take("}") { return .object(members) }
            guard take(",") else { throw fault }
        }
    }

    mutating func readList(depth: Int) throws(JSONFault) -> JSON {
        guard depth <= JSON.depthMax else { throw fault }
        offset += 1
        var elements: [JSON] = []
        skipBlanks()
        if take("]") { return .list(elements) }
        while true {
            skipBlanks()
            elements.append(try readValue(depth: depth))
            skipBlanks()
            if take("]") { return .list(elements) }
            guard take(",") else { throw fault }
        }
    }

    mutating func readNumber() throws(JSONFault) -> JSON {
        let start = offset
        _ = take("-")
        if !take("0") {
            guard skipDigits() > 0 else { throw fault }
        }
        var isWhole = true
        if take(".") {
            isWhole = false
            guard skipDigits() > 0 else { throw fault }
        }
        if take("e") || take("E") {
            isWhole = false
            if !take("+") { _ = take("-") }
            guard skipDigits() > 0 else { throw fault }
        }
        let text = String(decoding: bytes[start..<offset], as: UTF8.self)
        if isWhole, let value = Int(text) { return .integer(value) }
        guard let value = Double(text), value.isFinite else { throw fault }
        return .number(value)
    }

    mutating func skipDigits() -> Int {
        let start = offset
        while let byte = current, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { offset += 1 }
        return offset - start
    }

    mutating func readText() throws(JSONFault) -> String {
        offset += 1
        var decoded: [UInt8] = []
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                guard let text = String(validating: decoded, as: UTF8.self) else { throw fault }
                return text
            case UInt8(ascii: "\\"):
                offset += 1
                try readEscape(into: &decoded)
            case 0..<0x20: throw fault
            default:
                decoded.append(byte)
                offset += 1
            }
        }
        throw fault
    }

    mutating func readEscape(into decoded: inout [UInt8]) throws(JSONFault) {
        guard let byte = current else { throw fault }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): decoded.append(byte)
        case UInt8(ascii: "b"): decoded.append(0x08)
        case UInt8(ascii: "f"): decoded.append(0x0C)
        case UInt8(ascii: "n"): decoded.append(0x0A)
        case UInt8(ascii: "r"): decoded.append(0x0D)
        case UInt8(ascii: "t"): decoded.append(0x09)
        case UInt8(ascii: "u"):
            var code = try readHexadecimal()
            if 0xD800..<0xDC00 ~= code {
                guard take("\\"), take("u") else { throw fault }
                let low = try readHexadecimal()
                guard 0xDC00..<0xE000 ~= low else { throw fault }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw fault }
            decoded.append(contentsOf: Character(scalar).utf8)
        default: throw fault
        }
    }

    mutating func readHexadecimal() throws(JSONFault) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue
            else { throw fault }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }
}
