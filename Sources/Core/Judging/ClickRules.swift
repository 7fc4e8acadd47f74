// HOT: once a click. Bench: Benchmarks/Edge.
//
// The rules of a verdict that need nothing but the request and the link. They are pure, so that the
// edge at the time and adjudication afterwards come to the same answer from the same facts.

import Clicks

/// What is known of a click before anything is remembered about its visitor.
package struct ClickFacts: Equatable, Sendable, BitwiseCopyable {
    /// HEAD asks for a head only: nobody is going anywhere.
    package var isHead: Bool
    package var hasUserAgent: Bool
    /// A purpose header says that a browser fetches ahead.
    package var isPrefetch: Bool
    /// The gonggu was open and not suspended when the click came.
    package var isActive: Bool

    package init(isHead: Bool, hasUserAgent: Bool, isPrefetch: Bool, isActive: Bool) {
        self.isHead = isHead
        self.hasUserAgent = hasUserAgent
        self.isPrefetch = isPrefetch
        self.isActive = isActive
    }
}

package enum ClickRules {
    /// The first rule that applies, in the contract's order: malformed, prefetch, inactive. Nil if
    /// none does: then the visitor's past decides between duplicate and valid.
    package static func verdict(_ facts: ClickFacts) -> Verdict? {
        if facts.isHead || !facts.hasUserAgent { return .malformed }
        if facts.isPrefetch { return .prefetch }
        if !facts.isActive { return .inactive }
        return nil
    }
}
