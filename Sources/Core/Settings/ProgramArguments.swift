import Glibc

/// The command line of a process that is configured by its environment alone: `--help`, `--version`
/// or nothing.
package enum ProgramArguments {
    /// EX_USAGE of sysexits(3): an argument nobody knows.
    package static let usageExitCode: Int32 = 64

    /// What a start with these arguments and settings should come to.
    package struct Answer: Equatable, Sendable {
        package let exitCode: Int32
        package let text: String
    }

    /// Decides without touching the world but for the folders `finish` tries.
    /// - Parameters:
    ///   - arguments: as in `CommandLine.arguments`, the program itself first.
    ///   - reader: with every setting declared.
    /// - Returns: what to print and exit with; nil if the process may start.
    package static func answer(
        to arguments: [String], program: String, summary: String, reader: SettingsReader
    ) -> Answer? {
        let given = arguments.dropFirst()
        if given.contains("--help") || given.contains("-h") {
            let text = reader.helpText(program: program, summary: summary)
            return Answer(exitCode: 0, text: text)
        }
        if given.contains("--version") {
            return Answer(exitCode: 0, text: "\(program) \(Version.current)\n")
        }
        if let unknown = given.first {
            let text =
                "\(program): unknown argument \"\(unknown)\"; \(program) --help lists "
                + "what it takes\n"
            return Answer(exitCode: usageExitCode, text: text)
        }
        do throws(SettingsFaults) {
            try reader.finish()
            return nil
        } catch {
            let count = error.faults.count
            let head = count == 1 ? "1 setting is wrong" : "\(count) settings are wrong"
            let text = "\(program): \(head); \(program) --help lists them all\n\(error)\n"
            return Answer(exitCode: SettingsFaults.exitCode, text: text)
        }
    }

    /// Prints the answer to `--help`, `--version`, an unknown argument or faulty settings: to
    /// standard output if it was asked for, to standard error if it is a complaint.
    /// - Returns: the code to exit with; nil if the process may start.
    package static func handle(
        _ arguments: [String], program: String, summary: String, reader: SettingsReader
    ) -> Int32? {
        let found = answer(to: arguments, program: program, summary: summary, reader: reader)
        guard let found else { return nil }
        write(found.text, to: found.exitCode == 0 ? STDOUT_FILENO : STDERR_FILENO)
        return found.exitCode
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            // A closed pipe or terminal: there is nobody left to tell.
            if count < 0 && errno != EINTR { return }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}
