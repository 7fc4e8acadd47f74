// HOT: once a click. Bench: Benchmarks/Edge.
//
// Gathers the facts of a click and has ``ClickRules`` decide. Two of the facts are memory that all
// workers share: the dedupe window and the flood guard. Every click counts for the flood; only a
// valid one starts a window, so a bot's look at a link never spends a shopper's.

import Clicks
import Guards
import Judging
import Links
import Wire

/// What is thought of a click.
struct Judgement {
    let verdict: Verdict
    /// The rule within the rule set: the bot table's number for a bot, else 0.
    let reason: UInt16
    /// Whether the click gets a record of its own.
    let fold: FoldDecision
}

/// Who clicks, as far as a request tells.
struct Visitor {
    let address: NetworkAddress
    /// Who is signed in; ``Identifier/anonymous`` for nobody.
    let userID: Identifier
    let isAdmin: Bool
    /// What stands for the agent.
    let agentDigest: UInt64
    /// What stands for the visitor in the ledger.
    let key: UInt64
    /// What stands for the address; the flood guard goes by it.
    let addressKey: UInt64

    /// Whether a click of theirs on the link is none of a shopper's: it is their own, or they are
    /// an admin. Nobody's link, a banner, is not that of nobody.
    @inline(always)
    func owns(_ link: LinkRecord) -> Bool {
        // Not by ==, which for another module's type is a call through its table of functions.
        guard userID.high | userID.low != 0 else { return false }
        return isAdmin
            || userID.high == link.influencerID.high && userID.low == link.influencerID.low
    }
}

/// Judges clicks. Shared by all workers; what it holds is immutable or lock-free.
struct ClickJudge: Sendable {
    private let visitors: VisitorKey
    private let dedupe: DedupeWindow
    private let flood: FloodGuard
    private let datacenters: DatacenterNetworks

    init(
        visitors: VisitorKey, dedupe: DedupeWindow, flood: FloodGuard,
        datacenters: DatacenterNetworks
    ) {
        self.visitors = visitors
        self.dedupe = dedupe
        self.flood = flood
        self.datacenters = datacenters
    }

    /// Somebody who is not signed in.
    @inline(always)
    func visitor(at address: NetworkAddress, agentDigest: UInt64) -> Visitor {
        let addressKey = visitors.addressKey(address)
        return Visitor(
            address: address, userID: .anonymous, isAdmin: false, agentDigest: agentDigest,
            key: visitors.of(addressKey: addressKey, agent: agentDigest), addressKey: addressKey)
    }

    /// Somebody who is.
    func visitor(
        at address: NetworkAddress, _ claims: AccessClaims, agentDigest: UInt64
    ) -> Visitor {
        let isAdmin = if case .admin = claims.role { true } else { false }
        return Visitor(
            address: address, userID: claims.userID, isAdmin: isAdmin, agentDigest: agentDigest,
            key: visitors.of(userID: claims.userID), addressKey: visitors.addressKey(address))
    }

    /// What the dedupe window goes by.
    @inline(always)
    func pair(_ visitor: Visitor, _ gonggu: Identifier) -> UInt64 {
        visitors.dedupeKey(visitor: visitor.key, gonggu: gonggu)
    }

    /// The same of a request, which may have it already.
    @inline(always)
    private func pair(
        _ request: UnsafeMutablePointer<ReadRequest>, _ link: LinkRecord
    ) -> UInt64 {
        let known = request.pointee.pair
        return known != 0 ? known : pair(request.pointee.visitor, link.id)
    }

    /// Has the lines fetched that judging the visitor's click will read first.
    @inline(always)
    func prefetch(for visitor: Visitor, pair: UInt64) {
        flood.prefetch(key: visitor.addressKey)
        dedupe.prefetch(key: pair)
    }

    /// The second step, when what the first has fetched is there.
    ///
    /// - Returns: a hint for judging.
    @inline(always)
    func prefetchCounts(for visitor: Visitor, second: Int64) -> FloodHint {
        flood.prefetchCounts(key: visitor.addressKey, second: second)
    }

    /// Judges the click of a request on a link, which is open or not, now.
    ///
    /// What calls another function comes first, so that the processor's registers need not be
    /// emptied of much.
    ///
    /// - Parameters:
    ///   - agent: what is to be said of its agent.
    ///   - second: of now, since 1970.
    @inline(always)
    func judge(
        _ request: UnsafeMutablePointer<ReadRequest>, _ agent: @autoclosure () -> AgentFacts,
        of link: LinkRecord, isOpen: Bool, now: Timestamp, second: Int64
    ) -> Judgement {
        var facts = ClickFacts()
        facts.isDatacenter = datacenters.contains(request.pointee.visitor.address)
        let addressKey = request.pointee.visitor.addressKey
        let flooding =
            if let hint = request.pointee.floodHint {
                flood.count(key: addressKey, second: second, near: hint)
            } else {
                flood.count(key: addressKey, now: now.microseconds)
            }
        let agent = agent()
        facts.isHead = if case .head = request.pointee.head.method { true } else { false }
        facts.isAgentAbsurd = agent.isAbsurd
        facts.isPrefetch = request.pointee.head.isPrefetch
        facts.botRule = agent.botRule
        facts.isActive = isOpen
        facts.isOwn = request.pointee.visitor.owns(link)
        facts.isFlood = flooding.isFlood
        var verdict = ClickRules.verdict(facts)
        // Whether it is a repetition matters only to a click that no rule before has judged; and of
        // two at the same instant on two workers, one starts the window.
        switch verdict {
        case .valid:
            facts.isRepeated = !dedupe.claim(key: pair(request, link), now: now.microseconds)
        case .flood, .datacenter:
            facts.isRepeated = dedupe.isOpen(key: pair(request, link), now: now.microseconds)
        case .duplicate, .self, .inactive, .bot, .prefetch, .malformed, .refused: break
        }
        if facts.isRepeated { verdict = ClickRules.verdict(facts) }
        let reason = if case .bot = verdict { facts.botRule } else { UInt16(0) }
        return Judgement(verdict: verdict, reason: reason, fold: flooding.fold)
    }
}
