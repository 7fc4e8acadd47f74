import Foundation
import Postgres

@testable import API

// How the server goes about a statement at volume: its plan is asked for twice, as it is when a
// connection runs the statement for the first time, and as it is once the server has decided
// whether to plan it for each parameters or once for all. Both are run, for what they touch.

/// Parameters to run a statement with, and what it may touch.
struct StatementSample {
    /// Literals of PostgreSQL without their quotes, nil for null.
    let parameters: [String?]
    /// Pages of 8 KiB, with those of the planner left out.
    let buffersMax: Int
    /// Rows and index entries read, whether or not they were any good.
    let rowsMax: Int
    /// Whether its caller has it planned by ``Connection/inKeyOrder(_:)``.
    let isInKeyOrder: Bool
    /// Whether its caller has it planned by ``Connection/plannedAnew(_:)``: there is no later plan.
    let isPlannedAnew: Bool

    init(
        _ parameters: [String?], buffersMax: Int = 200, rowsMax: Int = 500,
        isInKeyOrder: Bool = false, isPlannedAnew: Bool = false
    ) {
        self.parameters = parameters
        self.isInKeyOrder = isInKeyOrder
        self.isPlannedAnew = isPlannedAnew
        self.buffersMax = buffersMax
        self.rowsMax = rowsMax
    }
}

/// What a plan did.
struct StatementCost: CustomStringConvertible {
    var buffers = 0
    var rows = 0
    /// Tables that were read from end to end.
    var tablesRead: [String] = []

    var description: String { "\(buffers) pages, \(rows) rows, read whole: \(tablesRead)" }
}

/// Explains statements in a database.
struct StatementPlans {
    /// A table of more rows is not read from end to end.
    static let smallRowsMax = 10_000

    let connection: Connection
    private let rowsByTable: [String: Int]

    init(_ connection: Connection) throws {
        self.connection = connection
        let tables = Statement(
            "plan_tables",
            "select relname::text, reltuples::bigint from pg_class where relkind in ('r', 'p', 'm')"
        )
        rowsByTable = Dictionary(
            try connection.query(tables).map {
                (try $0.get(0, as: String.self), try $0.get(1, as: Int.self))
            }, uniquingKeysWith: max)
    }

    /// Everything that is wrong with it, none if nothing is.
    func faults(of statement: Statement, _ sample: StatementSample) throws -> [String] {
        var faults: [String] = []
        for (name, cost) in try costs(of: statement, sample) {
            for table in cost.tablesRead where rowsByTable[table, default: 0] > Self.smallRowsMax {
                faults.append("\(statement.name), \(name): reads all of \(table)")
            }
            if cost.buffers > sample.buffersMax || cost.rows > sample.rowsMax {
                faults.append("\(statement.name), \(name): \(cost)")
            }
        }
        return faults
    }

    func costs(
        of statement: Statement, _ sample: StatementSample
    ) throws -> [(plan: String, cost: StatementCost)] {
        let literals = sample.parameters.map { parameter in
            parameter.map { "'" + $0.replacing("'", with: "''") + "'" } ?? "null"
        }
        let list = literals.isEmpty ? "" : "(\(literals.joined(separator: ", ")))"
        try connection.run(script: "begin; prepare sample as \(statement.sql)")
        defer { try? connection.run(script: "rollback; deallocate sample") }
        guard !sample.isInKeyOrder else {
            return [
                (
                    "in key order",
                    try connection.inKeyOrder { _ in Result { try analyse(list) } }.get()
                )
            ]
        }
        let first = try analyse(list)
        guard !sample.isPlannedAnew else { return [("anew", first)] }
        // The server plans anew five times and then compares.
        for _ in 0..<5 { try connection.run(script: "explain execute sample\(list)") }
        return [("the first time", first), ("later", try analyse(list))]
    }

    private func analyse(_ list: String) throws -> StatementCost {
        let explain = Statement(
            family: "plan_\(UInt64.random(in: .min ... .max))",
            "explain (analyze, buffers, timing off, format json) execute sample\(list)")
        let text: String = try connection.query(explain)[0].get(0)
        let json = try JSONSerialization.jsonObject(with: Data(text.utf8))
        guard let plan = (json as? [[String: Any]])?.first?["Plan"] as? [String: Any] else {
            throw CocoaError(.propertyListReadCorrupt)
        }
        var cost = StatementCost()
        cost.buffers = StatementPlans.number(plan, "Shared Hit Blocks", "Shared Read Blocks")
        StatementPlans.add(plan, to: &cost)
        return cost
    }

    private static func number(_ node: [String: Any], _ names: String...) -> Int {
        names.reduce(0) { $0 + ((node[$1] as? NSNumber)?.intValue ?? 0) }
    }

    private static func add(_ node: [String: Any], to cost: inout StatementCost) {
        let kind = node["Node Type"] as? String ?? ""
        let loops = number(node, "Actual Loops")
        if kind.hasSuffix("Scan"), kind != "CTE Scan", kind != "Subquery Scan",
            kind != "Function Scan"
        {
            let perLoop = number(
                node, "Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
            cost.rows += perLoop * loops
        }
        if kind.hasSuffix("Seq Scan"), loops > 0, let table = node["Relation Name"] as? String {
            cost.tablesRead.append(table)
        }
        for child in node["Plans"] as? [[String: Any]] ?? [] { add(child, to: &cost) }
    }
}
