/// The two spellings of a list: `a, b` and `["a", "b"]`. The second is how settings of Python
/// services are commonly written, so that an environment file can be shared with one.
enum SettingsList {
    /// - Returns: nil if it begins as JSON and is not an array of strings, or if an item is empty.
    static func items(of text: String) -> [String]? {
        let trimmed = trim(text[...])
        if trimmed.hasPrefix("[") { return array(trimmed) }
        if trimmed.isEmpty { return [] }
        let items = trimmed.split(separator: ",", omittingEmptySubsequences: false).map(trim)
        return items.contains("") ? nil : items
    }

    private static func trim(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// A JSON array of strings (RFC 8259), and nothing after it.
    private static func array(_ text: String) -> [String]? {
        var rest = Array(text.unicodeScalars)[...]
        rest.removeFirst()
        skipSpace(&rest)
        var items: [String] = []
        if rest.first == "]" {
            rest.removeFirst()
            return rest.isEmpty ? items : nil
        }
        while true {
            guard let item = string(&rest), !item.isEmpty else { return nil }
            items.append(item)
            skipSpace(&rest)
            guard let mark = rest.popFirst() else { return nil }
            if mark == "]" { return rest.isEmpty ? items : nil }
            guard mark == "," else { return nil }
            skipSpace(&rest)
        }
    }

    private static func skipSpace(_ rest: inout ArraySlice<Unicode.Scalar>) {
        rest = rest.drop { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
    }

    private static func string(_ rest: inout ArraySlice<Unicode.Scalar>) -> String? {
        guard rest.popFirst() == "\"" else { return nil }
        var result = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            if scalar == "\"" { return String(result) }
            if scalar.value < 0x20 { return nil }
            guard scalar == "\\" else {
                result.append(scalar)
                continue
            }
            // Settings need no \n or \u: of the escapes only those that stand for themselves.
            guard let escaped = rest.popFirst(), "\"\\/".unicodeScalars.contains(escaped) else {
                return nil
            }
            result.append(escaped)
        }
        return nil
    }
}
