// Everything a person reads comes in two languages, and the declaration that has one has both:
// a wording is a pair, so a missing translation does not compile.

/// A language the API answers in.
package enum Language: String, CaseIterable, Sendable {
    case korean = "ko"
    case english = "en"

    /// What an `Accept-Language` header prefers: English only where it is named with a higher
    /// quality than Korean, or with the same quality and earlier. Korean for anything else, also
    /// for a header that cannot be read.
    package init(acceptLanguage header: String?) {
        var best: [Language: (quality: Double, position: Int)] = [:]
        let ranges = (header ?? "").split(separator: ",").prefix(Language.rangesMax)
        for (position, range) in ranges.enumerated() {
            let parts = range.split(separator: ";").map { $0.trimmed.lowercased() }
            guard let tag = parts.first?.split(separator: "-").first,
                let language = Language(rawValue: String(tag)),
                let quality = Language.quality(in: parts.dropFirst())
            else { continue }
            if quality > best[language]?.quality ?? -1 { best[language] = (quality, position) }
        }
        guard let english = best[.english], english.quality > 0 else {
            self = .korean
            return
        }
        guard let korean = best[.korean] else {
            self = .english
            return
        }
        let isEnglish =
            english.quality > korean.quality
            || english.quality == korean.quality && english.position < korean.position
        self = isEnglish ? .english : .korean
    }

    /// Ranges after these are not looked at, so that a long header costs no more than a usual one.
    private static let rangesMax = 16

    /// 1 where no quality is given, nil where it is not a number from 0 to 1.
    private static func quality(in parameters: some Sequence<String>) -> Double? {
        guard let text = parameters.first(where: { $0.hasPrefix("q=") })?.dropFirst(2) else {
            return 1
        }
        guard let value = Double(text), (0...1).contains(value) else { return nil }
        return value
    }
}

/// The same sentence in both languages.
package struct Wording: Hashable, Sendable {
    package let korean: String
    package let english: String

    package init(_ korean: String, _ english: String) {
        self.korean = korean
        self.english = english
    }

    package subscript(_ language: Language) -> String {
        switch language {
        case .korean: korean
        case .english: english
        }
    }
}

extension StringProtocol {
    /// Without the blanks and tabs that HTTP allows around list members.
    var trimmed: String {
        String(
            drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }
                .reversed())
    }
}
