/// What one declaration says of a setting, as `--help` shows it.
package struct Setting: Sendable, Equatable {
    package enum Presence: Sendable, Equatable {
        /// The process refuses to start without it.
        case required
        /// Unset means that what it configures is absent.
        case optional
        /// Unset means this.
        case preset(String)
    }

    /// The environment variable.
    package let name: String
    /// What it is for, in one line.
    package let meaning: String
    /// What is accepted, as the end of "must be …": `a whole number from 1 to 86400`.
    package let form: String
    package let presence: Presence
    /// Its value is never shown.
    package let isSecret: Bool
}

extension Setting {
    /// The setting's lines in `--help`: name and meaning, then what is accepted, then the default.
    var helpLines: String {
        let fallback =
            switch presence {
            case .required: "required"
            case .optional: "optional"
            case .preset(let value): "default \(value.isEmpty ? "(empty)" : value)"
            }
        let secrecy = isSecret ? "; secret" : ""
        return "  \(name)\n      \(meaning)\n      \(form); \(fallback)\(secrecy)\n"
    }
}
