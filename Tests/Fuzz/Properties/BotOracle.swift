import Judging

/// The bot table's rules in the plainest words: every pattern is looked for at every place.
package struct BotOracle {
    private struct Match {
        let rule: BotRule
        let range: Range<Int>
    }

    private let rules: [BotRule]

    package init(rules: [BotRule]) {
        self.rules = rules
    }

    package func match(_ agent: [UInt8]) -> UInt16 {
        let agent = agent.prefix(512).map(lower)
        let starts = Dictionary(grouping: agent.indices) { agent[$0] }
        let matches = rules.filter { !$0.isForTheRest }.flatMap {
            places(of: $0, in: agent, starts)
        }
        let named = matches.filter { $0.rule.layer.numbers != nil && $0.rule.layer != .general }
        if let first = named.map(\.rule.number).min() { return first }
        let shields = matches.filter { $0.rule.layer == .human }.map(\.range)
        let general = matches.filter { match in
            match.rule.layer == .general
                && !shields.contains {
                    $0.lowerBound <= match.range.lowerBound
                        && match.range.upperBound <= $0.upperBound
                }
        }
        let first = general.min {
            ($0.range.lowerBound, $0.rule.number) < ($1.range.lowerBound, $1.rule.number)
        }
        if let first { return first.rule.number }
        let browsers = matches.filter { $0.rule.layer == .browser }
        let isShort = agent.count < 64 || agent.firstIndex(of: UInt8(ascii: ")")) == agent.count - 1
        let mustNameEngine = isShort && agent.starts(with: "mozilla/5".utf8)
        if browsers.contains(where: { !mustNameEngine || !$0.rule.isMozilla }) { return 0 }
        return rules.first { $0.isForTheRest }?.number ?? 0
    }

    private func places(of rule: BotRule, in agent: [UInt8], _ starts: [UInt8: [Int]]) -> [Match] {
        (starts[rule.text[0]] ?? []).compactMap { start in
            let end = start + rule.text.count
            guard end <= agent.count, agent[start..<end].elementsEqual(rule.text) else {
                return nil
            }
            if rule.isAtStart && start != 0 { return nil }
            if rule.needsEdgeBefore && start > 0 && isLetter(agent[start - 1]) { return nil }
            if rule.needsEdgeAfter && end < agent.count && isLetter(agent[end]) { return nil }
            return Match(rule: rule, range: start..<end)
        }
    }

    private func lower(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte + 0x20 : byte
    }

    private func isLetter(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
    }
}
