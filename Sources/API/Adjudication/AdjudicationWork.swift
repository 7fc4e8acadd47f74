import Clicks
import Postgres

// A run from where it stands to its end. Each page is one transaction: the changes, the flags they
// open, what they move in the statistics, and the run's new place. Whoever dies in the middle
// leaves a run that stands at a place, and the next one goes on from there as if nothing had been.

/// What became of a run.
package enum WorkOutcome: Equatable, Sendable {
    case finished
    /// Somebody else is at it, or has finished it.
    case takenByAnother
    /// Asked to stop; it stands where it is.
    case stopped
    /// A decision's next clicks are being judged by a run; it stands where it is until then.
    case blocked
}

/// Makes runs. Blocks its thread; belongs to one connection.
package enum AdjudicationWork {
    /// Clicks a transaction: some hundred milliseconds, and some megabytes.
    package static let pageRowsMax = 20_000

    /// Goes on with a run until it is finished.
    ///
    /// - Parameters:
    ///   - rowsMax: clicks a transaction.
    ///   - isStopping: asked between pages.
    /// - Throws: ``AdjudicationFault`` or ``AdjudicationRefusal`` for what no later try would
    ///   mend, after noting it; `PostgresError` for what one may.
    package static func run(
        _ id: Identifier, rowsMax: Int = pageRowsMax, in connection: Connection,
        isStopping: () -> Bool = { false }
    ) throws -> WorkOutcome {
        guard try RunQueries.take(id, in: connection) else { return .takenByAnother }
        defer {
            // The lock goes with the session anyway, if this cannot be said.
            try? RunQueries.release(id, in: connection)
        }
        // Read after the lock was taken: until then another may have moved it.
        guard let run = try RunQueries.run(id, in: connection) else {
            throw AdjudicationRefusal.runNotFound
        }
        guard run.state == .waiting || run.state == .running else { return .takenByAnother }
        do {
            return try goOn(with: run, rowsMax: rowsMax, in: connection, isStopping: isStopping)
        } catch let error as AdjudicationFault {
            try RunQueries.fail(id, because: error.description, in: connection)
            throw error
        } catch let error as AdjudicationRefusal {
            try RunQueries.fail(id, because: "\(error)", in: connection)
            throw error
        }
    }

    private static func goOn(
        with run: AdjudicationRun, rowsMax: Int, in connection: Connection, isStopping: () -> Bool
    ) throws -> WorkOutcome {
        let rules = try RunQueries.ruleSet(named: run.ruleSet, in: connection)
        var pass = try connection.transaction { connection in
            try AdjudicationPass(
                rules: rules, from: run.from, after: run.place, to: run.to, rowsMax: rowsMax,
                in: connection)
        }
        let cause = VerdictChange.Cause(run: run.id, decision: nil, by: run.by)
        while true {
            let page = try connection.transaction { connection in
                let page = try pass.nextPage(in: connection)
                try LedgerQueries.write(
                    page.changes, cause: cause, ruleSet: rules.version, in: connection)
                try LedgerQueries.openFlags(for: page.changes, in: connection)
                try RunQueries.advance(run.id, by: page, in: connection)
                if page.clicks.count < rowsMax { try RunQueries.finish(run.id, in: connection) }
                return page
            }
            if page.clicks.count < rowsMax { return .finished }
            if isStopping() { return .stopped }
        }
    }

    /// Finds what a run would change, and changes nothing.
    package static func rehearse(
        _ period: AdjudicationPeriod, rules: AdjudicationRules, rowsMax: Int = pageRowsMax,
        in connection: Connection
    ) throws -> AdjudicationReport {
        let end = min(period.end, try RunQueries.now(in: connection))
        guard period.start < end else { throw AdjudicationRefusal.notYet }
        var pass = try connection.transaction { connection in
            try AdjudicationPass(
                rules: rules, from: period.start, to: end, rowsMax: rowsMax, in: connection)
        }
        var tally = ChangeTally()
        while true {
            let page = try connection.transaction { try pass.nextPage(in: $0) }
            tally.add(page)
            if page.clicks.count < rowsMax { return tally.result }
        }
    }
}
