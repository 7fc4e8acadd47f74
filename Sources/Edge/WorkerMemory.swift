// HOT: two stores and a comparison a turn; more only for addresses under attack. Bench:
// Benchmarks/Edge, keep-alive row.

import Guards
import Spool

/// One worker's part of what outlives the process: the mark of the turn it is in, and the folds of
/// addresses under attack on their way to the spool. Confined to the worker's thread.
///
/// Folds that were collected are in the frame that the next commit of the spool writes, and are
/// settled by what became of it.
struct WorkerMemory {
    let folds: FoldTable?
    private let marks: TurnMarks
    private let number: Int
    private var taken = 0
    private var takenClicks: UInt64 = 0
    /// After a failed write, on the clock that never steps: the disk is asked ten times a second.
    private var collectsFrom: Int64 = 0

    private static let retryMicroseconds: Int64 = 100_000

    init(marks: TurnMarks, number: Int, folds: FoldTable?) {
        self.marks = marks
        self.number = number
        self.folds = folds
    }

    func beginTurn(now: Int64) {
        marks.begin(worker: number, now: now)
    }

    /// Everything judged since the turn's beginning is written down, or given up and counted.
    func endTurn() {
        marks.end(worker: number)
    }

    /// Hands folds whose second is over to the spool, as many as it has room for now.
    mutating func collectDue(now: Int64, moment: Int64, into spool: SpoolWriter) {
        guard let folds, folds.isDue(now: now), moment >= collectsFrom else { return }
        collect(folds, now: now, into: spool)
    }

    /// Hands all folds to the spool, as many as it has room for.
    /// - Returns: whether there were any, and the disk has taken those before.
    mutating func collectAll(into spool: SpoolWriter) -> Bool {
        guard let folds, !folds.isEmpty, collectsFrom == 0 else { return false }
        collect(folds, now: .max, into: spool)
        return true
    }

    private mutating func collect(_ folds: FoldTable, now: Int64, into spool: SpoolWriter) {
        taken = folds.collect(now: now) { click in
            guard spool.append(click, .none) else { return false }
            takenClicks += UInt64(click.count)
            return true
        }
    }

    /// What was collected is written down.
    mutating func settle() {
        collectsFrom = 0
        if taken > 0 { forget() }
    }

    /// The frame could not be written: keeps its folds for later, unless they may be in the spool,
    /// and must not be written again under the same ids.
    /// - Returns: clicks that nothing will be known of.
    mutating func settleFailure(_ outcome: CommitOutcome, moment: Int64) -> UInt64 {
        switch outcome {
        case .nothing, .written: return 0
        case .unsynced(let records, _):
            let lost = UInt64(records - taken) + takenClicks
            if taken > 0 { forget() }
            return lost
        case .unrecorded(let records, _):
            let others = UInt64(records - taken)
            if taken > 0 {
                folds?.rollback()
                (taken, takenClicks) = (0, 0)
                collectsFrom = moment + WorkerMemory.retryMicroseconds
            }
            return others
        }
    }

    private mutating func forget() {
        folds?.commit()
        (taken, takenClicks) = (0, 0)
    }
}
