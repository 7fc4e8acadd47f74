import Clicks
import Judging
import TestSupport

@testable import API

// Clicks of a made-up half hour over two edges, and the plainest judge there can be: for each click
// it looks at all clicks before it. It shares no code with what it is held against but the order of
// judgement.

/// The rules of the tests: short, so that half an hour has many windows and floods.
let testRules = AdjudicationRules(
    version: 1000, name: "test", windowSeconds: 60, floodClicksPerMinute: 8,
    botTable: Int(BotTable.current.version), datacenters: DatacenterNetworks.embedded.version)

/// A made-up world: who clicks, from where, with what.
struct TestWorld {
    static let start = KoreanDay(text: "2026-11-10")!.start.advanced(bySeconds: 36_000)
    static let agents = [
        "Mozilla/5.0 (Linux; Android 14; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) "
            + "Chrome/126.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
            + "Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        "facebookexternalhit/1.1;kakaotalk-scrap/1.0", "Mozilla/5.0", "Chrome\u{FFFD}/126 (mended)",
    ]

    var random: SplitMix
    let gonggus: [Identifier]
    let influencer: Identifier
    let admin: Identifier
    var evidence = ClickEvidence()
    /// In the order of judgement, with the edges' verdicts.
    var clicks: [StoredClick] = []
    /// In a network that is listed.
    private let hosted: NetworkAddress

    init(
        seed: UInt64, clicks count: Int, gonggus: [Identifier], influencer: Identifier,
        admin: Identifier
    ) {
        random = SplitMix(state: seed)
        self.gonggus = gonggus
        self.influencer = influencer
        self.admin = admin
        hosted = TestWorld.hostedAddress
        evidence.admins = [admin]
        for (index, agent) in TestWorld.agents.enumerated() {
            evidence.agents[index + 1] = AgentEvidence(of: agent, bots: .current)
        }
        for (index, gonggu) in gonggus.enumerated() {
            // The first closes in the middle, as was known before it opened, and is off a while.
            let opens = TestWorld.start.advanced(bySeconds: -3600)
            let closes = TestWorld.start.advanced(bySeconds: index == 0 ? 1300 : 86_400)
            evidence.terms[gonggu] = [(0, false), (500, true), (560, false)].map { at, isOff in
                GongguTerms(
                    knownAt: at == 0 ? opens : TestWorld.start.advanced(bySeconds: at),
                    opensAt: opens, closesAt: closes, influencer: influencer,
                    isOff: isOff && index == 0)
            }
        }
        clicks = made(count)
    }

    static var hostedAddress: NetworkAddress {
        let networks = DatacenterNetworks.embedded
        // Amazon's has been there for ever; the list's own test holds that it is.
        for high in UInt32(3)...UInt32(54) where networks.contains(.init(ipv4: high << 24 | 0x800))
        {
            return NetworkAddress(ipv4: high << 24 | 0x800)
        }
        preconditionFailure("the list has a network with x.0.8.0 in it")
    }

    private mutating func made(_ count: Int) -> [StoredClick] {
        var all: [(click: StoredClick, edge: Int)] = []
        var time = TestWorld.start.microseconds
        for _ in 0..<count {
            time += [0, 1, 200_000, 900_000, 3_000_000, 9_000_000].randomElement(using: &random)!
            let edge = Int.random(in: 0...1, using: &random)
            let past = all.filter { $0.edge == edge }.map(\.click)
            all.append((click(at: Timestamp(microseconds: time), after: past), edge))
        }
        return all.map(\.click).sorted { $0.place < $1.place }
    }

    /// A click and what its edge says, which sees its own clicks alone.
    private mutating func click(at time: Timestamp, after past: [StoredClick]) -> StoredClick {
        let one = { (of: Int, random: inout SplitMix) in Int.random(in: 0..<of, using: &random) == 0
        }
        let address =
            one(12, &random)
            ? hosted : NetworkAddress(ipv4: 0xCB00_7100 | UInt32.random(in: 1...3, using: &random))
        let agent =
            one(4, &random)
            ? Int.random(in: 3...5, using: &random) : Int.random(in: 1...2, using: &random)
        let user: Identifier? =
            one(10, &random)
            ? [influencer, admin, Identifier(high: 9, low: 9)].randomElement(using: &random)! : nil
        let gonggu = gonggus.randomElement(using: &random)!
        let visitor =
            user?.low ?? SplitMix.mixed(address.low &* 31 &+ UInt64(agent))
        let isFolded = one(30, &random)
        let plain = StoredClick(
            id: Identifier(
                high: random.next() & ~0xF000 | 0x7000, low: random.next() & ~(3 << 62) | 2 << 62),
            gonggu: gonggu, time: time, visitor: visitor, user: user,
            agent: isFolded ? nil : agent, address: address,
            count: isFolded ? Int.random(in: 2...9, using: &random) : 1, edge: Finding(.valid))
        var finding = Finding(.valid)
        let known = evidence.agents[agent]
        let terms = evidence.terms(of: gonggu, at: time)
        if one(40, &random) || known?.isAbsurd == true {
            finding = Finding(.malformed)
        } else if one(40, &random) {
            finding = Finding(.prefetch)
        } else if let rule = known?.botRule, rule != 0 {
            finding = Finding(.bot, reason: rule)
        } else if !(terms?.isOpen(at: time) ?? false) {
            finding = Finding(.inactive)
        } else if user == influencer || user == admin {
            finding = Finding(.self)
        } else if PlainJudge.isRepeated(plain, past.map { ($0, $0.edge.verdict) }, testRules) {
            finding = Finding(.duplicate)
        } else if isFolded || PlainJudge.clicks(of: plain, past) > testRules.floodClicksPerMinute {
            finding = Finding(.flood)
        } else if DatacenterNetworks.embedded.contains(address) {
            finding = Finding(.datacenter)
        }
        // Of some the evidence is erased.
        let isErased = one(25, &random)
        return StoredClick(
            id: plain.id, gonggu: gonggu, time: time, visitor: visitor, user: user,
            agent: isErased ? nil : plain.agent, address: isErased ? nil : address,
            count: plain.count, edge: finding)
    }
}

/// Judges by looking at everything.
enum PlainJudge {
    static func isRepeated(
        _ click: StoredClick, _ past: [(click: StoredClick, verdict: Verdict)],
        _ rules: AdjudicationRules
    ) -> Bool {
        past.contains { earlier, verdict in
            verdict == .valid && earlier.visitor == click.visitor
                && earlier.gonggu == click.gonggu
                && click.time.microseconds - earlier.time.microseconds
                    < Int64(rules.windowSeconds) * 1_000_000
        }
    }

    /// The address's clicks of this second and the 59 before, this one included.
    static func clicks(of click: StoredClick, _ past: [StoredClick]) -> Int {
        let second = click.time.microseconds / 1_000_000
        return past.reduce(click.count) { sum, earlier in
            let age = second - earlier.time.microseconds / 1_000_000
            return earlier.address?.subscriber == click.address?.subscriber && age < 60
                ? sum + earlier.count : sum
        }
    }

    /// The finding of each click, in the order given, which is that of judgement.
    static func findings(
        _ clicks: [StoredClick], _ evidence: ClickEvidence, _ rules: AdjudicationRules
    ) -> [Finding] {
        var past: [(click: StoredClick, verdict: Verdict)] = []
        var findings: [Finding] = []
        for click in clicks {
            let finding = finding(click, past, evidence, rules)
            findings.append(finding)
            past.append((click, finding.verdict))
        }
        return findings
    }

    private static func finding(
        _ click: StoredClick, _ past: [(click: StoredClick, verdict: Verdict)],
        _ evidence: ClickEvidence, _ rules: AdjudicationRules
    ) -> Finding {
        for (verdict, reason) in suspicions(click, past, evidence, rules) {
            let decision = newest(evidence, click, verdict)
            if decision?.outcome == .release { continue }
            if decision?.outcome == .refuse { return Finding(.refused) }
            if verdict == .flood, click.address == nil, click.current.verdict == .refused {
                return Finding(.refused)
            }
            return Finding(verdict, reason: reason)
        }
        return Finding(click.count > 1 ? .duplicate : .valid)
    }

    private static func newest(
        _ evidence: ClickEvidence, _ click: StoredClick, _ verdict: Verdict
    ) -> ClickDecision? {
        (evidence.decisions[click.gonggu] ?? [])
            .filter {
                $0.verdict == verdict && $0.from <= click.time && click.time <= $0.to
                    && ($0.address == nil || $0.address == click.address)
            }
            .max { $0.order < $1.order }
    }

    /// Every rule that applies, in the order of the contract.
    private static func suspicions(
        _ click: StoredClick, _ past: [(click: StoredClick, verdict: Verdict)],
        _ evidence: ClickEvidence, _ rules: AdjudicationRules
    ) -> [(Verdict, UInt16)] {
        var found: [(Verdict, UInt16)] = []
        let agent = click.count == 1 ? click.agent.flatMap { evidence.agents[$0] } : nil
        let (edge, current) = (click.edge.verdict, click.current)
        if edge == .malformed || (agent.map(\.isAbsurd) ?? (current.verdict == .malformed)) {
            found.append((.malformed, 0))
        }
        if edge == .prefetch { found.append((.prefetch, 0)) }
        if let agent, agent.botRule != 0 { found.append((.bot, agent.botRule)) }
        if agent == nil, current.verdict == .bot { found.append((.bot, current.reason)) }
        let terms = evidence.terms[click.gonggu]!.last { $0.knownAt <= click.time }!
        let edgeKnewTimes = ![.malformed, .prefetch, .bot].contains(edge)
        let wasOpen = !terms.isOff && terms.opensAt <= click.time && click.time < terms.closesAt
        if edgeKnewTimes ? edge == .inactive : !wasOpen { found.append((.inactive, 0)) }
        let isOwn =
            click.user == terms.influencer || click.user.map(evidence.admins.contains) == true
        if edgeKnewTimes && edge != .inactive ? edge == .self : isOwn { found.append((.self, 0)) }
        if isRepeated(click, past, rules) { found.append((.duplicate, 0)) }
        let refused = newest(evidence, click, .flood)?.outcome == .refuse && edge == .flood
        if let address = click.address {
            if refused || clicks(of: click, past.map(\.click)) > rules.floodClicksPerMinute {
                found.append((.flood, 0))
            }
            if DatacenterNetworks.embedded.contains(address) { found.append((.datacenter, 0)) }
        } else {
            let kept: [Verdict] = [.valid, .flood, .datacenter, .refused]
            let known = kept.contains(current.verdict) ? current.verdict : edge
            if refused || known == .flood || known == .refused { found.append((.flood, 0)) }
            if known == .datacenter { found.append((.datacenter, 0)) }
        }
        return found
    }
}
