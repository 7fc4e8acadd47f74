import Clicks
import Judging

/// An agent is judged as by looking for every pattern at every place, whatever the case of its
/// letters and whatever follows the bytes that are stored.
package struct AgentProperty: FuzzProperty {
    package static let name = "agent"

    private let table = BotTable.current
    private let oracle = BotOracle(rules: BotTable.current.rules)

    package init(folder: String) {}

    package func check(_ bytes: UnsafeRawBufferPointer) throws(FuzzFinding) -> Bool {
        let agent = Array(bytes)
        let number = match(agent)
        let expected = oracle.match(agent)
        try hold(number == expected, "rule \(number) matches, not \(expected)")
        try hold(number == 0 || table.rule(number) != nil, "there is no rule \(number)")
        let recased = agent.map { byte in
            0x41...0x5A ~= byte || 0x61...0x7A ~= byte ? byte ^ 0x20 : byte
        }
        try hold(match(recased) == number, "in the other case rule \(match(recased)) matches")
        let stored = Array(agent.prefix(ClickTexts.userAgentBytesMax))
        try hold(match(stored) == number, "of what is stored rule \(match(stored)) matches")
        let isAbsurd = AgentProperty.isAbsurd(agent)
        try hold(
            isAbsurd == AgentProperty.isPlainlyAbsurd(stored),
            "it is \(isAbsurd ? "" : "not ")absurd")
        return number == 0 && !isAbsurd
    }

    private func match(_ agent: [UInt8]) -> UInt16 {
        let exact = ExactBytes(agent)
        return table.match(exact.bytes)
    }

    private static func isAbsurd(_ agent: [UInt8]) -> Bool {
        let exact = ExactBytes(agent)
        return UserAgentShape.isAbsurd(exact.bytes)
    }

    /// The rule as ``UserAgentShape`` states it.
    private static func isPlainlyAbsurd(_ agent: [UInt8]) -> Bool {
        guard agent.count >= 8 else { return true }
        let isControl = { (byte: UInt8) in byte < 0x20 && byte != 0x09 || byte == 0x7F }
        let isLetter = { (byte: UInt8) in 0x41...0x5A ~= byte || 0x61...0x7A ~= byte }
        if agent.contains(where: isControl) || !agent.contains(where: isLetter) { return true }
        if agent.starts(with: "Mozilla/".utf8),
            agent.dropFirst(8).allSatisfy({ "0123456789. ".utf8.contains($0) })
        {
            return true
        }
        // Eights from the beginning on, and the last eight bytes.
        var starts = Array(stride(from: 0, to: agent.count - 8, by: 8))
        starts.append(agent.count - 8)
        let words = starts.map { Array(agent[$0..<$0 + 8]) }
        var run = 1
        for (word, before) in zip(words.dropFirst(), words) {
            run = word == before ? run + 1 : 1
            if run > 6 { return true }
        }
        return false
    }
}
