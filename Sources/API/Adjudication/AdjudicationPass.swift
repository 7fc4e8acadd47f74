import Clicks
import Postgres

// Goes through stored clicks in the order of judgement, page by page. What it holds is one window
// of the past and one page, however long the period is; where it stands is one place, so a pass
// that ends anywhere is taken up by another one that reads that window again.

/// A click whose verdict is another now.
package struct VerdictChange: Sendable {
    /// What has led to it.
    struct Cause: Sendable {
        var run: Identifier?
        var decision: Identifier?
        /// Nil for a command on the server.
        var by: Identifier?
    }

    let click: StoredClick
    let finding: Finding
    let why: String
}

/// Judging in progress. Confined to its connection's thread.
struct AdjudicationPass {
    /// What a page came to.
    struct Page {
        let clicks: [StoredClick]
        /// In the order of the clicks.
        let changes: [VerdictChange]
    }

    /// Some 150 bytes each.
    static let rememberedMax = 20_000_000
    private static let agentsMax = 200_000
    private static let gonggusMax = 100_000

    private let rules: AdjudicationRules
    private let end: Timestamp
    private let rowsMax: Int
    private var adjudicator: Adjudicator
    private var evidence = ClickEvidence()
    /// Agents and gonggus that were looked up; what is missing then is erased, or never was.
    private var knownAgents: Set<Int> = []
    private var knownGonggus: Set<Identifier> = []
    private(set) var place: ClickPlace

    /// Reads the past before `place`, within a transaction, so that the next page is judged as if
    /// all before it had been.
    ///
    /// - Parameters:
    ///   - start: clicks from here on are judged; decisions from before do not reach into it.
    ///   - place: where to go on, if some of them are judged already.
    ///   - rowsMax: clicks a page.
    init(
        rules: AdjudicationRules, from start: Timestamp, after place: ClickPlace? = nil,
        to end: Timestamp, rowsMax: Int, in connection: Connection
    ) throws {
        self.rules = rules
        self.end = end
        self.rowsMax = rowsMax
        adjudicator = Adjudicator(rules: rules)
        self.place = place ?? .before(start)
        evidence.decisions = try LedgerQueries.decisions(from: start, to: end, in: connection)
        try warm(in: connection)
    }

    private mutating func warm(in connection: Connection) throws {
        let begin = place.time.advanced(bySeconds: -Int64(rules.pastSeconds))
        var past = ClickPlace.before(begin)
        // The instant of the place itself belongs to the past up to the place.
        let end = Timestamp(microseconds: place.time.microseconds + 1)
        while true {
            let clicks = try LedgerQueries.page(
                after: past, before: end, rowsMax: rowsMax, in: connection)
            for click in clicks {
                guard click.place <= place else { return }
                adjudicator.remember(click)
            }
            guard clicks.count == rowsMax, let last = clicks.last else { return }
            past = last.place
        }
    }

    /// Judges the next clicks, within a transaction; fewer than `rowsMax` of them are the last.
    mutating func nextPage(in connection: Connection) throws -> Page {
        let clicks = try read(in: connection)
        try lookUp(clicks, in: connection)
        var changes: [VerdictChange] = []
        for click in clicks {
            if let change = judge(click) { changes.append(change) }
        }
        return try finish(clicks, changes)
    }

    /// Takes the next clicks as they stand, but for those that a decision reaches: they are judged.
    mutating func nextPage(
        reachedBy ripple: inout DecisionRipple, in connection: Connection
    ) throws -> Page {
        let clicks = try read(in: connection)
        try lookUp(clicks.filter { $0.gonggu == ripple.gonggu }, in: connection)
        var changes: [VerdictChange] = []
        for click in clicks {
            guard ripple.reaches(click) else {
                adjudicator.remember(click)
                continue
            }
            guard let change = judge(click) else { continue }
            ripple.note(change)
            changes.append(change)
        }
        return try finish(clicks, changes)
    }

    private func read(in connection: Connection) throws(PostgresError) -> [StoredClick] {
        try LedgerQueries.page(after: place, before: end, rowsMax: rowsMax, in: connection)
    }

    private mutating func judge(_ click: StoredClick) -> VerdictChange? {
        let finding = adjudicator.judge(click, by: evidence)
        guard finding != click.current else { return nil }
        return VerdictChange(click: click, finding: finding, why: why(finding))
    }

    private mutating func finish(
        _ clicks: [StoredClick], _ changes: [VerdictChange]
    ) throws -> Page {
        guard adjudicator.remembered <= AdjudicationPass.rememberedMax else {
            throw AdjudicationFault.tooManyVisitors
        }
        if let last = clicks.last { place = last.place }
        return Page(clicks: clicks, changes: changes)
    }

    private mutating func lookUp(_ clicks: [StoredClick], in connection: Connection) throws {
        if knownAgents.count > AdjudicationPass.agentsMax {
            (knownAgents, evidence.agents) = ([], [:])
        }
        let agents = Set(clicks.compactMap(\.agent)).subtracting(knownAgents)
        if !agents.isEmpty {
            let found = try LedgerQueries.agents(Array(agents), in: connection)
            evidence.agents.merge(found) { $1 }
            knownAgents.formUnion(agents)
        }
        let asked = clicks.filter { click in
            switch click.edge.verdict {
            case .malformed, .prefetch, .bot, .inactive: true
            case .valid, .duplicate, .flood, .self, .datacenter, .refused: false
            }
        }
        if knownGonggus.count > AdjudicationPass.gonggusMax {
            (knownGonggus, evidence.terms) = ([], [:])
        }
        let gonggus = Set(asked.map(\.gonggu)).subtracting(knownGonggus)
        if !gonggus.isEmpty {
            let found = try LedgerQueries.terms(of: Array(gonggus), in: connection)
            evidence.terms.merge(found) { $1 }
            knownGonggus.formUnion(gonggus)
        }
        let users = Set(asked.compactMap(\.user))
        evidence.admins =
            users.isEmpty ? [] : try LedgerQueries.admins(among: Array(users), in: connection)
    }

    /// Why, in a sentence for the record.
    private func why(_ finding: Finding) -> String {
        switch finding.verdict {
        case .valid: "\(rules.name): no rule applies"
        case .duplicate:
            "\(rules.name): the visitor's valid click is less than \(rules.windowSeconds) s ago"
        case .flood:
            "\(rules.name): the address made more than \(rules.floodClicksPerMinute) in a minute"
        case .bot: "\(rules.name): rule \(finding.reason) of the bot table knows the agent"
        case .datacenter: "\(rules.name): the address is in a hosting network"
        case .refused: "\(rules.name): a person has refused the flood"
        case .malformed: "\(rules.name): the agent is absurd"
        case .inactive: "\(rules.name): the gonggu was not open"
        case .self: "\(rules.name): the visitor is the influencer or an admin"
        case .prefetch: "\(rules.name): the browser fetched ahead"
        }
    }
}

extension ClickPlace {
    /// Before every click of that time.
    static func before(_ time: Timestamp) -> ClickPlace {
        ClickPlace(time: time, rank: -1, id: Identifier(high: 0, low: 0))
    }
}
