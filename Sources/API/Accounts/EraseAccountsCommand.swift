import ArgumentParser
import Postgres
import Schema

/// `API erase-accounts`, for a schedule.
struct EraseAccounts: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "erase-accounts",
        abstract: "Erases accounts whose holders left 30 days ago and did not come back.",
        discussion: """
            Reads DATABASE_URL. Run it daily; each account is a transaction of its own, so it can \
            be interrupted and repeated. Prints name=value lines. Exits with 1 if an account could \
            not be erased; the others are, and the next run tries it again.
            """)

    @Option(help: "Accounts a run.")
    var limit = 10_000

    func validate() throws {
        guard (1...1_000_000).contains(limit) else {
            throw ValidationError("--limit is from 1 to 1000000")
        }
    }

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        try orExit {
            let connection = try Connection(url: database.url, applicationName: "gonggumoa-erase")
            try Migrator.requireCurrent(connection)
            let report = try AccountErasure.run(limit: limit, in: connection)
            writeOut(report.text)
            for failure in report.failures {
                writeError("account \(failure.account): \(failure.error)")
            }
            if !report.failures.isEmpty { throw CommandFailure("some accounts were not erased") }
        }
    }
}
