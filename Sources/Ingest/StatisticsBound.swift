// HOT: once a line of the statistics. Channel and referer come from clients, so the number of lines
// is bounded here: whoever invents a new one with every click fills one line, not the table.

import Clicks
import Glibc

/// What tells one line of the hourly statistics from another: four words, texts as places in
/// ``KnownTexts``.
struct StatisticsLine {
    static let microsecondsPerHour = 3600 * Timestamp.microsecondsPerSecond

    let key: WordTable.Key

    init(_ key: WordTable.Key) { self.key = key }

    @inline(__always)
    init(_ click: Click, country: UInt16, device: UInt8, channel: Int32, host: Int32) {
        // No click is from before 1970, see ``ClickBatch/times``.
        let hour = UInt64(
            truncatingIfNeeded: click.time.microseconds / StatisticsLine.microsecondsPerHour)
        key = (
            click.gongguID.high, click.gongguID.low,
            hour | UInt64(click.verdict.rawValue) << 32 | UInt64(device) << 40
                | UInt64(country) << 48,
            UInt64(UInt32(bitPattern: channel)) | UInt64(UInt32(bitPattern: host)) << 32
        )
    }

    var gongguID: Identifier { Identifier(high: key.0, low: key.1) }
    var hourMicros: Int64 {
        Int64(UInt32(truncatingIfNeeded: key.2)) * StatisticsLine.microsecondsPerHour
    }
    var verdict: UInt8 { UInt8(truncatingIfNeeded: key.2 >> 32) }
    var device: UInt8 { UInt8(truncatingIfNeeded: key.2 >> 40) }
    var country: UInt16 { UInt16(truncatingIfNeeded: key.2 >> 48) }
    var channel: Int32 { Int32(truncatingIfNeeded: key.3) }
    var host: Int32 { Int32(truncatingIfNeeded: key.3 >> 32) }

    /// A line of no gonggu and hour, for its dimensions alone.
    init(dimensions: WordTable.Key) { key = dimensions }

    /// All that tells it from others of its gonggu and hour.
    var dimensions: WordTable.Key { (0, 0, key.2 & ~0xFFFF_FFFF, key.3) }
    /// The gonggu, hour and verdict.
    var group: WordTable.Key { (key.0, key.1, key.2 & 0xFF_FFFF_FFFF, .max) }
    /// The channel and referer host within the group.
    var pair: WordTable.Key { (key.0, key.1, key.2 & 0xFF_FFFF_FFFF, key.3) }
    /// The line that sums those of its group, country and device whose pairs have none of their
    /// own.
    func amongOthers(channel: Int32, host: Int32) -> StatisticsLine {
        StatisticsLine(
            (
                key.0, key.1, key.2,
                UInt64(UInt32(bitPattern: channel)) | UInt64(UInt32(bitPattern: host)) << 32
            ))
    }
}

/// Which pairs of channel and referer host have lines of their own: the first ``pairsMax`` that are
/// seen of a gonggu, hour and verdict. All others are summed in a line with no channel and the
/// referer host ``otherHost``, so totals are exact whatever a client sends.
///
/// Remembered from batch to batch, as hours have many; at ``rememberedMax`` pairs all is forgotten,
/// and so it is when the process ends. Then the next of that hour are taken as the first, so an
/// hour can have a multiple of the bound, never one line a click.
final class StatisticsBound {
    static let pairsMax = 200
    /// Less than half of a table's places.
    static let rememberedMax = 200_000
    /// No host: a name has no parentheses.
    static let otherHost = "(other)"

    private static let mask = 1 << 19 - 1
    private let seed = UInt64.random(in: .min ... .max)
    /// Open tables: 0 is free, and a key is found by going on from its hash until a free one. A
    /// hash stands for its key: two pairs that share one share a place, which is of no consequence.
    private let pairs = StatisticsBound.makeTable()
    /// Of a group 48 bits of its hash, and how many pairs it has in the other 16.
    private let groups = StatisticsBound.makeTable()
    private var pairsCount = 0

    deinit {
        pairs.deallocate()
        groups.deallocate()
    }

    /// 4 MiB of zeroes, which take no memory before they are used.
    private static func makeTable() -> UnsafeMutablePointer<UInt64> {
        guard let zeroes = calloc(mask + 1, MemoryLayout<UInt64>.stride) else {
            preconditionFailure("the machine has some memory left")
        }
        return zeroes.assumingMemoryBound(to: UInt64.self)
    }

    /// Has what ``admits(_:)`` will look at fetched.
    @inline(__always)
    func fetch(_ line: StatisticsLine) {
        let pair = SeededHash.of(line.pair, seed: seed) | 1
        CacheLine.fetch(pairs + (Int(truncatingIfNeeded: pair >> 1) & StatisticsBound.mask))
        let hash = SeededHash.of(line.group, seed: seed)
        CacheLine.fetch(groups + (Int(truncatingIfNeeded: hash) & StatisticsBound.mask))
    }

    /// Whether the line's pair is among the first of its group.
    func admits(_ line: StatisticsLine) -> Bool {
        let pair = SeededHash.of(line.pair, seed: seed) | 1
        var slot = Int(truncatingIfNeeded: pair >> 1) & StatisticsBound.mask
        while pairs[slot] != 0 {
            if pairs[slot] == pair { return true }
            slot = (slot &+ 1) & StatisticsBound.mask
        }
        let hash = SeededHash.of(line.group, seed: seed)
        let group = (hash | 1 << 63) & ~0xFFFF
        var place = Int(truncatingIfNeeded: hash) & StatisticsBound.mask
        while groups[place] != 0, groups[place] & ~0xFFFF != group {
            place = (place &+ 1) & StatisticsBound.mask
        }
        let count = groups[place] & 0xFFFF
        guard count < StatisticsBound.pairsMax else { return false }
        if pairsCount >= StatisticsBound.rememberedMax {
            removeAll()
            return admits(line)
        }
        pairs[slot] = pair
        pairsCount += 1
        groups[place] = group | (count + 1)
        return true
    }

    func removeAll() {
        guard pairsCount > 0 else { return }
        pairsCount = 0
        for table in [pairs, groups] {
            table.update(repeating: 0, count: StatisticsBound.mask + 1)
        }
    }
}
