// The guards' tables in files of the state folder, so that a process that ends in whatever way
// leaves them to the next:
//
//     state.lock      one edge at a time
//     turns           whose tables these are, and which turns are under way
//     windows         DedupeWindow
//     floods          FloodGuard
//     folds-<worker>  FoldTable, one a worker
//
// Each file's form says what must agree for the bytes to be of use; where it does not, the file is
// replaced by an empty one and the spool tells what it has to hold. Limits are no part of a form:
// counts and times mean the same under any.

import Clicks
import Guards
import Judging
import Linux

/// The folder of one edge's tables, locked for it alone.
final class StateFolder: Sendable {
    let path: String
    private let lock: Descriptor
    private let boot: SharedMapping.Boot

    /// - Throws: EWOULDBLOCK if another process has the folder.
    init(_ path: String) throws(SystemError) {
        self.path = path
        try File.makeDirectories(path)
        lock = try File.lock(path + "/state.lock")
        boot = try .current()
    }

    func open(_ name: String, _ form: SharedMapping.Form) throws(SystemError) -> SharedMapping {
        try SharedMapping(path: path + "/" + name, form: form, boot: boot)
    }

    /// Nothing happens if it cannot be: the next start finds an empty table there.
    func removeFolds(_ number: Int) {
        try? File.remove("\(path)/folds-\(number)")
    }

    /// The numbers of the workers that folds were ever kept for here.
    func foldNumbers() throws(SystemError) -> [Int] {
        try File.list(path).filter { $0.hasPrefix("folds-") }
            .compactMap { Int($0.dropFirst("folds-".utf8.count)) }.sorted()
    }
}

/// How the tables of given settings lie in memory.
struct EdgeTables {
    let turns: SharedMapping.Form
    let windows: SharedMapping.Form
    let floods: SharedMapping.Form
    let folds: SharedMapping.Form

    let windowsBytes: Int
    let floodsBytes: Int
    /// An attack from more addresses and links than that, on one worker at a time, is folded less.
    static let foldsMin = 4096

    /// - Parameter visitors: another key is another set of keys in the tables.
    init(_ settings: GuardSettings, _ visitors: VisitorKey) {
        // Another secret, or a build that hashes otherwise, makes other keys of the same click.
        let sample = visitors.sample
        windowsBytes = DedupeWindow.tableBytes(entriesMin: settings.dedupeEntries)
        floodsBytes = FloodGuard.tableBytes(entriesMin: settings.floodEntries)
        turns = SharedMapping.Form(
            name: "EDGETURN", version: TurnMarks.layoutVersion,
            payloadBytes: TurnMarks.tableBytes)
        windows = SharedMapping.Form(
            name: "EDGEWNDW", version: DedupeWindow.layoutVersion, payloadBytes: windowsBytes,
            parameters: [UInt64(settings.dedupeWindowSeconds), sample.pair])
        floods = SharedMapping.Form(
            name: "EDGEFLOD", version: FloodGuard.layoutVersion, payloadBytes: floodsBytes,
            parameters: [sample.address])
        folds = SharedMapping.Form(
            name: "EDGEFOLD", version: FoldTable.layoutVersion,
            payloadBytes: FoldTable.tableBytes(entriesMin: EdgeTables.foldsMin))
    }
}

extension SharedMapping {
    var isKept: Bool { opening == .kept }

    /// As a table's memory, kept mapped by it.
    var memory: TableMemory { TableMemory(payload, keptBy: self) }

    /// An empty table.
    func clear() {
        payload.initializeMemory(as: UInt8.self, repeating: 0)
    }
}
