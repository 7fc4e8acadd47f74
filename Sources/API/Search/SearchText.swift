import Foundation

// How text becomes something that is found. Korean joins words without blanks and hangs particles
// on them, so words are no unit to look for: '공구' has to be found in '여름공구특가'. Each two
// neighbouring characters are, and an index of those finds any piece of two characters or more.
//
// Texts and queries are folded alike, here and nowhere else: NFKC (composed and decomposed Hangul
// are one, and so are full-width and plain Latin), lower case, and runs of letters and digits, with
// everything else between them a separator. A folded word so has no character that means anything
// to SQL's LIKE.

/// An entry's text as it is stored.
package struct SearchText: Equatable, Sendable {
    /// Runs with a blank between them.
    package let title: String
    package let body: String
    /// Each once, in the order of their bytes.
    package let grams: [String]

    /// Characters of a body that count; what comes later in a description is small print. With the
    /// longest title that makes 1,300 grams at most.
    package static let bodyScalarsMax = 1000
    private static let titleScalarsMax = 200

    package init(title: String, body: String) {
        let titleRuns = SearchFold.runs(of: title, scalarsMax: SearchText.titleScalarsMax)
        let bodyRuns = SearchFold.runs(of: body, scalarsMax: SearchText.bodyScalarsMax)
        var grams: Set<String> = []
        for run in titleRuns {
            grams.insert(SearchFold.start(run[0]))
        }
        for run in titleRuns + bodyRuns {
            for index in run.indices.dropLast() {
                grams.insert(SearchFold.pair(run[index], run[index + 1]))
            }
        }
        self.title = SearchFold.joined(titleRuns)
        self.body = SearchFold.joined(bodyRuns)
        self.grams = grams.sorted()
    }
}

/// What somebody looks for: words that all have to be found.
package struct SearchQuery: Equatable, Sendable {
    /// What every entry that is found has; a longer word's pairs are necessary, not sufficient.
    package let grams: [String]
    /// Patterns for LIKE that settle what the grams leave open, one a word of three characters or
    /// more.
    package let rechecks: [String]
    /// Of titles that begin with the whole query.
    package let prefix: String
    /// Of titles that hold each word.
    package let inTitle: [String]

    /// Nil where the text has no letter and no digit: that finds nothing.
    ///
    /// A word of one character finds words in titles that begin with it.
    package init?(_ text: String) {
        let runs = SearchFold.runs(of: text, scalarsMax: .max)
        guard !runs.isEmpty else { return nil }
        var grams: Set<String> = []
        for run in runs {
            if run.count == 1 { grams.insert(SearchFold.start(run[0])) }
            for index in run.indices.dropLast() {
                grams.insert(SearchFold.pair(run[index], run[index + 1]))
            }
        }
        self.grams = grams.sorted()
        rechecks = runs.filter { $0.count > 2 }.map { "%" + SearchFold.joined([$0]) + "%" }
        prefix = SearchFold.joined(runs) + "%"
        inTitle = runs.map { "%" + SearchFold.joined([$0]) + "%" }
    }
}

/// The folding itself.
private enum SearchFold {
    typealias Run = [Unicode.Scalar]

    /// The runs among the first so many scalars of the folded text; none of them empty.
    static func runs(of text: String, scalarsMax: Int) -> [Run] {
        let isPlain = text.utf8.allSatisfy { $0 < 0x80 }
        let composed = isPlain ? text : text.precomposedStringWithCompatibilityMapping
        // Lower case can decompose (İ), which is put together again.
        let lowered = composed.lowercased()
        let folded = isPlain ? lowered : lowered.precomposedStringWithCompatibilityMapping
        var runs: [Run] = []
        var run: Run = []
        for scalar in folded.unicodeScalars.prefix(scalarsMax) {
            if isPart(scalar) {
                run.append(scalar)
            } else if !run.isEmpty {
                runs.append(run)
                run = []
            }
        }
        if !run.isEmpty { runs.append(run) }
        return runs
    }

    /// Letters, digits and the marks that belong to them.
    private static func isPart(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII {
            return switch scalar.value {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
            default: false
            }
        }
        // Hangul's syllables, for which the tables need not be asked.
        if 0xAC00...0xD7A3 ~= scalar.value { return true }
        return switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
            .decimalNumber, .letterNumber, .otherNumber, .nonspacingMark, .spacingMark:
            true
        default: false
        }
    }

    static func pair(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> String {
        var text = String.UnicodeScalarView()
        text.append(first)
        text.append(second)
        return String(text)
    }

    /// No pair begins with this, since it is no part of a run.
    static func start(_ first: Unicode.Scalar) -> String {
        pair("^", first)
    }

    static func joined(_ runs: [Run]) -> String {
        var text = String.UnicodeScalarView()
        for (index, run) in runs.enumerated() {
            if index > 0 { text.append(" ") }
            text.append(contentsOf: run)
        }
        return String(text)
    }
}
