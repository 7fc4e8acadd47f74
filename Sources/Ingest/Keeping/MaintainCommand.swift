// `Ingest maintain` and `Ingest restore`: commands that a schedule or a person runs beside the
// Ingest that is at work. What they print for people goes to standard output, their progress to the
// log.

import Admin
import Clicks
import Glibc
import Linux
import Settings

enum MaintainCommand {
    /// EX_TEMPFAIL of sysexits(3): somebody else maintains just now.
    private static let busyExitCode: Int32 = 75

    /// What a command line asks for.
    enum Wish: Equatable {
        case help(String)
        case maintain(today: KoreanDay?, isDry: Bool)
        case restore(KoreanDay, today: KoreanDay?, keepDays: Int)
        /// What is wrong with it.
        case wrong(String)
    }

    /// Runs the command that the arguments name.
    /// - Parameter arguments: as in `CommandLine.arguments`.
    /// - Returns: what to exit with; nil if they name neither command.
    static func run(_ arguments: [String], environment: [String: String]) -> Int32? {
        guard let wish = wish(arguments) else { return nil }
        var reader = SettingsReader(environment: environment)
        let settings = MaintainSettings(&reader)
        switch wish {
        case .help(let text):
            put(text + "\n" + reader.settingsText)
            return EXIT_SUCCESS
        case .wrong(let problem):
            Log.error(problem, [("help", "Ingest maintain --help, Ingest restore --help")])
            return ProgramArguments.usageExitCode
        case .maintain, .restore: break
        }
        do throws(SettingsFaults) {
            try reader.finish()
        } catch {
            Log.error("settings are wrong", error.faults.map { ($0.name, $0.reason) })
            return SettingsFaults.exitCode
        }
        do {
            return try perform(wish, settings)
        } catch {
            Log.error("could not go on", [("reason", "\(error)")])
            return EXIT_FAILURE
        }
    }

    // MARK: What is asked for

    static func wish(_ arguments: [String]) -> Wish? {
        let rest = Array(arguments.dropFirst(2))
        switch arguments.dropFirst().first {
        case "maintain": return maintainWish(rest)
        case "restore": return restoreWish(rest)
        default: return nil
        }
    }

    private static func maintainWish(_ arguments: [String]) -> Wish {
        if arguments.contains("--help") || arguments.contains("-h") { return .help(maintainHelp) }
        var today: KoreanDay?
        var isDry = false
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--dry-run": isDry = true
            case "--today":
                guard let day = rest.popFirst().flatMap({ KoreanDay(text: $0) }) else {
                    return .wrong("--today wants a day such as 2026-11-21")
                }
                today = day
            default: return .wrong("unknown argument \"\(argument)\" of maintain")
            }
        }
        return .maintain(today: today, isDry: isDry)
    }

    private static func restoreWish(_ arguments: [String]) -> Wish {
        if arguments.contains("--help") || arguments.contains("-h") { return .help(restoreHelp) }
        var (day, today): (KoreanDay?, KoreanDay?)
        var keepDays = 30
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            switch argument {
            case "--keep-days":
                guard let days = rest.popFirst().flatMap({ Int($0) }), 1...3650 ~= days else {
                    return .wrong("--keep-days wants a number from 1 to 3650")
                }
                keepDays = days
            case "--today":
                guard let given = rest.popFirst().flatMap({ KoreanDay(text: $0) }) else {
                    return .wrong("--today wants a day such as 2026-11-21")
                }
                today = given
            default:
                guard day == nil, let given = KoreanDay(text: argument) else {
                    return .wrong("\"\(argument)\" is no day such as 2026-11-21, or one too many")
                }
                day = given
            }
        }
        guard let day else { return .wrong("restore wants a day such as 2026-11-21") }
        return .restore(day, today: today, keepDays: keepDays)
    }

    // MARK: Doing it

    private static func perform(_ wish: Wish, _ settings: MaintainSettings) throws -> Int32 {
        Signals.ignore(Signals.brokenPipe)
        let db = try MaintainRun.connect(settings.databaseURL, as: "gonggumoa-ingest-maintain")
        func run(on today: KoreanDay?) -> MaintainRun {
            MaintainRun(
                db: db, settings: settings,
                today: today ?? Timestamp(microseconds: Clock.now()).koreanDay,
                reached: { Log.info($0) })
        }
        switch wish {
        case .maintain(let today, true):
            let steps = try run(on: today).plan()
            put(steps.map { "\($0)\n" }.joined())
            return EXIT_SUCCESS
        case .maintain(let today, false):
            guard try MaintainQueries.takeLock(in: db) else {
                Log.info("another maintain or restore is at work; this one has nothing to do")
                return EXIT_SUCCESS
            }
            let failures = try run(on: today).runOnce()
            Log.info("maintained", [("failures", "\(failures)")])
            return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE
        case .restore(let day, let today, let keepDays):
            guard try MaintainQueries.takeLock(in: db) else {
                Log.error("another maintain or restore is at work; try again when it is done")
                return busyExitCode
            }
            let rows = try run(on: today).restore(day, keepDays: keepDays)
            put("restored \(rows) rows of \(day)\n")
            return EXIT_SUCCESS
        case .help, .wrong: preconditionFailure("these are answered before settings are read")
        }
    }

    /// Nobody is told if it fails: there is nobody left to tell.
    private static func put(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }

    private static let maintainHelp = """
        Ingest maintain: looks after the ledger's days; run it once a night

        Usage: Ingest maintain [--dry-run] [--today 2026-11-21] [--help]

          --dry-run   say what is due, and do nothing
          --today     the Korean day that counts as today

        Makes partitions a week ahead; gives days that are over their second index; erases addresses
        and agents after IP_RETENTION_DAYS; moves days older than CLICK_DAYS_ONLINE to files. It can
        be stopped at any time and goes on the next time. Beside another one it does nothing.
        Exits with 0 when all is done, 1 if something failed (the log says what, and the next run
        tries again), 64 for wrong arguments, 78 for wrong settings.

        """

    private static let restoreHelp = """
        Ingest restore: brings a day's clicks back from its file

        Usage: Ingest restore DAY [--keep-days 30] [--today 2026-11-21] [--help]

          DAY          the Korean day, such as 2025-10-01
          --keep-days  how long maintain leaves it in the ledger
          --today      the Korean day that counts as today

        The file is compared with what was written down before anything is loaded. Statistics stay
        as they are. A day that was restored already is only kept longer.
        Exits with 0 when the day is there, 1 if it could not be restored, 64 and 78 as maintain, 75
        while a maintain is at work.

        """
}
