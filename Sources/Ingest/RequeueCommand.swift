// `Ingest requeue`: quarantined clicks go back on their way once what was wrong is repaired, in the
// ledger, in the file, or by a newer Ingest.
//
// It makes a segment of the records and lets the running Ingest take it up as any other; it needs
// no database. Each is stored once, however often it is requeued:
// - the segment's name is told by the quarantined file's name and the records read in it, so the
//   same file makes the same segment, and of that the ledger knows how far it has come;
// - a click that the ledger has by another way is passed over, by its time and id, and adds nothing
//   to the statistics either;
// - the file is removed after the segment's name is on the disk, so a death in between leaves both,
//   and the next requeue meets its own name.

import Admin
import Glibc
import Judging
import Linux
import Settings
import Spool

/// What `Ingest requeue` was asked to do.
struct RequeueCommand {
    /// Files by name; all if `isAll`.
    private(set) var names: [String] = []
    private(set) var isAll = false
    private(set) var lists = false
    private(set) var isDryRun = false

    static let word = "requeue"

    static let help = """
        Usage: Ingest requeue FILE...      the named files of the quarantine
               Ingest requeue --all        all of them
               Ingest requeue --list       what there is, and why

          --dry-run   says what would be done and does nothing
          --help      this text

        Brings quarantined clicks back: their records become a segment of the spool, which the
        running Ingest takes up. Repair first what the .txt file beside each says; what is still
        refused comes back to the quarantine. No click is stored or counted twice, however often
        it is requeued. A file of which nothing can be read is left as it is.

        Ends with 0 if everything asked for was done, 1 if something was left, 64 on an argument
        nobody knows, 75 if another requeue is at work, 78 on a wrong setting.


        """

    /// - Returns: nil for arguments that make no command.
    init?(_ arguments: some Sequence<String>) {
        for argument in arguments {
            switch argument {
            case "--all": isAll = true
            case "--list": lists = true
            case "--dry-run": isDryRun = true
            case _ where argument.hasPrefix("-"): return nil
            default: names.append(argument)
            }
        }
        let asked = (isAll ? 1 : 0) + (lists ? 1 : 0) + (names.isEmpty ? 0 : 1)
        if asked != 1 { return nil }
    }

    /// Runs the command if these arguments ask for it.
    /// - Parameter arguments: as in `CommandLine.arguments`.
    /// - Returns: the code to exit with; nil if they ask for something else.
    static func handle(_ arguments: [String], environment: [String: String]) -> Int32? {
        guard arguments.dropFirst().first == word else { return nil }
        let own = arguments.dropFirst(2)
        var reader = SettingsReader(environment: environment)
        let edgeID = reader.label("EDGE_ID", default: "edge-1", "The edge whose clicks they are")
        let spool = reader.path(
            "EDGE_SPOOL_DIR", default: "/var/lib/gonggumoa/spool", "The edge's spool")
        if own.contains("--help") || own.contains("-h") {
            write(help + reader.settingsText, to: STDOUT_FILENO)
            return EXIT_SUCCESS
        }
        guard let command = RequeueCommand(own) else {
            write("Ingest requeue: Ingest requeue --help says what it takes\n", to: STDERR_FILENO)
            return ProgramArguments.usageExitCode
        }
        do throws(SettingsFaults) {
            try reader.finish()
        } catch {
            write("Ingest requeue: \(error)\n", to: STDERR_FILENO)
            return SettingsFaults.exitCode
        }
        return command.run(
            spool: "\(spool)/\(edgeID)", edgeID: edgeID,
            say: { write($0 + "\n", to: STDOUT_FILENO) },
            complain: { write("Ingest requeue: \($0)\n", to: STDERR_FILENO) })
    }

    /// - Parameter spool: the edge's folder.
    /// - Returns: the code to exit with.
    func run(
        spool: String, edgeID: String, say: (String) -> Void, complain: (String) -> Void
    ) -> Int32 {
        let quarantine = Quarantine(spool: spool)
        let all = quarantine.files()
        if lists {
            for file in all { say(line(file, in: quarantine)) }
            if all.isEmpty { say("nothing is in quarantine") }
            return EXIT_SUCCESS
        }
        // Of a path only the name counts, so that a shell may complete it.
        let wanted = Set(names.map { String($0.split(separator: "/").last ?? "") })
        let files = isAll ? all : all.filter { wanted.contains($0.name) }
        var isWhole = true
        for name in wanted.subtracting(files.map(\.name)).sorted() {
            complain("\(name) is not in \(quarantine.path)")
            isWhole = false
        }
        guard !files.isEmpty else {
            if isAll { say("nothing is in quarantine") }
            return isWhole ? EXIT_SUCCESS : EXIT_FAILURE
        }
        do throws(SpoolError) {
            let lock = try quarantine.lock()
            for file in files {
                do throws(SpoolError) {
                    isWhole =
                        try requeue(file, quarantine, spool: spool, edgeID: edgeID, say: say)
                        && isWhole
                } catch {
                    complain("\(file.name): \(error)")
                    isWhole = false
                }
            }
            _ = consume lock
        } catch {
            complain("\(error)")
            if case .requeueing = error { return RequeueCommand.tryAgainExitCode }
            return EXIT_FAILURE
        }
        return isWhole ? EXIT_SUCCESS : EXIT_FAILURE
    }

    /// EX_TEMPFAIL of sysexits(3).
    private static let tryAgainExitCode: Int32 = 75

    /// - Returns: whether nothing of the file is left in quarantine.
    private func requeue(
        _ file: QuarantinedFile, _ quarantine: Quarantine, spool: String, edgeID: String,
        say: (String) -> Void
    ) throws(SpoolError) -> Bool {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try File.contents(
                of: quarantine.path(of: file), bytesMax: SpoolFormat.segmentBytesMax)
        } catch {
            throw .system(error)
        }
        if file.damage == .segmentHeader {
            say("\(file.name): a segment's header holds no clicks; left as it is")
            return false
        }
        let records = QuarantinedRecords(bytes, at: file.offset)
        let isWhole = records.impossibleCount == 0 && records.unreadableBytes == 0
        let rest =
            isWhole
            ? ""
            : ", left as it is: \(records.impossibleCount) records that this Ingest cannot read, "
                + "\(records.unreadableBytes) bytes that are none"
        guard records.count > 0 else {
            say("\(file.name): nothing to requeue\(rest)")
            return false
        }
        let name = SegmentName(requeued: RequeueCommand.words(of: file, records))
        guard !isDryRun else {
            say("\(file.name): would requeue \(records.count) records as \(name)\(rest)")
            return true
        }
        let isNew = try records.publish(as: name, edgeID: edgeID, in: spool)
        let how = isNew ? "requeued \(records.count) records" : "is on its way already"
        // What cannot be read yet stays for a later Ingest; the records that could are known then.
        if isWhole { try quarantine.remove(file) }
        say("\(file.name): \(how) as \(name)\(rest)")
        return isWhole
    }

    /// 128 bits of the file's name and of the records that can be read in it: a repaired file, or
    /// an Ingest that reads more, makes another segment.
    static func words(of file: QuarantinedFile, _ records: QuarantinedRecords) -> (UInt64, UInt64) {
        func word(_ number: UInt64) -> UInt64 {
            var hash = SipHash(SipHash.Key(low: number, high: 0x7265_7175_6575_6531))
            var name = file.name + "\n"
            name.withUTF8 { hash.absorb(UnsafeRawBufferPointer($0)) }
            records.forEachFrame { hash.absorb($0) }
            return hash.finish()
        }
        return (word(0), word(1))
    }

    private func line(_ file: QuarantinedFile, in quarantine: Quarantine) -> String {
        let note =
            (try? File.contents(of: quarantine.path(of: file) + ".txt", bytesMax: 1 << 16))
            .map { String(decoding: $0, as: UTF8.self) } ?? ""
        let reason = note.split(separator: "\n").first { $0.hasPrefix("reason: ") }
        return "\(file.name) \(file.bytes) bytes, \(Log.timeText(file.modifiedMicros))"
            + (reason.map { ", \($0.dropFirst(8))" } ?? "")
    }

    private static func write(_ text: String, to descriptor: Int32) {
        let file = Array(text.utf8)
        // A closed pipe or terminal: there is nobody left to tell.
        file.withUnsafeBytes { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
