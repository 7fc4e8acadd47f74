import Foundation
import Testing

@testable import API

@Suite struct HTTPJSONTests {
    @Test func `what is written reads back as itself`() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let json = JSON.random(depth: 4, using: &random)
            let bytes = json.bytes
            #expect(try JSON(reading: bytes) == json, "seed \(seed)")
            // Foundation must read it as well: what we send is for others' parsers.
            _ = try JSONSerialization.jsonObject(with: Data(bytes), options: .fragmentsAllowed)
        }
    }

    @Test func `every prefix of a document is refused`() {
        let text = #"{"a":[1,-2.5e3,"\u00e9\ud83d\ude00",true,null],"b":{"c":"끝"}}"#
        #expect(throws: Never.self) { try JSON(reading: text.utf8) }
        for count in 0..<text.utf8.count {
            #expect(throws: JSONFault.self) { try JSON(reading: text.utf8.prefix(count)) }
        }
    }

    @Test(arguments: [
        "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "-", "+1", "1.", ".5", "1e",
        "NaN",
        "Infinity", "1e999", "tru", "nullx", "[1] 2", "\"\\x\"", "\"\\u12\"", "\"\\ud800\"",
        "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"a\nb\"", "{\"a\":1,\"a\":2}",
        "{\"\\u0061\":1,\"a\":2}",
        "/**/1", "[1 2]", "{\"a\" 1}", "\u{FEFF}1", "１",
    ])
    func `what is no JSON is refused`(text: String) {
        #expect(throws: JSONFault.self) { try JSON(reading: text.utf8) }
    }

    @Test func `bytes that are no UTF-8 are refused`() {
        for bytes: [UInt8] in [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
        ] {
            #expect(throws: JSONFault.self) { try JSON(reading: bytes) }
        }
    }

    @Test func `nesting ends at the bound`() throws {
        let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        _ = try JSON(reading: deep(JSON.depthMax).utf8)
        #expect(throws: JSONFault.self) { try JSON(reading: deep(JSON.depthMax + 1).utf8) }
        #expect(throws: JSONFault.self) { try JSON(reading: deep(1_000_000).utf8) }
    }

    @Test func `whole numbers stay exact to 64 bits`() throws {
        #expect(try JSON(reading: "9223372036854775807".utf8) == .integer(.max))
        #expect(try JSON(reading: "9223372036854775808".utf8) == .number(9_223_372_036_854_775_808))
        #expect(try JSON(reading: "-0".utf8) == .integer(0))
    }
}

extension JSON {
    static func random(depth: Int, using random: inout SeededGenerator) -> JSON {
        let scalars: [Unicode.Scalar] = [
            "a", "\"", "\\", "\n", "\u{0}", "\u{7F}", "가", "é", "😀", "/",
        ]
        let text = {
            (random: inout SeededGenerator) in
            var text = ""
            for _ in 0..<Int.random(in: 0...6, using: &random) {
                text.unicodeScalars.append(scalars.randomElement(using: &random)!)
            }
            return text
        }
        switch Int.random(in: 0...(depth > 0 ? 6 : 4), using: &random) {
        case 0: return .null
        case 1: return .bool(.random(using: &random))
        case 2: return .integer(.random(in: .min ... .max, using: &random))
        case 3: return .number(.random(in: 0.1...1e6, using: &random) + 0.000_001)
        case 4: return .text(text(&random))
        case 5:
            return .list(
                (0..<Int.random(in: 0...3, using: &random)).map { _ in
                    .random(depth: depth - 1, using: &random)
                })
        default:
            var names: Set<String> = []
            for _ in 0..<3 { names.insert(text(&random)) }
            return .object(
                names.sorted().map { .init($0, .random(depth: depth - 1, using: &random)) })
        }
    }
}
