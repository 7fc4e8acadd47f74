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
    private let gauges: IngestGauges
    private var db: Connection?
    /// When partitions and offsets were last seen to, monotonic.
    private var lastDaily: Int64?

    private static let foldMilliseconds = 2000
    private static let dailyMicroseconds: Int64 = 3600 * 1_000_000
    /// A week ahead, so that a week without Ingest costs nothing but a moment at its return.
    private static let daysAhead: Int32 = 7

    init(intake: SpoolIntake, databaseURL: Secret, gauges: IngestGauges) {
        self.intake = intake
        self.databaseURL = databaseURL
        self.gauges = gauges
    }

    func run(until stopping: WakeSignal) {
        while !stopping.isRaised {
            var isFull = false
            do {
                let folded = try runOnce().deltasFolded
                gauges.noteFolded(folded)
                isFull = folded >= IngestQueries.foldDeltasMax
            } catch {
                db = nil
                if gauges.noteUpkeepDown("\(error)") {
                    Log.error("upkeep fails", [("reason", "\(error)")])
                }
            }
            if !isFull { stopping.wait(milliseconds: Upkeep.foldMilliseconds) }
        }
    }

    func runOnce() throws -> Round {
        let db = try connected()
        var round = Round()
        round.deltasFolded = try IngestQueries.foldStatistics(in: db)
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
