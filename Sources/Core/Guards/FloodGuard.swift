// HOT: one count a click. Bench: Benchmarks/Edge, keep-alive row.
//
// The flood guard says how many clicks an address has made in the last minute. A click over the
// limit is held and a person looks at it, so the count must never be too high.
//
// Layout: a power-of-two number of sets. A set is one cache line of eight key words, and for each a
// block of 128 bytes, sixteen words, right behind the line: in most sets all of it is one page. A
// click touches the key line and one block.
//
//     key word    tag, 40 bits of the key (the top one always set); second of last click, 24 bits
//     block word  stamp, 20 bits; four counts of 11 bits, one a second
//
// Second s is counted in block word (s / 4) mod 16, count s mod 4. The stamp is the low 20 bits of
// s / 4 exclusive-or 20 bits of the tag. A word whose stamp is not the one expected counts as
// zeros: it is of another minute, or of the address that had the entry before. So nothing is ever
// cleared, and each change is one 64-bit compare-and-swap that cannot count for the wrong address
// or time.
//
// Error bound: the window is the current second and the 59 before it, by the clock's whole seconds.
// So clicks of the last 59 s are all counted, and none older than 60 s. An address with no more
// than the limit in any 60 s is never said to be over it; one with more than the limit in 59 s
// always is. The exceptions, by arithmetic: two addresses share set and tag (39 bits) once in 5 ·
// 10¹¹ pairs; an address inherits its predecessor's counts if 20 stamp bits agree, in less than 1
// of 60,000 evictions; a stamp returns after 48 days, and matters if an address then comes back to
// the minute; two workers that meet a new address of a full set within the same nanoseconds may
// each take an entry for it, so that one click is missing from its minute.
//
// `kill -9`: as each change is one swap of one word, whatever the moment the memory is a table.
//
// At the bound the address that has been quiet longest goes first. Addresses that a set cannot hold
// at once lose their counts: the guard then says less, never more.

import Clicks
import Synchronization

/// What an address has done, this click included.
public struct FloodAnswer: Equatable, Sendable, BitwiseCopyable {
    /// Clicks in the last minute. Counts of one second stop at ``FloodGuard/secondClicksMax``.
    public let clicksInWindow: Int
    /// Over the limit: the click is held.
    public let isFlood: Bool
    /// What becomes of the record.
    public let fold: FoldDecision

    @inlinable
    init(clicksInWindow: Int, isFlood: Bool, fold: FoldDecision) {
        self.clicksInWindow = clicksInWindow
        self.isFlood = isFlood
        self.fold = fold
    }
}

/// The entry that an address has in a ``FloodGuard``, or would take, and what that held when it was
/// looked for.
public struct FloodHint: Sendable, BitwiseCopyable {
    /// Where its key word is, in words; see ``FloodGuard/block(_:)``.
    @usableFromInline let index: Int
    @usableFromInline let word: UInt64

    @inlinable
    init(index: Int, word: UInt64) {
        self.index = index
        self.word = word
    }
}

/// Whether a click gets a record of its own.
public enum FoldDecision: UInt8, Sendable, BitwiseCopyable {
    case store
    /// Far over the limit: counted in one record per address, link and second, see ``FoldTable``.
    case fold
}

/// Counts the clicks of a bounded number of addresses over the last minute.
///
/// Shared by all workers without a lock. Memory: 136 bytes an address. Cost: three cache
/// lines a click.
public final class FloodGuard: @unchecked Sendable {
    // Protected by the compare-and-swap protocol of the head comment.
    private let memory: TableMemory
    /// Of all sets.
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>
    @usableFromInline let setMask: UInt64
    @usableFromInline let clicksPerMinuteMax: Int
    @usableFromInline let rowsPerMinuteMax: Int
    private let evicted = Atomic<UInt64>(0)

    @inlinable
    public static var entriesPerSet: Int { 8 }
    /// The largest count that one second can hold. Limits stay below it, so that a count that has
    /// stopped is over every limit.
    @inlinable
    public static var secondClicksMax: Int { 2047 }
    @inlinable
    static var blockWords: Int { 16 }
    @inlinable
    static var setWords: Int { entriesPerSet * (1 + blockWords) }
    private static let setBytes = setWords * 8
    @inlinable
    static var windowSeconds: Int64 { 60 }

    @inlinable
    static var secondMask: UInt64 { 0xFF_FFFF }
    @inlinable
    static var stampMask: UInt64 { 0xF_FFFF }
    @inlinable
    static var countsMask: UInt64 { 1 << 44 - 1 }
    /// Counts 0 and 2 of a word, with room between them to add sixteen words up.
    private static let evenCounts: UInt64 = 0x7FF | 0x7FF << 22

    /// - Parameters:
    ///   - clicksPerMinuteMax: more are a flood.
    ///   - rowsPerMinuteMax: more get no record of their own. At least the former.
    ///   - memory: as many bytes as ``tableBytes(entriesMin:)`` says, zeroed or as a guard of the
    ///     same layout and key left it. The limits may have changed.
    public init(clicksPerMinuteMax: Int, rowsPerMinuteMax: Int, memory: TableMemory) {
        precondition(
            0 < clicksPerMinuteMax && clicksPerMinuteMax <= rowsPerMinuteMax
                && rowsPerMinuteMax < FloodGuard.secondClicksMax,
            "the limits of a flood are in order and below what a second can count")
        let sets = memory.bytes.count / FloodGuard.setBytes
        precondition(
            sets > 0 && sets & (sets - 1) == 0 && sets <= 1 << 24
                && memory.bytes.count == sets * FloodGuard.setBytes,
            "a flood table has a power of two of sets, no more than the key's low bits tell apart")
        self.clicksPerMinuteMax = clicksPerMinuteMax
        self.rowsPerMinuteMax = rowsPerMinuteMax
        self.memory = memory
        setMask = UInt64(sets - 1)
        words = memory.bytes.baseAddress!.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    public convenience init(clicksPerMinuteMax: Int, rowsPerMinuteMax: Int, entriesMin: Int) {
        self.init(
            clicksPerMinuteMax: clicksPerMinuteMax, rowsPerMinuteMax: rowsPerMinuteMax,
            memory: .heap(bytes: FloodGuard.tableBytes(entriesMin: entriesMin)))
    }

    /// Changes with the meaning of the table's bytes; part of a shared table's form.
    public static let layoutVersion: UInt64 = 2

    /// The memory that so many addresses take, rounded up to a power of two.
    public static func tableBytes(entriesMin: Int) -> Int {
        precondition(entriesMin > 0, "a table has room")
        var sets = 1
        while sets * entriesPerSet < entriesMin { sets *= 2 }
        return sets * setBytes
    }

    /// Addresses that were forgotten within a minute of their last click, since start.
    public var evictions: UInt64 { evicted.load(ordering: .relaxed) }

    public var entries: Int { (Int(setMask) + 1) * FloodGuard.entriesPerSet }

    /// About how many addresses have clicked within a minute: counted in a thousand sets spread
    /// over the table.
    public func activeAddresses(now: Int64) -> Int {
        let sets = Int(setMask) + 1
        let step = max(1, sets / 1024)
        let stamp = UInt64(truncatingIfNeeded: now / 1_000_000) & FloodGuard.secondMask
        var (active, seen) = (0, 0)
        for set in stride(from: 0, to: sets, by: step) {
            seen += 1
            for position in 0..<FloodGuard.entriesPerSet {
                let word = words[set * FloodGuard.setWords + position].load(ordering: .relaxed)
                if word == 0 { break }
                if FloodGuard.age(of: word, at: stamp) < FloodGuard.windowSeconds { active += 1 }
            }
        }
        return active * sets / seen
    }

    /// Has the address's set fetched, for a count that comes soon.
    @inlinable
    public func prefetch(key: UInt64) {
        CacheLine.fetch(words + set(of: key))
    }

    /// The second step of a count that comes soon, when the set is there: has the address's counts
    /// fetched, or those that a newcomer's first click will be written over.
    ///
    /// - Parameter second: since 1970.
    /// - Returns: spares a count of this address to look for its entry, at this moment or later.
    @inlinable
    @inline(always)
    public func prefetchCounts(key: UInt64, second: Int64) -> FloodHint {
        let hint = look(for: key, stamp: FloodGuard.stamp(of: second))
        let block = block(hint.index)
        if (hint.word ^ FloodGuard.tag(of: key)) <= FloodGuard.secondMask {
            CacheLine.fetch(block)
            CacheLine.fetch(block + CacheLine.bytes / 8)
        } else {
            CacheLine.fetch(block + FloodGuard.wordIndex(of: second))
        }
        return hint
    }

    /// Counts one click.
    ///
    /// - Parameters:
    ///   - key: stands for the subscriber's address, evenly spread over 64 bits under a secret key.
    ///   - now: microseconds since 1970.
    public func count(key: UInt64, now: Int64) -> FloodAnswer {
        let second = now / 1_000_000
        let hint = look(for: key, stamp: FloodGuard.stamp(of: second))
        return count(key: key, second: second, near: hint)
    }

    /// The same, and no dearer than it has to be.
    ///
    /// - Parameters:
    ///   - second: since 1970.
    ///   - hint: what ``prefetchCounts(key:second:)`` said of this key. The count is the same,
    ///     whatever has been counted since.
    @inlinable
    @inline(always)
    public func count(key: UInt64, second: Int64, near hint: FloodHint) -> FloodAnswer {
        let place = entry(of: key, second: second, near: hint)
        add(1, key: key, second: second, to: place.block)
        // One click is over no limit.
        if place.isQuiet { return FloodAnswer(clicksInWindow: 1, isFlood: false, fold: .store) }
        let clicks = sum(of: place.block, key: key, second: second)
        return FloodAnswer(
            clicksInWindow: clicks, isFlood: clicks > clicksPerMinuteMax,
            fold: clicks > rowsPerMinuteMax ? .fold : .store)
    }

    /// Counts a recorded click again, for a table that a reboot has emptied; each record once.
    /// Records of one minute may come in any order: the spool has a segment for each worker.
    ///
    /// - Parameter clicks: how many the record stands for.
    public func restore(key: UInt64, time: Int64, clicks: UInt32) {
        let second = time / 1_000_000
        let hint = look(for: key, stamp: FloodGuard.stamp(of: second))
        let place = entry(of: key, second: second, near: hint)
        add(UInt64(clicks), key: key, second: second, to: place.block)
    }

    // MARK: Entries

    @usableFromInline
    struct Place {
        @usableFromInline let block: UnsafeMutablePointer<Atomic<UInt64>>
        /// Whether the address has made no click that counts: it is new here, or has been silent
        /// for a minute, as nearly all are.
        @usableFromInline let isQuiet: Bool

        @inlinable
        init(block: UnsafeMutablePointer<Atomic<UInt64>>, isQuiet: Bool) {
            self.block = block
            self.isQuiet = isQuiet
        }
    }

    /// Finds the address's entry and notes that it was used, or takes the quietest one for it.
    @inlinable
    @inline(always)
    func entry(of key: UInt64, second: Int64, near hint: FloodHint) -> Place {
        let tag = FloodGuard.tag(of: key)
        let stamp = FloodGuard.stamp(of: second)
        var hint = hint
        while true {
            let word = words[hint.index].load(ordering: .relaxed)
            if (word ^ tag) <= FloodGuard.secondMask {
                return used(word, at: hint.index, stamp: stamp)
            }
            // As long as nobody has touched the quietest entry, nobody has taken it, and it is the
            // quietest: the others' silence grows no faster.
            if word == hint.word, take(hint, tag: tag, stamp: stamp) {
                // Its block may hold this address's own counts from before it was pushed out; they
                // count again from the next click on, and to add them up for the rare one that was
                // would cost every newcomer.
                return Place(block: block(hint.index), isQuiet: true)
            }
            hint = search(for: key, stamp: stamp)
        }
    }

    /// The address's entry, else the one of its set that was never used or has been quiet longest.
    @inlinable
    @inline(always)
    func look(for key: UInt64, stamp: UInt64) -> FloodHint {
        let set = set(of: key)
        let tag = FloodGuard.tag(of: key)
        var position = 0
        while position < FloodGuard.entriesPerSet {
            let word = words[set &+ position].load(ordering: .relaxed)
            // Entries fill in order, so behind one that was never used there is nothing.
            if (word ^ tag) <= FloodGuard.secondMask || word == 0 {
                return FloodHint(index: set &+ position, word: word)
            }
            position &+= 1
        }
        return quietest(of: set, stamp: stamp) ?? search(for: key, stamp: stamp)
    }

    /// The entry of a full set that has been quiet longest; nil if another worker has just taken
    /// it.
    @inline(never)
    @usableFromInline
    func quietest(of set: Int, stamp: UInt64) -> FloodHint? {
        // The entry's silence, and below it its place, the first being the greatest.
        var quietest: UInt64 = 0
        var position = 0
        while position < FloodGuard.entriesPerSet {
            let word = words[set &+ position].load(ordering: .relaxed)
            let silence = FloodGuard.silence(of: word, at: stamp) &<< 3
            let candidate = silence | UInt64(FloodGuard.entriesPerSet &- 1 &- position)
            quietest = candidate > quietest ? candidate : quietest
            position &+= 1
        }
        let index = set &+ FloodGuard.entriesPerSet &- 1 &- Int(truncatingIfNeeded: quietest & 7)
        let word = words[index].load(ordering: .relaxed)
        let isTaken = FloodGuard.silence(of: word, at: stamp) != quietest &>> 3
        return isTaken ? nil : FloodHint(index: index, word: word)
    }

    /// The same, after another worker's click at this set; each further round is one more of them,
    /// perhaps of this address.
    @inline(never)
    @usableFromInline
    func search(for key: UInt64, stamp: UInt64) -> FloodHint {
        let set = set(of: key)
        let tag = FloodGuard.tag(of: key)
        while true {
            for index in set..<set + FloodGuard.entriesPerSet {
                let word = words[index].load(ordering: .relaxed)
                if (word ^ tag) <= FloodGuard.secondMask || word == 0 {
                    return FloodHint(index: index, word: word)
                }
            }
            if let hint = quietest(of: set, stamp: stamp) { return hint }
        }
    }

    /// Takes an entry for an address that has none, unless somebody else has changed it.
    @inlinable
    @inline(always)
    func take(_ hint: FloodHint, tag: UInt64, stamp: UInt64) -> Bool {
        let isTaken = words[hint.index].compareExchange(
            expected: hint.word, desired: tag | stamp, ordering: .relaxed
        ).exchanged
        if isTaken, hint.word != 0 { noteEviction(of: hint.word, stamp: stamp) }
        return isTaken
    }

    @inline(never)
    @usableFromInline
    func noteEviction(of word: UInt64, stamp: UInt64) {
        if FloodGuard.age(of: word, at: stamp) < FloodGuard.windowSeconds {
            evicted.add(1, ordering: .relaxed)
        }
    }

    /// The place of an entry that was found, which is noted to be used.
    @inline(never)
    @usableFromInline
    func used(_ word: UInt64, at index: Int, stamp: UInt64) -> Place {
        // If somebody else notes a time now, theirs is as good.
        let age = FloodGuard.age(of: word, at: stamp)
        var isFirst = false
        if age > 0 {
            isFirst =
                words[index].compareExchange(
                    expected: word, desired: word & ~FloodGuard.secondMask | stamp,
                    ordering: .relaxed
                ).exchanged
        }
        // Of clicks that end a silence together, one is the first; the others add up.
        return Place(
            block: block(index), isQuiet: isFirst && age >= FloodGuard.windowSeconds)
    }

    /// The second of an entry's last click, as the entry has it.
    @inlinable
    @inline(always)
    static func stamp(of second: Int64) -> UInt64 {
        UInt64(truncatingIfNeeded: second) & secondMask
    }

    @inlinable
    @inline(always)
    func block(_ index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        // A set has a multiple of eight words, so the lowest bits are the entry's place in it.
        words + (index | 7) + (1 &+ (index & 7) &* FloodGuard.blockWords)
    }

    /// Where an address's set begins, in words.
    @inlinable
    @inline(always)
    func set(of key: UInt64) -> Int {
        Int(truncatingIfNeeded: key & setMask) &* FloodGuard.setWords
    }

    @inlinable
    @inline(always)
    static func tag(of key: UInt64) -> UInt64 {
        (key | 1 << 63) & ~secondMask
    }

    /// Seconds since the entry's last click, at most 194 days, and a minute more. An entry ahead of
    /// us by up to a minute is another worker's, whose clock reading is younger; one further ahead
    /// is from before the clock was set back, and looks old.
    @inline(always)
    private static func silence(of word: UInt64, at stamp: UInt64) -> UInt64 {
        (stamp &+ UInt64(windowSeconds) &- word) & secondMask
    }

    /// Seconds since the entry's last click; 0 of one that is ahead of us.
    @inline(always)
    private static func age(of word: UInt64, at stamp: UInt64) -> Int64 {
        max(Int64(silence(of: word, at: stamp)) &- windowSeconds, 0)
    }

    // MARK: Counts

    /// The stamp of a period of four seconds, in its place.
    @inlinable
    @inline(always)
    static func stamp(_ key: UInt64, period: Int64) -> UInt64 {
        let bits = key &>> 24 ^ key &>> 44 ^ UInt64(truncatingIfNeeded: period)
        return (bits & stampMask) &<< 44
    }

    /// Which of a block's words counts a second.
    @inlinable
    @inline(always)
    static func wordIndex(of second: Int64) -> Int {
        Int(truncatingIfNeeded: second &>> 2 & 15)
    }

    @inlinable
    @inline(always)
    func add(
        _ clicks: UInt64, key: UInt64, second: Int64, to block: UnsafeMutablePointer<Atomic<UInt64>>
    ) {
        let period = second &>> 2
        let shift = UInt64(truncatingIfNeeded: second & 3) &* 11
        let fresh = FloodGuard.stamp(key, period: period)
        let index = FloodGuard.wordIndex(of: second)
        var word = block[index].load(ordering: .relaxed)
        while true {
            let base = word & ~FloodGuard.countsMask == fresh ? word : fresh
            let count = base &>> shift & 0x7FF
            let room = UInt64(FloodGuard.secondClicksMax) &- count
            let more = clicks < room ? clicks : room
            let (isDone, found) = block[index].compareExchange(
                expected: word, desired: base &+ more &<< shift, ordering: .relaxed)
            if isDone { return }
            word = found
        }
    }

    /// The clicks of the window.
    ///
    /// Most words are of another minute, and cost a comparison each.
    @inline(never)
    @usableFromInline
    func sum(
        of block: UnsafeMutablePointer<Atomic<UInt64>>, key: UInt64, second: Int64
    ) -> Int {
        let period = UInt64(truncatingIfNeeded: second &>> 2)
        let bits = key &>> 24 ^ key &>> 44
        // The stamps of this round of sixteen periods and of the one before, less the index.
        let round = period & ~15
        let current = (bits ^ round) &<< 44
        let previous = (bits ^ (round &- 16)) &<< 44
        // Of the oldest period only the seconds that are less than 60 s back. Its word is looked at
        // once: a worker whose clock is ahead may begin the next period in it meanwhile.
        let oldest = (period &+ 1) & 15
        var word = block[Int(truncatingIfNeeded: oldest)].load(ordering: .relaxed)
        word ^= (bits ^ (period &- 15)) &<< 44
        var sums: UInt64 = 0
        if word <= FloodGuard.countsMask {
            let seconds = UInt64(truncatingIfNeeded: second & 3) &+ 1
            FloodGuard.addCounts(of: word & (~0 &<< (seconds &* 11)), to: &sums)
        }
        @inline(always)
        func add(_ index: UInt64) {
            guard index != oldest else { return }
            let stamp = index <= period & 15 ? current : previous
            let word = block[Int(index)].load(ordering: .relaxed) ^ stamp ^ index &<< 44
            FloodGuard.addCounts(of: word, to: &sums)
        }
        // The compiler would not unroll a loop, whose bookkeeping is as much as its work.
        add(0); add(1); add(2); add(3); add(4); add(5); add(6); add(7)
        add(8); add(9); add(10); add(11); add(12); add(13); add(14); add(15)
        return Int(truncatingIfNeeded: sums & 0x3F_FFFF)
            &+ Int(truncatingIfNeeded: sums &>> 22 & 0x3F_FFFF)
    }

    /// - Parameter word: a block's word less the stamp it should have, so that one with another
    ///   stamp is larger than all counts.
    @inline(always)
    private static func addCounts(of word: UInt64, to sums: inout UInt64) {
        guard word <= countsMask else { return }
        sums &+= word & evenCounts
        sums &+= word &>> 11 & evenCounts
    }
}
