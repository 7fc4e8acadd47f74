// One pass over the spool of the processes before, for everything that the tables lack or hold too
// much of.

import Admin
import Clicks
import Guards
import Judging
import Linux
import Spool

/// Brings the guards' tables and the spool of earlier processes into agreement, before any worker.
struct StateRecovery {
    private let guards: EdgeGuards
    private let visitors: VisitorKey
    private let spool: SpoolFolder
    private let now: Int64
    private let windowMicroseconds: Int64

    private static let floodMicroseconds: Int64 = 60_000_000

    init(
        guards: EdgeGuards, visitors: VisitorKey, spool: SpoolFolder, now: Int64,
        windowSeconds: Int
    ) {
        self.guards = guards
        self.visitors = visitors
        self.spool = spool
        self.now = now
        windowMicroseconds = Int64(windowSeconds) * 1_000_000
    }

    /// - Parameters:
    ///   - restoresWindows: the dedupe window is empty and is to be made again.
    ///   - restoresFloods: the flood guard is empty and is to be made again.
    ///   - doubtsSince: the time of the oldest turn that the last process died in; nil for none.
    ///   - folds: what the last process has left of them.
    func run(
        restoresWindows: Bool, restoresFloods: Bool, doubtsSince: Int64?, folds: [FoldTable],
        into report: inout EdgeMemory.Report
    ) throws(SystemError) {
        let windowsFrom = restoresWindows ? now - windowMicroseconds : .max
        let floodsFrom = restoresFloods ? now - StateRecovery.floodMicroseconds : .max
        // Windows made from records have nothing that is not recorded.
        let doubtedFrom = restoresWindows ? .max : doubtsSince ?? .max
        let left = folds.flatMap(\.folds)
        let foldsFrom = left.map(\.time.microseconds).min() ?? .max
        let oldest = min(windowsFrom, floodsFrom, doubtedFrom, foldsFrom)
        guard oldest != .max else { return }

        let slack = DedupeWindow.clockStepMicroseconds
        let unwritten = Set(left.map(\.id))
        var written: Set<Identifier> = []
        var recorded: [UInt64: Int64] = [:]
        var restored = 0
        let history = try spool.readHistory(writtenSince: oldest - slack) { click, texts in
            let time = click.time.microseconds
            // Folds have no texts; few others have none.
            if texts.userAgent.isEmpty, unwritten.contains(click.id) {
                written.insert(click.id)
            }
            // What is further ahead was written before the clock was set back: over, for a window.
            guard time > 0, time <= now + slack else { return }
            let restoresWindow = click.verdict == .valid && time > windowsFrom
            if restoresWindow { guards.dedupe.restore(key: key(of: click), time: time) }
            if time > floodsFrom {
                guards.flood.restore(
                    key: visitors.addressKey(click.address), time: time, clicks: click.count)
            }
            if restoresWindow || time > floodsFrom { restored += 1 }
            if click.verdict == .valid, doubtedFrom != .max, time >= doubtedFrom - slack {
                recorded[key(of: click)] = max(time, recorded[key(of: click)] ?? 0)
            }
        }
        report.restoredClicks = restored
        for table in folds { table.forget(ifWritten: written.contains) }
        if doubtedFrom != .max { report.withdrawnClaims = withdraw(doubtedFrom, recorded) }
        note(history)
    }

    /// A claim may carry a time later than its click's: that of the entry it has taken the place
    /// of, which another worker's younger clock reading has made. Never by more than the slack, nor
    /// than the window, since that entry was the oldest of its set.
    private func withdraw(_ since: Int64, _ recorded: [UInt64: Int64]) -> Int {
        let slack = min(DedupeWindow.clockStepMicroseconds, windowMicroseconds)
        return guards.dedupe.withdraw(since: since) { key, time in
            recorded[key].map { time - $0 < slack } ?? false
        }
    }

    private func key(of click: Click) -> UInt64 {
        visitors.dedupeKey(visitor: click.visitorKey, gonggu: click.gongguID)
    }

    private func note(_ history: SpoolHistory) {
        guard history.damages > 0 || !history.problems.isEmpty else { return }
        Log.warning(
            "part of the spool could not be looked back at",
            [
                ("damages", "\(history.damages)"),
                ("segments_left_out", "\(history.problems.count)"),
                ("first", history.problems.first ?? ""),
            ])
    }
}
