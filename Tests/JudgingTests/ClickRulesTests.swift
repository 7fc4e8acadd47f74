import Clicks
import Judging
import Testing

@Suite struct ClickRulesTests {
    @Test func `a click that no rule is about is valid`() {
        #expect(ClickRules.verdict(ClickFacts()) == .valid)
    }

    /// Every combination of facts against the contract's list read from the top.
    @Test func `the first rule of the order that applies gives the verdict`() {
        for bits in 0..<512 {
            func bit(_ number: Int) -> Bool { bits >> number & 1 != 0 }
            var facts = ClickFacts()
            facts.isHead = bit(0)
            facts.isAgentAbsurd = bit(1)
            facts.isPrefetch = bit(2)
            facts.botRule = bit(3) ? 1001 : 0
            facts.isActive = !bit(4)
            facts.isOwn = bit(5)
            facts.isRepeated = bit(6)
            facts.isFlood = bit(7)
            facts.isDatacenter = bit(8)
            let order: [(applies: Bool, number: UInt8)] = [
                (bit(0) || bit(1), 7), (bit(2), 4), (bit(3), 3), (bit(4), 5), (bit(5), 6),
                (bit(6), 1), (bit(7), 2), (bit(8), 8), (true, 0),
            ]
            #expect(ClickRules.verdict(facts).rawValue == order.first(where: \.applies)?.number)
        }
    }
}
