// HOT: what the sieve holds back. Bench: Benchmarks/Edge.
//
// Aho and Corasick's automaton (1975) over all patterns of the table: one step a byte, whatever
// their number. The alphabet is cut to the bytes that occur in some pattern, letters without case;
// all others are one class, which leads back to the start.

/// The automaton, in flat memory that lives until ``deallocate()``.
///
/// Invariant: immutable after `init`, so threads may share it. Every class is below `stride`, and
/// every state in `next` below `states`, so no index leaves its array whatever bytes come.
struct BotAutomaton: @unchecked Sendable, BitwiseCopyable {
    /// What is known of a pattern where it ends.
    struct Ending: BitwiseCopyable {
        let bytes: Int32
        let number: UInt16
        let layer: Kind
        let isAtStart: Bool
        let needsEdgeBefore: Bool
        let needsEdgeAfter: Bool
        /// Whether another pattern ends in the same state.
        let hasMore: Bool
    }

    enum Kind: UInt8 { case named, general, human, browser, mozilla }

    /// log2 of the entries of a state's row.
    private let strideBits: Int
    private let classes: UnsafeMutablePointer<UInt8>
    /// States, with the top bit set where a pattern ends.
    private let next: UnsafeMutablePointer<UInt16>
    private static var stateMask: Int { 0x7FFF }
    /// The first of a state's endings, or -1.
    private let firstEnding: UnsafeMutablePointer<Int32>
    private let endings: UnsafeMutablePointer<Ending>
    /// The number of the rule `*`, or 0.
    private let restNumber: UInt16

    init(_ rules: [BotRule]) {
        restNumber = rules.first { $0.isForTheRest }?.number ?? 0
        let patterns = rules.filter { !$0.isForTheRest }
        classes = .allocate(capacity: 256)
        let classCount = BotAutomaton.fillClasses(classes, patterns)
        strideBits = Int.bitWidth - (classCount - 1).leadingZeroBitCount
        let trie = BotTrie(patterns, classes: classes, stride: 1 << strideBits)
        next = .allocate(capacity: trie.next.count)
        for (edge, state) in trie.next.enumerated() {
            let flag: UInt16 = trie.endings[Int(state)].isEmpty ? 0 : 0x8000
            (next + edge).initialize(to: state | flag)
        }
        var flat: [Ending] = []
        firstEnding = .allocate(capacity: trie.endings.count)
        for (state, list) in trie.endings.enumerated() {
            firstEnding[state] = list.isEmpty ? -1 : Int32(flat.count)
            for (place, pattern) in list.enumerated() {
                flat.append(Ending(patterns[pattern], hasMore: place + 1 < list.count))
            }
        }
        endings = .allocate(capacity: max(1, flat.count))
        endings.initialize(from: flat, count: flat.count)
    }

    /// Called once, by the table that owns the automaton.
    func deallocate() {
        classes.deallocate()
        next.deallocate()
        firstEnding.deallocate()
        endings.deallocate()
    }

    /// Class 0 is every byte that occurs in no pattern.
    private static func fillClasses(
        _ classes: UnsafeMutablePointer<UInt8>, _ patterns: [BotRule]
    ) -> Int {
        classes.initialize(repeating: 0, count: 256)
        var count = 1
        for byte in Set(patterns.flatMap(\.text)).sorted() {
            classes[Int(byte)] = UInt8(count)
            let upper = byte &- 0x20
            if byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z") {
                classes[Int(upper)] = UInt8(count)
            }
            count += 1
        }
        return max(2, count)
    }

    /// The number of the rule by which the agent is a machine's, or 0. See ``BotTable/match(_:)``.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    func scan(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> UInt16 {
        var step = 0
        var named = UInt16.max
        var isBrowser = false
        var saysMozilla = false
        // The general match that starts first of those not shielded so far. No other has to be
        // kept: an exception that comes to shield this one shields each that starts later, too.
        var general: UInt16 = 0
        var generalStart = Int.max
        for index in 0..<count {
            let row = (step & BotAutomaton.stateMask) &<< strideBits
            step = Int(next[row | Int(classes[Int(bytes[index])])])
            if step <= BotAutomaton.stateMask { continue }
            var place = Int(firstEnding[step & BotAutomaton.stateMask])
            var shieldStart = Int.max
            while true {
                let ending = endings[place]
                let start = index &+ 1 &- Int(ending.bytes)
                if holds(ending, bytes, count, start: start, end: index &+ 1) {
                    switch ending.layer {
                    case .named: named = min(named, ending.number)
                    case .browser: isBrowser = true
                    case .mozilla: saysMozilla = true
                    case .human: shieldStart = min(shieldStart, start)
                    case .general:
                        let isFirst =
                            start < generalStart
                            || start == generalStart && ending.number < general
                        if isFirst {
                            generalStart = start
                            general = ending.number
                        }
                    }
                }
                if !ending.hasMore { break }
                place &+= 1
            }
            if shieldStart <= generalStart {
                generalStart = Int.max
                general = 0
            }
        }
        if named != UInt16.max { return named }
        if general != 0 { return general }
        if isBrowser || saysMozilla && !BotSieve.mustNameEngine(bytes, count) { return 0 }
        return restNumber
    }

    @inline(always)
    private func holds(
        _ ending: Ending, _ bytes: UnsafePointer<UInt8>, _ count: Int, start: Int, end: Int
    ) -> Bool {
        if ending.isAtStart && start != 0 { return false }
        if ending.needsEdgeBefore && start > 0 && isLetter(bytes[start &- 1]) { return false }
        if ending.needsEdgeAfter && end < count && isLetter(bytes[end]) { return false }
        return true
    }

    @inline(always)
    private func isLetter(_ byte: UInt8) -> Bool {
        (byte | 0x20) &- UInt8(ascii: "a") < 26
    }
}

extension BotAutomaton.Ending {
    init(_ rule: BotRule, hasMore: Bool) {
        bytes = Int32(rule.text.count)
        number = rule.number
        switch rule.layer {
        case .human: layer = .human
        case .browser: layer = rule.isMozilla ? .mozilla : .browser
        case .general: layer = .general
        default: layer = .named
        }
        isAtStart = rule.isAtStart
        needsEdgeBefore = rule.needsEdgeBefore
        needsEdgeAfter = rule.needsEdgeAfter
        self.hasMore = hasMore
    }
}

/// The automaton being made.
private struct BotTrie {
    /// Rows of `stride` states each. Before ``close(stride:)``, 0 is a missing edge.
    private(set) var next: [UInt16]
    /// The patterns that end in each state, the shorter ones that end there too included.
    private(set) var endings: [[Int]] = [[]]

    init(_ patterns: [BotRule], classes: UnsafeMutablePointer<UInt8>, stride: Int) {
        next = Array(repeating: 0, count: stride)
        for (number, pattern) in patterns.enumerated() {
            var state = 0
            for byte in pattern.text {
                let edge = state * stride + Int(classes[Int(byte)])
                if next[edge] == 0 {
                    precondition(endings.count < 0x7FFF, "a bot table's states fit 15 bits")
                    next[edge] = UInt16(endings.count)
                    endings.append([])
                    next.append(contentsOf: repeatElement(0, count: stride))
                }
                state = Int(next[edge])
            }
            endings[state].append(number)
        }
        close(stride: stride)
    }

    /// Fills the missing edges, breadth first: from there a state goes where its longest proper
    /// suffix goes.
    private mutating func close(stride: Int) {
        var suffix = Array(repeating: 0, count: endings.count)
        var queue = (0..<stride).map { Int(next[$0]) }.filter { $0 != 0 }
        var head = 0
        while head < queue.count {
            let state = queue[head]
            head += 1
            endings[state].append(contentsOf: endings[suffix[state]])
            for symbol in 0..<stride {
                let edge = state * stride + symbol
                let fallback = next[suffix[state] * stride + symbol]
                if next[edge] == 0 {
                    next[edge] = fallback
                } else {
                    suffix[Int(next[edge])] = Int(fallback)
                    queue.append(Int(next[edge]))
                }
            }
        }
    }
}
