import Clicks
import Postgres
import TestSupport
import Testing

@testable import API

/// A closed month whose days have left the ledger, by the real `Ingest maintain`.
@Suite struct SettlementArchiveTests {
    private static let march = month("2025-03")

    let site: SettlementSite
    let folder: TestFolder

    init() throws {
        site = try SettlementSite(influencers: 2, gonggusEach: 2)
        folder = try TestFolder()
        try site.setRate(100, from: "2020-01-01")
    }

    /// Three days of March and one of April; a late click of March is April's correction.
    private func closeTwoMonths() throws {
        let days = ["2025-03-03", "2025-03-04", "2025-03-05", "2025-04-02"]
        for day in days {
            try site.store(
                (0..<60).map { index in
                    site.click(
                        gonggu: index % 4,
                        at: seoul("\(day) 00:00").advanced(bySeconds: Int64(index) * 1000),
                        verdict: index % 5 == 0 ? 3 : 0)
                })
        }
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.next.days.last!)
        _ = try site.draft(Self.march, minimum: 1)
        _ = try site.close(Self.march)
        try site.store([site.click(gonggu: 0, at: seoul("2025-03-04 12:34"))])
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.next.days.last!)
        _ = try site.draft(Self.march.next, minimum: 1)
        #expect(try site.close(Self.march.next).totals.correctedClicks == 1)
    }

    private func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, log: String)
    {
        let process = try ChildProcess(
            TestServers.binary(program), arguments,
            environment: [
                "DATABASE_URL": site.database.url, "ARCHIVE_DIRECTORY": folder.path + "/archives",
            ], logPath: "\(folder.path)/log-\(UInt64.random(in: .min ... .max))")
        return (process.wait(), process.log)
    }

    private func verify(_ month: String) throws -> (code: Int32, log: String) {
        try run("API", ["settlement", "verify", month])
    }

    @Test func `an archived day is named with what brings it back, and the rest is verified`()
        throws
    {
        try closeTwoMonths()
        #expect(try verify("2025-03").code == 0)
        let kept = try run("Ingest", ["maintain", "--today", "2026-11-21"])
        #expect(kept.code == 0, "\(kept.log)")
        let march = try verify("2025-03")
        #expect(march.code == 2, "\(march.log)")
        for day in ["2025-03-03", "2025-03-04", "2025-03-05"] {
            #expect(march.log.contains("ARCHIVED \(day): "))
            #expect(march.log.contains("to bring them back: Ingest restore \(day)\n"))
        }
        #expect(march.log.contains("\nagrees but for 3 archived days\n"))
        #expect(!march.log.contains("DIFFERS"))
        // April pays for its own day and corrects one of March.
        let april = try verify("2025-04")
        #expect(april.code == 2 && april.log.contains("agrees but for 2 archived days"))
        #expect(april.log.contains("ARCHIVED 2025-03-04") && !april.log.contains("2025-03-05"))
        for (day, left) in [("2025-03-03", 2), ("2025-03-05", 1)] {
            let restored = try run("Ingest", ["restore", day, "--today", "2026-11-21"])
            #expect(restored.code == 0, "\(restored.log)")
            let report = try site.verify(Self.march)
            #expect(report.agrees && report.archived.count == left, "\(report.differences)")
            #expect(report.days == 3 - left)
        }
        // What is there is compared, archived days or not.
        try site.connection.run(
            script: """
                set session_replication_role = replica;
                update settlement_lines set clicks = clicks + 1, amount_won = amount_won + rate_won
                where number = 1 and month = '2025-03-01'
                """)
        let tampered = try verify("2025-03")
        #expect(tampered.code == 1 && tampered.log.contains("DIFFERS stored line"))
        try site.connection.run(
            script: """
                update settlement_lines set clicks = clicks - 1, amount_won = amount_won - rate_won
                where number = 1 and month = '2025-03-01';
                set session_replication_role = origin
                """)
        let last = try run("Ingest", ["restore", "2025-03-04", "--today", "2026-11-21"])
        #expect(last.code == 0, "\(last.log)")
        let whole = try verify("2025-03")
        #expect(whole.code == 0 && whole.log.contains("\nagrees\n"), "\(whole.log)")
    }

    @Test func `a day stays as long as a click of it waits for a draft that is closed`() throws {
        try closeTwoMonths()
        var judged = site.click(gonggu: 0, at: seoul("2025-03-04 01:01"))
        try site.store([judged])
        try site.adjudicate(from: Self.march.firstDay, through: Self.march.next.days.last!)
        func leaves(_ days: [String]) throws {
            let settled = try site.connection.query(
                Statement(
                    "test_settled",
                    "select day from click_day_seals where click_month_is_settled(day) order by day"
                ))
            let found = try settled.map { try $0.day("day").text }
            #expect(found.filter { ["2025-03-03", "2025-03-04"].contains($0) } == days)
        }
        try leaves(["2025-03-03"])
        let kept = try run("Ingest", ["maintain", "--today", "2026-11-21"])
        #expect(kept.code == 0, "\(kept.log)")
        #expect(try verify("2025-03").log.contains("agrees but for 2 archived days"))
        // A draft can be made anew, so nothing leaves by it.
        let may = Self.march.next.next
        #expect(try site.draft(may, minimum: 1).totals.correctedClicks == 1)
        try leaves(["2025-03-03"])
        _ = try site.close(may)
        try leaves(["2025-03-03", "2025-03-04"])
        try site.judge(&judged, 3)
        try leaves(["2025-03-03"])
    }

    @Test func `a day that is detached and no file yet asks for maintain first`() throws {
        try closeTwoMonths()
        try site.connection.run(
            script: """
                alter table click_trackings detach partition click_trackings_20250303;
                select settle_click_detachment('2025-03-03');
                alter table click_trackings detach partition click_trackings_20250305
                """)
        let report = try site.verify(Self.march)
        #expect(report.agrees, "\(report.differences)")
        #expect(report.archived.map(\.day.text) == ["2025-03-03", "2025-03-05"])
        #expect(report.archived.allSatisfy { !$0.isRestorable })
        #expect(
            report.lines.contains {
                $0.hasSuffix(
                    "Ingest maintain, which archives it, and then Ingest restore 2025-03-05")
            })
        #expect(report.lines.last == "agrees but for 2 archived days")
    }
}
