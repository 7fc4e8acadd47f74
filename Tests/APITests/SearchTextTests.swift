import Foundation
import Testing

@testable import API

@Suite struct SearchTextTests {
    @Test func `a text is folded to runs of letters and digits`() {
        let cases: [(String, String)] = [
            ("여름공구특가!", "여름공구특가"), ("[LED] 스탠드-2개", "led 스탠드 2개"),
            ("ＬＥＤ　１００％", "led 100"), ("50%_할인\\\\", "50 할인"), ("🎉공구🎉", "공구"),
            ("", ""), ("!?%_\\", ""), ("Straße İstanbul", "straße i̇stanbul".nfkc),
            ("여름공구".decomposedStringWithCanonicalMapping, "여름공구"),
            ("nul\u{0}l", "nul l"), ("हिन्दी", "हिन्दी"),
        ]
        for (text, folded) in cases {
            let made = SearchText(title: text, body: "").title
            #expect(Array(made.unicodeScalars) == Array(folded.unicodeScalars), "\(text)")
        }
    }

    @Test func `grams are the pairs of both texts and the starts of the title`() {
        let text = SearchText(title: "공구 A", body: "육아용")
        #expect(Set(text.grams) == ["^공", "^a", "공구", "육아", "아용"])
        #expect(SearchText(title: "공구공구", body: "공구").grams.count == 3)
    }

    @Test func `an entry is bounded whatever it is made of`() {
        let long = String(repeating: "가나다라마바사아자차카타파하 ", count: 5000)
        var random = SeededGenerator(seed: 7)
        let varied = String(
            String.UnicodeScalarView(
                (0..<50_000).map { _ in
                    Unicode.Scalar(UInt32.random(in: 0xAC00...0xD7A3, using: &random))!
                }))
        for body in [long, varied] {
            let text = SearchText(title: body, body: body)
            #expect(text.grams.count <= 1400)
            #expect(text.body.unicodeScalars.count <= SearchText.bodyScalarsMax)
        }
    }

    @Test func `a query of nothing but marks finds nothing`() {
        for text in ["", " ", "%", "_", "\\", "%%__", "🎉", "'; --", "…"] {
            #expect(SearchQuery(text) == nil, "\(text)")
        }
    }

    /// What LIKE would say, computed by looking.
    private func isFound(_ query: String, in title: String, _ body: String) -> Bool {
        guard let query = SearchQuery(query) else { return false }
        let text = SearchText(title: title, body: body)
        let whole = text.title + " " + text.body
        return query.grams.allSatisfy(text.grams.contains)
            && query.rechecks.allSatisfy { whole.contains($0.dropFirst().dropLast()) }
    }

    @Test func `every piece of two characters of a run is found, and nothing that is not there`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        let alphabet = Array("공구여름특가육아aB1 -%한e\u{301}")
        func text(_ lengths: ClosedRange<Int>) -> String {
            String(
                (0..<Int.random(in: lengths, using: &random)).map { _ in
                    alphabet.randomElement(using: &random)!
                })
        }
        for _ in 0..<3000 {
            let (title, body) = (text(0...12), text(0...12))
            let folded = SearchText(title: title, body: body)
            let runs = (folded.title + " " + folded.body).split(separator: " ")
            for run in runs where run.unicodeScalars.count >= 2 {
                let scalars = Array(run.unicodeScalars)
                let start = Int.random(in: 0...scalars.count - 2, using: &random)
                let end = Int.random(in: start + 2...scalars.count, using: &random)
                var piece = String.UnicodeScalarView()
                piece.append(contentsOf: scalars[start..<end])
                // A mark alone at the front may join what stands before it in a query.
                let word = String(piece)
                guard
                    SearchText(title: word, body: "").title.unicodeScalars
                        .elementsEqual(word.unicodeScalars)
                else { continue }
                #expect(isFound(word, in: title, body), "\(word) in \(title)|\(body), seed \(seed)")
            }
            let word = text(2...4)
            guard let query = SearchQuery(word), query.inTitle.count == 1,
                query.inTitle[0].unicodeScalars.count >= 4
            else { continue }
            let piece = Array(query.inTitle[0].unicodeScalars.dropFirst().dropLast())
            let isThere = runs.contains { run in
                let scalars = Array(run.unicodeScalars)
                guard scalars.count >= piece.count else { return false }
                return (0...scalars.count - piece.count).contains {
                    Array(scalars[$0..<$0 + piece.count]) == piece
                }
            }
            #expect(
                isFound(word, in: title, body) == isThere, "\(word) in \(title)|\(body), \(seed)")
        }
    }
}

extension String {
    fileprivate var nfkc: String { precomposedStringWithCompatibilityMapping }
}
