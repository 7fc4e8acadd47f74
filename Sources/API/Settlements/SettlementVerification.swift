import Clicks
import Postgres

// A closed month made again from the clicks as they are stored: each day is read and hashed again,
// the month is drafted again over what was found, in temporary tables that stand before the real
// ones in the search path, and its manifest has to come out the same to the byte. Nothing of a
// seal's or a line's numbers is taken over; only which days, corrections and adjustments the month
// paid for, and the balance of the month before, which that month's own verification covers.
//
// A day whose clicks have left the ledger for the archive cannot be read. Its seal is taken as it
// stands and the day is named: everything that is made of seals is still verified.

/// What verification found.
package struct VerificationReport: Sendable {
    package let month: KoreanMonth
    package var days = 0
    /// Rows of the ledger that were read and are paid.
    package var rows = 0
    package var clicks = 0
    package var totals = SettlementMonth.SettledTotals()
    /// What closing wrote down.
    package var storedManifest = ""
    package var foundManifest = ""
    /// Sentences, at most ``SettlementVerification/differencesMax`` of each kind.
    package var differences: [String] = []
    /// Days of which not all clicks are in the ledger, in order.
    package var archived: [ArchivedDay] = []

    /// Whether everything that could be read agrees to the byte.
    package var agrees: Bool { differences.isEmpty && storedManifest == foundManifest }

    /// A day whose clicks cannot be read.
    package struct ArchivedDay: Equatable, Sendable {
        package let day: KoreanDay
        /// All that is missing is in files, so that `Ingest restore` brings it back; else
        /// `Ingest maintain` has to make them first.
        package let isRestorable: Bool
    }
}

/// Verifies closed months.
package enum SettlementVerification {
    /// Of each kind these many are told.
    package static let differencesMax = 20

    /// - Parameter connection: a new one: statements that were prepared before would still mean
    ///   the real tables.
    /// - Throws: ``SettlementRefusal/monthNotClosed``.
    package static func run(
        _ month: KoreanMonth, in connection: Connection
    ) throws -> VerificationReport {
        try connection.run(script: "begin; set transaction isolation level repeatable read")
        // Nothing of it stays.
        defer { try? connection.run(script: "rollback") }
        var report = VerificationReport(month: month)
        guard
            let row = try connection.query(SettlementVerificationQueries.stored, [month.date])
                .first
        else { throw SettlementRefusal.monthNotClosed }
        report.storedManifest = try row.get("manifest")
        let minimum: Int = try row.get("minimum_payout_won")
        let seals = try DaySealQueries.settledDays(of: month, in: connection)
        report.archived = try SettlementVerificationQueries.archivedDays(of: month, in: connection)
        let archived = report.archived.map(\.day)
        try compareCorrections(month, &report, in: connection)
        var found: [(day: KoreanDay, count: DayCount)] = []
        for seal in seals where !archived.contains(seal.day) {
            let count = try DayCount.make(seal.day, in: connection)
            let stored = try DaySealQueries.storedCounts(of: seal.day, in: connection)
            compare(seal, stored, count, &report)
            found.append((seal.day, count))
        }
        try SettlementVerificationQueries.shadow(month, keeping: archived, in: connection)
        for (day, count) in found {
            try connection.execute(
                SettlementVerificationQueries.recount, [day.date, count.total, count.sha256])
            let gonggus = count.clicks.keys.sorted()
            try connection.execute(
                SettlementVerificationQueries.recountGonggus,
                [day.date, gonggus, gonggus.map { count.clicks[$0]! }])
        }
        try SettlementRun.write(month, minimumPayoutWon: minimum, in: connection)
        report.foundManifest =
            try SettlementDraftQueries.manifest(of: month, in: connection).hexadecimal
        try compareLines(month, &report, in: connection)
        return report
    }

    private static func compare(
        _ seal: (day: KoreanDay, clicks: Int, sha256: [UInt8]), _ stored: [Identifier: Int],
        _ count: DayCount, _ report: inout VerificationReport
    ) {
        report.days += 1
        report.rows += count.rows
        report.clicks += count.total
        if count.sha256 != seal.sha256 {
            report.differences.append(
                "\(seal.day.text): the clicks stored hash to \(count.sha256.hexadecimal), "
                    + "sealed was \(seal.sha256.hexadecimal)")
        }
        if count.total != seal.clicks {
            report.differences.append(
                "\(seal.day.text): \(count.total) valid clicks are stored, "
                    + "sealed were \(seal.clicks)")
        }
        let gonggus = Set(stored.keys).union(count.clicks.keys)
            .filter { stored[$0, default: 0] != count.clicks[$0, default: 0] }.sorted()
        for gonggu in gonggus.prefix(differencesMax) {
            report.differences.append(
                "\(seal.day.text): gonggu \(gonggu) has \(count.clicks[gonggu, default: 0]) valid "
                    + "clicks, sealed were \(stored[gonggu, default: 0])")
        }
    }

    private static func compareCorrections(
        _ month: KoreanMonth, _ report: inout VerificationReport, in connection: Connection
    ) throws {
        let rows = try connection.query(
            SettlementVerificationQueries.wrongCorrections,
            [month.date, differencesMax, report.archived.map(\.day.date)])
        for row in rows {
            let id: Identifier = try row.get("id")
            let time: Timestamp = try row.get("clicked_at")
            let fault: String = try row.get("fault")
            report.differences.append("correction of click \(id) at \(time.rfc3339()): \(fault)")
        }
    }

    private static func compareLines(
        _ month: KoreanMonth, _ report: inout VerificationReport, in connection: Connection
    ) throws {
        let rows = try connection.query(
            SettlementVerificationQueries.differentLines, [month.date, differencesMax])
        for row in rows {
            let isStored: Bool = try row.get("is_stored")
            let line: String = try row.get("line")
            report.differences.append("\(isStored ? "stored" : "found ") \(line)")
        }
        if report.storedManifest != report.foundManifest {
            report.differences.append(
                "the manifest found is \(report.foundManifest), "
                    + "closed was \(report.storedManifest)")
        }
        guard let found = try SettlementMonthQueries.month(month, in: connection) else { return }
        report.totals = found.totals
    }
}
