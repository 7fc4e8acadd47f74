import ArgumentParser
import Clicks
import Judging
import Postgres
import Schema

// The commands of adjudication: what an operator runs before a month is settled, and what prints
// the same bytes on two copies of one database.

struct Adjudicate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adjudicate",
        abstract: "Judges the stored clicks of a period again and says what changed.",
        discussion: """
            Reads DATABASE_URL. Changes are rows beside the clicks; a second run changes nothing. \
            One that was interrupted goes on where it stood if it is asked for again.
            """)

    @Option(help: "The first Korean day, 2026-11-01.")
    var from: String

    @Option(help: "The last Korean day; of today, until now.")
    var to: String

    @Option(help: "The name of a rule set.")
    var ruleSet = AdjudicationRules.edgeName

    @Flag(help: "Says what would change and changes nothing.")
    var dryRun = false

    @Option(help: ArgumentHelp("Clicks a transaction.", visibility: .hidden))
    var pageRows = AdjudicationWork.pageRowsMax

    func validate() throws {
        guard (1...1_000_000).contains(pageRows) else {
            throw ValidationError("--page-rows is from 1 to 1000000")
        }
        _ = try period()
    }

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        let period = try period()
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-adjudicate")
            try Migrator.requireCurrent(connection)
            do {
                let (rules, report) = try judge(period, in: connection)
                writeOut(report.text(period, rules))
            } catch let refusal as AdjudicationRefusal {
                throw CommandFailure(refusal.problem.sentence)
            }
        }
    }

    private func judge(
        _ period: AdjudicationPeriod, in connection: Connection
    ) throws -> (AdjudicationRules, AdjudicationReport) {
        let rules = try RunQueries.ruleSet(named: ruleSet, in: connection)
        if dryRun {
            let report = try AdjudicationWork.rehearse(
                period, rules: rules, rowsMax: pageRows, in: connection)
            return (rules, report)
        }
        let id = try RunQueries.request(period, rules: rules, by: nil, in: connection)
        let outcome = try AdjudicationWork.run(id, rowsMax: pageRows, in: connection)
        guard outcome == .finished, let run = try RunQueries.run(id, in: connection) else {
            throw AdjudicationRefusal.underWay
        }
        return (rules, try RunQueries.report(of: run, in: connection))
    }

    private func period() throws -> AdjudicationPeriod {
        guard let from = KoreanDay(text: from), let to = KoreanDay(text: to) else {
            throw ValidationError("--from and --to are days, such as 2026-11-01")
        }
        do {
            return try AdjudicationPeriod(from: from, to: to)
        } catch {
            throw ValidationError(error.problem.sentence)
        }
    }
}

struct AddRuleSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-rule-set",
        abstract: "Names a new version of the rules, with this build's lists.")

    @Option(help: "Small letters, digits, dots and hyphens.")
    var name: String

    @Option(help: "How long a valid click makes further ones of its visitor duplicates.")
    var windowSeconds = 300

    @Option(help: "More clicks of an address within a minute are held.")
    var floodClicksPerMinute = 60

    @Option(help: "Why there is another one.")
    var note = ""

    func run() throws {
        let database = try settings { DatabaseSettings(reading: &$0) }
        try orExit {
            let connection = try Connection(
                url: database.url, applicationName: "gonggumoa-add-rule-set")
            try Migrator.requireCurrent(connection)
            do throws(PostgresError) {
                let version = try RunQueries.addRuleSet(
                    name: name, windowSeconds: windowSeconds,
                    floodClicksPerMinute: floodClicksPerMinute,
                    botTable: Int(BotTable.current.version),
                    datacenters: DatacenterNetworks.embedded.version, note: note, in: connection)
                writeOut("rule set \(version) \(name)")
            } catch {
                guard error.constraint?.hasPrefix("rule_sets_") == true else { throw error }
                throw CommandFailure(
                    "the rule set is refused by \(error.constraint ?? ""): the name is taken or "
                        + "malformed, or a number is out of range")
            }
        }
    }
}

extension Problem {
    /// For a terminal.
    fileprivate var sentence: String {
        let parts = faults.map { "\($0.field): \($0.detail[.english])" }
        return parts.isEmpty ? code.detail[.english] : parts.joined(separator: "; ")
    }
}
