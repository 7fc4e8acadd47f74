// HOT: once a click. Bench: Benchmarks/Edge.
//
// Shoppers' agents are few thousand, and what is to be said of one is always the same. A worker
// keeps what it has said, by the agent's digest, so that nearly every click's agent is walked once,
// by the digest: looking for absurd shapes and for bots each time took 1,100 instructions.

import Clicks
import Judging

/// What an agent says of the click that brings it.
struct AgentFacts {
    /// The bot table's rule, 0 for a person's agent.
    let botRule: UInt16
    let isAbsurd: Bool
}

/// A worker's memory of agents. Confined to its thread. Bounded: at the bound the one that came to
/// its set first goes, and costs a walk when it comes back.
struct AgentCache {
    private struct Entry {
        /// Of the agent; 0 in an entry never used.
        var digest: UInt64 = 0
        var botRule: UInt16 = 0
        var isAbsurd = false
    }

    private let bots: BotTable
    private let visitors: VisitorKey
    private let entries: UnsafeMutablePointer<Entry>

    /// Four of them make one cache line, 256 KB in all: the second cache of any processor.
    private static let setCount: UInt64 = 4096
    private static let entriesPerSet = 4

    /// Its memory is never freed: it lives as long as the process.
    init(bots: BotTable, visitors: VisitorKey) {
        self.bots = bots
        self.visitors = visitors
        let count = Int(AgentCache.setCount) * AgentCache.entriesPerSet
        let bytes = UnsafeMutableRawPointer.allocate(
            byteCount: count * MemoryLayout<Entry>.stride, alignment: 64)
        entries = bytes.initializeMemory(as: Entry.self, repeating: Entry(), count: count)
    }

    /// What stands for an agent, here and in the spool.
    @inline(always)
    mutating func digest(of userAgent: UnsafeRawBufferPointer) -> UInt64 {
        visitors.digest(userAgent)
    }

    /// Has what is known of an agent fetched.
    @inline(always)
    func prefetch(_ digest: UInt64) {
        CacheLine.fetch(set(of: digest))
    }

    /// What is to be said of the agent of a request that was read, from memory if it can be.
    @inline(always)
    mutating func facts(of request: UnsafeMutablePointer<ReadRequest>) -> AgentFacts {
        let digest = request.pointee.visitor.agentDigest
        let set = set(of: digest)
        var position = 0
        while position < AgentCache.entriesPerSet {
            let entry = set + position
            // A digest of 0 matches free entries, so it is never looked up with success.
            if entry.pointee.digest == digest, digest != 0 {
                return AgentFacts(
                    botRule: entry.pointee.botRule, isAbsurd: entry.pointee.isAbsurd)
            }
            position &+= 1
        }
        return learn(request, set)
    }

    /// What stands for a referer in the spool. The digest is blind for what is behind an agent's
    /// bound, so the few referers that are longer have none.
    @inline(always)
    mutating func key(ofReferer referer: UnsafeRawBufferPointer) -> UInt64 {
        1...ClickTexts.userAgentBytesMax ~= referer.count ? visitors.digest(referer) : 0
    }

    @inline(always)
    private func set(of digest: UInt64) -> UnsafeMutablePointer<Entry> {
        entries + AgentCache.entriesPerSet
            &* Int(truncatingIfNeeded: digest & (AgentCache.setCount &- 1))
    }

    @inline(never)
    private func learn(
        _ request: UnsafeMutablePointer<ReadRequest>, _ set: UnsafeMutablePointer<Entry>
    ) -> AgentFacts {
        let userAgent = request.pointee.head.userAgent.bytes(ofParsed: request.pointee.bytes)
        let facts = AgentFacts(
            botRule: bots.match(userAgent), isAbsurd: UserAgentShape.isAbsurd(userAgent))
        for position in stride(from: AgentCache.entriesPerSet - 1, to: 0, by: -1) {
            set[position] = set[position - 1]
        }
        let digest = request.pointee.visitor.agentDigest
        set[0] = Entry(digest: digest, botRule: facts.botRule, isAbsurd: facts.isAbsurd)
        return facts
    }
}
