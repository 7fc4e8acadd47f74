// Texts, secrets, addresses, URLs, lists and paths.

extension SettingsReader {
    /// The longest value any text getter takes, far above any honest one.
    package static let textBytesMax = 4096

    /// Free text without control characters.
    /// - Parameter default: nil makes the setting required.
    package mutating func text(
        _ name: String, default fallback: String? = nil,
        bytesMax: Int = SettingsReader.textBytesMax, _ meaning: String
    ) -> String {
        let presence = SettingsReader.presence(fallback)
        return text(name, presence, bytesMax: bytesMax, meaning) ?? fallback ?? ""
    }

    /// Free text that may be left out.
    package mutating func optionalText(
        _ name: String, bytesMax: Int = SettingsReader.textBytesMax, _ meaning: String
    ) -> String? {
        text(name, .optional, bytesMax: bytesMax, meaning)
    }

    /// A name that is safe in paths, logs and metric labels: of `A-Za-z0-9._-`, not beginning with
    /// a dot.
    package mutating func label(
        _ name: String, default fallback: String? = nil, bytesMax: Int = 64, _ meaning: String
    ) -> String {
        let setting = Setting(
            name: name, meaning: meaning,
            form: "1 to \(bytesMax) of A-Z a-z 0-9 . _ -, not beginning with a dot",
            presence: SettingsReader.presence(fallback), isSecret: false)
        let value = read(setting) { text -> String? in
            let fits = text.utf8.count <= bytesMax && !text.hasPrefix(".")
            return fits && text.utf8.allSatisfy(SettingsReader.isLabelByte) ? text : nil
        }
        return value ?? fallback ?? ""
    }

    /// A key or password; required. It has no default, since a default secret is none.
    package mutating func secret(_ name: String, minBytes: Int, _ meaning: String) -> Secret {
        secret(name, .required, minBytes: minBytes, meaning) ?? Secret("")
    }

    /// A key or password of something that may be left out.
    package mutating func optionalSecret(
        _ name: String, minBytes: Int = 1, _ meaning: String
    ) -> Secret? {
        secret(name, .optional, minBytes: minBytes, meaning)
    }

    /// Where to listen: `0.0.0.0:8080` or `[::1]:8080`. Port 0 lets the kernel choose.
    package mutating func listenAddress(
        _ name: String, default fallback: String, _ meaning: String
    ) -> ListenAddress {
        guard let preset = ListenAddress(fallback) else {
            preconditionFailure("the default of \(name) is no address to listen on")
        }
        let setting = Setting(
            name: name, meaning: meaning,
            form: "an address and a port such as 0.0.0.0:8080 or [::1]:8080",
            presence: .preset(fallback), isSecret: false)
        return read(setting) { ListenAddress($0) } ?? preset
    }

    /// An absolute URL of one of the schemes. A fault shows the scheme alone, since the rest may
    /// hold a password.
    /// - Parameter default: nil makes the setting required; it must not hold a password.
    package mutating func url(
        _ name: String, default fallback: String? = nil, schemes: [String], _ meaning: String
    ) -> String {
        url(name, SettingsReader.presence(fallback), schemes: schemes, meaning) ?? fallback ?? ""
    }

    /// A URL that holds a password, such as a database's. It has no default in the code; what may
    /// be left out has `optionalSecretURL`.
    package mutating func secretURL(
        _ name: String, schemes: [String], _ meaning: String
    ) -> Secret {
        Secret(url(name, .required, schemes: schemes, isSecret: true, meaning) ?? "")
    }

    /// A URL that may hold a password, of something that may be left out.
    package mutating func optionalSecretURL(
        _ name: String, schemes: [String], _ meaning: String
    ) -> Secret? {
        url(name, .optional, schemes: schemes, isSecret: true, meaning).map { Secret($0) }
    }

    /// A URL of something that may be left out.
    package mutating func optionalURL(
        _ name: String, schemes: [String], _ meaning: String
    ) -> String? {
        url(name, .optional, schemes: schemes, meaning)
    }

    /// Texts separated by commas, or a JSON array of strings. Spaces round a text do not count.
    package mutating func list(
        _ name: String, default fallback: [String] = [], itemsMax: Int = 256, _ meaning: String
    ) -> [String] {
        let setting = Setting(
            name: name, meaning: meaning,
            form: "up to \(itemsMax) texts separated by commas, or a JSON array of strings",
            presence: .preset(fallback.joined(separator: ",")), isSecret: false)
        let value = read(setting) { text -> [String]? in
            SettingsList.items(of: text).flatMap { $0.count <= itemsMax ? $0 : nil }
        }
        return value ?? fallback
    }
}

extension SettingsReader {
    static func presence(_ fallback: String?) -> Setting.Presence {
        fallback.map { .preset($0) } ?? .required
    }

    private mutating func text(
        _ name: String, _ presence: Setting.Presence, bytesMax: Int, _ meaning: String
    ) -> String? {
        let setting = Setting(
            name: name, meaning: meaning,
            form: "text of at most \(bytesMax) bytes without control characters",
            presence: presence, isSecret: false)
        return read(setting) { text -> String? in
            text.utf8.count <= bytesMax && SettingsReader.isPrintable(text) ? text : nil
        }
    }

    private mutating func secret(
        _ name: String, _ presence: Setting.Presence, minBytes: Int, _ meaning: String
    ) -> Secret? {
        let form = "a secret of at least \(minBytes) bytes (`openssl rand -hex 32` makes one)"
        let setting = Setting(
            name: name, meaning: meaning, form: form, presence: presence, isSecret: true)
        guard let secret = read(setting, parse: { Secret($0) }) else { return nil }
        let count = secret.bytes.count
        if count >= minBytes && count <= SettingsReader.textBytesMax { return secret }
        note(setting, "has \(count) bytes; must be \(form)")
        return nil
    }

    private mutating func url(
        _ name: String, _ presence: Setting.Presence, schemes: [String], isSecret: Bool = false,
        _ meaning: String
    ) -> String? {
        let starts = schemes.map { "\($0)://" }
        let setting = Setting(
            name: name, meaning: meaning,
            form: "a URL beginning \(starts.joined(separator: " or "))",
            presence: presence, isSecret: isSecret)
        return read(setting, showing: SettingsReader.schemeAlone) { text -> String? in
            guard let start = starts.first(where: text.hasPrefix) else { return nil }
            let first = text.dropFirst(start.count).first ?? "/"
            // Other schemes leave the host out where a socket is meant: postgresql:///a?host=/run
            if start.hasPrefix("http") && "/?#:@".contains(first) { return nil }
            let isShort = text.utf8.count <= SettingsReader.textBytesMax
            return isShort && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } ? text : nil
        }
    }

    private static func schemeAlone(_ text: String) -> String {
        let scheme = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber) }
        let follows = text.dropFirst(scheme.count).hasPrefix("://")
        return follows && !scheme.isEmpty && scheme.utf8.count <= 20
            ? "\"\(scheme)://…\"" : "no URL"
    }

    /// Enough of a refused text to recognise it, on one line.
    static func excerpt(_ text: String) -> String {
        let clean = text.prefix(60).unicodeScalars.map {
            $0.value < 0x20 || $0.value == 0x7F ? "\u{FFFD}" : String($0)
        }
        return "\"\(clean.joined())\(text.count > 60 ? "…" : "")\""
    }

    static func isPrintable(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    private static func isLabelByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
