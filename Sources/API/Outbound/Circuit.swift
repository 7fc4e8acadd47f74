// When somebody else's server is down, every request that waits for it holds one of ours. A
// circuit notices, refuses at once for a while, and lets a single request through to see whether it
// is back.
//
//            failuresMax of the last calls failed             openSeconds passed
//   closed ────────────────────────────────────────▶ open ─────────────────────────▶ half-open
//     ▲                                                ▲                                │   │
//     │                 the trial went well            └──── the trial failed ──────────┘   │
//     └─────────────────────────────────────────────────────────────────────────────────────┘

/// Whether one outside party may be asked now. Decides by values alone; the clock is an argument.
///
/// Invariant: at most `2 * failuresMax` outcomes are kept, none older than the window when it is
/// judged; while it is half-open exactly one call is under way.
package struct Circuit: Sendable {
    /// When it opens, and for how long.
    package struct Limits: Sendable, Equatable {
        /// So many failures among the last `2 * failuresMax` calls of the window open it: a party
        /// that answers most calls is not given up for one in ten that fails.
        package var failuresMax = 5
        package var windowSeconds = 30
        package var openSeconds = 15
        /// A trial that tells nothing for so long is taken as failed, so that a call which was
        /// forgotten cannot keep the circuit half-open for ever. Above every call's own limit.
        package var trialSecondsMax = 60

        package init() {}
    }

    /// What came of a call.
    package enum Outcome: Sendable {
        /// Any answer that the party was able to think about, a refusal too.
        case answered
        /// No answer, none in time, or one that says the party is broken.
        case failed
        /// The caller went away first, which tells nothing about the party.
        case abandoned
    }

    /// The leave to make one call; handed back with its outcome.
    package struct Pass: Sendable, Equatable {
        fileprivate let era: Int
        /// Whether all depends on this call.
        package let isTrial: Bool
    }

    /// The answer to a call that wants to be made.
    package enum Admission: Sendable, Equatable {
        case go(Pass)
        /// Worth asking again after so long.
        case refused(Duration)
    }

    /// What a report changed, for logs and counts.
    package enum Turn: Sendable, Equatable {
        case none, opened, closed
    }

    private enum State: Sendable {
        case closed([Call])
        case open(until: ContinuousClock.Instant)
        case halfOpen(since: ContinuousClock.Instant)
    }

    private struct Call: Sendable {
        let at: ContinuousClock.Instant
        let failed: Bool
    }

    private let limits: Limits
    private var state = State.closed([])
    /// Counts the states entered: what was admitted in one says nothing about a later one.
    private var era = 0

    package init(limits: Limits = Limits()) {
        precondition(
            limits.failuresMax > 0 && limits.windowSeconds > 0 && limits.openSeconds > 0
                && limits.trialSecondsMax > 0, "a circuit's limits are above 0")
        self.limits = limits
    }

    /// Whether it refuses at this moment, without asking to be let through.
    package func isOpen(now: ContinuousClock.Instant) -> Bool {
        if case .open(let until) = state { now < until } else { false }
    }

    /// Whether a call may be made now. Every pass is to be reported once.
    package mutating func admit(now: ContinuousClock.Instant) -> Admission {
        switch state {
        case .closed: return .go(Pass(era: era, isTrial: false))
        case .open(let until) where now < until: return .refused(now.duration(to: until))
        case .halfOpen(let since) where now < since + .seconds(limits.trialSecondsMax):
            return .refused(now.duration(to: since + .seconds(limits.trialSecondsMax)))
        case .open, .halfOpen:
            enter(.halfOpen(since: now))
            return .go(Pass(era: era, isTrial: true))
        }
    }

    /// Takes the outcome of a call. One that was admitted before the state last changed is ignored.
    package mutating func report(
        _ outcome: Outcome, of pass: Pass, now: ContinuousClock.Instant
    ) -> Turn {
        guard pass.era == era else { return .none }
        switch (state, outcome) {
        case (.closed, .abandoned): return .none
        case (.closed(let calls), _):
            let start = now - .seconds(limits.windowSeconds)
            let recent =
                calls.suffix(2 * limits.failuresMax - 1).filter { $0.at > start }
                + [Call(at: now, failed: outcome == .failed)]
            guard recent.count(where: \.failed) >= limits.failuresMax else {
                state = .closed(recent)
                return .none
            }
            enter(.open(until: now + .seconds(limits.openSeconds)))
            return .opened
        case (.halfOpen, .answered):
            enter(.closed([]))
            return .closed
        case (.halfOpen, .failed):
            enter(.open(until: now + .seconds(limits.openSeconds)))
            return .opened
        case (.halfOpen, .abandoned):
            // Nothing was learned: the next call is the trial.
            enter(.open(until: now))
            return .none
        case (.open, _): preconditionFailure("an open circuit has let a call through")
        }
    }

    private mutating func enter(_ next: State) {
        state = next
        era += 1
    }
}
