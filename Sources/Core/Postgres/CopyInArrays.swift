// HOT: one call an element of each array. Arrays of one dimension, without nulls, whose elements
// have a fixed size.
//
// Layout (PostgreSQL's array_send): the number of dimensions, whether there are nulls, the
// element's type; of the dimension its length and its first index; each element a length and its
// bytes.

/// What an array holds, by the type's number in pg_type.dat, which never changes.
package enum CopyElement: UInt32, Sendable {
    case int4 = 23
    case int8 = 20
    case timestamptz = 1184
    case uuid = 2950

    @inlinable var bytes: Int {
        switch self {
        case .int4: 4
        case .int8, .timestamptz: 8
        case .uuid: 16
        }
    }
}

extension CopyIn {
    /// Begins a field that is an array; exactly `count` elements of its kind follow, at least one.
    @inlinable
    package mutating func beginArray(of element: CopyElement, count: Int) {
        precondition(count > 0, "an array of no elements has another layout")
        beginField(bytes: 20)
        store(Int32(truncatingIfNeeded: 20 &+ count &* (4 &+ element.bytes)))
        store(Int32(1))
        store(Int32(0))
        store(element.rawValue)
        store(Int32(truncatingIfNeeded: count))
        store(Int32(1))
        elementsLeft = count
    }

    @inlinable
    package mutating func writeElement(_ value: Int32) { writeElementWord(value) }

    @inlinable
    package mutating func writeElement(_ value: Int64) { writeElementWord(value) }

    /// Microseconds since 1970-01-01T00:00:00Z, after the year -290,000.
    @inlinable
    package mutating func writeElement(timestamp microseconds: Int64) {
        writeElementWord(microseconds &- 946_684_800_000_000)
    }

    /// Most significant word first.
    @inlinable
    package mutating func writeElement(uuidHigh high: UInt64, low: UInt64) {
        beginElement(bytes: 16)
        store(high)
        store(low)
    }

    @inlinable
    mutating func writeElementWord<Word: FixedWidthInteger>(_ word: Word) {
        beginElement(bytes: MemoryLayout<Word>.size)
        store(word)
    }

    @inlinable
    mutating func beginElement(bytes: Int) {
        precondition(elementsLeft > 0, "an array has as many elements as it was begun with")
        elementsLeft &-= 1
        reserve(4 &+ bytes)
        store(Int32(truncatingIfNeeded: bytes))
    }
}
