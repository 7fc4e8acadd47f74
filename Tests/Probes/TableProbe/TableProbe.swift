// A process made to be killed: it changes a shared table as fast as it can and notes after each
// step how far it has come, until `kill -9` ends it. The test that started it then opens the table
// and compares.
//
//     TableProbe dedupe|flood|fold|open <folder>
//
// `open` only opens the dedupe table, and says on standard error why it cannot.

import Glibc
import Guards
import Linux

@main
enum TableProbe {
    static func main() {
        do {
            guard CommandLine.arguments.count == 3 else { exit(64) }
            // A limit on a file's size is to be an error, not a signal.
            signal(SIGXFSZ, SIG_IGN)
            try run(CommandLine.arguments[1], folder: CommandLine.arguments[2])
        } catch {
            let line = Array("\(error)\n".utf8)
            _ = write(STDERR_FILENO, line, line.count)
            exit(1)
        }
    }

    private static func run(_ name: String, folder: String) throws {
        if name == "open" {
            _ = try ProbeTables.open("dedupe", folder)
            return
        }
        let table = try ProbeTables.open(name, folder)
        let progress = try ProbeTables.open("progress", folder)
        let done = ProbeTables.progress(progress)
        var step = done.pointee.load(ordering: .acquiring)
        let window = name == "dedupe" ? ProbeTables.window(table) : nil
        let flood = name == "flood" ? ProbeTables.flood(table) : nil
        let fold = FoldTable(
            memory: name == "fold"
                ? TableMemory(table.payload, keptBy: table)
                : .heap(bytes: FoldTable.tableBytes(entriesMin: 8)))
        while true {
            step += 1
            if let window {
                _ = window.claim(key: ProbeTables.key(step), now: ProbeTables.claimTime(step))
            } else if let flood {
                _ = flood.count(
                    key: ProbeTables.key(step % ProbeTables.floodKeys),
                    now: ProbeTables.floodTime(step))
            } else {
                let isKept = fold.add(ProbeTables.click(step), addressKey: step % ProbeTables.folds)
                precondition(isKept, "the probe's folds fit their table")
            }
            done.pointee.store(step, ordering: .releasing)
        }
    }
}
