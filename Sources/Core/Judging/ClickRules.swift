// HOT: once a click. Bench: Benchmarks/Edge.
//
// The rules of a verdict, in the contract's order. They are pure, so that the edge at the time and
// adjudication afterwards come to the same answer from the same facts. What a rule looks up (a bot
// table, a list of networks, the visitor's past) comes in as a fact; only the order stands here.

import Clicks

/// What is known of a click, whoever asks.
public struct ClickFacts: Equatable, Sendable, BitwiseCopyable {
    /// HEAD asks for a head only: nobody is going anywhere.
    public var isHead = false
    /// The User-Agent is missing, or nothing that any program would call itself.
    public var isAgentAbsurd = false
    /// A purpose header says that a browser fetches ahead.
    public var isPrefetch = false
    /// The rule of the bot table that the User-Agent met; 0 for a person's.
    public var botRule: UInt16 = 0
    /// The gonggu was open and not suspended when the click came.
    public var isActive = true
    /// The visitor is the gonggu's own influencer, or an admin.
    public var isOwn = false
    /// The visitor's window on this gonggu was open.
    public var isRepeated = false
    /// The address had made more clicks within the minute than the limit.
    public var isFlood = false
    /// The address belongs to a listed hosting network.
    public var isDatacenter = false

    @inlinable
    public init() {}
}

public enum ClickRules {
    /// The first rule that applies: malformed, prefetch, bot, inactive, self, duplicate, flood,
    /// datacenter; valid if none does.
    @inlinable
    @inline(always)
    public static func verdict(_ facts: ClickFacts) -> Verdict {
        if facts.isHead || facts.isAgentAbsurd { return .malformed }
        if facts.isPrefetch { return .prefetch }
        if facts.botRule != 0 { return .bot }
        if !facts.isActive { return .inactive }
        if facts.isOwn { return .self }
        if facts.isRepeated { return .duplicate }
        if facts.isFlood { return .flood }
        if facts.isDatacenter { return .datacenter }
        return .valid
    }
}
