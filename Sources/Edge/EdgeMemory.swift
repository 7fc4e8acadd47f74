// What the edge remembers across its own death: dedupe windows, flood counts, and folds that are
// not yet in the spool.
//
// Starting, before any worker: the tables' files are opened. A table that the process before this
// one has left whole is used as it is, less what that process had claimed and not written down. Any
// other is made from the spool, where Ingest keeps every segment for as long as a window lasts.
//
// Which process left them is told by starts: the spool's folder notes that of each process that
// writes to it, the file `turns` that of the process for which the tables are whole. A process that
// ran without the files, or died while it made them, leaves a start that is not theirs. So tables
// are either right or made again, at whatever moment a start is cut short.
//
// Without room for the files the tables are memory of the process's own, made from the spool at
// each start; and nobody is folded, since a fold that is nowhere but here would be lost with it.

import Admin
import Clicks
import Glibc
import Guards
import Judging
import Linux
import Spool

/// Why the tables cannot be had at all.
enum StateError: Error, CustomStringConvertible {
    case held(folder: String)

    var description: String {
        switch self {
        case .held(let folder):
            "another Edge holds \(folder): stop it, or give this one an EDGE_STATE_DIRECTORY"
        }
    }
}

/// The memory of an edge that is starting. Made once, its parts handed to the workers.
final class EdgeMemory {
    /// What starting came to, for logs and metrics.
    struct Report: Sendable {
        var isInFiles = true
        var restoredClicks = 0
        var withdrawnClaims = 0
    }

    let guards: EdgeGuards
    let folder: StateFolder?
    private(set) var report = Report()
    private let marks: TurnMarks
    private var folds: [Int: FoldTable] = [:]
    private let workers: Int

    /// - Throws: ``StateError`` if another process has the folder.
    init(_ settings: EdgeSettings, spool: SpoolFolder, now: Int64) throws {
        let began = Clock.monotonic()
        let visitors = settings.visitors
        let tables = EdgeTables(settings.guards, visitors)
        let opened = try EdgeMemory.open(settings, tables, spool)
        folder = opened.folder
        report.isInFiles = opened.folder != nil
        marks = TurnMarks(memory: opened.turns)
        guards = EdgeGuards(settings.guards, dedupe: opened.windows, flood: opened.floods)
        folds = opened.folds.mapValues { FoldTable(memory: $0) }
        // A worker that folds needs a table; other tables only get emptied.
        workers = settings.guards.floodRowsPerMinute > 0 ? settings.workers : 0
        let recovery = StateRecovery(
            guards: guards, visitors: visitors, spool: spool, now: now,
            windowSeconds: settings.guards.dedupeWindowSeconds)
        try recovery.run(
            restoresWindows: !opened.keepsWindows, restoresFloods: !opened.keepsFloods,
            doubtsSince: marks.oldestUnderWay, folds: Array(folds.values), into: &report)
        marks.endAll()
        marks.owner = spool.startMicros
        Log.info(
            "state ready",
            [
                ("in_files", "\(report.isInFiles)"), ("windows_kept", "\(opened.keepsWindows)"),
                ("floods_kept", "\(opened.keepsFloods)"),
                ("restored_clicks", "\(report.restoredClicks)"),
                ("withdrawn_claims", "\(report.withdrawnClaims)"),
                ("milliseconds", "\((Clock.monotonic() - began) / 1000)"),
            ])
    }

    /// What one worker needs of it. Each is asked for once.
    func part(of worker: Int) -> WorkerMemory {
        WorkerMemory(
            marks: marks, number: worker, folds: worker < workers ? folds[worker] : nil)
    }

    /// Writes down what workers of the last process have folded that this one does not have. What
    /// its own workers find in their tables they write in their first turn.
    func writeLeftovers(to spool: SpoolWriter) {
        for (number, table) in folds.sorted(by: { $0.key < $1.key }) where number >= workers {
            var own = WorkerMemory(marks: marks, number: 0, folds: table)
            while own.collectAll(into: spool) {
                let outcome = spool.commit()
                if case .written = outcome {
                    own.settle()
                } else if own.settleFailure(outcome, moment: 0) == 0, !table.isEmpty {
                    Log.warning("folded clicks wait for room on the spool's disk")
                    break
                }
            }
            if table.isEmpty { folder?.removeFolds(number) }
        }
    }

    // MARK: Opening

    private struct Opened {
        var folder: StateFolder?
        var turns: TableMemory
        var windows: TableMemory
        var floods: TableMemory
        var folds: [Int: TableMemory] = [:]
        var keepsWindows = false
        var keepsFloods = false
    }

    private static func open(
        _ settings: EdgeSettings, _ tables: EdgeTables, _ spool: SpoolFolder
    ) throws(StateError) -> Opened {
        let path = settings.guards.stateDirectory + "/" + settings.edgeID
        do throws(SystemError) {
            return try open(path, settings, tables, spool)
        } catch {
            if error.code == EWOULDBLOCK { throw .held(folder: path) }
            Log.warning(
                "windows and floods will not outlive this process but by the spool",
                [("reason", "\(error)")])
            return Opened(
                turns: .heap(bytes: TurnMarks.tableBytes),
                windows: .heap(bytes: tables.windowsBytes),
                floods: .heap(bytes: tables.floodsBytes))
        }
    }

    private static func open(
        _ path: String, _ settings: EdgeSettings, _ tables: EdgeTables, _ spool: SpoolFolder
    ) throws(SystemError) -> Opened {
        let folder = try StateFolder(path)
        let turns = try folder.open("turns", tables.turns)
        let marks = TurnMarks(memory: turns.memory)
        let owner = marks.owner
        // Nothing is known of the spool's last process if its folder is new; the tables count then.
        let isWhole = owner != 0 && spool.previousStartMicros <= owner
        // From here on until all is done, the files are nobody's.
        marks.owner = 0
        if !isWhole { marks.endAll() }
        let windows = try folder.open("windows", tables.windows)
        let floods = try folder.open("floods", tables.floods)
        var opened = Opened(
            folder: folder, turns: turns.memory, windows: windows.memory, floods: floods.memory,
            keepsWindows: isWhole && windows.isKept, keepsFloods: isWhole && floods.isKept)
        if windows.isKept && !opened.keepsWindows { windows.clear() }
        if floods.isKept && !opened.keepsFloods { floods.clear() }
        let own = settings.guards.floodRowsPerMinute > 0 ? Array(0..<settings.workers) : []
        for number in try Set(own + folder.foldNumbers()) {
            opened.folds[number] = try folder.open("folds-\(number)", tables.folds).memory
        }
        return opened
    }
}
