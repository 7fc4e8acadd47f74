// HOT: one call per field of each click. Measured by Tests/PostgresTests (100,000 rows) and the
// ingest benchmark. Fields are plain stores into one buffer; a row costs no allocation, no lock, no
// throw. A failure to send is remembered and reported once, at the end, where COPY reports all of
// its errors anyway.
//
// Layout (PostgreSQL manual, COPY, "Binary Format"): a 19-byte header; each row a 16-bit count of
// fields, each field a 32-bit length (-1 for null) and its bytes; -1 instead of a count at the end.
// All words are big-endian.

import CPostgres

/// The stream of rows of one COPY. Valid only inside ``Connection/copyIn(_:_:)``.
///
/// A row is `beginRow(columns:)` and then exactly that many `write…`; anything else traps.
/// Invariant: `cursor <= capacity`; a row may straddle two sends.
package struct CopyIn: ~Copyable {
    /// What is sent at a time. Larger gains nothing: the kernel's socket buffer is smaller.
    package static let chunkBytes = 1 << 20

    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var cursor = 0
    @usableFromInline var fieldsLeft = 0
    @usableFromInline var elementsLeft = 0
    /// Nil where the rows stay in memory, see ``CopyRows``.
    private let handle: OpaquePointer?
    private var hasFailed = false

    static func makeBuffer() -> UnsafeMutableRawBufferPointer {
        .allocate(byteCount: chunkBytes, alignment: 64)
    }

    init(handle: OpaquePointer?, buffer: UnsafeMutableRawBufferPointer) {
        self.handle = handle
        base = buffer.baseAddress!
        capacity = buffer.count
        // "PGCOPY\n", 0xFF, "\r\n", NUL; then no flags and no header extension.
        store(0x5047_434F_5059_0AFF as UInt64)
        store(0x0D0A as UInt16)
        store(0 as UInt8)
        store(UInt32(0))
        store(UInt32(0))
    }

    /// Whether the connection is gone, so that what is written from here on is lost. Worth asking
    /// between large batches only.
    package var isLost: Bool { hasFailed }

    /// Where the next field's or element's value will lie, unless it is null; for
    /// ``CopyRows/replaceInt32(at:by:)``.
    @inlinable package var nextOffset: Int { cursor &+ 4 }

    @inlinable
    package mutating func beginRow(columns: Int) {
        precondition(
            fieldsLeft == 0 && elementsLeft == 0,
            "a row has as many fields as it was begun with, an array as many elements")
        reserve(2)
        store(Int16(truncatingIfNeeded: columns))
        fieldsLeft = columns
    }

    @inlinable
    package mutating func writeNull() {
        beginField(bytes: 0)
        store(Int32(-1))
    }

    @inlinable
    package mutating func writeBool(_ value: Bool) {
        writeWord(value ? 1 as UInt8 : 0)
    }

    /// For int2.
    @inlinable
    package mutating func writeInt16(_ value: Int16) {
        writeWord(value)
    }

    /// For int4.
    @inlinable
    package mutating func writeInt32(_ value: Int32) {
        writeWord(value)
    }

    /// For int8.
    @inlinable
    package mutating func writeInt64(_ value: Int64) {
        writeWord(value)
    }

    /// For float8.
    @inlinable
    package mutating func writeDouble(_ value: Double) {
        writeWord(value.bitPattern)
    }

    /// For uuid, most significant word first.
    @inlinable
    package mutating func writeUUID(high: UInt64, low: UInt64) {
        beginField(bytes: 16)
        store(Int32(16))
        store(high)
        store(low)
    }

    /// For timestamptz: microseconds since 1970-01-01T00:00:00Z, after the year -290,000.
    @inlinable
    package mutating func writeTimestamp(_ microseconds: Int64) {
        writeWord(microseconds &- 946_684_800_000_000)
    }

    /// For text, varchar, char and bytea. Text must be UTF-8 without NUL: the server refuses the
    /// whole COPY otherwise.
    @inlinable
    package mutating func writeText(_ bytes: UnsafeRawBufferPointer) {
        beginField(bytes: 0)
        store(Int32(truncatingIfNeeded: bytes.count))
        append(bytes)
    }

    /// For char(2): two ASCII letters, the first in the upper byte.
    @inlinable
    package mutating func writeLetters(_ letters: UInt16) {
        writeWord(letters)
    }

    package mutating func writeText(_ text: String) {
        var text = text
        text.withUTF8 { writeText(UnsafeRawBufferPointer($0)) }
    }

    /// For inet: an address of two words, most significant first, IPv4 in its mapped form
    /// `::ffff:a.b.c.d`.
    @inlinable
    package mutating func writeInet(high: UInt64, low: UInt64) {
        beginField(bytes: 20)
        // Family (2 and 3, PostgreSQL's own numbers), mask bits, "is a cidr", address bytes.
        if high == 0 && low >> 32 == 0xFFFF {
            store(Int32(8))
            store(0x0220_0004 as UInt32)
            store(UInt32(truncatingIfNeeded: low))
        } else {
            store(Int32(20))
            store(0x0380_0010 as UInt32)
            store(high)
            store(low)
        }
    }
}

// MARK: The buffer

extension CopyIn {
    @inlinable
    mutating func writeWord<Word: FixedWidthInteger>(_ word: Word) {
        beginField(bytes: MemoryLayout<Word>.size)
        store(Int32(MemoryLayout<Word>.size))
        store(word)
    }

    /// Room for a field's length and `bytes` more.
    @inlinable
    mutating func beginField(bytes: Int) {
        precondition(
            fieldsLeft > 0 && elementsLeft == 0,
            "a row has as many fields as it was begun with, an array as many elements")
        fieldsLeft &-= 1
        reserve(4 &+ bytes)
    }

    @inlinable
    mutating func reserve(_ bytes: Int) {
        if cursor &+ bytes > capacity { flush() }
    }

    /// The caller has reserved the room.
    @inlinable
    mutating func store<Word: FixedWidthInteger>(_ word: Word) {
        base.storeBytes(of: word.bigEndian, toByteOffset: cursor, as: Word.self)
        cursor &+= MemoryLayout<Word>.size
    }

    @inlinable
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard cursor &+ bytes.count <= capacity else { return appendInParts(bytes) }
        guard let source = bytes.baseAddress else { return }
        (base + cursor).copyMemory(from: source, byteCount: bytes.count)
        cursor &+= bytes.count
    }

    @usableFromInline @inline(never)
    mutating func appendInParts(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if cursor == capacity { flush() }
            let part = rest.prefix(capacity - cursor)
            (base + cursor).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: part).baseAddress!, byteCount: part.count)
            cursor += part.count
            rest = rest.dropFirst(part.count)
        }
    }

    @usableFromInline @inline(never)
    mutating func flush() {
        guard let handle else { return grow() }
        if !hasFailed {
            let bytes = base.assumingMemoryBound(to: CChar.self)
            hasFailed = PQputCopyData(handle, bytes, Int32(cursor)) != 1
        }
        cursor = 0
    }

    private mutating func grow() {
        let larger = UnsafeMutableRawPointer.allocate(byteCount: 2 * capacity, alignment: 64)
        larger.copyMemory(from: base, byteCount: cursor)
        base.deallocate()
        base = larger
        capacity *= 2
    }

    /// Ends the stream. False if some of it could not be sent.
    mutating func finish() -> Bool {
        _ = end()
        flush()
        return !hasFailed
    }

    /// Ends the stream in memory. The bytes that wait.
    mutating func end() -> Int {
        precondition(
            fieldsLeft == 0 && elementsLeft == 0,
            "a row has as many fields as it was begun with, an array as many elements")
        reserve(2)
        store(Int16(-1))
        return cursor
    }

    /// With all of its room; another than it was begun with where that was too small.
    var wholeBuffer: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(start: base, count: capacity)
    }
}
