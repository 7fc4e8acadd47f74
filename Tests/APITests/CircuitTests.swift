import Testing

@testable import API

@Suite struct CircuitTests {
    private let start = ContinuousClock.now

    private var limits: Circuit.Limits {
        var limits = Circuit.Limits()
        limits.failuresMax = 3
        limits.windowSeconds = 10
        limits.openSeconds = 5
        limits.trialSecondsMax = 20
        return limits
    }

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func call(
        _ circuit: inout Circuit, _ outcome: Circuit.Outcome, at seconds: Double
    ) throws -> Circuit.Turn {
        guard case .go(let pass) = circuit.admit(now: at(seconds)) else {
            throw OutboundFailure.circuitOpen(retryAfterSeconds: 0)
        }
        return circuit.report(outcome, of: pass, now: at(seconds))
    }

    @Test func `it opens at the bound, tries one call, and closes when that is answered`() throws {
        var circuit = Circuit(limits: limits)
        #expect(try call(&circuit, .failed, at: 0) == .none)
        #expect(try call(&circuit, .failed, at: 1) == .none)
        #expect(try call(&circuit, .failed, at: 2) == .opened)
        #expect(circuit.admit(now: at(4)) == .refused(.seconds(3)))
        guard case .go(let trial) = circuit.admit(now: at(7)) else {
            Issue.record("no trial after the time is over")
            return
        }
        #expect(trial.isTrial)
        #expect(circuit.admit(now: at(7)) == .refused(.seconds(20)))
        #expect(circuit.report(.answered, of: trial, now: at(8)) == .closed)
        // What was before counts no more.
        #expect(try call(&circuit, .failed, at: 8) == .none)
        #expect(try call(&circuit, .failed, at: 8) == .none)
    }

    @Test func `a failed trial keeps it open, one that was abandoned lets the next try`() throws {
        var circuit = Circuit(limits: limits)
        for _ in 0..<3 { _ = try call(&circuit, .failed, at: 0) }
        #expect(try call(&circuit, .failed, at: 5) == .opened)
        #expect(circuit.isOpen(now: at(9.9)))
        #expect(try call(&circuit, .abandoned, at: 10) == .none)
        #expect(try call(&circuit, .answered, at: 10) == .closed)
    }

    @Test func `failures spread over more than the window, or among many answers, do not open it`()
        throws
    {
        var slow = Circuit(limits: limits)
        for index in 0..<50 {
            #expect(try call(&slow, .failed, at: Double(index) * 5.1) == .none)
        }
        var busy = Circuit(limits: limits)
        for index in 0..<300 {
            let outcome: Circuit.Outcome = index % 4 == 0 ? .failed : .answered
            #expect(try call(&busy, outcome, at: Double(index) / 100) == .none)
        }
    }

    @Test func `a trial that never reports does not keep it shut for ever`() throws {
        var circuit = Circuit(limits: limits)
        for _ in 0..<3 { _ = try call(&circuit, .failed, at: 0) }
        guard case .go(let lost) = circuit.admit(now: at(5)) else { return }
        #expect(circuit.admit(now: at(24)) == .refused(.seconds(1)))
        #expect(try call(&circuit, .answered, at: 25) == .closed)
        #expect(circuit.report(.failed, of: lost, now: at(26)) == .none)
    }

    /// Against a model that keeps everything and decides by counting.
    @Test(arguments: (0..<200).map { UInt64($0) &* 0x9E37_79B9 })
    func `whatever happens it does what its rules say`(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var circuit = Circuit(limits: limits)
        var model = Model()
        var pending: [(pass: Circuit.Pass, era: Int)] = []
        var now = 0.0
        for step in 0..<400 {
            now += Double.random(in: 0...1.5, using: &generator)
            let note: Comment = "seed \(seed), step \(step)"
            if pending.isEmpty || Bool.random(using: &generator) {
                let admission = circuit.admit(now: at(now))
                let isExpected = model.admit(now)
                guard case .go(let pass) = admission else {
                    #expect(!isExpected, note)
                    continue
                }
                #expect(isExpected, note)
                #expect(pass.isTrial == (model.trialSince != nil), note)
                pending.append((pass, model.era))
            } else {
                let index = pending.indices.randomElement(using: &generator)!
                let (pass, era) = pending.remove(at: index)
                let outcomes: [Circuit.Outcome] = [.failed, .failed, .answered, .abandoned]
                let outcome = outcomes.randomElement(using: &generator)!
                let turn = circuit.report(outcome, of: pass, now: at(now))
                #expect(turn == model.report(outcome, era: era, now), note)
            }
        }
    }

    private struct Model {
        var era = 0
        var outcomes: [(at: Double, failed: Bool)] = []
        var openUntil: Double?
        var trialSince: Double?

        mutating func admit(_ now: Double) -> Bool {
            if let since = trialSince, now < since + 20 { return false }
            if let until = openUntil, now < until { return false }
            if trialSince != nil || openUntil != nil {
                (trialSince, openUntil) = (now, nil)
                era += 1
            }
            return true
        }

        mutating func report(
            _ outcome: Circuit.Outcome, era reported: Int, _ now: Double
        ) -> Circuit.Turn {
            guard reported == era else { return .none }
            if trialSince != nil {
                trialSince = nil
                era += 1
                outcomes = []
                if outcome == .answered { return .closed }
                openUntil = outcome == .failed ? now + 5 : now
                return outcome == .failed ? .opened : .none
            }
            if outcome == .abandoned { return .none }
            outcomes.append((now, outcome == .failed))
            let counted = outcomes.suffix(6).filter { $0.at > now - 10 && $0.failed }
            guard counted.count >= 3 else { return .none }
            openUntil = now + 5
            era += 1
            return .opened
        }
    }
}

@Suite struct RetryRuleTests {
    private func delay(
        _ attempt: Int, _ ending: RetryRule.Ending, repeatable: Bool, spread: Double = 1
    ) -> Duration? {
        RetryRule.delay(after: attempt, ending, isRepeatable: repeatable, spread: spread)
    }

    @Test func `what may have arrived is sent again only if twice is once`() {
        for ending: RetryRule.Ending in [.failure(.broken), .status(502), .status(503)] {
            #expect(delay(1, ending, repeatable: true) != nil)
            #expect(delay(1, ending, repeatable: false) == nil)
        }
        #expect(delay(1, .failure(.unreachable), repeatable: false) != nil)
    }

    @Test func `what would meet the same again is not`() {
        let endings: [RetryRule.Ending] = [
            .status(200), .status(302), .status(400), .status(404), .status(429), .status(500),
            .failure(.timedOut), .failure(.answerTooLarge), .failure(.busy),
            .failure(.circuitOpen(retryAfterSeconds: 1)),
        ]
        for ending in endings { #expect(delay(1, ending, repeatable: true) == nil) }
    }

    @Test func `waits double, are spread, and end after three attempts`() {
        #expect(delay(1, .failure(.unreachable), repeatable: true) == .milliseconds(100))
        #expect(delay(2, .failure(.unreachable), repeatable: true) == .milliseconds(200))
        #expect(
            delay(2, .failure(.unreachable), repeatable: true, spread: 0.25) == .milliseconds(50))
        #expect(delay(1, .failure(.unreachable), repeatable: true, spread: 0) == .zero)
        #expect(delay(3, .failure(.unreachable), repeatable: true) == nil)
    }
}
