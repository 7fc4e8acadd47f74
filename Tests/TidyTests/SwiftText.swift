/// A Swift file with its comments and string literals set apart, which is all the parsing the rules
/// need: with the literals gone, braces, words and imports mean what they seem to.
struct SwiftText {
    /// From the root of the repository: `Sources/Edge/Worker.swift`.
    let path: String
    let lines: [String]
    /// The same lines with comments, literals and `raw names` blanked.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = SwiftText.split(Array(text.utf8))
        var blanker = Blanker(bytes: Array(text.utf8))
        code = SwiftText.split(blanker.blanked())
    }

    private static func split(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
    }

    /// A word of the code, with what surrounds it.
    struct Word {
        let text: String
        /// Counted from 1.
        let line: Int
        /// The byte before and after; a line's break at its ends.
        let before: UInt8
        let after: UInt8
    }

    /// All identifiers, keywords and numbers of the code, in order.
    var words: [Word] {
        var words: [Word] = []
        for (index, line) in code.enumerated() {
            let bytes = Array(line.utf8)
            var start = 0
            while start < bytes.count {
                guard isWordByte(bytes[start]) else {
                    start += 1
                    continue
                }
                var end = start
                while end < bytes.count && isWordByte(bytes[end]) { end += 1 }
                let before = start > 0 ? bytes[start - 1] : UInt8(ascii: "\n")
                let after = end < bytes.count ? bytes[end] : UInt8(ascii: "\n")
                let text = String(decoding: bytes[start..<end], as: UTF8.self)
                words.append(Word(text: text, line: index + 1, before: before, after: after))
                start = end
            }
        }
        return words
    }
}

func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), 0x80...:
        true
    default: false
    }
}

/// Replaces comments, string literals and names in backticks by spaces, keeping the line breaks.
/// Interpolations go with their literal. Regex literals are not known; nobody uses them here.
private struct Blanker {
    let bytes: [UInt8]
    var position = 0
    var output: [UInt8] = []

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func blanked() -> [UInt8] {
        while position < bytes.count { step() }
        return output
    }

    private mutating func step() {
        if at("//") {
            while position < bytes.count && bytes[position] != UInt8(ascii: "\n") { blank() }
        } else if at("/*") {
            comment()
        } else if at("`") {
            blank()
            while position < bytes.count && !at("`") && !at("\n") { blank() }
            blank()
        } else if let hashes = literalHashes() {
            literal(hashes: hashes)
        } else {
            output.append(bytes[position])
            position += 1
        }
    }

    private func at(_ text: StaticString) -> Bool {
        guard position + text.utf8CodeUnitCount <= bytes.count else { return false }
        for index in 0..<text.utf8CodeUnitCount
        where bytes[position + index] != text.utf8Start[index] {
            return false
        }
        return true
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where position < bytes.count {
            let isBreak = bytes[position] == UInt8(ascii: "\n")
            output.append(isBreak ? bytes[position] : UInt8(ascii: " "))
            position += 1
        }
    }

    /// Comments nest.
    private mutating func comment() {
        var depth = 0
        repeat {
            if at("/*") {
                depth += 1
                blank(2)
            } else if at("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && position < bytes.count
    }

    /// The number of # before a quote that opens a literal here; nil if none does.
    private func literalHashes() -> Int? {
        var end = position
        while end < bytes.count && bytes[end] == UInt8(ascii: "#") { end += 1 }
        let opens = end < bytes.count && bytes[end] == UInt8(ascii: "\"")
        return opens ? end - position : nil
    }

    private mutating func literal(hashes: Int) {
        blank(hashes)
        let isLong = at("\"\"\"")
        blank(isLong ? 3 : 1)
        while position < bytes.count {
            if at("\\") && followedByHashes(hashes, at: position + 1) {
                blank(1 + hashes)
                if at("(") { interpolation() } else { blank() }
            } else if closes(isLong: isLong, hashes: hashes) {
                blank((isLong ? 3 : 1) + hashes)
                return
            } else if !isLong && at("\n") {
                // Not Swift; better to go on with the next line than to lose the rest.
                return
            } else {
                blank()
            }
        }
    }

    private func closes(isLong: Bool, hashes: Int) -> Bool {
        let quotes = isLong ? 3 : 1
        return (isLong ? at("\"\"\"") : at("\"")) && followedByHashes(hashes, at: position + quotes)
    }

    private func followedByHashes(_ count: Int, at start: Int) -> Bool {
        guard start + count <= bytes.count else { return false }
        return bytes[start..<start + count].allSatisfy { $0 == UInt8(ascii: "#") }
    }

    /// `(…)` with what it holds, literals included.
    private mutating func interpolation() {
        var depth = 0
        repeat {
            if at("(") { depth += 1 }
            if at(")") { depth -= 1 }
            if let hashes = literalHashes() { literal(hashes: hashes) } else { blank() }
        } while depth > 0 && position < bytes.count
    }
}
