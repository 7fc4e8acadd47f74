import Judging
import TestSupport
import Testing

@Suite struct AgentTraitsTests {
    private struct Expected {
        let words: [Substring]
        let agent: String
    }

    private static let expected: [Expected] = LabelledAgents.read("traits").filter {
        !$0.hasPrefix("#")
    }.map { line in
        let parts = line.split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
        return Expected(words: parts[0].split(separator: " "), agent: String(parts[1]))
    }

    @Test func `device, system, browser and app are told as a person would`() {
        #expect(Self.expected.count >= 75)
        for expected in Self.expected {
            let traits = AgentTraits(of: expected.agent)
            let device = traits.device == .unknown ? "" : "\(traits.device)"
            let words = [
                device, traits.system.rawValue, traits.browser.rawValue, traits.app.rawValue,
            ].map { $0.isEmpty ? "-" : $0 }
            #expect(words == expected.words.map(String.init), "\(expected.agent)")
        }
    }

    @Test func `any bytes are an agent, and what is inside a word says nothing`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        for _ in 0..<2000 {
            var bytes = Array(Self.expected.randomElement(using: &random)!.agent.utf8)
            bytes = Array(bytes.prefix(Int(random.next() % 512)))
            for _ in 0..<3 where !bytes.isEmpty {
                bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                    truncatingIfNeeded: random.next())
            }
            _ = bytes.withUnsafeBytes { AgentTraits(of: $0) }
        }
        #expect(AgentTraits(of: "xKAKAOTALK notiPhone MyAndroid 가Windows") == AgentTraits())
        #expect(
            AgentTraits(of: "(iPhone")
                == AgentTraits(device: .phone, system: .ios, browser: .webview))
    }
}
