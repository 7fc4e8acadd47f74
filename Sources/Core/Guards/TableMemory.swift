/// The memory a guard's table lies in, with whoever keeps it: the heap, for a table that ends with
/// the process, or a mapping shared with the next one.
///
/// Zeroed memory is an empty table, for every guard.
public struct TableMemory: @unchecked Sendable {
    // The guards' own protocols protect the bytes; the owner is only held.
    let bytes: UnsafeMutableRawBufferPointer
    private let owner: any AnyObject & Sendable

    /// Guards want their sets on cache lines, and 128 bytes are what processors fetch at once.
    public static let alignment = 128

    /// - Parameters:
    ///   - bytes: zeroed, or as a guard of the same making left it; aligned to ``alignment``.
    ///   - owner: the bytes are valid while it lives.
    public init(_ bytes: UnsafeMutableRawBufferPointer, keptBy owner: any AnyObject & Sendable) {
        precondition(
            Int(bitPattern: bytes.baseAddress) % TableMemory.alignment == 0,
            "a table begins on a cache line")
        self.bytes = bytes
        self.owner = owner
    }

    /// Zeroed memory of the process's own, its pages touched now so that no click waits for one.
    public static func heap(bytes count: Int) -> TableMemory {
        let heap = HeapBytes(count)
        return TableMemory(heap.bytes, keptBy: heap)
    }
}

private final class HeapBytes: @unchecked Sendable {
    // Only owns them; see TableMemory.
    let bytes: UnsafeMutableRawBufferPointer

    init(_ count: Int) {
        bytes = .allocate(byteCount: count, alignment: TableMemory.alignment)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit {
        bytes.deallocate()
    }
}
