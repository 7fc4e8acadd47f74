import ArgumentParser
import Clicks
import Glibc
import Postgres
import Schema
import Settings

// What finance's jobs and auditors run on the server. Sealing is for a timer, once a day; verifying
// is for whoever doubts.

/// `API settlement seal | verify`.
struct SettlementCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "settlement", abstract: "Seals days and verifies closed months.",
        subcommands: [SealDays.self, VerifyMonth.self])
}

/// Seals what can be sealed, so that drafting a month has nothing left to count.
struct SealDays: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "seal",
        abstract: "Freezes, counts and hashes the days that are over and adjudicated.",
        discussion: """
            Exits with 1 if a day has clicks that no finished adjudication has read. Days it tells \
            are frozen, so adjudicating them once more is enough.
            """)

    @Option(help: "The last day to seal, 2026-11-30; yesterday in Korea if left out.")
    var through: String?

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        let last = try through.map { text in
            guard let day = KoreanDay(text: text) else {
                throw ValidationError("--through is a day such as 2026-11-30")
            }
            return day
        }
        var isComplete = true
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-seal")
            try Migrator.requireCurrent(connection)
            let (_, now) = try SettlementMonthQueries.frontier(in: connection)
            guard last.map({ $0 < now.koreanDay }) ?? true else {
                throw CommandFailure("--through is a day that is over")
            }
            let end = last?.advanced(byDays: 1) ?? now.koreanDay
            for day in try DaySealQueries.openDays(before: end, in: connection) {
                switch try DaySealing.seal(day, in: connection) {
                case .sealed(let clicks): writeOut("\(day.text) sealed, \(clicks) valid clicks")
                case .notAdjudicated(let rows):
                    isComplete = false
                    writeOut("\(day.text) not adjudicated, \(rows) rows")
                case .empty, .alreadySealed: break
                }
            }
        }
        if !isComplete { throw ExitCode.failure }
    }
}

/// Recomputes a closed month from the stored clicks.
struct VerifyMonth: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Makes a closed month again from the stored clicks and compares to the byte.",
        discussion: """
            Exits with 0 if control totals, lines and the manifest's SHA-256 come out as they were \
            closed, with 1 and a line for each difference if they do not. With 2 if all that could \
            be read agrees, but clicks of some days are in the archive: each is named, with what \
            brings it back.
            """)

    /// What could be read agrees, and not all could be read.
    static let incompleteExitCode = ExitCode(2)

    @Argument(help: "The month, 2026-11.")
    var month: String

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        guard let month = KoreanMonth(text: month) else {
            throw ValidationError("the month is one such as 2026-11")
        }
        var (agrees, isComplete) = (false, false)
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-verify")
            try Migrator.requireCurrent(connection)
            let began = Timestamp.now
            let report: VerificationReport
            do {
                report = try SettlementVerification.run(month, in: connection)
            } catch SettlementRefusal.monthNotClosed {
                throw CommandFailure("\(month.text) is not closed")
            }
            let seconds =
                Double(Timestamp.now.microseconds - began.microseconds) / 1_000_000
            for line in report.lines { writeOut(line) }
            // Not among the lines: those are the same each time.
            writeError("verified in \(seconds) s")
            (agrees, isComplete) = (report.agrees, report.archived.isEmpty)
        }
        if !agrees { throw ExitCode.failure }
        if !isComplete { throw Self.incompleteExitCode }
    }
}

extension VerificationReport {
    /// What `verify` prints; the same for the same database.
    package var lines: [String] {
        let found = totals
        return [
            "month \(month.text)", "days \(days)", "rows \(rows)", "sealed clicks \(clicks)",
            "corrected clicks \(found.correctedClicks)", "settled clicks \(found.settledClicks)",
            "lines \(found.lines)", "lines won \(found.linesWon)",
            "carried in won \(found.carriedInWon)", "payable won \(found.payableWon)",
            "carried out won \(found.carriedOutWon)", "manifest closed \(storedManifest)",
            "manifest found  \(foundManifest)",
        ] + differences.map { "DIFFERS \($0)" } + archived.map(\.line) + [conclusion]
    }

    private var conclusion: String {
        guard agrees else { return "differs" }
        return archived.isEmpty ? "agrees" : "agrees but for \(archived.count) archived days"
    }
}

extension VerificationReport.ArchivedDay {
    fileprivate var line: String {
        let remedy =
            isRestorable
            ? "Ingest restore \(day.text)"
            : "Ingest maintain, which archives it, and then Ingest restore \(day.text)"
        return
            "ARCHIVED \(day.text): its clicks are not in the ledger, so its seal was taken as it "
            + "stands; to bring them back: \(remedy)"
    }
}
