import Glibc

// Paths of files and folders.

extension SettingsReader {
    /// A folder the process writes to. `finish` makes it if it is missing, and proves by a file
    /// made and removed that it can be written.
    /// - Parameter default: nil makes the setting required.
    package mutating func writableDirectory(
        _ name: String, default fallback: String? = nil, _ meaning: String
    ) -> String {
        let setting = Setting(
            name: name, meaning: meaning, form: "a folder this process can write to",
            presence: SettingsReader.presence(fallback), isSecret: false)
        let value = path(setting)
        let path = value ?? fallback ?? ""
        // A path already at fault is not tried as well, nor is one that is missing.
        if value != nil || given(name) == nil, !path.isEmpty { tryInFinish(name, folder: path) }
        return path
    }

    /// A folder the process writes to, if it is named. `finish` makes and tries it as one that is
    /// required.
    package mutating func optionalWritableDirectory(
        _ name: String, _ meaning: String
    ) -> String? {
        let setting = Setting(
            name: name, meaning: meaning, form: "a folder this process can write to",
            presence: .optional, isSecret: false)
        let path = path(setting)
        if let path { tryInFinish(name, folder: path) }
        return path
    }

    /// A path that need not exist yet: a file the process makes, or waits for.
    /// - Parameter default: nil makes the setting required.
    package mutating func path(
        _ name: String, default fallback: String? = nil, _ meaning: String
    ) -> String {
        let setting = Setting(
            name: name, meaning: meaning, form: "a path",
            presence: SettingsReader.presence(fallback), isSecret: false)
        return path(setting) ?? fallback ?? ""
    }

    /// A file that must exist and be readable now.
    /// - Parameter default: nil makes the setting required.
    package mutating func file(
        _ name: String, default fallback: String? = nil, _ meaning: String
    ) -> String {
        let presence = SettingsReader.presence(fallback)
        return file(name, presence, fallback: fallback, meaning) ?? fallback ?? ""
    }

    /// A file that must be readable if it is named.
    package mutating func optionalFile(_ name: String, _ meaning: String) -> String? {
        file(name, .optional, fallback: nil, meaning)
    }
}

extension SettingsReader {
    private mutating func path(_ setting: Setting) -> String? {
        read(setting) { text -> String? in
            text.utf8.count < Int(PATH_MAX) && SettingsReader.isPrintable(text) ? text : nil
        }
    }

    private mutating func file(
        _ name: String, _ presence: Setting.Presence, fallback: String?, _ meaning: String
    ) -> String? {
        let setting = Setting(
            name: name, meaning: meaning, form: "a file this process can read",
            presence: presence, isSecret: false)
        guard let path = path(setting) ?? (given(name) == nil ? fallback : nil) else { return nil }
        if let problem = SettingsReader.problem(withFile: path) {
            note(
                setting, "is \(SettingsReader.excerpt(path)) (\(problem)); must be \(setting.form)")
            return nil
        }
        return path
    }

    private static func problem(withFile path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return String(cString: strerror(errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return String(cString: strerror(errno)) }
        return status.st_mode & S_IFMT == S_IFREG ? nil : "not a file"
    }
}
