// The text of the bot table, read. Data/bots.txt opens with the description of its format.

/// What kind of machine a rule knows, or what else a line of the table is for.
public enum BotLayer: String, CaseIterable, Sendable {
    case korean, preview, search, ai, library, headless, scanner, monitor, general
    case human, browser, ordinary

    /// The numbers of a layer's rules: nil for the layers that refuse nobody.
    public var numbers: ClosedRange<UInt16>? {
        guard let place = BotLayer.allCases.firstIndex(of: self), place < 9 else { return nil }
        let thousand = UInt16(place + 1) * 1000
        return thousand + 1...thousand + 999
    }
}

/// One line of the table.
public struct BotRule: Sendable {
    /// Kept with each click that the rule refuses, for ever: it is never given to another rule.
    /// 0 for the layers that refuse nobody.
    public let number: UInt16
    public let layer: BotLayer
    /// In lower case, without its marks; empty for the rule `*`.
    public let text: [UInt8]
    public let isAtStart: Bool
    public let needsEdgeBefore: Bool
    public let needsEdgeAfter: Bool
    public let note: String

    /// The line `^mozilla/`, which short agents need another `browser` line besides.
    public var isMozilla: Bool {
        layer == .browser && isAtStart && text.elementsEqual("mozilla/".utf8)
    }

    /// The rule that refuses every agent in which no line of the layer `browser` matches.
    public var isForTheRest: Bool { text.isEmpty }
}

/// Every line of a table that is not understood, so that all can be mended at once.
public struct BotTableFault: Error, CustomStringConvertible {
    public struct Line: Equatable, Sendable {
        /// Counted from 1; 0 stands for the file as a whole.
        public let number: Int
        public let complaint: String
    }

    public let lines: [Line]

    public var description: String {
        lines.map { "line \($0.number): \($0.complaint)" }.joined(separator: "\n")
    }
}

/// Reads a table's text.
struct BotTableReader {
    /// Five times the table of today.
    static let rulesMax = 1_500
    /// Bytes of all patterns together: no more states than these, and they must fit 15 bits.
    static let textBytesMax = 30_000
    static let patternBytes = 3...64

    private(set) var version: UInt16?
    private(set) var rules: [BotRule] = []
    /// Agents of people, given whole: they decide nothing. See ``BotSieve``.
    private(set) var ordinary: [[UInt8]] = []
    private var faults: [BotTableFault.Line] = []
    private var lastNumber: [BotLayer: UInt16] = [:]
    private var seen: Set<String> = []

    init(text: String) throws(BotTableFault) {
        var line = 0
        for row in text.split(separator: "\n", omittingEmptySubsequences: false) {
            line += 1
            let row = BotTableReader.trimmed(row)
            if row.isEmpty || row.hasPrefix("#") { continue }
            if let complaint = take(row) {
                faults.append(BotTableFault.Line(number: line, complaint: complaint))
            }
        }
        if version == nil {
            faults.append(BotTableFault.Line(number: 0, complaint: "no line says `version N`"))
        }
        if rules.count > BotTableReader.rulesMax {
            let complaint = "more than \(BotTableReader.rulesMax) rules"
            faults.append(BotTableFault.Line(number: 0, complaint: complaint))
        }
        if rules.reduce(0, { $0 + $1.text.count }) > BotTableReader.textBytesMax {
            let complaint = "patterns of more than \(BotTableReader.textBytesMax) bytes"
            faults.append(BotTableFault.Line(number: 0, complaint: complaint))
        }
        guard faults.isEmpty else { throw BotTableFault(lines: faults) }
    }

    /// - Returns: what is wrong with the line, or nil.
    private mutating func take(_ row: Substring) -> String? {
        if row.hasPrefix("version ") {
            guard version == nil else { return "the version is given twice" }
            guard let number = UInt16(row.dropFirst(8)), number > 0 else {
                return "a version is a number from 1 to 65535"
            }
            version = number
            return nil
        }
        let columns = row.split(separator: "|", omittingEmptySubsequences: false)
            .map { BotTableReader.trimmed($0) }
        guard columns.count == 4 else {
            return "a rule has four columns: number | layer | pattern | note"
        }
        guard let layer = BotLayer(rawValue: String(columns[1])) else {
            return "there is no layer `\(columns[1])`"
        }
        guard !columns[3].isEmpty else { return "a rule needs a note that says why" }
        guard columns[2].utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            return "a pattern is printable ASCII"
        }
        if layer == .ordinary {
            guard columns[0] == "-" else { return "`ordinary` has the number `-`" }
            ordinary.append(Array(columns[2].utf8))
            return nil
        }
        let (number, complaint) = number(columns[0], layer)
        return complaint ?? takeRule(number, layer, pattern: columns[2], note: columns[3])
    }

    private mutating func number(_ column: Substring, _ layer: BotLayer) -> (UInt16, String?) {
        guard let range = layer.numbers else {
            return (0, column == "-" ? nil : "`\(layer.rawValue)` has the number `-`")
        }
        guard let number = UInt16(column), range.contains(number) else {
            return (
                0, "`\(layer.rawValue)` has numbers from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        guard number > lastNumber[layer] ?? 0 else {
            return (0, "the numbers of a layer rise from line to line; a new rule goes last")
        }
        lastNumber[layer] = number
        return (number, nil)
    }

    private mutating func takeRule(
        _ number: UInt16, _ layer: BotLayer, pattern: Substring, note: Substring
    ) -> String? {
        guard seen.insert("\(layer == .human || layer == .browser) \(pattern)").inserted else {
            return "`\(pattern)` stands in the table already"
        }
        var text = Array(pattern.utf8)
        var isAtStart = false
        var needsEdgeBefore = false
        var needsEdgeAfter = false
        if pattern == "*" {
            guard layer == .general else { return "`*` belongs to the layer general" }
            text = []
        } else {
            isAtStart = text.first == UInt8(ascii: "^")
            needsEdgeBefore = text.first == UInt8(ascii: "<")
            if isAtStart || needsEdgeBefore { text.removeFirst() }
            needsEdgeAfter = text.last == UInt8(ascii: ">")
            if needsEdgeAfter { text.removeLast() }
            guard BotTableReader.patternBytes.contains(text.count) else {
                return "a pattern has \(BotTableReader.patternBytes.lowerBound) to "
                    + "\(BotTableReader.patternBytes.upperBound) bytes without its marks"
            }
            guard !text.contains(where: { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") })
            else { return "a pattern is written in lower case" }
        }
        rules.append(
            BotRule(
                number: number, layer: layer, text: text, isAtStart: isAtStart,
                needsEdgeBefore: needsEdgeBefore, needsEdgeAfter: needsEdgeAfter,
                note: String(note)))
        return nil
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }
}
