import Clicks
import Judging
import Testing

@Suite struct ClickRulesTests {
    private static let plain = ClickFacts(
        isHead: false, hasUserAgent: true, isPrefetch: false, isActive: true)

    @Test func `a plain click on an open gonggu is left to the visitor's past`() {
        #expect(ClickRules.verdict(Self.plain) == nil)
    }

    /// Every combination against the contract's list read from the top.
    @Test func `the first rule of the order that applies gives the verdict`() {
        for bits in 0..<16 {
            let facts = ClickFacts(
                isHead: bits & 1 != 0, hasUserAgent: bits & 2 != 0, isPrefetch: bits & 4 != 0,
                isActive: bits & 8 != 0)
            let order: [(applies: Bool, verdict: Verdict)] = [
                (facts.isHead, .malformed), (!facts.hasUserAgent, .malformed),
                (facts.isPrefetch, .prefetch), (!facts.isActive, .inactive),
            ]
            #expect(ClickRules.verdict(facts) == order.first(where: \.applies)?.verdict)
        }
    }
}
