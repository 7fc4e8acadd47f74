import Judging
import Testing

@Suite struct BotTableFileTests {
    private static func faults(_ text: String) -> [BotTableFault.Line] {
        do {
            _ = try Array(text.utf8).withUnsafeBytes { try BotTable(data: $0) }
            return []
        } catch let fault as BotTableFault {
            return fault.lines
        } catch {
            Issue.record("\(error)")
            return []
        }
    }

    @Test func `the smallest table is a version`() {
        #expect(Self.faults("version 1\n") == [])
        #expect(Self.faults("# only a comment\n").map(\.number) == [0])
    }

    @Test(arguments: [
        ("version 2", "the version is given twice"),
        ("1001 | korean | abc", "four columns"),
        ("1001 | korean | abc |", "note"),
        ("1001 | corean | abc | note", "no layer"),
        ("2001 | korean | abc | note", "1001 to 1999"),
        ("- | korean | abc | note", "1001 to 1999"),
        ("9001 | human | abc | note", "number `-`"),
        ("1001 | ordinary | abc | note", "number `-`"),
        ("1001 | korean | ab | note", "3 to 64 bytes"),
        ("1001 | korean | <ab> | note", "3 to 64 bytes"),
        ("1001 | korean | Yeti | note", "lower case"),
        ("1001 | korean | 예티 예티 | note", "printable ASCII"),
        ("1001 | korean | * | note", "layer general"),
    ])
    func `a faulty line is named with its number`(line: String, complaint: String) {
        let faults = Self.faults("version 1\n\n# comment\n\(line)\n")
        #expect(faults.map(\.number) == [4])
        #expect(faults.first?.complaint.contains(complaint) == true, "\(faults)")
    }

    @Test func `all faults come at once`() {
        let text = """
            version 1
            1002 | korean | abc | note
            1001 | korean | abd | note
            1003 | korean | abc | note
            1004 | korean | fine | note
            """
        #expect(Self.faults(text).map(\.number) == [3, 4])
    }
}
