import Clicks
import Postgres

// A person decides a flag, and it takes effect at once: the clicks of the visitors it is about are
// judged again, by the decision, in the order of time, until what they have done since is as if it
// had always been so. A released click that is valid starts a window, and the valid click that
// followed within it becomes the duplicate.

/// Decides flags.
enum FlagDecisions {
    /// Clicks read at a time.
    private static let pageRowsMax = 20_000

    /// Decides a flag in one transaction of its own.
    ///
    /// - Returns: how many clicks' verdicts changed.
    /// - Throws: ``AdjudicationRefusal`` if there is no such flag, if it was decided so before and
    ///   nothing has come since, or while a run over its clicks is not finished.
    static func decide(
        _ id: Identifier, _ outcome: ClickDecision.Outcome, reason: String, by: Identifier,
        in connection: Connection
    ) throws -> Int {
        try connection.transaction { connection in
            try LedgerQueries.lockAll(in: connection)
            guard let flag = try FlagQueries.lock(id, in: connection) else {
                throw AdjudicationRefusal.flagNotFound
            }
            guard flag.status != outcome.status else { throw AdjudicationRefusal.flagDecided }
            guard
                try !RunQueries.isUnderWay(
                    from: flag.firstClickAt, to: flag.lastClickAt, in: connection)
            else { throw AdjudicationRefusal.underWay }
            let decision = try FlagQueries.decide(
                flag, outcome, reason: reason, by: by, in: connection)
            let visitors = try FlagQueries.visitors(of: flag, in: connection)
            return try judge(
                flag, visitors,
                cause: VerdictChange.Cause(run: nil, decision: decision, by: by), reason,
                in: connection)
        }
    }

    private static func judge(
        _ flag: ClickFlag, _ visitors: Set<UInt64>, cause: VerdictChange.Cause, _ reason: String,
        in connection: Connection
    ) throws -> Int {
        guard !visitors.isEmpty else { return 0 }
        let rules = try RunQueries.rules(over: flag.firstClickAt, in: connection)
        let end = try RunQueries.now(in: connection)
        var pass = try AdjudicationPass(
            rules: rules, from: flag.firstClickAt, to: end, rowsMax: pageRowsMax, in: connection)
        var differing = DifferingWindows(rules.windowSeconds)
        var changed = 0
        while true {
            let page = try pass.nextPage(in: connection)
            // Whose verdict is another for any other reason waits for a run.
            let changes = page.changes.filter {
                $0.click.gonggu == flag.gonggu && visitors.contains($0.click.visitor)
            }
            .map { VerdictChange(click: $0.click, finding: $0.finding, why: reason) }
            try LedgerQueries.write(
                changes, cause: cause, ruleSet: rules.version, in: connection)
            // One that is no duplicate any more may be another flood's.
            try LedgerQueries.openFlags(for: changes, in: connection)
            changed += changes.count
            for click in page.clicks where click.gonggu == flag.gonggu {
                if visitors.contains(click.visitor) { differing.note(click) }
            }
            guard page.clicks.count == pageRowsMax, let now = page.clicks.last?.time else { break }
            if now > flag.lastClickAt, !differing.areLeft(in: pass, flag.gonggu, now: now) { break }
        }
        return changed
    }
}

/// Which visitors' windows began at another time before the decision than after it. While there are
/// any, later clicks may have other verdicts.
private struct DifferingWindows {
    private let windowSeconds: Int
    /// When each visitor's last valid click was, as it counted before.
    private var before: [UInt64: Timestamp] = [:]

    init(_ windowSeconds: Int) {
        self.windowSeconds = windowSeconds
    }

    mutating func note(_ click: StoredClick) {
        if click.current.verdict == .valid {
            before[click.visitor] = click.time
        } else if before[click.visitor] == nil {
            before[click.visitor] = .distantPast
        }
    }

    func areLeft(in pass: AdjudicationPass, _ gonggu: Identifier, now: Timestamp) -> Bool {
        before.contains { visitor, start in
            let isOpen = now < start.advanced(bySeconds: Int64(windowSeconds))
            return pass.openSince(visitor: visitor, gonggu: gonggu, now: now)
                != (isOpen ? start : nil)
        }
    }
}

extension Timestamp {
    /// Before every click.
    fileprivate static var distantPast: Timestamp { Timestamp(microseconds: 0) }
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
