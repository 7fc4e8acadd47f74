// HOT for addresses under attack only.
//
// An address far over the limit is folded: its clicks on one link in one second become one record
// with a count, so that an attack cannot fill the disk and no total is lost. Records that differ in
// what a record must tell (verdict, reason, path, rule set) stay apart; there are few of those. A
// folded record has the identity and time of its first click and no texts.
//
// A click is answered when its turn's frame is written, but a fold waits for its second to end. So
// that `kill -9` loses no answered click, the table lies in a mapping that the next process opens.
// One worker writes it, and what the next process sees are this worker's stores in their order:
//
//     adding      the words of the click are stored, then its count (release); an entry without a
//                 count is free. From then on each click is one store of the count.
//     flushing    collect() hands entries to the spool and marks them; the spool is written;
//                 commit() frees them. The mark only lives within one process.
//     starting    what is found is handed to the spool as any other fold. If the last process ended
//                 between the spool's write and commit(), the record is in the spool: the caller
//                 compares the click's id with those in the newest segments and leaves it out.
//
// Layout: sets of eight entries of 128 bytes. Words of an entry: count and mark; id; gonggu; time;
// visitor; user; address; the small fields. A click is kept by the set that its address and link
// choose.
//
// At the bound: a set that is full takes no more (the click is then stored by itself, as below the
// limit), and a table three quarters full is due at once, not at the second's end.

import Clicks
import Synchronization

/// Counts the clicks of one worker that get no record of their own. Confined to that worker's
/// thread.
public final class FoldTable {
    private let memory: TableMemory
    private let base: UnsafeMutableRawPointer
    private let setMask: UInt64
    private let entries: Int
    private var used = 0
    private var oldestSecond = Int64.max

    private static let entriesPerSet = 8
    private static let entryBytes = 128
    private static let mark: UInt64 = 1 << 63

    /// Changes with the meaning of the table's bytes; part of a shared table's form.
    public static let layoutVersion: UInt64 = 1

    /// The memory that so many folds take, rounded up to a power of two.
    public static func tableBytes(entriesMin: Int) -> Int {
        precondition(entriesMin > 0, "a table has room")
        var sets = 1
        while sets * entriesPerSet < entriesMin { sets *= 2 }
        return sets * entriesPerSet * entryBytes
    }

    /// - Parameter memory: as many bytes as ``tableBytes(entriesMin:)`` says, zeroed or as a table
    ///   of the same layout left it; nobody else's.
    public init(memory: TableMemory) {
        entries = memory.bytes.count / FoldTable.entryBytes
        let sets = entries / FoldTable.entriesPerSet
        precondition(
            sets > 0 && sets & (sets - 1) == 0
                && memory.bytes.count == sets * FoldTable.entriesPerSet * FoldTable.entryBytes,
            "a fold table has a power of two of sets")
        self.memory = memory
        base = memory.bytes.baseAddress!
        setMask = UInt64(sets - 1)
        for index in 0..<entries where count(at: index) != 0 {
            // A mark of the last process means nothing to this one.
            setCount(count(at: index) & ~FoldTable.mark, at: index)
            used += 1
            // Whatever its second was, it is over.
            oldestSecond = 0
        }
    }

    /// Whether it holds no fold.
    public var isEmpty: Bool { used == 0 }

    /// Whether folds are to be flushed at the end of this turn: a second is over, or little room
    /// left. A loop that waits wakes up within a second while the table is not empty.
    /// A second ahead is over too: the clock was set back, and nothing waits for it to come again.
    public func isDue(now: Int64) -> Bool {
        used > 0 && (oldestSecond != now / 1_000_000 || used * 4 >= entries * 3)
    }

    /// The folds as they stand, in no order. For starting: it goes through the whole table.
    public var folds: [Click] {
        (0..<entries).filter { count(at: $0) != 0 }.map { index in
            var click = read(at: index)
            click.count = FoldTable.recordCount(count(at: index) & ~FoldTable.mark)
            return click
        }
    }

    /// Forgets folds that the last process has written down and did not live to ``commit()``.
    ///
    /// - Parameter isWritten: whether a record of this id is in the spool.
    /// - Returns: how many were forgotten.
    @discardableResult
    public func forget(ifWritten isWritten: (Identifier) -> Bool) -> Int {
        var forgotten = 0
        for index in 0..<entries where count(at: index) != 0 {
            guard isWritten(Identifier(high: word(index, 1), low: word(index, 2))) else { continue }
            setCount(0, at: index)
            used -= 1
            forgotten += 1
        }
        return forgotten
    }

    /// Counts a click on the fold of its address, link and second.
    ///
    /// - Parameters:
    ///   - click: its `count` is what is added. Of its address the subscriber's part tells folds
    ///     apart.
    ///   - addressKey: what the flood guard counts the address by.
    /// - Returns: false if there is no room: the click is to be stored by itself.
    public func add(_ click: Click, addressKey: UInt64) -> Bool {
        let hash =
            (addressKey ^ click.gongguID.low &* 0xBF58_476D_1CE4_E5B9) &* 0x9E37_79B9_7F4A_7C15
        let first = Int(truncatingIfNeeded: hash &>> 32 & setMask) &* FoldTable.entriesPerSet
        let second = click.time.microseconds / 1_000_000
        var free = -1
        for index in first..<first &+ FoldTable.entriesPerSet {
            let count = count(at: index)
            if count == 0 {
                if free < 0 { free = index }
                continue
            }
            if count & FoldTable.mark == 0, isFold(at: index, of: click, second: second) {
                setCount(count &+ UInt64(click.count), at: index)
                return true
            }
        }
        guard free >= 0 else { return false }
        write(click, at: free)
        setCount(UInt64(click.count), at: free)
        used += 1
        if second < oldestSecond { oldestSecond = second }
        return true
    }

    /// Hands folds to be written down, whole seconds' and, if there is little room, all. They stay
    /// until ``commit()``, or ``rollback()`` if the write failed.
    ///
    /// - Parameter append: takes one; false if it has no room for it now, which ends the handing.
    /// - Returns: how many were taken.
    @discardableResult
    public func collect(now: Int64, append: (Click) -> Bool) -> Int {
        let all = used * 4 >= entries * 3
        let second = now / 1_000_000
        var taken = 0
        for index in 0..<entries {
            let count = count(at: index)
            guard count != 0, count & FoldTable.mark == 0 else { continue }
            var click = read(at: index)
            guard all || click.time.microseconds / 1_000_000 != second || oldestSecond == 0 else {
                continue
            }
            click.count = FoldTable.recordCount(count)
            guard append(click) else { break }
            setCount(count | FoldTable.mark, at: index)
            taken += 1
        }
        return taken
    }

    /// The folds that were collected are written down: forgets them.
    public func commit() {
        settle { _ in 0 }
    }

    /// They are not: keeps them for the next time.
    public func rollback() {
        settle { $0 & ~FoldTable.mark }
    }

    private func settle(_ settled: (UInt64) -> UInt64) {
        used = 0
        oldestSecond = .max
        for index in 0..<entries {
            var count = count(at: index)
            guard count != 0 else { continue }
            if count & FoldTable.mark != 0 {
                count = settled(count)
                setCount(count, at: index)
                if count == 0 { continue }
            }
            used += 1
            oldestSecond = min(oldestSecond, word(index, 5).asTime / 1_000_000)
        }
    }

    // MARK: Entries

    /// The count is what publishes an entry, so its store comes after all others.
    private func setCount(_ count: UInt64, at index: Int) {
        (base + index &* FoldTable.entryBytes).assumingMemoryBound(to: Atomic<UInt64>.self)
            .pointee.store(count, ordering: .releasing)
    }

    private func count(at index: Int) -> UInt64 {
        (base + index &* FoldTable.entryBytes).assumingMemoryBound(to: Atomic<UInt64>.self)
            .pointee.load(ordering: .acquiring)
    }

    private static func recordCount(_ count: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: min(count, UInt64(UInt32.max)))
    }

    private func word(_ index: Int, _ offset: Int) -> UInt64 {
        base.load(fromByteOffset: index &* FoldTable.entryBytes &+ offset &* 8, as: UInt64.self)
    }

    private func isFold(at index: Int, of click: Click, second: Int64) -> Bool {
        let subscriber = click.address.subscriber
        let kept = NetworkAddress(high: word(index, 9), low: word(index, 10)).subscriber
        return word(index, 3) == click.gongguID.high && word(index, 4) == click.gongguID.low
            && word(index, 5).asTime / 1_000_000 == second && kept == subscriber
            && word(index, 11) == FoldTable.smallFields(of: click)
    }

    private static func smallFields(of click: Click) -> UInt64 {
        UInt64(click.ruleSet.version) | UInt64(click.reason) &<< 16
            | UInt64(click.verdict.rawValue) &<< 32 | UInt64(click.path.rawValue) &<< 40
    }

    private func write(_ click: Click, at index: Int) {
        func put(_ offset: Int, _ word: UInt64) {
            base.storeBytes(
                of: word, toByteOffset: index &* FoldTable.entryBytes &+ offset &* 8,
                as: UInt64.self)
        }
        put(1, click.id.high)
        put(2, click.id.low)
        put(3, click.gongguID.high)
        put(4, click.gongguID.low)
        put(5, UInt64(bitPattern: click.time.microseconds))
        put(6, click.visitorKey)
        put(7, click.userID.high)
        put(8, click.userID.low)
        put(9, click.address.high)
        put(10, click.address.low)
        put(11, FoldTable.smallFields(of: click))
    }

    private func read(at index: Int) -> Click {
        let small = word(index, 11)
        return Click(
            id: Identifier(high: word(index, 1), low: word(index, 2)),
            gongguID: Identifier(high: word(index, 3), low: word(index, 4)),
            time: Timestamp(microseconds: word(index, 5).asTime), visitorKey: word(index, 6),
            userID: Identifier(high: word(index, 7), low: word(index, 8)),
            address: NetworkAddress(high: word(index, 9), low: word(index, 10)),
            ruleSet: RuleSet(version: UInt16(truncatingIfNeeded: small)),
            reason: UInt16(truncatingIfNeeded: small &>> 16),
            // A byte that no version has written can only come from a damaged file; the click is
            // held then, and a person looks at it.
            verdict: Verdict(rawValue: UInt8(truncatingIfNeeded: small &>> 32)) ?? .flood,
            path: ClickPath(rawValue: UInt8(truncatingIfNeeded: small &>> 40)) ?? .redirect)
    }
}

extension UInt64 {
    fileprivate var asTime: Int64 { Int64(bitPattern: self) }
}
