// How Swift's values become parameters and come back out of columns, always in the binary form.
//
// The server decides a parameter's type (the statement is described once, when it is prepared), and
// the value adapts to it: an Int goes into int2, int4 or int8 if it fits. Columns widen, never
// narrow: an int4 can be read as Int, an int8 cannot be read as Int32.

/// A value that can be a statement's parameter.
package protocol PostgresEncodable: Sendable {
    /// Appends the value's form for `type`. False where it has none, or does not fit.
    func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool
}

/// A value that can be read from a column.
package protocol PostgresDecodable {
    /// Nil where the column's type, or its being null, does not suit.
    static func decode(_ column: ColumnValue) -> Self?
}

/// One column of one row as the server sent it. Valid only while its ``Row`` is.
package struct ColumnValue {
    /// Nil for null.
    package let bytes: UnsafeRawBufferPointer?
    package let type: PostgresType

    /// The bytes as a big-endian number, where there are exactly as many.
    package func word<Word: FixedWidthInteger>(_: Word.Type = Word.self) -> Word? {
        guard let bytes, bytes.count == MemoryLayout<Word>.size else { return nil }
        return Word(bigEndian: bytes.loadUnaligned(as: Word.self))
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package static func decode(_ column: ColumnValue) -> Wrapped?? {
        guard column.bytes != nil else { return .some(.none) }
        guard let value = Wrapped.decode(column) else { return .none }
        return .some(.some(value))
    }
}

extension Bool: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        guard type == .bool else { return false }
        bytes.append(self ? 1 : 0)
        return true
    }

    package static func decode(_ column: ColumnValue) -> Bool? {
        column.type == .bool ? column.word(UInt8.self).map { $0 != 0 } : nil
    }
}

extension Int: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        switch type {
        case .int8:
            bytes.append(word: Int64(self))
        case .int4:
            guard let narrow = Int32(exactly: self) else { return false }
            bytes.append(word: narrow)
        case .int2:
            guard let narrow = Int16(exactly: self) else { return false }
            bytes.append(word: narrow)
        case .numeric:
            return bytes.append(inputForm: String(self))
        default:
            return false
        }
        return true
    }

    package static func decode(_ column: ColumnValue) -> Int? {
        switch column.type {
        case .int8: column.word(Int64.self).map { Int($0) }
        case .int4: column.word(Int32.self).map { Int($0) }
        case .int2: column.word(Int16.self).map { Int($0) }
        default: nil
        }
    }
}

extension Int64: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        Int(self).encode(as: type, into: &bytes)
    }

    package static func decode(_ column: ColumnValue) -> Int64? {
        Int.decode(column).map { Int64($0) }
    }
}

extension Int32: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        Int(self).encode(as: type, into: &bytes)
    }

    package static func decode(_ column: ColumnValue) -> Int32? {
        column.type == .int8 ? nil : Int.decode(column).map { Int32($0) }
    }
}

extension Int16: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        Int(self).encode(as: type, into: &bytes)
    }

    package static func decode(_ column: ColumnValue) -> Int16? {
        column.type == .int2 ? Int.decode(column).map { Int16($0) } : nil
    }
}

extension Double: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        guard type == .float8 else { return false }
        bytes.append(word: bitPattern)
        return true
    }

    package static func decode(_ column: ColumnValue) -> Double? {
        switch column.type {
        case .float8: column.word(UInt64.self).map { Double(bitPattern: $0) }
        case .float4: column.word(UInt32.self).map { Double(Float(bitPattern: $0)) }
        default: nil
        }
    }
}

extension String: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        // Text in its binary form has a length, so a NUL in it is refused, not cut off at.
        guard type.isText else { return bytes.append(inputForm: self) }
        bytes.append(bytes: utf8)
        return true
    }

    package static func decode(_ column: ColumnValue) -> String? {
        guard var bytes = column.bytes else { return nil }
        if column.type == .jsonb {
            guard bytes.first == 1 else { return nil }
            bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
        } else if !column.type.isText {
            return nil
        }
        return String(validating: bytes, as: UTF8.self)
    }
}

// MARK: Arrays

/// What an array can be made of. Bytes are the exception: an array of them is one bytea.
package protocol PostgresElement: Sendable {
    static func encode(
        elements: [Self], as type: PostgresType, into bytes: inout ParameterBytes
    ) -> Bool
    static func decode(elements column: ColumnValue) -> [Self]?
}

extension PostgresElement where Self: PostgresEncodable & PostgresDecodable {
    package static func encode(
        elements: [Self], as type: PostgresType, into bytes: inout ParameterBytes
    ) -> Bool {
        guard let element = type.element else { return false }
        return bytes.append(elements: elements, as: element)
    }

    /// One dimension, no nulls, unless `Self` is optional. Lower bounds are not looked at.
    package static func decode(elements column: ColumnValue) -> [Self]? {
        guard let bytes = column.bytes, let type = column.type.element, bytes.count >= 12
        else { return nil }
        var offset = 0
        func word() -> Int? {
            guard offset + 4 <= bytes.count else { return nil }
            defer { offset += 4 }
            return Int(
                Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
        }
        guard let dimensions = word(), word() != nil, word() != nil else { return nil }
        if dimensions == 0 { return [] }
        guard dimensions == 1, let count = word(), word() != nil else { return nil }
        var elements: [Self] = []
        for _ in 0..<count {
            guard let length = word(), length >= 0, offset + length <= bytes.count else {
                return nil
            }
            let part = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
            guard let value = Self.decode(ColumnValue(bytes: part, type: type)) else { return nil }
            elements.append(value)
            offset += length
        }
        return elements
    }
}

extension Bool: PostgresElement {}
extension Int: PostgresElement {}
extension Int64: PostgresElement {}
extension Int32: PostgresElement {}
extension Int16: PostgresElement {}
extension Double: PostgresElement {}
extension String: PostgresElement {}

extension UInt8: PostgresElement {
    package static func encode(
        elements: [UInt8], as type: PostgresType, into bytes: inout ParameterBytes
    ) -> Bool {
        guard type == .bytea else { return false }
        bytes.append(bytes: elements)
        return true
    }

    package static func decode(elements column: ColumnValue) -> [UInt8]? {
        column.type == .bytea ? column.bytes.map { [UInt8]($0) } : nil
    }
}

extension Array: PostgresEncodable where Element: PostgresElement {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        Element.encode(elements: self, as: type, into: &bytes)
    }
}

extension Array: PostgresDecodable where Element: PostgresElement {
    package static func decode(_ column: ColumnValue) -> [Element]? {
        Element.decode(elements: column)
    }
}
