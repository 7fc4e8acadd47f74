// HOT: once a click. Bench: Benchmarks/Edge.
import Clicks

/// Knows machines by their User-Agent. A table is immutable, shared by all threads.
public final class BotTable: Sendable {
    /// The table's own version, in its file; a change of it comes with a new ``RuleSet``.
    public let version: UInt16
    /// All lines in the order of the file, for those who explain a verdict to people.
    public let rules: [BotRule]
    private let automaton: BotAutomaton
    private let sieve: BotSieve

    /// The table in Data/bots.txt, which the program carries.
    public static let current: BotTable = {
        do {
            return try PackageResources.bots_txt.withUnsafeBytes { bytes throws(BotTableFault) in
                try BotTable(data: bytes)
            }
        } catch {
            preconditionFailure("the bot table that was built in is at fault:\n\(error)")
        }
    }()

    /// - Parameter data: a table's text; it need not outlive the call.
    /// - Complexity: some milliseconds for a few hundred rules.
    public init(data: UnsafeRawBufferPointer) throws(BotTableFault) {
        let reader = try BotTableReader(text: String(decoding: data, as: UTF8.self))
        version = reader.version ?? 0
        rules = reader.rules
        automaton = BotAutomaton(reader.rules)
        sieve = BotSieve(reader.rules, ordinary: reader.ordinary)
    }

    deinit {
        automaton.deallocate()
        sieve.deallocate()
    }

    /// The number of the rule by which the agent is a machine's, or 0 for a person's.
    ///
    /// 1. A rule of a named layer that matches anywhere; of several, the lowest number.
    /// 2. Else a general rule that matches anywhere but inside a match of a `human` line; of
    ///    several, the match that starts first, then the lowest number.
    /// 3. Else the rule `*`, if no `browser` line matches, or `^mozilla/` alone does and the agent
    ///    is one of `Mozilla/5` with fewer than 64 bytes or nothing behind its first parenthesis.
    ///
    /// Only the bytes that are stored of an agent count, so that re-judging comes to the same.
    /// - Complexity: a few instructions a byte for the agents of people, a dozen for others; no
    ///   allocation.
    public func match(_ userAgent: UnsafeRawBufferPointer) -> UInt16 {
        guard let base = userAgent.baseAddress else { return 0 }
        let count = min(userAgent.count, ClickTexts.userAgentBytesMax)
        if sieve.letsPass(base, count) { return 0 }
        return automaton.scan(base.assumingMemoryBound(to: UInt8.self), count)
    }

    /// The line of a rule's number, if the table has it.
    public func rule(_ number: UInt16) -> BotRule? {
        number == 0 ? nil : rules.first { $0.number == number }
    }
}
