import Clicks

/// What a run has changed, for people to look at before money follows it. The same changes give the
/// same bytes: there is no time and no random number in it.
package struct AdjudicationReport: Equatable, Sendable {
    /// Clicks that went from one verdict to another.
    package struct Move: Equatable, Sendable {
        package let from: Verdict
        package let to: Verdict
        package let rows: Int
        /// Requests, those of folded records among them.
        package let clicks: Int

        static let schema = Schema<Move>(
            "VerdictMove",
            [
                Field("from", .verbatim(example: "valid"), \.fromName),
                Field("to", .verbatim(example: "duplicate"), \.toName),
                Field("rows", .count, \.rows), Field("clicks", .count, \.clicks),
            ])

        private var fromName: String { "\(from.name)" }
        private var toName: String { "\(to.name)" }
    }

    /// What it means for one gonggu.
    package struct GongguChange: Equatable, Sendable {
        package let gonggu: Identifier
        /// Clicks whose verdict changed.
        package var clicks: Int
        /// Clicks that are paid now and were not.
        package var gained: Int
        /// Clicks that were paid and are not now.
        package var lost: Int

        static let schema = Schema<GongguChange>(
            "GongguChange",
            [
                Field("gonggu_id", .identifier, \.gonggu), Field("clicks", .count, \.clicks),
                Field("valid_gained", .count, \.gained), Field("valid_lost", .count, \.lost),
            ])
    }

    /// Gonggus shown, those with the most changed clicks.
    package static let gonggusMax = 20

    package var rows = 0
    package var clicks = 0
    /// By from and to.
    package var moves: [Move] = []
    /// Most changed clicks first.
    package var gonggus: [GongguChange] = []

    package init() {}

    /// Rows whose verdict changed.
    package var changes: Int { moves.reduce(0) { $0 + $1.rows } }

    /// For a terminal, and to be compared byte by byte.
    package func text(_ period: AdjudicationPeriod, _ rules: AdjudicationRules) -> String {
        var lines = [
            "adjudication \(period.from.text) to \(period.to.text) by \(rules.name)",
            "rows \(rows)  clicks \(clicks)  changed \(changes)",
        ]
        if !moves.isEmpty {
            lines.append("")
            lines.append(Self.row("from", "to", "rows", "clicks"))
            for move in moves {
                lines.append(
                    Self.row(
                        "\(move.from.name)", "\(move.to.name)", "\(move.rows)",
                        "\(move.clicks)"))
            }
        }
        if !gonggus.isEmpty {
            lines.append("")
            lines.append(
                "gonggu".padded(to: 36) + ["clicks", "+valid", "-valid"].map(Self.right).joined())
            for change in gonggus {
                let numbers = [change.clicks, change.gained, change.lost].map { "\($0)" }
                lines.append("\(change.gonggu)" + numbers.map(Self.right).joined())
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func row(_ from: String, _ to: String, _ rows: String, _ clicks: String)
        -> String
    {
        from.padded(to: 12) + to.padded(to: 12) + right(rows) + right(clicks)
    }

    private static func right(_ text: String) -> String {
        String(repeating: " ", count: max(1, 12 - text.count)) + text
    }
}

/// Adds changes up, for a run that writes nothing. Holds a line a gonggu that has any.
struct ChangeTally {
    private struct Key: Hashable {
        let from: Verdict
        let to: Verdict
    }

    private var moves: [Key: (rows: Int, clicks: Int)] = [:]
    private var gonggus: [Identifier: AdjudicationReport.GongguChange] = [:]
    private var report = AdjudicationReport()

    mutating func add(_ page: AdjudicationPass.Page) {
        report.rows += page.clicks.count
        report.clicks += page.clicks.reduce(0) { $0 + $1.count }
        for change in page.changes {
            let (from, to) = (change.click.current.verdict, change.finding.verdict)
            let count = change.click.count
            moves[Key(from: from, to: to), default: (0, 0)].rows += 1
            moves[Key(from: from, to: to), default: (0, 0)].clicks += count
            let gonggu = change.click.gonggu
            var line =
                gonggus[gonggu]
                ?? AdjudicationReport.GongguChange(gonggu: gonggu, clicks: 0, gained: 0, lost: 0)
            line.clicks += count
            if to == .valid && from != .valid { line.gained += count }
            if from == .valid && to != .valid { line.lost += count }
            gonggus[gonggu] = line
        }
    }

    /// As the same changes written down are reported.
    var result: AdjudicationReport {
        var report = report
        report.moves = moves.map {
            AdjudicationReport.Move(
                from: $0.key.from, to: $0.key.to, rows: $0.value.rows, clicks: $0.value.clicks)
        }
        .sorted { ($0.from.rawValue, $0.to.rawValue) < ($1.from.rawValue, $1.to.rawValue) }
        report.gonggus = Array(
            gonggus.values.sorted { left, right in
                left.clicks != right.clicks
                    ? left.clicks > right.clicks : left.gonggu < right.gonggu
            }
            .prefix(AdjudicationReport.gonggusMax))
        return report
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: max(1, width - count))
    }
}
