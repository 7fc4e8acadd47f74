import Clicks
import Postgres

// A person decides a flag. The decision counts from that moment: it is written down, and whatever
// judges these clicks from now on judges by it. What it changes of verdicts that were given before
// is done at once where few clicks are in the flag's period, in the same transaction; else the desk
// does it page by page (DecisionWork), so that no request waits for a million clicks.
//
//     waiting → running → finished      as a run's states; `failed` says why, and the next
//             ↘         ↘ failed        adjudication of the period applies the decision then
//
// While it is not finished nobody decides the flag anew, and no run over its period is taken on.

/// Decides flags.
enum FlagDecisions {
    /// Up to so many rows of the ledger, the past that has to be known included, are judged while
    /// the person waits: a few hundred milliseconds.
    static let atOnceRowsMax = 4000

    /// Decides a flag in one transaction of its own.
    ///
    /// - Returns: what it came to, or how far it is.
    /// - Throws: ``AdjudicationRefusal`` if there is no such flag, if it was decided so before and
    ///   nothing has come since, or while a run over its clicks, or the decision before on it, is
    ///   not finished.
    static func decide(
        _ id: Identifier, _ outcome: ClickDecision.Outcome, reason: String, by: Identifier,
        atOnceRowsMax: Int = atOnceRowsMax, in connection: Connection
    ) throws -> DecisionRun {
        try connection.transaction { connection in
            try LedgerQueries.lockAll(in: connection)
            guard let flag = try FlagQueries.lock(id, in: connection) else {
                throw AdjudicationRefusal.flagNotFound
            }
            guard flag.status != outcome.status else { throw AdjudicationRefusal.flagDecided }
            let isUnfinished = try DecisionQueries.isUnfinished(on: flag, in: connection)
            guard !isUnfinished.flag,
                try !RunQueries.isUnderWay(
                    from: flag.firstClickAt, to: flag.lastClickAt, in: connection)
            else { throw AdjudicationRefusal.underWay }
            let rules = try RunQueries.rules(over: flag.firstClickAt, in: connection)
            let decision = try FlagQueries.decide(
                flag, outcome, reason: reason, by: by, in: connection)
            try DecisionQueries.begin(decision, in: connection)
            // Behind another one on the same gonggu it has to stand in line.
            if try !isUnfinished.gonggu
                && isSmall(flag, rules: rules, rowsMax: atOnceRowsMax, in: connection)
            {
                var work = try DecisionWork(
                    decision, rowsMax: max(atOnceRowsMax, 1), in: connection)
                _ = try work.nextPage(in: connection)
            }
            guard let run = try DecisionQueries.run(decision, in: connection) else {
                preconditionFailure("a decision that was begun has a run")
            }
            return run
        }
    }

    private static func isSmall(
        _ flag: ClickFlag, rules: AdjudicationRules, rowsMax: Int, in connection: Connection
    ) throws -> Bool {
        guard flag.address != nil else { return true }
        let past = flag.firstClickAt.advanced(bySeconds: -Int64(rules.pastSeconds))
        let rows = try DecisionQueries.rows(
            from: past, through: flag.lastClickAt, max: rowsMax + 1, in: connection)
        return rows <= rowsMax
    }
}

extension ClickDecision.Outcome {
    /// What a flag is then.
    var status: FlagStatus {
        switch self {
        case .release: .released
        case .refuse: .confirmed
        }
    }
}
