import Testing

/// Each rule on a sample that breaks it, and on one that looks as if it did.
struct RuleTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        let path: String
        let text: String
        /// Lines at fault; empty for a sample that is fine.
        let lines: [Int]
        /// A part of the advice.
        let says: String

        init(_ path: String, _ text: String, _ lines: [Int] = [], says: String = "") {
            self.path = path
            self.text = text
            self.lines = lines
            self.says = says
        }

        var testDescription: String {
            "\(path): \(text.prefix(40).split(separator: "\n").joined(separator: "⏎"))"
        }
    }

    private static let long = String(repeating: "x", count: 101)
    private static let hangul = String(repeating: "공", count: 100)
    private static let fix = "FIX" + "ME"
    private static let todo = "TO" + "DO"
    private static let root = "/ro" + "ot/"

    /// A function whose declaration and closing brace are `count` lines apart, both included.
    private static func function(_ head: String, lines count: Int) -> String {
        head + "\n" + String(repeating: "    x()\n", count: count - 2) + "}\n"
    }

    static let imports = [
        Sample("Sources/Edge/A.swift", "import Clicks\nimport Foundation", [2], says: "Edge may"),
        Sample(
            "Sources/Edge/A.swift", "@testable import struct Postgres.Row", [1], says: "Postgres"),
        Sample("Sources/Edge/A.swift", "import Wire\nimport Glibc\nimport Synchronization"),
        Sample("Sources/Edge/A.swift", "// import Foundation\nlet a = \"import Foundation\""),
        Sample("Sources/Ingest/A.swift", "import Wire", [1], says: "Ingest may not import Wire"),
        Sample("Sources/API/Accounts/A.swift", "import Spool", [1], says: "Sources/API may not"),
        Sample("Sources/API/Accounts/A.swift", "import Hummingbird\nimport Foundation"),
        Sample("Sources/Core/Clicks/A.swift", "import Glibc", [1], says: "Clicks may not"),
        Sample("Sources/Core/Postgres/A.swift", "import Redis", [1], says: "Postgres may not"),
        Sample("Sources/Core/Redis/A.swift", "import CPostgres", [1], says: "alone"),
        Sample(
            "Sources/API/Gonggus/A.swift", "import CCrypt", [1], says: "PasswordHash.swift alone"),
        Sample("Sources/API/Accounts/PasswordHash.swift", "import CCrypt"),
        Sample("Tests/LinuxTests/A.swift", "import CLinux", [1], says: "Sources/Core/Linux/ alone"),
        Sample("Tests/LinuxTests/A.swift", "import Foundation\nimport Linux"),
        Sample("Sources/Core/Odds/A.swift", "import Glibc", [0], says: "no row"),
        Sample("Sources/Core/A.swift", "let a = 1", [0, 0], says: "shelf"),
    ]

    static let words = [
        Sample("Sources/Edge/A.swift", "let a = try! b()", [1], says: "hides why"),
        Sample("Sources/Edge/A.swift", "let a = try b()\nlet c = !d // try! e"),
        Sample("Sources/Edge/A.swift", "let a = 1\npublic let b = 2", [2], says: "write package"),
        Sample("Sources/Edge/A.swift", "open class B {}", [1], says: "write package"),
        Sample("Sources/Edge/A.swift", "let a = \"public let\"\nlet b = open(path)"),
        Sample("Sources/Core/Wire/A.swift", "print(a)", [1], says: "no log"),
        Sample("Sources/Core/Wire/A.swift", "a.print(b)\nlet c = \"\\(print(d))\""),
        Sample("Tests/WireTests/A.swift", "print(a)"),
        Sample("Sources/Edge/A.swift", "func a() async {}", [1], says: "suspended"),
        Sample("Sources/Ingest/A.swift", "func a() async {}"),
        Sample("Sources/API/Tracking/A.swift", "let a = Statement(b, c)", [1], says: "Queries"),
        Sample("Sources/API/Tracking/AQueries.swift", "let a = Statement(b, c)"),
        Sample("Sources/API/Tracking/A.swift", "func a(_ b: Statement) -> Statement {}"),
        Sample("Sources/Ingest/ClickRows.swift", "let a = Statement(b, c)"),
        Sample("Sources/Ingest/A.swift", "fatalError()", [1], says: "sentence"),
        Sample("Sources/Ingest/A.swift", "fatalError(\"a slot was used twice\")"),
        Sample("Sources/Ingest/A.swift", "struct LinkManager {}", [1], says: "says nothing"),
        Sample("Sources/Ingest/A.swift", "let manager = LinkManager()\nstruct Basement {}"),
    ]

    static let texts = [
        Sample("Sources/Edge/A.swift", "let a = 1\n\(long)", [2], says: "101 columns"),
        Sample("Sources/Core/Schema/Migrations/m1.sql", long, [1], says: "101 columns"),
        Sample("scripts/run", long, [1], says: "101 columns"),
        Sample("README.md", long),
        Sample("Sources/Edge/A.swift", "// \(hangul.dropLast(3))"),
        Sample("Sources/Edge/A.swift", "// \(hangul)", [1], says: "103 columns"),
        Sample("Sources/Edge/A.swift", "// \(fix): later", [1], says: "mend it"),
        Sample("scripts/run", "# \(todo): later", [1], says: "owner"),
        Sample("scripts/run", "# \(todo)(): later", [1], says: "owner"),
        Sample("scripts/run", "# \(todo)(ingest): once partitions are detached"),
        Sample("README.md", "see \(root)a", [1], says: "one machine's"),
        Sample("Sources/Edge/A.swift", "\"\(root)a\"", [1], says: "one machine's"),
        Sample("README.md", "see $checkout\(root)a and https://example.com\(root)a"),
        Sample(
            "Sources/Edge/A.swift", String(repeating: "\n", count: 800), [0], says: "801 lines"),
        Sample("Sources/Edge/A.swift", String(repeating: "\n", count: 799)),
    ]

    static let functions = [
        Sample("Tests/A/A.swift", "\n" + function("func a() {", lines: 71), [2], says: "71 lines"),
        Sample("Tests/A/A.swift", function("func a() {", lines: 70)),
        Sample("Tests/A/A.swift", function("init(a: Int = { 1 }()) {", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("deinit {", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("subscript(a: Int) -> Int {", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("func `a } name`() {", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("func a() { let b = \"}\" // }", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("func a() { let b = #\"\"}\"#", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("func a() { \"\\(b(\"}\")) }\"", lines: 71), [1]),
        Sample("Tests/A/A.swift", function("struct A {", lines: 200)),
        Sample("Tests/A/A.swift", function("protocol A { func b()", lines: 200)),
        Sample("Tests/A/A.swift", function("let a = B.init(c) ; if d {", lines: 71)),
        Sample(
            "Tests/A/A.swift", "func a() {\n" + function("func b() {", lines: 70) + "}\n", [1],
            says: "72 lines"),
    ]

    @Test(arguments: imports + words + texts + functions)
    func `a rule names the line at fault and what to do, and lets the rest pass`(_ sample: Sample) {
        let found = findings(sample.path, sample.text)
        #expect(found.map(\.line) == sample.lines, "\(found)")
        if !sample.says.isEmpty {
            #expect(found.contains { $0.advice.contains(sample.says) }, "\(found)")
        }
    }

    @Test func `blanking keeps every line and column of the code`() {
        let text =
            #"let a = "x\(b("y"))" /* c /* d */ e */ + f // g"# + "\nlet `h i` = \"\"\"\n{\n\"\"\""
        let file = SwiftText(path: "A.swift", text: text)
        #expect(file.code.map(\.utf8.count) == file.lines.map(\.utf8.count))
        #expect(file.words.map(\.text) == ["let", "a", "f", "let"])
        #expect(!file.code.joined().contains("{"))
    }
}
