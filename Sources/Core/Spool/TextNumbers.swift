// HOT: twice a click. The numbers a writer has given to the texts of its segment, so that a text is
// written once and then meant. Bench: Benchmarks/Edge, every row.
import Clicks
import Synchronization

/// Numbers for texts, by keys that stand for them. Confined to its writer's thread.
///
/// Bounded: 512 KB of keys, where a newer text takes an older one's place, and the texts themselves
/// as far as the format lets numbers mean them. Past a bound a text gets no number.
@usableFromInline
struct TextNumbers {
    @usableFromInline
    struct Entry {
        @usableFromInline var key: UInt64 = 0
        /// Means something if it is one of the current generation's.
        @usableFromInline var number: UInt32 = 0
    }

    /// All there is, in one piece: it is handed on as one pointer, and to look at it is no access
    /// to the writer, which the runtime would check.
    @usableFromInline
    struct Memory {
        @usableFromInline let entries: UnsafeMutablePointer<Entry>
        /// The smallest number that means something: the current generation's, at hand.
        @usableFromInline var first: UInt32
        /// What the current numbers mean, and the generation to be used next.
        var current: TextGeneration
        var spare: TextGeneration
    }

    @usableFromInline let memory: UnsafeMutablePointer<Memory>
    @inlinable
    static var entryCount: Int { 1 << 15 }
    /// A frame's texts at most are numbered beyond it.
    private static var numberMax: UInt32 { 1 << 31 - 1 << 20 }

    init() {
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: TextNumbers.entryCount)
        entries.initialize(repeating: Entry(), count: TextNumbers.entryCount)
        memory = .allocate(capacity: 1)
        memory.initialize(
            to: Memory(
                entries: entries, first: 1, current: TextGeneration(first: 1),
                spare: TextGeneration(first: 1)))
    }

    func deallocate() {
        memory.pointee.entries.deallocate()
        memory.deinitialize(count: 1)
        memory.deallocate()
    }

    var generation: TextGeneration { memory.pointee.current }
    /// The smallest number that means something.
    @inlinable
    var first: UInt32 { memory.pointee.first }

    /// Has what is known of a key fetched.
    @inlinable
    @inline(always)
    func prefetch(key: UInt64) {
        CacheLine.fetch(entry(of: key))
    }

    /// How a record has a text.
    ///
    /// - Parameters:
    ///   - text: what is behind `bytesMax` is cut off.
    ///   - bytesMax: at most 65,535.
    ///   - key: equal for texts that are equal up to there, and for different ones with a
    ///     probability that may be neglected, whoever chose them; 0 where that is not so, and the
    ///     text gets no number.
    @inlinable
    @inline(always)
    func place(_ text: UnsafeRawBufferPointer, bytesMax: Int, key: UInt64) -> SpoolText {
        guard key != 0 else {
            return text.count > 0 ? SpoolText(text.cut(to: bytesMax), number: 0) : .none
        }
        let entry = entry(of: key)
        // A text that has its number already is not even looked at.
        if entry.pointee.key == key, entry.pointee.number >= first {
            return SpoolText(number: entry.pointee.number)
        }
        return learn(text.cut(to: bytesMax), key, entry)
    }

    @inlinable
    @inline(always)
    func entry(of key: UInt64) -> UnsafeMutablePointer<Entry> {
        memory.pointee.entries + Int(truncatingIfNeeded: key & UInt64(TextNumbers.entryCount - 1))
    }

    @inline(never)
    @usableFromInline
    func learn(
        _ text: UnsafeRawBufferPointer, _ key: UInt64, _ entry: UnsafeMutablePointer<Entry>
    ) -> SpoolText {
        guard text.count > 0 else { return .none }
        let number = generation.add(text)
        if number > 0 { entry.pointee = Entry(key: key, number: number) }
        return SpoolText(text, number: number)
    }

    /// Forgets all texts.
    /// - Returns: what the numbers meant until now; valid until this is called again.
    func beginAnew() -> TextGeneration {
        let before = memory.pointee.current
        memory.pointee.current = memory.pointee.spare
        memory.pointee.spare = before
        var next = before.next
        if next > TextNumbers.numberMax {
            memory.pointee.entries.update(repeating: Entry(), count: TextNumbers.entryCount)
            next = 1
        }
        memory.pointee.current.beginAnew(first: next)
        memory.pointee.first = next
        return before
    }
}

/// Texts with the numbers from `first` on. Confined to its owner's thread.
///
/// Memory is the kernel's until it is used: 2 MiB of texts and 512 KB of places at most.
final class TextGeneration {
    private struct Place {
        var offset: UInt32
        /// 0 for a text that is not known.
        var count: UInt32
    }

    private(set) var first: UInt32
    /// Of this process's generations no other has it, until there were four thousand million.
    private var ordinal = TextGeneration.nextOrdinal()
    private static let made = Atomic<UInt32>(0)
    private let bytes: UnsafeMutableRawPointer
    private var used = 0
    private let places: UnsafeMutablePointer<Place>
    private var count = 0

    init(first: UInt32) {
        self.first = first
        bytes = .allocate(byteCount: SpoolFormat.textBytesMax, alignment: 64)
        places = .allocate(capacity: SpoolFormat.textCountMax)
    }

    deinit {
        bytes.deallocate()
        places.deallocate()
    }

    /// What stands for the text of a number in this process: no other text has it.
    @inline(always)
    func key(of number: UInt32) -> UInt64 { UInt64(ordinal) << 32 | UInt64(number) }

    private static func nextOrdinal() -> UInt32 {
        made.wrappingAdd(1, ordering: .relaxed).newValue
    }

    /// Forgets all texts; numbers go on from another.
    func beginAnew(first: UInt32) {
        self.first = first
        ordinal = TextGeneration.nextOrdinal()
        count = 0
        used = 0
    }

    /// The smallest number not given yet.
    var next: UInt32 { first &+ UInt32(truncatingIfNeeded: count) }
    /// Whether a text of any length still gets a number.
    var hasRoom: Bool {
        count < SpoolFormat.textCountMax
            && SpoolFormat.textBytesMax - used >= ClickTexts.refererBytesMax
    }

    /// Numbers a text that is not empty.
    /// - Returns: 0 where there is no room.
    func add(_ text: UnsafeRawBufferPointer) -> UInt32 {
        let number = next
        return learn(text, number: number) ? number : 0
    }

    /// Takes a text with a number that was given elsewhere, larger than all before.
    /// - Returns: false where the format does not let it have that number.
    func learn(_ text: UnsafeRawBufferPointer, number: UInt32) -> Bool {
        guard number >= next, SpoolFormat.textBytesMax - used >= text.count,
            know(of: number)
        else { return false }
        (bytes + used).copyMemory(from: text.baseAddress!, byteCount: text.count)
        places[count - 1] = Place(offset: UInt32(used), count: UInt32(text.count))
        used += text.count
        return true
    }

    /// Takes it that a number was given; to which text is not known, unless it was learnt.
    /// - Returns: false where the format does not let there be such a number.
    func know(of number: UInt32) -> Bool {
        guard number >= first, number - first < UInt32(SpoolFormat.textCountMax) else {
            return false
        }
        while number >= next {
            (places + count).initialize(to: Place(offset: 0, count: 0))
            count += 1
        }
        return true
    }

    /// What ``forget(since:)`` goes back to.
    struct Mark {
        fileprivate let used: Int
        fileprivate let count: Int
    }

    var mark: Mark { Mark(used: used, count: count) }

    /// Takes back all that was learnt after a mark.
    func forget(since mark: Mark) {
        (used, count) = (mark.used, mark.count)
    }

    /// The text of a number, empty if it is not known. Valid as long as the generation.
    func find(_ number: UInt32) -> UnsafeRawBufferPointer {
        guard number >= first, number < next, places[Int(number - first)].count > 0 else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        let place = places[Int(number - first)]
        return UnsafeRawBufferPointer(start: bytes + Int(place.offset), count: Int(place.count))
    }
}

extension UnsafeRawBufferPointer {
    /// The first bytes, so many at most.
    @inlinable
    @inline(always)
    func cut(to bytesMax: Int) -> UnsafeRawBufferPointer {
        count <= bytesMax ? self : UnsafeRawBufferPointer(start: baseAddress, count: bytesMax)
    }
}
