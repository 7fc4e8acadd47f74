// HOT
// Appends bytes to room that has been proved large enough before the first of them.

import Clicks

/// A place in the room one answer is written to. Lives inside one call of the function it was made
/// in, whose caller owns the room.
@usableFromInline
struct AnswerWriter {
    /// `Identifier.textBytes`, which as another module's constant would spoil the proof that
    /// nothing here locks; the tests of the answers' lengths fail if the two ever differ.
    @inlinable
    static var identifierBytes: Int { 36 }

    @usableFromInline let base: UnsafeMutableRawPointer
    @usableFromInline let capacity: Int
    @usableFromInline var count = 0

    @inlinable
    @inline(always)
    init(_ room: UnsafeMutableRawBufferPointer) {
        guard let base = room.baseAddress else {
            preconditionFailure("an answer is written to no memory at all")
        }
        self.base = base
        capacity = room.count
    }

    @inlinable
    @inline(always)
    mutating func put(_ text: StaticString) {
        put(text, from: 0, count: text.utf8CodeUnitCount)
    }

    @inlinable
    @inline(always)
    mutating func put(_ text: StaticString, from start: Int, count: Int) {
        assert(self.count + count <= capacity, "an answer is larger than its bound")
        (base + self.count).copyMemory(from: text.utf8Start + start, byteCount: count)
        self.count &+= count
    }

    @inlinable
    @inline(always)
    mutating func put(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        assert(count + bytes.count <= capacity, "an answer is larger than its bound")
        (base + count).copyMemory(from: start, byteCount: bytes.count)
        count &+= bytes.count
    }

    @inlinable
    @inline(always)
    mutating func put(_ byte: UInt8) {
        assert(count < capacity, "an answer is larger than its bound")
        base.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count &+= 1
    }

    @inlinable
    @inline(always)
    mutating func put(_ date: DateLine) {
        assert(count + DateLine.bytes <= capacity, "an answer is larger than its bound")
        date.write(to: base + count)
        count &+= DateLine.bytes
    }

    @inlinable
    @inline(always)
    mutating func put(_ identifier: Identifier) {
        let bytes = AnswerWriter.identifierBytes
        assert(count + bytes <= capacity, "an answer is larger than its bound")
        identifier.writeText(to: base + count)
        count &+= bytes
    }

    mutating func putTwoDigits(_ number: Int) {
        put(UInt8(truncatingIfNeeded: 0x30 &+ number / 10))
        put(UInt8(truncatingIfNeeded: 0x30 &+ number % 10))
    }

    /// A number from 0 up in decimal digits.
    mutating func put(decimal number: Int) {
        var divisor = 1
        while number / divisor >= 10 { divisor &*= 10 }
        while divisor > 0 {
            put(UInt8(truncatingIfNeeded: 0x30 &+ number / divisor % 10))
            divisor /= 10
        }
    }

    // MARK: JSON

    /// The contents of a JSON string: at most six bytes for one.
    mutating func put(escaping bytes: UnsafeRawBufferPointer) {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                put(UInt8(ascii: "\\"))
                put(byte)
            case 0..<0x20:
                put("\\u00")
                put(AnswerWriter.hexadecimalDigit(byte >> 4))
                put(AnswerWriter.hexadecimalDigit(byte & 0xF))
            default:
                put(byte)
            }
        }
    }

    /// How many bytes ``put(escaping:)`` makes of these.
    static func escapedBytes(_ bytes: UnsafeRawBufferPointer) -> Int {
        var count = bytes.count
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte < 0x20 {
                count &+= 5
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                count &+= 1
            }
        }
        return count
    }

    private static func hexadecimalDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? 0x30 &+ value : 0x57 &+ value
    }
}
