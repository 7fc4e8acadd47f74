/// A setting that cannot be used: what was given, and what would be right.
package struct SettingsFault: Sendable, Equatable, CustomStringConvertible {
    package let name: String
    /// What is the matter, and what would be right; never a secret's text.
    package let reason: String

    package var description: String { "\(name) \(reason)" }
}

/// Everything that is wrong with the settings, so that one start finds all of it.
package struct SettingsFaults: Error, Sendable, Equatable, CustomStringConvertible {
    /// In the order of declaration; never empty.
    package let faults: [SettingsFault]

    /// EX_CONFIG of sysexits(3): what a process exits with when its settings are wrong.
    package static let exitCode: Int32 = 78

    /// One line for each fault.
    package var description: String {
        faults.map(\.description).joined(separator: "\n")
    }
}
