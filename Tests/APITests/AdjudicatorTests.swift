import Clicks
import Judging
import TestSupport
import Testing

@testable import API

@Suite struct AdjudicatorTests {
    private let influencer = Identifier(high: 5, low: 5)
    private let admin = Identifier(high: 6, low: 6)
    private let gonggus = [Identifier(high: 1, low: 1), Identifier(high: 1, low: 2)]

    private func world(_ seed: UInt64, clicks: Int) -> TestWorld {
        TestWorld(
            seed: seed, clicks: clicks, gonggus: gonggus, influencer: influencer, admin: admin)
    }

    private func judged(
        _ clicks: [StoredClick], _ evidence: ClickEvidence, skipping: Int = 0
    ) -> [Finding] {
        var adjudicator = Adjudicator(rules: testRules)
        return clicks.map { adjudicator.judge($0, by: evidence) }
    }

    /// With what counted before replaced.
    private func clicks(_ clicks: [StoredClick], now findings: [Finding]) -> [StoredClick] {
        zip(clicks, findings).map { click, finding in
            StoredClick(
                id: click.id, gonggu: click.gonggu, time: click.time, visitor: click.visitor,
                user: click.user, agent: click.agent, address: click.address, count: click.count,
                edge: click.edge, current: finding)
        }
    }

    @Test func `it finds what looking at everything finds`() {
        var seen: Set<Verdict> = []
        var changes = 0
        for _ in 0..<30 {
            let seed = UInt64.random(in: 0...UInt64.max)
            var world = world(seed, clicks: 250)
            for order in 0..<Int.random(in: 0...4, using: &world.random) {
                let from = world.clicks.randomElement(using: &world.random)!
                world.evidence.decisions[from.gonggu, default: []].insert(
                    ClickDecision(
                        order: order, gonggu: from.gonggu, from: from.time,
                        to: from.time.advanced(bySeconds: 400),
                        verdict: [.flood, .bot, .datacenter, .duplicate, .inactive]
                            .randomElement(using: &world.random)!,
                        address: Bool.random(using: &world.random) ? from.address : nil,
                        outcome: .release), at: 0)
            }
            let expected = PlainJudge.findings(world.clicks, world.evidence, testRules)
            let found = judged(world.clicks, world.evidence)
            #expect(found == expected, "seed \(seed)")
            seen.formUnion(found.map(\.verdict))
            changes += zip(found, world.clicks).count { $0 != $1.edge }
            // Twice changes nothing.
            let again = clicks(world.clicks, now: found)
            #expect(judged(again, world.evidence) == found, "seed \(seed)")
        }
        #expect(seen.count == 9 && changes > 200, "\(seen) \(changes)")
    }

    @Test func `a pass that begins anywhere goes on as the first would have`() {
        for _ in 0..<20 {
            let seed = UInt64.random(in: 0...UInt64.max)
            var world = world(seed, clicks: 250)
            let whole = judged(world.clicks, world.evidence)
            let place = Int.random(in: 1..<world.clicks.count, using: &world.random)
            let stored = clicks(
                Array(world.clicks),
                now: Array(whole[..<place]) + world.clicks[place...].map(\.edge))
            var second = Adjudicator(rules: testRules)
            let begin = stored[place - 1].time.advanced(bySeconds: -Int64(testRules.pastSeconds))
            for click in stored[..<place] where click.time >= begin { second.remember(click) }
            let rest = stored[place...].map { second.judge($0, by: world.evidence) }
            #expect(rest == Array(whole[place...]), "seed \(seed) place \(place)")
        }
    }

    private let gonggu = Identifier(high: 1, low: 2)

    private func click(
        _ second: Int64, _ edge: Verdict = .valid, visitor: UInt64 = 1, agent: Int? = 1,
        address: UInt32? = 7, count: Int = 1, current: Verdict? = nil
    ) -> StoredClick {
        StoredClick(
            id: Identifier(high: UInt64(second), low: visitor), gonggu: gonggu,
            time: TestWorld.start.advanced(bySeconds: second), visitor: visitor, agent: agent,
            address: address.map { NetworkAddress(ipv4: $0) }, count: count, edge: Finding(edge),
            current: current.map { Finding($0) })
    }

    private func verdicts(
        _ clicks: [StoredClick], deciding decisions: [ClickDecision] = []
    ) -> [Verdict] {
        var evidence = world(1, clicks: 0).evidence
        evidence.decisions[gonggu] = decisions
        return judged(clicks, evidence).map(\.verdict)
    }

    @Test func `a visitor of two edges is paid for once a window`() {
        #expect(
            verdicts([click(0), click(59), click(60), click(119), click(120)])
                == [.valid, .duplicate, .valid, .duplicate, .valid])
    }

    @Test func `a flood over two edges is held from the first click beyond the limit`() {
        let clicks = (0..<10).map { click($0, visitor: UInt64($0 + 1)) }
        #expect(
            verdicts(clicks) == [Verdict](repeating: .valid, count: 8) + [.flood, .flood])
    }

    @Test func `what cannot be known any more stays as it was`() {
        // HEAD, a purpose header, and what the edge's links file said.
        for verdict in [Verdict.malformed, .prefetch, .inactive, .self] {
            #expect(verdicts([click(0, verdict)]) == [verdict])
        }
        // Without agent or address.
        for verdict in [Verdict.bot, .flood, .datacenter, .valid] {
            #expect(verdicts([click(0, verdict, agent: nil, address: nil)]) == [verdict])
        }
        #expect(verdicts([click(0, .flood, address: nil, current: .refused)]) == [.refused])
        #expect(verdicts([click(0, .flood, address: nil, current: .valid)]) == [.valid])
        // A mended agent is not the one that was judged.
        #expect(verdicts([click(0, .bot, agent: 5)]) == [.bot])
        #expect(verdicts([click(0, .bot, agent: 1)]) == [.valid])
        #expect(verdicts([click(0, .valid, agent: 3)]) == [.bot])
        #expect(verdicts([click(0, .valid, agent: 4)]) == [.malformed])
    }

    @Test func `a folded record is never paid`() {
        let folded = click(0, .flood, agent: nil, count: 40)
        let release = ClickDecision(
            order: 1, gonggu: gonggu, from: TestWorld.start,
            to: TestWorld.start.advanced(bySeconds: 60), verdict: .flood,
            address: NetworkAddress(ipv4: 7), outcome: .release)
        #expect(verdicts([folded]) == [.flood])
        #expect(verdicts([folded, click(1)], deciding: [release]) == [.duplicate, .valid])
    }

    @Test func `a released flood is judged in the order of time`() {
        let held = (0..<10).map { click($0, visitor: $0 == 8 ? 100 : UInt64($0 + 1)) }
        let later = click(40, visitor: 100)
        let release = ClickDecision(
            order: 1, gonggu: gonggu, from: held[8].time, to: held[9].time, verdict: .flood,
            address: NetworkAddress(ipv4: 7), outcome: .release)
        let refuse = ClickDecision(
            order: 2, gonggu: gonggu, from: held[8].time, to: held[9].time, verdict: .flood,
            address: NetworkAddress(ipv4: 7), outcome: .refuse)
        #expect(verdicts(held + [later]).suffix(3) == [.flood, .flood, .flood])
        #expect(
            verdicts(held + [later], deciding: [release]).suffix(3)
                == [.valid, .valid, .duplicate])
        // The newest decision counts.
        #expect(
            verdicts(held + [later], deciding: [refuse, release]).suffix(3)
                == [.refused, .refused, .flood])
    }
}
