import Clicks
import Postgres

// A decision's way through the clicks, in the order of judgement, until what has been clicked since
// is as if it had always been so. Each page is one transaction: the changes, what they move in the
// statistics, the flags they open, and the place. Whoever dies in the middle leaves a place, and
// the windows that were moved shortly before it are read again from the changes themselves.

/// One decision being applied. Confined to its connection's thread.
struct DecisionWork {
    enum Outcome {
        case goesOn
        case finished
        /// A run that is not finished has the next clicks; nothing was written.
        case blocked
    }

    /// Rows a transaction, which holds up others who decide or ask for runs.
    static let pageRowsMax = 5000

    private let run: DecisionRun
    private let rules: AdjudicationRules
    private let rowsMax: Int
    /// Nil where the address is erased: there is nothing to do.
    private var walk: (pass: AdjudicationPass, ripple: DecisionRipple)?

    /// Reads where it stands, and the past before that, within a transaction.
    init(_ decision: Identifier, rowsMax: Int = pageRowsMax, in connection: Connection) throws {
        guard let run = try DecisionQueries.run(decision, in: connection) else {
            preconditionFailure("a decision that was begun has a run")
        }
        self.run = run
        self.rowsMax = rowsMax
        rules = try RunQueries.rules(over: run.from, in: connection)
        guard let address = run.address else { return }
        var moved: [UInt64: Timestamp] = [:]
        if let place = run.place {
            moved = try DecisionQueries.moved(
                by: decision, since: place.time.advanced(bySeconds: -Int64(rules.windowSeconds)),
                in: connection)
        }
        walk = (
            try AdjudicationPass(
                rules: rules, from: run.from, after: run.place, to: run.decidedAt,
                rowsMax: rowsMax, in: connection),
            DecisionRipple(
                gonggu: run.gonggu, address: address, from: run.from, to: run.to,
                windowSeconds: rules.windowSeconds, changedAt: moved)
        )
    }

    /// Judges the next page, within a transaction that has ``LedgerQueries/lockAll(in:)``. After
    /// ``Outcome/blocked``, or an error, this value is of no more use.
    mutating func nextPage(in connection: Connection) throws -> Outcome {
        guard var (pass, ripple) = walk else {
            try DecisionQueries.finish(run.decision, in: connection)
            return .finished
        }
        let page = try pass.nextPage(reachedBy: &ripple, in: connection)
        walk = (pass, ripple)
        if let last = page.clicks.last {
            let end = max(last.time, run.to)
            guard try !RunQueries.isUnderWay(from: run.from, to: end, in: connection) else {
                return .blocked
            }
        }
        let changes = page.changes.map {
            VerdictChange(click: $0.click, finding: $0.finding, why: run.reason)
        }
        try LedgerQueries.write(
            changes,
            cause: VerdictChange.Cause(run: nil, decision: run.decision, by: run.by),
            ruleSet: rules.version, in: connection)
        // One that is no duplicate any more may be another flood's.
        try LedgerQueries.openFlags(for: changes, in: connection)
        try DecisionQueries.advance(run.decision, by: page, in: connection)
        guard page.clicks.count == rowsMax, let last = page.clicks.last,
            !ripple.isOver(at: last.time)
        else {
            try DecisionQueries.finish(run.decision, in: connection)
            return .finished
        }
        return .goesOn
    }

    /// Goes on with a decision until it is finished.
    ///
    /// - Throws: ``AdjudicationFault`` or ``AdjudicationRefusal`` for what no later try would
    ///   mend, after noting it; `PostgresError` for what one may.
    static func run(
        _ decision: Identifier, rowsMax: Int = pageRowsMax, in connection: Connection,
        isStopping: () -> Bool = { false }
    ) throws -> WorkOutcome {
        guard try DecisionQueries.take(in: connection) else { return .takenByAnother }
        defer {
            // The lock goes with the session anyway, if this cannot be said.
            try? DecisionQueries.release(in: connection)
        }
        // Read after the lock was taken: until then another may have moved it.
        guard let run = try DecisionQueries.run(decision, in: connection), !run.isFinished else {
            return .takenByAnother
        }
        do {
            var work = try connection.transaction {
                try DecisionWork(decision, rowsMax: rowsMax, in: $0)
            }
            while true {
                let outcome = try connection.transaction { connection in
                    try LedgerQueries.lockAll(in: connection)
                    return try work.nextPage(in: connection)
                }
                switch outcome {
                case .finished: return .finished
                case .blocked: return .blocked
                case .goesOn: if isStopping() { return .stopped }
                }
            }
        } catch let error as AdjudicationFault {
            try DecisionQueries.fail(decision, because: error.description, in: connection)
            throw error
        } catch let error as AdjudicationRefusal {
            try DecisionQueries.fail(decision, because: "\(error)", in: connection)
            throw error
        }
    }
}
