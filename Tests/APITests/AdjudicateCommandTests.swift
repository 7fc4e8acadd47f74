import Clicks
import Glibc
import Linux
import Postgres
import TestSupport
import Testing

@testable import API

/// The command itself, as an operator runs it: killed, and on two copies of one database.
@Suite struct AdjudicateCommandTests {
    private let folder: TestFolder
    private let ledger: AdjudicationLedger

    init() throws {
        folder = try TestFolder()
        ledger = try AdjudicationLedger()
    }

    private func start(
        _ url: String, _ arguments: [String], log: String
    ) throws -> ChildProcess {
        try ChildProcess(
            try TestServers.binary("API"), arguments, environment: ["DATABASE_URL": url],
            logPath: folder.path + "/" + log)
    }

    private func run(_ url: String, _ arguments: [String]) throws -> (code: Int32, text: String) {
        let process = try start(
            url, arguments, log: "run-\(UInt64.random(in: 0...UInt64.max)).log")
        return (process.wait(), process.log)
    }

    private let command = [
        "adjudicate", "--from", "2026-11-10", "--to", "2026-11-10", "--rule-set", "test",
    ]

    /// A copy of the ledger's database; nobody may be connected to it meanwhile.
    private func copy() throws -> (url: String, name: String) {
        let name = ledger.database.name + "_copy"
        let server = try Connection(
            url: try TestServers.databaseURL(), applicationName: "AdjudicateCommandTests")
        try eventually("the copy is made") {
            (try? server.run(
                script: "create database \(name) template \(ledger.database.name)")) != nil
        }
        return (ledger.database.url.replacing(ledger.database.name, with: name), name)
    }

    private func drop(_ name: String) throws {
        let server = try Connection(
            url: try TestServers.databaseURL(), applicationName: "AdjudicateCommandTests")
        try server.run(script: "drop database \(name) with (force)")
    }

    /// All that the run has written, as one text.
    private func dump(_ url: String) throws -> String {
        let connection = try Connection(url: url, applicationName: "test")
        let all = Statement(
            "test_dump",
            """
            select (
                select string_agg(concat_ws(' ', clicked_at, click_id, gonggu_id, from_verdict,
                    to_verdict, to_reason, rule_set, reason), E'\\n' order by seq)
                from click_adjudications
            ) || (
                select string_agg(concat_ws(' ', gonggu_id, hour, verdict, channel, referer_host,
                    clicks), E'\\n' order by gonggu_id, hour, verdict, channel, referer_host)
                from (
                    select gonggu_id, hour, verdict, channel, referer_host, sum(clicks) as clicks
                    from click_stats
                    group by 1, 2, 3, 4, 5
                ) as lines
                where clicks <> 0
            ) || (
                select string_agg(concat_ws(' ', day, gonggu_id, ip_address, clicks), E'\\n'
                    order by day, gonggu_id, ip_address)
                from click_flags
            )
            """)
        return try connection.query(all)[0].get(0)
    }

    @Test func `killed anywhere and asked again, it ends as if nothing had been`() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var world = ledger.world(seed: seed, clicks: 500)
        try ledger.prepare(world)
        try ledger.insert(world.clicks)
        let (copyURL, copyName) = try copy()
        defer { try? drop(copyName) }
        let dry = try run(copyURL, command + ["--dry-run"])
        let whole = try run(copyURL, command)
        #expect(whole.code == 0 && whole.text == dry.text, "\(whole.text) \(dry.text)")
        // The other is killed again and again, a few pages further each time.
        let url = ledger.database.url
        let watcher = try ledger.connect()
        let rows = Statement(
            "test_rows", "select coalesce(max(rows_read), 0)::bigint from adjudication_runs")
        var kills = 0
        while kills < 12 {
            let before: Int = try watcher.query(rows)[0].get(0)
            let process = try start(url, command + ["--page-rows", "4"], log: "killed.log")
            let further = Int.random(in: 1...60, using: &world.random)
            try eventually("it is further, or done") {
                let now: Int = try watcher.query(rows)[0].get(0)
                return now >= before + further || process.wait(seconds: 0) != nil
            }
            process.killNow()
            kills += 1
        }
        let last = try run(url, command + ["--page-rows", "100"])
        #expect(last.code == 0)
        #expect(try dump(url) == dump(copyURL), "seed \(seed)")
        #expect(try ledger.faults(watcher) == [])
        let again = try run(url, command)
        #expect(again.code == 0 && again.text.contains("changed 0"), "\(again.text)")
        #expect(try dump(url) == dump(copyURL))
    }

    @Test(arguments: [
        (["adjudicate", "--from", "2026-11-10", "--to", "2026-11-09"], 64, "before"),
        (["adjudicate", "--from", "2026-11-31", "--to", "2026-12-01"], 64, "are days"),
        (
            ["adjudicate", "--from", "2026-11-10", "--to", "2026-11-10", "--rule-set", "none"], 1,
            "no such rule set"
        ),
        (
            [
                "adjudicate", "--from", "2026-11-10", "--to", "2026-11-10", "--rule-set",
                "standard-2",
            ], 1, "does not have the lists"
        ),
        (["adjudicate", "--from", "2999-01-01", "--to", "2999-01-01"], 1, "not begun"),
        (["add-rule-set", "--name", "Strict"], 1, "rule_sets_name_form"),
        (["add-rule-set", "--name", "standard-3"], 1, "rule_sets_name_key"),
        (
            ["add-rule-set", "--name", "strict", "--window-seconds", "600"], 0,
            "rule set 1000 strict"
        ),
    ])
    func `a command says what it did or why it did not`(
        arguments: [String], code: Int, says: String
    ) throws {
        let result = try run(ledger.database.url, arguments)
        #expect(result.code == Int32(code) && result.text.contains(says), "\(result)")
    }
}
