/// Reads a process's settings from its environment. Each getter declares a setting and reads it, so
/// that the reading, the faults and `--help` come from one line and cannot drift apart:
///
///     var reader = SettingsReader(environment: ProcessEnvironment.current())
///     let listen = reader.listenAddress("EDGE_LISTEN", default: "0.0.0.0:8080", "Where …")
///     let key = reader.secret("EDGE_VISITOR_KEY", minBytes: 16, "Keys the hash that …")
///     try reader.finish()
///
/// A getter never throws: it notes the fault and returns a stand-in, which `finish` keeps from
/// being used by throwing all faults together. An empty variable counts as unset, as compose files
/// and unit files write it. Getters only look; folders are made and tried by `finish`, so that
/// `--help` leaves no trace.
///
/// Invariant: a name is declared once.
package struct SettingsReader {
    private let environment: [String: String]
    /// In the order of declaration.
    package private(set) var declared: [Setting] = []
    private var faults: [SettingsFault] = []
    /// Folders that `finish` has to make and try.
    private var folders: [(name: String, path: String)] = []

    package init(environment: [String: String]) {
        self.environment = environment
    }

    /// Notes a fault the getters cannot see, such as two settings that contradict each other.
    /// - Parameter reason: follows the name: "must be set together with EDGE_TLS_CERT".
    package mutating func reject(_ name: String, _ reason: String) {
        precondition(declared.contains { $0.name == name }, "\(name) was never declared")
        faults.append(SettingsFault(name: name, reason: reason))
    }

    /// Whether a variable is set, rightly or not: for settings that go together.
    package func isGiven(_ name: String) -> Bool { given(name) != nil }

    /// Makes and tries the folders, then throws everything that is wrong, if anything is. Call it
    /// after the last getter and before the first use of a value.
    package func finish() throws(SettingsFaults) {
        var all = faults
        for folder in folders {
            if let problem = WritableFolder.problem(at: folder.path) {
                let reason =
                    "is \"\(folder.path)\", where \(problem); "
                    + "must be a folder this process can write to"
                all.append(SettingsFault(name: folder.name, reason: reason))
            }
        }
        let order = declared.map(\.name)
        let sorted = order.flatMap { name in all.filter { $0.name == name } }
        if !sorted.isEmpty { throw SettingsFaults(faults: sorted) }
    }

    /// What `--help` prints, from the declarations made so far.
    package func helpText(program: String, summary: String) -> String {
        """
        \(program) \(Version.current): \(summary)

        Usage: \(program) [--help | --version]

        \(settingsText)
        """
    }

    /// The part of the help that is about settings, for a program that writes the rest itself.
    package var settingsText: String {
        let lines = declared.map(\.helpLines).joined(separator: "\n")
        return "It is configured by environment variables:\n\n\(lines)"
    }
}

// What the getters of the other files are made of.
extension SettingsReader {
    /// Declares a setting and parses its value.
    /// - Parameter parse: nil if the text is not of the declared form.
    /// - Returns: the value; nil if the setting is unset or at fault.
    mutating func read<Value>(
        _ setting: Setting, showing: (String) -> String = SettingsReader.excerpt,
        parse: (String) -> Value?
    ) -> Value? {
        precondition(
            !declared.contains { $0.name == setting.name }, "\(setting.name) is declared twice")
        declared.append(setting)
        guard let text = given(setting.name) else {
            if setting.presence == .required {
                note(setting, "is not set; must be \(setting.form)")
            }
            return nil
        }
        if let value = parse(text) { return value }
        let shown = setting.isSecret ? "not right" : showing(text)
        note(setting, "is \(shown); must be \(setting.form)")
        return nil
    }

    /// The text of a variable, nil if it is unset or empty.
    func given(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    mutating func note(_ setting: Setting, _ reason: String) {
        faults.append(SettingsFault(name: setting.name, reason: reason))
    }

    mutating func tryInFinish(_ name: String, folder path: String) {
        folders.append((name, path))
    }
}
