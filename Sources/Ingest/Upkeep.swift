// What the database needs now and then: statistics folded, tomorrow's partitions made, offsets of
// long deleted segments dropped. A thread and a connection of its own, so that none of it ever
// holds up a click.

import Admin
import Clicks
import Linux
import Postgres
import Settings
import Spool

/// Looks after the tables until stopped. Confined to one thread.
///
/// Unchecked: made by the main thread, handed to its own by the caller, touched by no other.
final class Upkeep: @unchecked Sendable {
    /// What a round came to.
    struct Round: Equatable {
        var deltasFolded = 0
        var daysEnsured = 0
        var offsetsForgotten = 0
    }

    private let intake: SpoolIntake
    private let databaseURL: Secret
    private let countries: Countries
    private let gauges: IngestGauges
    private var db: Connection?
    /// When partitions and offsets were last seen to, monotonic.
    private var lastDaily: Int64?

    private static let foldMilliseconds = 2000
    /// Some 16,000 clicks that wait.
    private static let backlogBytes = 3 << 19
    /// Deltas: some 120 MB, which a question about one gonggu reads in a second.
    private static let unfoldedMax = 3_000_000
    private static let dailyMicroseconds: Int64 = 3600 * 1_000_000
    /// A week ahead, so that a week without Ingest costs nothing but a moment at its return.
    private static let daysAhead: Int32 = 7

    init(
        intake: SpoolIntake, databaseURL: Secret, countries: Countries = Countries(path: nil),
        gauges: IngestGauges
    ) {
        self.countries = countries
        self.intake = intake
        self.databaseURL = databaseURL
        self.gauges = gauges
    }

    func run(until stopping: WakeSignal) {
        while !stopping.isRaised {
            var waitMilliseconds = Upkeep.foldMilliseconds
            countries.reloadIfChanged()
            let foldMax = foldMax
            do {
                let folded = try runOnce(foldMax: foldMax).deltasFolded
                gauges.noteFolded(folded, isAll: folded < foldMax)
                if foldMax > 0, folded >= foldMax { waitMilliseconds = 0 }
            } catch {
                db = nil
                if gauges.noteUpkeepDown("\(error)") {
                    Log.error("upkeep fails", [("reason", "\(error)")])
                }
            }
            if waitMilliseconds > 0 { stopping.wait(milliseconds: waitMilliseconds) }
        }
    }

    /// Deltas that the next round folds at most: none while a backlog of clicks wants the cores. A
    /// delta costs the ledger five times as much to fold as to take, and readers see both kinds, so
    /// clicks go first; but not beyond ``unfoldedMax``, for readers pay for each.
    private var foldMax: Int {
        clicksGoFirst ? 0 : IngestQueries.foldDeltasMax
    }

    private var clicksGoFirst: Bool {
        let values = gauges.values
        return values.pendingBytes > Upkeep.backlogBytes && values.unfolded < Upkeep.unfoldedMax
    }

    func runOnce(foldMax: Int = IngestQueries.foldDeltasMax) throws -> Round {
        let db = try connected()
        var round = Round()
        round.deltasFolded = try IngestQueries.foldStatistics(atMost: foldMax, in: db)
        let moment = Clock.monotonic()
        if lastDaily.map({ moment - $0 >= Upkeep.dailyMicroseconds }) ?? true {
            let today = Timestamp(microseconds: Clock.now()).koreanDay
            for ahead in 0...Upkeep.daysAhead {
                try IngestQueries.ensurePartition(today.advanced(byDays: ahead), in: db)
                round.daysEnsured += 1
            }
            round.offsetsForgotten = try IngestQueries.forgetOffsets(
                edgeID: intake.edgeID, exceptOf: try intake.segments(), in: db)
            lastDaily = moment
        }
        return round
    }

    private func connected() throws -> Connection {
        if let db, !db.isLost { return db }
        let db = try Connection.toLedger(databaseURL, as: "gonggumoa-ingest-upkeep")
        self.db = db
        return db
    }
}
