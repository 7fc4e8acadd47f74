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
    let visitorKey: UInt64
    let userID: Identifier
    /// What the flood guard knows the address by.
    let addressKey: UInt64
    /// Whether the click gets a record of its own.
    let fold: FoldDecision
}

/// Judges clicks. Shared by all workers; what it holds is immutable or lock-free.
struct ClickJudge: Sendable {
    /// What of a request the judgement is about.
    struct Question {
        let isHead: Bool
        let isPrefetch: Bool
        let agent: AgentFacts
        let address: NetworkAddress
        /// Who is signed in; nil for nobody.
        let claims: AccessClaims?
    }

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

    /// Judges one click on a link, now.
    func judge(_ question: Question, of link: LinkRecord, now: Timestamp) -> Judgement {
        let visitor =
            if let claims = question.claims {
                visitors.of(userID: claims.userID)
            } else {
                visitors.of(address: question.address, agent: question.agent.digest)
            }
        let pair = visitors.dedupeKey(visitor: visitor, gonggu: link.id)
        let addressKey = visitors.floodKey(address: question.address)
        let flooding = flood.count(key: addressKey, now: now.microseconds)
        var facts = facts(of: question, link, now)
        facts.isFlood = flooding.isFlood
        // Whether it is a repetition matters only to a click that no rule before has judged; and of
        // two at the same instant on two workers, one starts the window.
        switch ClickRules.verdict(facts) {
        case .valid: facts.isRepeated = !dedupe.claim(key: pair, now: now.microseconds)
        case .flood, .datacenter:
            facts.isRepeated = dedupe.isOpen(key: pair, now: now.microseconds)
        case .duplicate, .self, .inactive, .bot, .prefetch, .malformed: break
        }
        let verdict = ClickRules.verdict(facts)
        return Judgement(
            verdict: verdict, reason: verdict == .bot ? facts.botRule : 0, visitorKey: visitor,
            userID: question.claims?.userID ?? Identifier.anonymous, addressKey: addressKey,
            fold: flooding.fold)
    }

    private func facts(
        of question: Question, _ link: LinkRecord, _ now: Timestamp
    ) -> ClickFacts {
        var facts = ClickFacts()
        facts.isHead = question.isHead
        facts.isAgentAbsurd = question.agent.isAbsurd
        facts.isPrefetch = question.isPrefetch
        facts.botRule = question.agent.botRule
        facts.isActive = link.isOpen(at: now)
        if let claims = question.claims {
            facts.isOwn = claims.role == .admin || claims.userID == link.influencerID
        }
        facts.isDatacenter = datacenters.contains(question.address)
        return facts
    }
}
