// HOT: once a click. Bench: Benchmarks/Edge.
//
// Nearly every agent is a browser's, and the automaton's seven instructions a byte are too many to
// learn so again and again. The sieve looks at pairs of bytes, every other byte: it lets an agent
// pass if no four bytes in a row, from an even place on, could belong to a machine's pattern.
// It may hold back an agent for nothing, never let one pass that the automaton would refuse.

/// The sieve, in flat memory that lives until ``deallocate()``.
///
/// Bytes are folded by `& 0x5F`, which forgets case and, harmlessly, more. An agent with a byte
/// from 0x80 is held back, so folding never makes a letter of what is none.
///
/// For each pattern, and for each parity of the place where it might start, one window of four
/// bytes is chosen in it, or overhanging by one byte. The window's first pair sets a bit in
/// `first`, its second pair the same bit in `second`: sixteen bits, sixteen buckets of windows.
///
/// Invariant: immutable after `init`, so threads may share it. Folded pairs are below `pairs`.
struct BotSieve: @unchecked Sendable, BitwiseCopyable {
    /// `Mozilla/`, little-endian. Agents that begin otherwise are held back.
    static var mozilla: UInt64 { 0x2F61_6C6C_697A_6F4D }
    private static var fold: UInt64 { 0x5F5F_5F5F_5F5F_5F5F }
    private static let pairs = 0x5F5F + 1

    private let first: UnsafeMutablePointer<UInt16>
    private let second: UnsafeMutablePointer<UInt16>

    /// - Parameter ordinary: agents of people, by which windows are chosen that rarely fire.
    init(_ rules: [BotRule], ordinary: [[UInt8]]) {
        first = .allocate(capacity: BotSieve.pairs)
        second = .allocate(capacity: BotSieve.pairs)
        first.initialize(repeating: 0, count: BotSieve.pairs)
        second.initialize(repeating: 0, count: BotSieve.pairs)
        let mozilla = Array("mozilla/".utf8)
        guard rules.contains(where: \.isMozilla) else {
            // Nothing may pass: what begins with Mozilla/ is no browser's in this table.
            first.update(repeating: 0xFFFF, count: BotSieve.pairs)
            second.update(repeating: 0xFFFF, count: BotSieve.pairs)
            return
        }
        var plan = SievePlan(ordinary: ordinary, first: first, second: second)
        for rule in rules where rule.layer.numbers != nil && !rule.isForTheRest {
            // Patterns at the start, other than Mozilla's own, are not met by what may pass.
            let reach = min(rule.text.count, mozilla.count)
            if rule.isAtStart && rule.text[..<reach] != mozilla[..<reach] { continue }
            plan.add(rule)
        }
    }

    /// Shorter than any of today's browsers names itself: platform, engine and product.
    private static let bytesOfBrowsersMin = 64

    /// Whether an agent that says `Mozilla/5` has so little behind it that it must name an engine,
    /// by a line of the layer `browser`, to be a browser's: it is short, or ends with its platform,
    /// the first parenthesis.
    static func mustNameEngine(_ base: UnsafeRawPointer, _ count: Int) -> Bool {
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        guard count > 8, bytes[8] == UInt8(ascii: "5") else { return false }
        if count < bytesOfBrowsersMin { return true }
        let end = UInt8(ascii: ")")
        guard bytes[count &- 1] == end else { return false }
        var index = 8
        while bytes[index] != end { index &+= 1 }
        return index == count &- 1
    }

    /// Called once, by the table that owns the sieve.
    func deallocate() {
        first.deallocate()
        second.deallocate()
    }

    /// Whether no rule can match, so that the agent is a person's.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    func letsPass(_ base: UnsafeRawPointer, _ count: Int) -> Bool {
        guard count >= 8 else { return false }
        guard BotSieve.word(base, 0) == BotSieve.mozilla else { return false }
        if BotSieve.mustNameEngine(base, count) { return false }
        var hits: UInt16 = 0
        var previous: UInt16 = 0
        var all: UInt64 = 0
        var offset = 0
        while offset &+ 8 <= count {
            let word = BotSieve.word(base, offset)
            all |= word
            look(word, &previous, &hits)
            if hits != 0 { return false }
            offset &+= 8
        }
        // What is left, with zeros behind it: the last window may overhang the end.
        let left = count & 7
        let word = left == 0 ? 0 : BotSieve.word(base, count &- 8) &>> UInt64(64 &- 8 &* left)
        look(word, &previous, &hits)
        return hits == 0 && (all | word) & 0x8080_8080_8080_8080 == 0
    }

    @inline(always)
    private func look(_ word: UInt64, _ previous: inout UInt16, _ hits: inout UInt16) {
        let folded = word & BotSieve.fold
        let pair0 = Int(truncatingIfNeeded: folded & 0xFFFF)
        let pair1 = Int(truncatingIfNeeded: folded &>> 16 & 0xFFFF)
        let pair2 = Int(truncatingIfNeeded: folded &>> 32 & 0xFFFF)
        let pair3 = Int(truncatingIfNeeded: folded &>> 48)
        hits |= previous & second[pair0]
        hits |= first[pair0] & second[pair1]
        hits |= first[pair1] & second[pair2]
        hits |= first[pair2] & second[pair3]
        previous = first[pair3]
    }

    @inline(always)
    private static func word(_ base: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        UInt64(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

/// Four bytes in a row as the sieve knows them: sets of folded bytes.
private struct SieveWindow {
    let firstPairs: [Int]
    let secondPairs: [Int]

    init(_ sets: [[Int]]) {
        firstPairs = SieveWindow.pairs(sets[0], sets[1])
        secondPairs = SieveWindow.pairs(sets[2], sets[3])
    }

    private static func pairs(_ low: [Int], _ high: [Int]) -> [Int] {
        high.flatMap { upper in low.map { $0 | upper << 8 } }
    }
}

/// Chooses the windows and their buckets, and enters them.
private struct SievePlan {
    private let first: UnsafeMutablePointer<UInt16>
    private let second: UnsafeMutablePointer<UInt16>
    /// The pairs that follow each pair in ordinary agents, and those that each follows.
    private var following: [Int: [Int: Double]] = [:]
    private var preceding: [Int: [Int: Double]] = [:]
    /// How often each folded pair occurs in ordinary agents; a little even if never.
    private var weights = Array(repeating: 0.3, count: 0x5F5F + 1)
    /// Per bucket, how often its first and its second pairs occur.
    private var loads = Array(repeating: (first: 0.0, second: 0.0), count: 16)
    private var pairCount = 1.0
    private static let any = Array(0...0x5F)
    private static let edge = any.filter { $0 < 0x41 || $0 > 0x5A }

    init(
        ordinary: [[UInt8]], first: UnsafeMutablePointer<UInt16>,
        second: UnsafeMutablePointer<UInt16>
    ) {
        self.first = first
        self.second = second
        for agent in ordinary {
            let pairs = zip(agent, agent.dropFirst()).map { low, high in
                Int(low & 0x5F) | Int(high & 0x5F) << 8
            }
            for (pair, next) in zip(pairs, pairs.dropFirst(2)) {
                following[pair, default: [:]][next, default: 0] += 1
                preceding[next, default: [:]][pair, default: 0] += 1
            }
            for pair in pairs { weights[pair] += 1 }
            pairCount += Double(pairs.count)
        }
    }

    mutating func add(_ rule: BotRule) {
        for parity in 0...1 {
            var best: (cost: Double, bucket: Int, window: SieveWindow)?
            for start in -1...rule.text.count - 3 where start & 1 == parity {
                let window = window(of: rule, at: start)
                let load = load(window)
                for bucket in loads.indices {
                    let cost = cost(window, load, bucket)
                    if cost < best?.cost ?? .infinity { best = (cost, bucket, window) }
                }
            }
            guard let best else { continue }
            let load = load(best.window)
            loads[best.bucket].first += load.first
            loads[best.bucket].second += load.second
            for pair in best.window.firstPairs { first[pair] |= 1 << UInt16(best.bucket) }
            for pair in best.window.secondPairs { second[pair] |= 1 << UInt16(best.bucket) }
        }
    }

    private func load(_ window: SieveWindow) -> (first: Double, second: Double) {
        (
            window.firstPairs.reduce(0) { $0 + weights[$1] },
            window.secondPairs.reduce(0) { $0 + weights[$1] }
        )
    }

    /// How much oftener the sieve would fire with the window in the bucket: on the ordinary agents,
    /// counted; and on others, guessed as if pairs followed each other by chance.
    private func cost(
        _ window: SieveWindow, _ load: (first: Double, second: Double), _ bucket: Int
    ) -> Double {
        let bit = UInt16(1) << UInt16(bucket)
        let seconds = window.secondPairs
        var counted = 0.0
        for pair in window.firstPairs where first[pair] & bit == 0 {
            for (next, count) in following[pair] ?? [:]
            where second[next] & bit != 0 || seconds.contains(next) {
                counted += count
            }
        }
        for pair in seconds where second[pair] & bit == 0 {
            for (previous, count) in preceding[pair] ?? [:] where first[previous] & bit != 0 {
                counted += count
            }
        }
        let before = loads[bucket]
        let grown = (before.first + load.first) * (before.second + load.second)
        return counted + (grown - before.first * before.second) / pairCount
    }

    private func window(of rule: BotRule, at start: Int) -> SieveWindow {
        SieveWindow(
            (start..<start + 4).map { place in
                if place < 0 { return rule.needsEdgeBefore ? SievePlan.edge : SievePlan.any }
                if place == rule.text.count {
                    return rule.needsEdgeAfter ? SievePlan.edge : SievePlan.any
                }
                return [Int(rule.text[place] & 0x5F)]
            })
    }
}
