// What must hold of a reader for every input, as code that both the fuzzers and the tests run: the
// fuzzers look for an input that breaks it, the tests hold it for every input that was ever kept.

/// Something that holds for all bytes whatever.
package protocol FuzzProperty: Sendable {
    /// The target's name, by which `scripts/fuzz` and the folders of inputs call it.
    static var name: String { get }

    /// - Parameter folder: an empty folder of this property's own, for files it has to make.
    init(folder: String)

    /// Holds the bytes against the property.
    ///
    /// - Returns: whether the reader took them, so that a corpus can be shown to have both kinds.
    /// - Throws: what does not hold.
    func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool
}

/// What did not hold, in a sentence.
package struct FuzzFinding: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Throws the sentence unless the condition holds.
package func hold(
    _ condition: Bool, _ sentence: @autoclosure () -> String
) throws(FuzzFinding) {
    if !condition { throw FuzzFinding(sentence()) }
}

/// Bytes in memory of exactly their number, so that the address sanitizer sees a step beyond them.
package struct ExactBytes: ~Copyable {
    private let room: UnsafeMutableRawBufferPointer

    package init(_ bytes: some Collection<UInt8>) {
        room = .allocate(byteCount: bytes.count, alignment: 1)
        room.copyBytes(from: bytes)
    }

    package init(count: Int) {
        room = .allocate(byteCount: count, alignment: 8)
        room.initializeMemory(as: UInt8.self, repeating: 0xA5)
    }

    deinit { room.deallocate() }

    /// Valid while this value lives.
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(room) }
    package var writable: UnsafeMutableRawBufferPointer { room }
}
