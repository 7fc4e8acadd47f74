/// Rules that look at lines and files, whatever the language.
enum TextRules {
    static let columnsMax = 100
    static let fileLinesUsual = 600
    static let fileLinesMax = 800

    // Written in halves, or this file would break the rules itself.
    private static let fixMark = "FIX" + "ME"
    private static let todoMark = "TO" + "DO"
    private static let machinePaths = ["/wo" + "rk/", "/ro" + "ot/"]

    static func lineLength(_ path: String, _ lines: [String]) -> [Finding] {
        numbered(lines) { line in
            // Most lines are ASCII, where bytes are columns and need no segmenting.
            line.utf8.count > columnsMax && line.count > columnsMax
                ? "\(line.count) columns of at most \(columnsMax); break the line" : nil
        }(path)
    }

    static func fileLength(_ path: String, _ lines: [String]) -> [Finding] {
        guard lines.count > fileLinesMax else { return [] }
        let advice =
            "\(lines.count) lines of at most \(fileLinesMax); a file is a room, make two of it"
        return [Finding(path: path, line: 0, advice: advice)]
    }

    static func leftovers(_ path: String, _ lines: [String]) -> [Finding] {
        numbered(lines) { line in
            if line.contains(fixMark) { return "\(fixMark) cannot be merged; mend it now" }
            guard let mark = line.firstRange(of: todoMark) else { return nil }
            let rest = line[mark.upperBound...]
            let owned = rest.hasPrefix("(") && !rest.hasPrefix("()") && rest.contains("):")
            let isWord = rest.first.map { !$0.isLetter } ?? true
            return isWord && !owned
                ? "write \(todoMark)(owner): what, and when it is due; or do it now" : nil
        }(path)
    }

    /// Paths that exist on one machine only.
    static func machinePath(_ path: String, _ lines: [String]) -> [Finding] {
        numbered(lines) { line in
            for machinePath in machinePaths {
                guard let range = line.firstRange(of: machinePath) else { continue }
                let before = line[..<range.lowerBound].last ?? " "
                // `$checkout/…` and `https://host/…` are no absolute paths.
                if !before.isLetter && !before.isNumber && !"._-)}*".contains(before) {
                    return "\(machinePath) is one machine's; derive the path, or make it a setting"
                }
            }
            return nil
        }(path)
    }

    static func looseInCore(_ path: String) -> [Finding] {
        let parts = path.split(separator: "/")
        guard path.hasPrefix("Sources/Core/"), path.hasSuffix(".swift"), parts.count == 3 else {
            return []
        }
        let advice = "Core is a shelf of named modules; put the file into the one it belongs to"
        return [Finding(path: path, line: 0, advice: advice)]
    }

    private static func numbered(
        _ lines: [String], _ advice: @escaping (String) -> String?
    ) -> (String) -> [Finding] {
        { path in
            lines.enumerated().compactMap { index, line in
                advice(line).map { Finding(path: path, line: index + 1, advice: $0) }
            }
        }
    }
}
