import Clicks
import Guards
import Judging

// Judges stored clicks again. Pure: clicks go in by the order of judgement, findings come out, and
// what is looked up (agents, terms, decisions) is given. So the same clicks under the same rules
// have the same findings, wherever a run begins, as long as the past before it was read.
//
// Where each fact comes from, and what stands where the evidence does not exist:
//
//     HEAD                the edge's verdict alone: what it called malformed stays so
//     absurd agent, bot   the stored agent; the current verdict where it is erased, was mended, or
//                         the record is folded
//     prefetch            the edge's verdict alone: headers are not stored
//     inactive            the edge's verdict where it had come to this question; else the gonggu's
//                         terms as they were known at the time
//     own click           the edge's verdict where it had come to this question; else the gonggu's
//                         influencer at the time, and who is an admin today
//     duplicate           counted again over all edges
//     flood, datacenter   counted and looked up again; the current verdict where the address is
//                         erased
//
// A folded record that stands for several clicks is never valid: nobody can tell whose they were.
// The address's first hundreds of the minute have records of their own, so who clicked first is
// judged by those.

/// What is looked up for some clicks, all of it, before they are judged.
package struct ClickEvidence: Sendable {
    /// By the agents' numbers; an erased one is missing.
    package var agents: [Int: AgentEvidence] = [:]
    /// By gonggu, in the order of time.
    package var terms: [Identifier: [GongguTerms]] = [:]
    package var admins: Set<Identifier> = []
    /// By gonggu, newest first.
    package var decisions: [Identifier: [ClickDecision]] = [:]

    package init() {}

    /// The terms that were known at a time: the earliest for one before all, nil for no gonggu.
    func terms(of gonggu: Identifier, at time: Timestamp) -> GongguTerms? {
        guard let all = terms[gonggu] else { return nil }
        return all.last { $0.knownAt <= time } ?? all.first
    }

    func decision(on click: StoredClick, _ verdict: Verdict) -> ClickDecision.Outcome? {
        decisions[click.gonggu]?.first { $0.verdict == verdict && $0.isAbout(click) }?.outcome
    }
}

/// The state of a judgement: one window's visitors and one minute's addresses.
package struct Adjudicator: Sendable {
    package let rules: AdjudicationRules
    private let datacenters: DatacenterNetworks
    private var windows: ExactWindows
    private var minutes = ExactMinutes()
    private var last: ClickPlace?

    package init(rules: AdjudicationRules, datacenters: DatacenterNetworks = .embedded) {
        self.rules = rules
        self.datacenters = datacenters
        windows = ExactWindows(windowSeconds: rules.windowSeconds)
    }

    /// Visitors and addresses remembered.
    package var remembered: Int { windows.count + minutes.count }

    /// Takes a click of before the period as it stands: it is judged already, or is not to be.
    package mutating func remember(_ click: StoredClick) {
        advance(to: click)
        _ = count(click)
        if click.current.verdict == .valid {
            windows.start(visitor: click.visitor, gonggu: click.gonggu, at: click.time)
        }
    }

    /// Judges a click; clicks come in the order of their ``ClickPlace``.
    package mutating func judge(_ click: StoredClick, by evidence: ClickEvidence) -> Finding {
        advance(to: click)
        let agent = click.isFolded ? nil : click.agent.flatMap { evidence.agents[$0] }
        var facts = facts(of: click, agent: agent, by: evidence)
        facts.isRepeated = windows.isOpen(
            visitor: click.visitor, gonggu: click.gonggu, now: click.time)
        while true {
            let verdict = ClickRules.verdict(facts)
            if verdict == .valid { break }
            switch evidence.decision(on: click, verdict) {
            case .refuse: return Finding(.refused)
            case .release: facts.release(verdict)
            case nil:
                let current = click.current
                switch verdict {
                case .bot: return Finding(.bot, reason: agent?.botRule ?? current.reason)
                // Its address is gone, and with it the tie to who decided: what they said stands.
                case .flood where click.address == nil && current.verdict == .refused:
                    return current
                default: return Finding(verdict)
                }
            }
        }
        if click.isFolded { return Finding(.duplicate) }
        windows.start(visitor: click.visitor, gonggu: click.gonggu, at: click.time)
        return Finding(.valid)
    }

    private mutating func advance(to click: StoredClick) {
        let place = click.place
        precondition(last.map { $0 < place } ?? true, "clicks are judged in the order of time")
        last = place
        windows.forget(before: click.time)
    }

    /// Every click counts for the flood, whatever it is.
    private mutating func count(_ click: StoredClick) -> Int? {
        guard let address = click.address else { return nil }
        return minutes.count(click.count, from: address, now: click.time)
    }

    private mutating func facts(
        of click: StoredClick, agent: AgentEvidence?, by evidence: ClickEvidence
    ) -> ClickFacts {
        var facts = ClickFacts()
        let (edge, current) = (click.edge.verdict, click.current.verdict)
        facts.isHead = edge == .malformed
        facts.isAgentAbsurd = agent?.isAbsurd ?? (current == .malformed)
        facts.botRule = agent?.botRule ?? (current == .bot ? 1 : 0)
        facts.isPrefetch = edge == .prefetch
        switch edge {
        case .malformed, .prefetch, .bot:
            let terms = evidence.terms(of: click.gonggu, at: click.time)
            facts.isActive = terms?.isOpen(at: click.time) ?? false
            facts.isOwn = isOwn(click, terms, evidence)
        case .inactive:
            facts.isActive = false
            let terms = evidence.terms(of: click.gonggu, at: click.time)
            facts.isOwn = isOwn(click, terms, evidence)
        case .self: facts.isOwn = true
        case .valid, .duplicate, .flood, .datacenter, .refused: break
        }
        if let clicks = count(click), let address = click.address {
            facts.isFlood = clicks > rules.floodClicksPerMinute
            facts.isDatacenter = datacenters.contains(address)
        } else {
            // Where a later rule hid what the edge had held, the edge is all there is.
            let known = current.isHeld || current == .refused || current == .valid ? current : edge
            facts.isFlood = known == .flood || known == .refused
            facts.isDatacenter = known == .datacenter
        }
        // Who refused the flood looked at what the edge had held, by whatever limit it had.
        if edge == .flood, evidence.decision(on: click, .flood) == .refuse {
            facts.isFlood = true
        }
        return facts
    }

    private func isOwn(
        _ click: StoredClick, _ terms: GongguTerms?, _ evidence: ClickEvidence
    ) -> Bool {
        guard let user = click.user else { return false }
        return user == terms?.influencer || evidence.admins.contains(user)
    }
}

extension ClickFacts {
    /// Takes back what leads to the verdict.
    fileprivate mutating func release(_ verdict: Verdict) {
        switch verdict {
        case .malformed: (isHead, isAgentAbsurd) = (false, false)
        case .prefetch: isPrefetch = false
        case .bot: botRule = 0
        case .inactive: isActive = true
        case .self: isOwn = false
        case .duplicate: isRepeated = false
        case .flood: isFlood = false
        case .datacenter: isDatacenter = false
        case .valid, .refused: preconditionFailure("no rule says \(verdict.name)")
        }
    }
}
