import Clicks
import Judging

// A click as the ledger has it, and what can still be known of it. Some of the evidence is stored
// (agent, address, who was signed in), some is only in the edge's verdict (the method, a purpose
// header, whether the gonggu was open to the edge), and some is erased after a time. What is not
// there any more cannot be judged again, so there the earlier verdict stands.

/// A verdict with the rule behind it.
package struct Finding: Hashable, Sendable {
    package var verdict: Verdict
    /// The bot table's rule for a bot, else 0.
    package var reason: UInt16

    package init(_ verdict: Verdict, reason: UInt16 = 0) {
        self.verdict = verdict
        self.reason = reason
    }
}

/// Where a click stands in the order of judgement: by time; of one instant, what the edge found
/// valid comes first, so that a tie is decided as it was at the edge; then by id.
package struct ClickPlace: Hashable, Comparable, Sendable {
    package let time: Timestamp
    /// 0 for what the edge found valid, 1 for all else.
    package let rank: Int
    package let id: Identifier

    package init(time: Timestamp, rank: Int, id: Identifier) {
        self.time = time
        self.rank = rank
        self.id = id
    }

    package static func < (left: ClickPlace, right: ClickPlace) -> Bool {
        if left.time != right.time { return left.time < right.time }
        if left.rank != right.rank { return left.rank < right.rank }
        return left.id < right.id
    }
}

/// One row of the ledger.
package struct StoredClick: Sendable {
    package let id: Identifier
    package let gonggu: Identifier
    package let time: Timestamp
    package let visitor: UInt64
    package let user: Identifier?
    /// The agent's number in the ledger; nil for none, or for one that is erased.
    package let agent: Int?
    /// Nil once it is erased.
    package let address: NetworkAddress?
    /// Requests that it stands for; more than 1 where the edge has folded a flood.
    package let count: Int
    /// What the edge found, for ever.
    package let edge: Finding
    /// What counts now.
    package let current: Finding

    package init(
        id: Identifier, gonggu: Identifier, time: Timestamp, visitor: UInt64,
        user: Identifier? = nil, agent: Int? = nil, address: NetworkAddress?, count: Int = 1,
        edge: Finding, current: Finding? = nil
    ) {
        self.id = id
        self.gonggu = gonggu
        self.time = time
        self.visitor = visitor
        self.user = user
        self.agent = agent
        self.address = address
        self.count = count
        self.edge = edge
        self.current = current ?? edge
    }

    package var place: ClickPlace {
        ClickPlace(time: time, rank: edge.verdict == .valid ? 0 : 1, id: id)
    }

    /// A record of several clicks has no agents, and one visitor for all of them.
    package var isFolded: Bool { count > 1 }
}

/// What is to be said of a stored user agent.
package struct AgentEvidence: Equatable, Sendable {
    package let isAbsurd: Bool
    /// The bot table's rule, 0 for a person's.
    package let botRule: UInt16

    package init(isAbsurd: Bool, botRule: UInt16) {
        self.isAbsurd = isAbsurd
        self.botRule = botRule
    }

    /// Nil where the text had to be mended before it could be stored: its bytes are not those that
    /// the edge has judged.
    package init?(of agent: String, bots: BotTable) {
        guard !agent.unicodeScalars.contains("\u{FFFD}") else { return nil }
        var agent = agent
        self = agent.withUTF8 { bytes in
            let bytes = UnsafeRawBufferPointer(bytes)
            return AgentEvidence(
                isAbsurd: UserAgentShape.isAbsurd(bytes), botRule: bots.match(bytes))
        }
    }
}

/// A gonggu's times and owner as they were known from a moment on.
package struct GongguTerms: Equatable, Sendable {
    package let knownAt: Timestamp
    package let opensAt: Timestamp
    package let closesAt: Timestamp
    package let influencer: Identifier
    /// Suspended or hidden.
    package let isOff: Bool

    package init(
        knownAt: Timestamp, opensAt: Timestamp, closesAt: Timestamp, influencer: Identifier,
        isOff: Bool
    ) {
        self.knownAt = knownAt
        self.opensAt = opensAt
        self.closesAt = closesAt
        self.influencer = influencer
        self.isOff = isOff
    }

    func isOpen(at time: Timestamp) -> Bool {
        !isOff && opensAt <= time && time < closesAt
    }
}

/// What people have decided of clicks that a rule had held or refused.
package struct ClickDecision: Equatable, Sendable {
    package enum Outcome: String, CaseIterable, Sendable {
        /// The rule does not apply to these clicks; the rules after it do.
        case release
        /// The held clicks are refused.
        case refuse
    }

    /// Rises from decision to decision.
    package let order: Int
    package let gonggu: Identifier
    package let from: Timestamp
    /// Included.
    package let to: Timestamp
    /// Which verdict it is about.
    package let verdict: Verdict
    /// Whose clicks; nil for everyone's.
    package let address: NetworkAddress?
    package let outcome: Outcome

    package init(
        order: Int, gonggu: Identifier, from: Timestamp, to: Timestamp, verdict: Verdict,
        address: NetworkAddress?, outcome: Outcome
    ) {
        self.order = order
        self.gonggu = gonggu
        self.from = from
        self.to = to
        self.verdict = verdict
        self.address = address
        self.outcome = outcome
    }

    func isAbout(_ click: StoredClick) -> Bool {
        from <= click.time && click.time <= to && (address == nil || address == click.address)
    }
}
