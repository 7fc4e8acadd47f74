/// Rules about words of Swift code, comments and literals aside.
enum SwiftRules {
    static func findings(in file: SwiftText) -> [Finding] {
        let words = file.words
        return words.indices.compactMap { index in
            advice(on: words[index], previous: index > 0 ? words[index - 1] : nil, in: file).map {
                Finding(path: file.path, line: words[index].line, advice: $0)
            }
        }
    }

    private static let declarations: Set<String> = ["class", "struct", "enum", "protocol", "actor"]
    private static let emptyNames = ["Manager", "Helper", "Utils", "Service", "Base", "Common"]

    private static func advice(
        on word: SwiftText.Word, previous: SwiftText.Word?, in file: SwiftText
    ) -> String? {
        let isCall = word.after == UInt8(ascii: "(") && word.before != UInt8(ascii: ".")
        switch word.text {
        case "try" where word.after == UInt8(ascii: "!"):
            return "try with an exclamation mark hides why it cannot fail; handle the error, or "
                + "trap with a sentence"
        case "public" where word.before != UInt8(ascii: ".") && !isInlined(file.path),
            "open" where isModifier(word):
            return "nobody outside this package imports it; write package"
        case "print" where isCall && isQuiet(file.path):
            return "standard output is no log here; write to the log, or count it as a metric"
        case "Statement" where isCall && isNoRoomForSQL(file.path):
            return "SQL lives in files named …Queries.swift, beside its binding and decoding"
        case "async" where file.path.hasPrefix("Sources/Edge/"),
            "await" where file.path.hasPrefix("Sources/Edge/"):
            return "Edge runs its own threads and loops; nothing there is suspended"
        case "fatalError" where isCall && hasNoSentence(word, in: file),
            "preconditionFailure" where isCall && hasNoSentence(word, in: file):
            return "say in a sentence which bug this traps"
        default:
            guard let previous, declarations.contains(previous.text) else { return nil }
            guard let part = emptyNames.first(where: { word.text.hasSuffix($0) }) else {
                return nil
            }
            return "\(part) says nothing; name \(word.text) for what it does"
        }
    }

    /// On a click's path: the compiler looks through a module's wall at what is public and at
    /// nothing else, whatever attributes it has (Docs/DECISIONS.md).
    private static func isInlined(_ path: String) -> Bool {
        inlinedRooms.contains { path.hasPrefix($0) }
    }

    private static let inlinedRooms = [
        "Sources/Core/Clicks/", "Sources/Core/Wire/", "Sources/Core/Judging/",
        "Sources/Core/Guards/", "Sources/Core/Links/LinkTable.swift",
        "Sources/Core/Linux/Socket.swift", "Sources/Core/Spool/FrameBuffer.swift",
    ]

    /// `open class`; the system call and functions of that name are fine.
    private static func isModifier(_ word: SwiftText.Word) -> Bool {
        word.after == UInt8(ascii: " ") && word.before == UInt8(ascii: "\n")
    }

    /// A COPY's columns are the layout of the rows that the same file writes, field by field, on
    /// the hot path: there the two are read together.
    private static let copyRows = [
        "Sources/Ingest/ClickRows.swift", "Sources/Ingest/DeltaRows.swift",
    ]

    private static func isNoRoomForSQL(_ path: String) -> Bool {
        (path.hasPrefix("Sources/API/") || path.hasPrefix("Sources/Ingest/"))
            && !path.hasSuffix("Queries.swift") && !copyRows.contains(path)
    }

    private static func isQuiet(_ path: String) -> Bool {
        path.hasPrefix("Sources/Edge/") || path.hasPrefix("Sources/Core/")
    }

    private static func hasNoSentence(_ word: SwiftText.Word, in file: SwiftText) -> Bool {
        file.lines[word.line - 1].contains("\(word.text)()")
    }
}
