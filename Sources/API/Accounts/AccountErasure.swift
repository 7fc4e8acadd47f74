import Clicks
import Postgres

// Erasing accounts whose holders left 30 days ago. What says who somebody was goes: e-mail,
// nickname, password, social ids, picture, profile, words, sessions. What money was earned and paid
// by stays: the account's row under its id, the titles and targets of gonggus, clicks, settlements.
//
// Of somebody who is owed money, the sealed payee's details stay until it is paid, or until no
// claim is left after five years; a closed month's nickname stays with the books for as long.
//
// A room whose tables say something of a person adds its statement to `steps`; a test lists every
// column that refers to an account and fails until it is decided what becomes of it.

/// What one run of the erasure did.
package struct ErasureReport: Equatable, Sendable {
    package var erased = 0
    /// Signed in again between being found and being erased.
    package var stayed = 0
    /// Could not be erased, and are tried again by the next run.
    package var failures: [Failure] = []
    /// Payees' details that nothing needs any more.
    package var payeesRemoved = 0
    /// Erased people who are owed money, whose details are kept for that.
    package var payeesKept = 0
    /// Settlements older than what the law wants kept, whose nickname was removed.
    package var settlementsRedacted = 0

    /// An account that could not be erased.
    package struct Failure: Equatable, Sendable {
        package let account: Identifier
        package let error: PostgresError
    }

    /// For an operator.
    package var text: String {
        """
        erased=\(erased)
        stayed=\(stayed)
        failed=\(failures.count)
        payees_removed=\(payeesRemoved)
        payees_kept_for_money_owed=\(payeesKept)
        settlements_redacted=\(settlementsRedacted)
        """
    }
}

/// Erases accounts.
package enum AccountErasure {
    /// Days to change one's mind.
    package static let reservationDays = 30
    /// Years that books and payees' details are kept at most.
    package static let booksYears = 5
    /// Found at a time.
    private static let pageRowsMax = 100

    /// What is done to an account, in this order, each with the account's id as $1.
    package static let steps: [Statement] = [
        SubscriptionQueries.erase, FavoriteQueries.erase, ReviewQueries.erase,
        ErasureQueries.eraseTokens, ErasureQueries.eraseIdentities, ErasureQueries.eraseInbox,
        ErasureQueries.eraseKeptAnswers, ErasureQueries.eraseVerifications,
        ErasureQueries.eraseProfile, ErasureQueries.eraseGonggus, DiscardQueries.discardAll,
        // The last, since it ends what the others may look at.
        ErasureQueries.eraseUser,
    ]

    /// Erases whoever is due, each in a transaction of its own, and lets go of payees' details that
    /// nothing needs any more. Can be repeated and interrupted at any time.
    ///
    /// - Parameter limit: accounts a run, and payees, and settlements.
    package static func run(limit: Int, in connection: Connection) throws -> ErasureReport {
        var report = ErasureReport()
        var last: (Timestamp, Identifier)?
        var left = limit
        while left > 0 {
            let due = try ErasureQueries.due(
                after: last, limit: min(left, pageRowsMax), in: connection)
            guard let end = due.last else { break }
            for account in due { try erase(account.id, &report, in: connection) }
            last = (end.requestedAt, end.id)
            left -= due.count
        }
        report.payeesRemoved = try ErasureQueries.removePayees(limit: limit, in: connection)
        report.payeesKept = try ErasureQueries.countPayees(in: connection)
        report.settlementsRedacted = try ErasureQueries.redactSettlements(
            limit: limit, in: connection)
        return report
    }

    /// One that fails does not hold up the others, unless the database is gone.
    private static func erase(
        _ id: Identifier, _ report: inout ErasureReport, in connection: Connection
    ) throws {
        do {
            let isErased = try connection.transaction { connection in
                guard try ErasureQueries.lock(id, in: connection) else { return false }
                for step in steps { try connection.execute(step, [id]) }
                return true
            }
            if isErased { report.erased += 1 } else { report.stayed += 1 }
        } catch let error as PostgresError where !connection.isLost {
            report.failures.append(.init(account: id, error: error))
        }
    }
}
