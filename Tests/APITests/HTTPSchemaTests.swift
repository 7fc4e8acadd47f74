import Clicks
import Foundation
import Testing

@testable import API

@Suite struct HTTPSchemaTests {
    private func faults(_ text: String) throws -> [String] {
        JarBody.schema.shape.faults(in: try JSON(reading: text.utf8))
            .map { "\($0.field) \($0.code)" }
    }

    @Test func `every faulty member is reported at once, unknown ones included`() throws {
        let body = """
            {"title":"","price":99,"open_at":"2026-02-30T00:00:00Z","note":7,
             "colours":["red","blue","green"],"colour":"red"}
            """
        #expect(
            try faults(body) == [
                "title EMPTY", "price OUT_OF_RANGE", "open_at MALFORMED", "note WRONG_TYPE",
                "colours WRONG_COUNT", "colours[1] NOT_LISTED", "colour UNKNOWN_FIELD",
            ])
        #expect(
            try faults("{}") == [
                "title REQUIRED", "price REQUIRED", "open_at REQUIRED", "colours REQUIRED",
            ])
        #expect(try faults("[]") == [" WRONG_TYPE"])
    }

    @Test func `a hostile body is told of its first faults only`() throws {
        let members = (0..<5000).map { "\"x\($0)\":1" }.joined(separator: ",")
        #expect(try faults("{\(members)}").count == Shape.faultsMax)
        let list = Schema.integer(0...1).list(0...10_000).shape
        #expect(list.faults(in: .list(Array(repeating: 9, count: 9000))).count == Shape.faultsMax)
    }

    @Test func `a fitting body arrives typed, optional members as nil`() throws {
        let text = """
            {"title":"장","price":5000,"open_at":"2026-11-21T18:00:00+09:00","note":null,
             "colours":["green"]}
            """
        let body = try JarBody.schema.value(of: JSON(reading: text.utf8)).get()
        #expect(body.title == "장" && body.price == 5000 && body.note == nil)
        #expect(body.opensAt.microseconds == 1_795_251_600_000_000)
        #expect(body.colours == [.green])
    }

    @Test func `texts arrive in NFC and are counted in it`() throws {
        let decomposed = "\u{1112}\u{1161}\u{11AB}"  // 한 in three pieces, as a Mac sends it
        let schema = Schema.text(1...1)
        let text = try schema.value(of: .text(decomposed)).get()
        #expect(Array(text.unicodeScalars) == ["\u{D55C}"])
        #expect(schema.shape.faults(in: "한글").map(\.code) == ["TOO_LONG"])
    }

    @Test func `control characters are refused, but line breaks in prose`() {
        for scalar in [0, 1, 8, 0x0B, 0x1F, 0x7F, 0x80, 0x9F].compactMap(Unicode.Scalar.init) {
            for schema in [Schema.text(1...9), .prose(1...9)] {
                let faults = schema.shape.faults(in: .text("a\(scalar)"))
                #expect(faults.map(\.code) == ["CONTROL_CHARACTER"])
            }
        }
        #expect(Schema.prose(1...9).shape.faults(in: "a\r\n\tb").isEmpty)
        #expect(Schema.text(1...9).shape.faults(in: "a\nb").map(\.code) == ["CONTROL_CHARACTER"])
    }

    @Test func `a whole number may be written with a fraction of zero, as JSON Schema has it`() {
        let shape = Schema.integer(0...10).shape
        #expect(shape.faults(in: 5.0).isEmpty)
        #expect(shape.faults(in: 5.5).map(\.code) == ["WRONG_TYPE"])
        #expect(shape.faults(in: 1e300).map(\.code) == ["WRONG_TYPE"])
        #expect(shape.faults(in: true).map(\.code) == ["WRONG_TYPE"])
        #expect(shape.faults(in: .null).map(\.code) == ["WRONG_TYPE"])
        #expect(Schema.integer(0...10).orNull.shape.faults(in: .null).isEmpty)
    }

    @Test func `the document's pattern and the check agree`() throws {
        let texts = [
            "a@b", "a@@b", "@b", "a@", "a b@c", "hana@example.com", "http://a", "https://a/b?c#d",
            "https://", "https:///x", "ftp://a", "https://a b", "HTTPS://a", "x@y@z", "https://?",
            "k@347a0lb5.wa1o.org*", "하나@example.com", "a@한국.kr", ".a@b", "a.@b", "a..b@c",
            "a.b+c@d",
            "a@-b", "a@b-", "a@b.", "a@.b", "a@b_c", "a@b--c", "a@b---c", "a@bc--d", "a@bc-d--e",
            "a@bcd--e", "a@xn--3e0b707e", "a@XN--a-b", "a@xn---a", "a@xn--", "\"a b\"@c",
            "a@[1.2.3.4]",
            "o'hara@b-c.d-e", "a@1.2",
        ]
        for schema in [Schema.email, .link(1...99)] {
            guard case .text(let shape) = schema.shape.kind, let pattern = shape.pattern,
                let accepts = shape.accepts
            else {
                Issue.record("the schema has no pattern to compare")
                continue
            }
            let regex = try NSRegularExpression(pattern: pattern)
            for text in texts {
                let range = NSRange(text.startIndex..., in: text)
                let matches = regex.firstMatch(in: text, range: range) != nil
                #expect(matches == accepts(text), "\(text) and \(pattern)")
            }
        }
    }

    @Test func `a schema inside itself is read, checked and written`() throws {
        let json = try JSON(reading: #"{"name":"a","children":[{"name":"b","children":[]}]}"#.utf8)
        let tree = try Branch.schema.value(of: json).get()
        #expect(tree.children.map(\.name) == ["b"])
        #expect(Branch.schema.write(tree) == json)
        let wrong = try JSON(reading: #"{"name":"a","children":[{"name":1,"children":[]}]}"#.utf8)
        #expect(
            Branch.schema.shape.faults(in: wrong).map(\.field) == ["children[0].name"])
    }

    private struct Branch: Sendable {
        let name: String
        let children: [Branch]

        static let schema: Schema<Branch> = Schema(
            "Branch",
            [
                Field("name", .text(1...9), \.name),
                Field(
                    "children", Schema.reference("Branch") { Branch.schema }.list(0...9),
                    \.children, example: []),
            ], read: { Branch(name: $0["name"], children: $0["children"]) })
    }
}
