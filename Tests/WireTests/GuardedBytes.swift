import Glibc

/// Memory whose next page cannot be touched: whatever is placed in it ends exactly there, so that
/// reading one byte too many ends the process rather than passing by luck.
final class GuardedBytes {
    private let base: UnsafeMutableRawPointer
    private let size: Int
    private let pageBytes: Int

    init(capacity: Int = 65_536) {
        pageBytes = Int(sysconf(Int32(_SC_PAGESIZE)))
        size = (capacity + pageBytes - 1) / pageBytes * pageBytes
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let map = mmap(nil, size + pageBytes, PROT_READ | PROT_WRITE, flags, -1, 0)
        precondition(map != MAP_FAILED, "no memory for a test's guarded buffer")
        base = map!
        let refused = mprotect(base + size, pageBytes, PROT_NONE)
        precondition(refused == 0, "the page after a test's buffer stays readable")
    }

    deinit {
        munmap(base, size + pageBytes)
    }

    /// `bytes` at the end of the memory, valid until the next call.
    func place(_ bytes: some Collection<UInt8>) -> UnsafeRawBufferPointer {
        precondition(bytes.count <= size, "a test's input is larger than its guarded buffer")
        let start = base + size - bytes.count
        let room = UnsafeMutableRawBufferPointer(start: start, count: bytes.count)
        room.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(room)
    }

    /// So much room at the end of the memory, for what is written.
    func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        precondition(count <= size, "a test's output is larger than its guarded buffer")
        return UnsafeMutableRawBufferPointer(start: base + size - count, count: count)
    }
}

/// Steele, Lea and Flood's SplitMix64: small, good enough to choose test inputs, and repeatable.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    /// The seed of `TEST_SEED`, else a new one. Failing tests print it.
    static var seed: UInt64 {
        if let text = getenv("TEST_SEED"), let seed = UInt64(String(cString: text)) { return seed }
        return UInt64.random(in: 0...UInt64.max)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
