/// The parameters of one statement in PostgreSQL's binary form, end to end in one buffer that a
/// connection reuses.
///
/// Invariant: `spans` are disjoint and ascending within `storage`.
package struct ParameterBytes {
    struct Span {
        var start: Int
        /// -1 for null.
        var length: Int
        var isText: Bool
    }

    private(set) var storage: [UInt8] = []
    private(set) var spans: [Span] = []
    /// Array elements have no text form of their own.
    private var depth = 0
    private var isText = false

    mutating func removeAll() {
        storage.removeAll(keepingCapacity: true)
        spans.removeAll(keepingCapacity: true)
    }

    mutating func appendNull() {
        spans.append(Span(start: storage.count, length: -1, isText: false))
    }

    /// False where the value does not fit the type.
    mutating func append(_ value: any PostgresEncodable, as type: PostgresType) -> Bool {
        let start = storage.count
        isText = false
        guard value.encode(as: type, into: &self) else { return false }
        spans.append(Span(start: start, length: storage.count - start, isText: isText))
        // libpq measures the text form by its terminator.
        if isText { storage.append(0) }
        return true
    }

    package mutating func append(_ byte: UInt8) {
        storage.append(byte)
    }

    package mutating func append(bytes: some Sequence<UInt8>) {
        storage.append(contentsOf: bytes)
    }

    package mutating func append<Word: FixedWidthInteger>(word: Word) {
        withUnsafeBytes(of: word.bigEndian) { storage.append(contentsOf: $0) }
    }

    /// The form that the server's own input function reads, for types whose binary form is not
    /// spoken here (inet, numeric, enums). False inside an array and for text with a NUL in it.
    package mutating func append(inputForm text: String) -> Bool {
        guard depth == 0, !text.utf8.contains(0) else { return false }
        storage.append(contentsOf: text.utf8)
        isText = true
        return true
    }

    /// A one-dimensional array without nulls; empty arrays have no dimension at all.
    package mutating func append<Element: PostgresEncodable>(
        elements: [Element], as type: PostgresType
    ) -> Bool {
        append(word: Int32(elements.isEmpty ? 0 : 1))
        append(word: Int32(0))
        append(word: type.rawValue)
        guard !elements.isEmpty else { return true }
        append(word: Int32(elements.count))
        append(word: Int32(1))
        depth += 1
        defer { depth -= 1 }
        for element in elements {
            let lengthAt = storage.count
            append(word: Int32(0))
            guard element.encode(as: type, into: &self) else { return false }
            let length = UInt32(storage.count - lengthAt - 4)
            for byte in 0..<4 {
                storage[lengthAt + byte] = UInt8(truncatingIfNeeded: length >> (24 - 8 * byte))
            }
        }
        return true
    }
}
