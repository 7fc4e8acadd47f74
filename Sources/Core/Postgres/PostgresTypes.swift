// The server's types that Swift has no counterpart for. Those who have their own (identifiers,
// times, days) convert at their border; this module knows none of them.

/// A uuid, most significant word first.
package struct PostgresUUID: Hashable, Sendable, PostgresElement {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}

extension PostgresUUID: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        guard type == .uuid else { return false }
        bytes.append(word: high)
        bytes.append(word: low)
        return true
    }

    package static func decode(_ column: ColumnValue) -> PostgresUUID? {
        guard column.type == .uuid, let bytes = column.bytes, bytes.count == 16 else { return nil }
        return PostgresUUID(
            high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
}

/// A timestamptz: microseconds since 1970-01-01T00:00:00Z, which is also its resolution.
package struct PostgresTimestamp: Hashable, Sendable, PostgresElement {
    /// 1970 to 2000-01-01T00:00:00Z, where the binary form begins.
    package static let epochMicroseconds: Int64 = 946_684_800_000_000
    /// Later than every time; the server's `infinity`.
    package static let infinity = PostgresTimestamp(microseconds: .max)
    /// Earlier than every time; the server's `-infinity`.
    package static let negativeInfinity = PostgresTimestamp(microseconds: .min)

    package var microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }
}

extension PostgresTimestamp: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        guard type == .timestamptz || type == .timestamp else { return false }
        guard self != .infinity, self != .negativeInfinity else {
            bytes.append(word: microseconds)
            return true
        }
        let (word, overflow) = microseconds.subtractingReportingOverflow(Self.epochMicroseconds)
        guard !overflow else { return false }
        bytes.append(word: word)
        return true
    }

    package static func decode(_ column: ColumnValue) -> PostgresTimestamp? {
        guard column.type == .timestamptz || column.type == .timestamp,
            let word = column.word(Int64.self)
        else { return nil }
        guard word != .max, word != .min else { return PostgresTimestamp(microseconds: word) }
        let (microseconds, overflow) = word.addingReportingOverflow(epochMicroseconds)
        return overflow ? nil : PostgresTimestamp(microseconds: microseconds)
    }
}

/// A date: days since 1970-01-01, in whatever calendar the column means.
package struct PostgresDate: Hashable, Sendable, PostgresElement {
    private static let epochDays: Int32 = 10_957

    package var daysSince1970: Int32

    package init(daysSince1970: Int32) {
        self.daysSince1970 = daysSince1970
    }
}

extension PostgresDate: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        let (days, overflow) = daysSince1970.subtractingReportingOverflow(Self.epochDays)
        guard type == .date, !overflow else { return false }
        bytes.append(word: days)
        return true
    }

    package static func decode(_ column: ColumnValue) -> PostgresDate? {
        guard column.type == .date, let word = column.word(Int32.self) else { return nil }
        let (days, overflow) = word.addingReportingOverflow(epochDays)
        return overflow ? nil : PostgresDate(daysSince1970: days)
    }
}

/// A JSON document as its text, for json and jsonb columns. The server checks that it is one.
package struct PostgresJSON: Hashable, Sendable {
    package var text: String

    package init(text: String) {
        self.text = text
    }
}

extension PostgresJSON: PostgresEncodable, PostgresDecodable {
    package func encode(as type: PostgresType, into bytes: inout ParameterBytes) -> Bool {
        guard type == .json || type == .jsonb else { return false }
        if type == .jsonb { bytes.append(1) }
        bytes.append(bytes: text.utf8)
        return true
    }

    package static func decode(_ column: ColumnValue) -> PostgresJSON? {
        guard column.type == .json || column.type == .jsonb else { return nil }
        return String.decode(column).map { PostgresJSON(text: $0) }
    }
}
