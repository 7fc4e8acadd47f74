// HOT: one probe a click. Bench: Benchmarks/Edge, keep-alive row.
//
// The dedupe window decides whether a click is the first of its visitor on its gonggu, so it
// decides whether a click is paid. It must never pay one window twice, whatever the threads do.
//
// Layout: a power-of-two number of sets, each of eight entries on two adjacent cache lines. An
// entry is two words: the key (visitor and gonggu hashed together, never 0) and the time of the
// last valid click. Time 0 means the entry was never used. A key lives only in the set that its
// bits choose.
//
// Why two threads cannot both win: an entry changes only by a compare-and-swap of both words. A
// claim first looks for its key; if it is there, one swap of that entry decides. If it is not, the
// claim replaces the entry that is least by (time, position). Suppose two claims of one key
// replaced two different entries a and b, each unaware of the other. Each took its entry for the
// least of the set, and each entry was unchanged from the look to the swap. Entry times only rise
// (a replacement stores the later of its own time and the replaced one's), so whichever claim
// looked at the other's entry before its swap saw a value that contradicts one of the two choices,
// and that claim's swap must have failed; looking after the swap would have found the key. So at
// most one wins.
//
// Why the table outlives `kill -9`: all that ever changes is one entry, by one 128-bit swap, which
// a processor has done or not done. Whatever the moment a process ends at, its memory is a table
// some sequence of claims has made, and no claim in progress holds anything that others wait for.
// Over a mapping that the next process opens, it is that process's table as it is; two processes
// may even share one. What it may hold too much is a claim whose click was never written down,
// since a claim comes before its turn's write: ``DedupeWindow/withdraw(since:unlessRecorded:)``
// takes those back. After a reboot pages may be of different ages: the table is then emptied and
// ``DedupeWindow/restore(key:time:)`` fills it from the records. A bit that memory or disk has
// turned costs at most the windows of the entries it is in.
//
// Invariant: an entry's time never falls, but when the clock itself was set back by more than
// `clockStepMicroseconds`; entries from that lost future count as the oldest.

import Clicks
import Synchronization

/// Remembers, for a bounded number of (visitor, gonggu) pairs, when each was last billed.
///
/// Shared by all workers without a lock. Memory: 16 bytes an entry. At the bound the oldest entry
/// of the set goes first and ``evictions`` counts it if its window was still open.
public final class DedupeWindow: @unchecked Sendable {
    // Protected by the compare-and-swap protocol of the head comment.
    private let memory: TableMemory
    @usableFromInline let words: UnsafeMutableRawPointer
    @usableFromInline let setMask: UInt64
    @usableFromInline let windowMicroseconds: Int64
    private let evicted = Atomic<UInt64>(0)

    @inlinable
    public static var entriesPerSet: Int { 8 }
    @inlinable
    static var entryBytes: Int { 16 }
    @inlinable
    static var setBytes: Int { entriesPerSet * entryBytes }
    /// Workers read the clock once a turn, so a stalled one may be behind the entries of others; no
    /// turn lasts a minute, so a difference beyond it means that the clock was set back.
    @inlinable
    public static var clockStepMicroseconds: Int64 { 60_000_000 }

    /// - Parameters:
    ///   - windowSeconds: clicks less than this after the last valid one are duplicates.
    ///   - entriesMin: room for at least so many pairs, rounded up to a power of two. With as many
    ///     live pairs as a quarter of the entries, about one in 7,000 is forgotten early
    ///     (Poisson with mean 2 over sets of 8); with an eighth, one in 10⁶.
    public convenience init(windowSeconds: Int, entriesMin: Int) {
        self.init(
            windowSeconds: windowSeconds,
            memory: .heap(bytes: DedupeWindow.tableBytes(entriesMin: entriesMin)))
    }

    /// A table over memory that somebody else keeps, empty or as a table of the same window, the
    /// same layout and the same visitor key left it.
    ///
    /// - Parameter memory: as many bytes as ``tableBytes(entriesMin:)`` says.
    public init(windowSeconds: Int, memory: TableMemory) {
        precondition(windowSeconds > 0, "a window has a length")
        let sets = memory.bytes.count / DedupeWindow.setBytes
        precondition(
            sets > 0 && sets & (sets - 1) == 0
                && memory.bytes.count == sets * DedupeWindow.setBytes,
            "a dedupe table has a power of two of sets")
        windowMicroseconds = Int64(windowSeconds) * 1_000_000
        setMask = UInt64(sets - 1)
        self.memory = memory
        words = memory.bytes.baseAddress!
    }

    /// Changes with the meaning of the table's bytes; part of a shared table's form.
    public static let layoutVersion: UInt64 = 1

    /// The memory that so many entries take, rounded up to a power of two.
    public static func tableBytes(entriesMin: Int) -> Int {
        precondition(entriesMin > 0, "a table has room")
        var sets = 1
        while sets * entriesPerSet < entriesMin { sets *= 2 }
        return sets * setBytes
    }

    /// Live windows that had to be forgotten for want of room, since start.
    public var evictions: UInt64 { evicted.load(ordering: .relaxed) }

    public var windowSeconds: Int { Int(windowMicroseconds / 1_000_000) }
    public var entries: Int { memory.bytes.count / DedupeWindow.entryBytes }

    /// About how many windows are open: counted in a thousand sets spread over the table, which
    /// costs a fraction of a millisecond and no worker anything.
    public func openWindows(now: Int64) -> Int {
        let sets = Int(setMask) + 1
        let step = max(1, sets / 1024)
        var (open, seen) = (0, 0)
        for set in stride(from: 0, to: sets, by: step) {
            let base = words + set * DedupeWindow.setBytes
            seen += 1
            for position in 0..<DedupeWindow.entriesPerSet {
                let time = load(base, position).time
                if time == 0 { break }
                if isOpen(since: time, now: now) { open += 1 }
            }
        }
        return open * sets / seen
    }

    /// Has the pair's set fetched, for a claim that comes soon.
    @inlinable
    public func prefetch(key: UInt64) {
        let set = words + Int(truncatingIfNeeded: key & setMask) &* DedupeWindow.setBytes
        CacheLine.fetch(set)
        CacheLine.fetch(set + CacheLine.bytes)
    }

    /// Starts a window for the pair unless one is open.
    ///
    /// - Parameters:
    ///   - key: stands for visitor and gonggu, evenly spread over 64 bits; 0 is not a key.
    ///   - now: microseconds since 1970, greater than 0.
    /// - Returns: whether this click started the window: it is the valid one. Otherwise it is a
    ///   duplicate, and nothing changed: duplicates do not extend a window.
    @inlinable
    @inline(always)
    public func claim(key: UInt64, now: Int64) -> Bool {
        precondition(key != 0 && now > 0, "0 marks an entry that was never used")
        let set = words + Int(truncatingIfNeeded: key & setMask) &* DedupeWindow.setBytes
        while true {
            switch look(for: key, in: set, now: now) {
            case .open:
                return false
            case .over(let position, let time):
                if swap(set, position, from: (key, time), to: (key, now)) { return true }
            case .absent(let position, let oldKey, let oldTime):
                let fromLostFuture = oldTime > now &+ DedupeWindow.clockStepMicroseconds
                let time = fromLostFuture ? now : max(now, oldTime)
                if swap(set, position, from: (oldKey, oldTime), to: (key, time)) {
                    if oldTime != 0 && !fromLostFuture && isOpen(since: oldTime, now: now) {
                        noteEviction()
                    }
                    return true
                }
            }
            // Somebody else changed the entry between look and swap: look again. Each round means
            // that another claim has succeeded, so the whole never stands still.
        }
    }

    @inline(never)
    @usableFromInline
    func noteEviction() { evicted.add(1, ordering: .relaxed) }

    /// Whether a window of the pair is open, without starting one.
    public func isOpen(key: UInt64, now: Int64) -> Bool {
        let set = words + Int(truncatingIfNeeded: key & setMask) &* DedupeWindow.setBytes
        if case .open = look(for: key, in: set, now: now) { return true }
        return false
    }

    // MARK: Across processes

    /// Puts a recorded valid click's window back, for a table that a reboot has emptied. The order
    /// of the records does not matter, nor does it to give one twice: the latest time stays. Where
    /// the set is full of later windows nothing changes. Claims may run meanwhile.
    ///
    /// - Parameter time: of the valid click, microseconds since 1970.
    public func restore(key: UInt64, time: Int64) {
        precondition(key != 0 && time > 0, "0 marks an entry that was never used")
        let set = words + Int(truncatingIfNeeded: key & setMask) &* DedupeWindow.setBytes
        while true {
            // As of `time`, every later window is open or looks ahead; so only the times decide.
            var least: (position: Int, key: UInt64, time: Int64) = (0, 0, .max)
            var position = 0
            while position < DedupeWindow.entriesPerSet {
                let (entryKey, entryTime) = load(set, position)
                if entryKey == key {
                    least = (position, entryKey, entryTime)
                    break
                }
                if entryTime < least.time { least = (position, entryKey, entryTime) }
                if entryTime == 0 { break }
                position += 1
            }
            if least.time >= time { return }
            if swap(set, least.position, from: (least.key, least.time), to: (key, time)) { return }
        }
    }

    /// Takes back the windows of clicks that were claimed but never written down, because the
    /// process ended between the two: their shoppers got no answer and will click again.
    ///
    /// To be called before the first claim: it does not bear other threads.
    ///
    /// - Parameters:
    ///   - time: claims from here on are doubted; the time of the oldest among the workers' last
    ///     frames is early enough.
    ///   - isRecorded: whether a valid click of this key and time is among the records.
    /// - Returns: how many were taken back.
    public func withdraw(
        since time: Int64, unlessRecorded isRecorded: (_ key: UInt64, _ time: Int64) -> Bool
    ) -> Int {
        var withdrawn = 0
        for index in 0..<memory.bytes.count / DedupeWindow.entryBytes {
            let (key, entryTime) = load(words, index)
            guard entryTime >= time, entryTime != 0, !isRecorded(key, entryTime) else { continue }
            // Not freed: behind a free entry nobody looks. At 1 it is over, and the first to go.
            if swap(words, index, from: (key, entryTime), to: (key, 1)) { withdrawn += 1 }
        }
        return withdrawn
    }

    @usableFromInline
    enum Finding {
        /// The pair's window is open.
        case open
        /// The pair is there, its window is over.
        case over(position: Int, time: Int64)
        /// The pair is not there; this entry is the one to replace.
        case absent(position: Int, key: UInt64, time: Int64)
    }

    @inlinable
    @inline(always)
    func look(for key: UInt64, in set: UnsafeMutableRawPointer, now: Int64) -> Finding {
        var leastPosition = 0
        var leastKey: UInt64 = 0
        var leastTime: Int64 = 0
        var leastAge = Int64.max
        var position = 0
        while position < DedupeWindow.entriesPerSet {
            let (entryKey, entryTime) = load(set, position)
            if entryKey == key {
                return isOpen(since: entryTime, now: now)
                    ? .open : .over(position: position, time: entryTime)
            }
            let age = entryTime > now &+ DedupeWindow.clockStepMicroseconds ? 0 : entryTime
            if age < leastAge {
                (leastPosition, leastKey, leastTime, leastAge) =
                    (position, entryKey, entryTime, age)
            }
            // Entries fill in order, so behind one that was never used there is nothing.
            if entryTime == 0 { break }
            position &+= 1
        }
        return .absent(position: leastPosition, key: leastKey, time: leastTime)
    }

    /// A time slightly ahead belongs to a worker whose clock reading is younger than ours.
    @inlinable
    @inline(always)
    func isOpen(since time: Int64, now: Int64) -> Bool {
        let age = now &- time
        return age < windowMicroseconds && age >= -DedupeWindow.clockStepMicroseconds
    }

    /// Both words as they stood together. Two plain loads and a second look at the key: a 128-bit
    /// atomic load would be a compare-and-swap, and so take the line from every other worker.
    @inlinable
    @inline(always)
    func load(
        _ set: UnsafeMutableRawPointer, _ position: Int
    ) -> (key: UInt64, time: Int64) {
        let entry = (set + position &* DedupeWindow.entryBytes)
            .assumingMemoryBound(to: Atomic<UInt64>.self)
        while true {
            let key = entry[0].load(ordering: .acquiring)
            let time = entry[1].load(ordering: .acquiring)
            if entry[0].load(ordering: .relaxed) == key { return (key, Int64(bitPattern: time)) }
        }
    }

    @inlinable
    @inline(always)
    func swap(
        _ set: UnsafeMutableRawPointer, _ position: Int, from old: (UInt64, Int64),
        to new: (UInt64, Int64)
    ) -> Bool {
        let entry = (set + position &* DedupeWindow.entryBytes)
            .assumingMemoryBound(to: Atomic<WordPair>.self)
        return entry.pointee.compareExchange(
            expected: WordPair(first: UInt(old.0), second: UInt(bitPattern: Int(old.1))),
            desired: WordPair(first: UInt(new.0), second: UInt(bitPattern: Int(new.1))),
            ordering: .acquiringAndReleasing
        ).exchanged
    }
}
