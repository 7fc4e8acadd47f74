import Clicks
import Postgres

// A month's way: its days are sealed, one by one, each in a transaction of its own; then one
// transaction drafts it; another, by somebody else, closes it.
//
// Each of them first locks settlement_months against its like, before it takes its snapshot, so
// that drafts, closings, holds, adjustments and payments happen one after the other; readers do
// not wait. A draft also keeps adjudication from changing verdicts for as long as it takes.

/// Drafts and closes months.
package enum SettlementRun {
    /// Days with clicks before the month's end that are not sealed yet; sealing them comes before
    /// drafting. Refuses a month that cannot be drafted now.
    package static func daysToSeal(
        _ month: KoreanMonth, in connection: Connection
    ) throws -> [KoreanDay] {
        let (lastClosed, now) = try SettlementMonthQueries.frontier(in: connection)
        try SettlementRules.requireNext(month, lastClosed: lastClosed, now: now)
        return try DaySealQueries.openDays(before: month.next.firstDay, in: connection)
    }

    /// Seals one of them.
    package static func seal(_ day: KoreanDay, in connection: Connection) throws {
        if case .notAdjudicated = try DaySealing.seal(day, in: connection) {
            throw SettlementRefusal.notAdjudicated(day: day)
        }
    }

    /// Makes the draft of a month whose days are sealed, or makes it again.
    package static func draft(
        _ month: KoreanMonth, by drafter: Identifier, minimumPayoutWon: Int,
        in connection: Connection
    ) throws -> SettlementMonth {
        try connection.transaction { connection in
            try SettlementMonthQueries.lock(adjudication: true, in: connection)
            // A day that came meanwhile is for the caller to seal, and to try again.
            let open = try daysToSeal(month, in: connection)
            if let day = open.first { throw SettlementRefusal.notAdjudicated(day: day) }
            try SettlementDraftQueries.begin(
                month, by: drafter, minimumPayoutWon: minimumPayoutWon, in: connection)
            try SettlementDraftQueries.insertCorrections(month, in: connection)
            try write(month, minimumPayoutWon: minimumPayoutWon, in: connection)
            try SettlementDraftQueries.totalLedger(month, in: connection)
            let manifest = try SettlementDraftQueries.manifest(of: month, in: connection)
            try SettlementDraftQueries.keepManifest(manifest, of: month, in: connection)
            try SettlementMonthQueries.note(
                "drafted", by: drafter, month, detail: manifest.hexadecimal, in: connection)
            guard let drafted = try SettlementMonthQueries.month(month, in: connection) else {
                preconditionFailure("a month that was drafted has a row")
            }
            return drafted
        }
    }

    /// Lines, settlements and totals out of seals, corrections and adjustments; verification does
    /// the same over recounted seals.
    static func write(
        _ month: KoreanMonth, minimumPayoutWon: Int, in connection: Connection
    ) throws {
        try SettlementDraftQueries.insertLines(month, in: connection)
        try SettlementDraftQueries.upsertSettlements(
            month, minimumPayoutWon: minimumPayoutWon, in: connection)
        try SettlementDraftQueries.total(month, in: connection)
    }

    /// Makes the draft final: exactly as drafted, by somebody else, and only while all that it was
    /// made of still stands. Later findings are corrections of the next month.
    ///
    /// - Parameter manifest: the hash of the draft that the closer has looked at, if they say.
    package static func close(
        _ month: KoreanMonth, by closer: Identifier, manifest seen: String?,
        in connection: Connection
    ) throws -> SettlementMonth {
        try connection.transaction { connection in
            try SettlementMonthQueries.lock(in: connection)
            guard let draft = try SettlementMonthQueries.month(month, in: connection) else {
                throw SettlementRefusal.monthNotDrafted
            }
            guard draft.status == .draft else { throw SettlementRefusal.monthClosed }
            let (lastClosed, now) = try SettlementMonthQueries.frontier(in: connection)
            try SettlementRules.requireNext(month, lastClosed: lastClosed, now: now)
            let adjustments = try SettlementMonthQueries.adjustments(
                since: month, by: closer, in: connection)
            guard draft.draftedBy != closer, !adjustments.isOwn else {
                throw SettlementRefusal.samePerson
            }
            let manifest = try SettlementDraftQueries.manifest(of: month, in: connection)
            guard !adjustments.isOutdated, manifest.hexadecimal == draft.manifest,
                seen == nil || seen == draft.manifest
            else { throw SettlementRefusal.draftOutdated }
            guard draft.ledger.unexplained == 0 else {
                throw SettlementRefusal.booksDisagree(clicks: draft.ledger.unexplained)
            }
            try SettlementMonthQueries.close(month, by: closer, in: connection)
            try SettlementMonthQueries.note(
                "closed", by: closer, month, detail: manifest.hexadecimal, in: connection)
            guard let closed = try SettlementMonthQueries.month(month, in: connection) else {
                preconditionFailure("a month that was closed has a row")
            }
            return closed
        }
    }
}
