import Clicks
import Foundation
import FuzzProperties
import Judging
import Testing
import TestSupport

@Suite struct BotTableTests {
    private static let table = BotTable.current

    /// Printed as Docs/MEASUREMENT.md quotes it.
    @Test(arguments: [
        ("first", LabelledAgents.machinesFirst, LabelledAgents.humansFirst),
        ("second", LabelledAgents.machinesSecond, LabelledAgents.humansSecond),
        ("third", LabelledAgents.machinesThird, LabelledAgents.humansThird),
        ("fourth", LabelledAgents.machinesFourth, LabelledAgents.humansFourth),
    ])
    func `98 of 100 machines and not one person are refused`(
        part: String, machines: [String], humans: [String]
    ) {
        let missed = machines.filter { !Self.table.refuses($0) }
        let refused = humans.filter { Self.table.refuses($0) }
        let caught = machines.count - missed.count
        let recall = 100 * Double(caught) / Double(machines.count)
        let precision = 100 * Double(caught) / Double(caught + refused.count)
        print(
            "bot table \(Self.table.version), \(part): recall \(caught)/\(machines.count) = "
                + "\(String(format: "%.2f", recall)) %, people refused "
                + "\(refused.count)/\(humans.count), precision "
                + "\(String(format: "%.2f", precision)) %")
        for agent in missed { print("  missed: \(agent)") }
        for agent in refused { print("  refused: \(agent)") }
        #expect(machines.count >= 150 && humans.count >= 150)
        #expect(recall >= 98)
        #expect(refused == [])
    }

    @Test func `the labelled set is as large and as Korean as it claims`() {
        #expect(Set(LabelledAgents.machines).count >= 600)
        #expect(Set(LabelledAgents.humans).count >= 600)
        #expect(Set(LabelledAgents.machines).isDisjoint(with: LabelledAgents.humans))
        let apps = [
            "KAKAO", "NAVER(inapp", "DaumApps", "Line/", "BAND/", "TossApp", "coupang/", "11st/",
            "Gmarket/", "everytimeApp", "karrot/", "MUSINSA/",
        ]
        let korean = LabelledAgents.humans.filter { agent in apps.contains { agent.contains($0) } }
        #expect(3 * korean.count >= LabelledAgents.humans.count)
    }

    @Test func `the automaton and the plain reading agree on every agent`() {
        let oracle = BotOracle(rules: Self.table.rules)
        for agent in LabelledAgents.all {
            #expect(
                Self.table.match(Array(agent.utf8)) == oracle.match(Array(agent.utf8)), "\(agent)")
        }
    }

    /// Agents cut, spliced, recased, and patterns planted at any place of them, so that edges,
    /// exceptions and the sieve's parities all come up.
    @Test func `they agree on mutated agents`() {
        let seed =
            ProcessInfo.processInfo.environment["TEST_SEED"].flatMap(UInt64.init)
            ?? UInt64.random(in: 0...UInt64.max)
        print("TEST_SEED=\(seed)")
        var random = SplitMix(state: seed)
        let agents = LabelledAgents.all.map { Array($0.utf8) }
        let oracle = BotOracle(rules: Self.table.rules)
        var refused = 0
        for _ in 0..<500 {
            var agent = agents.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                mutate(&agent, agents, Self.table.rules, &random)
            }
            let expected = oracle.match(agent)
            refused += expected == 0 ? 0 : 1
            let text = String(decoding: agent, as: UTF8.self)
            #expect(Self.table.match(agent) == expected, "\(text) (TEST_SEED=\(seed))")
        }
        #expect(refused > 50 && refused < 475)
    }

    private func mutate(
        _ agent: inout [UInt8], _ agents: [[UInt8]], _ rules: [BotRule], _ random: inout SplitMix
    ) {
        let place = Int.random(in: 0...agent.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0:
            let text = rules.randomElement(using: &random)!.text
            agent.insert(contentsOf: text, at: place)
        case 1:
            agent = agent.prefix(place) + agents.randomElement(using: &random)!.suffix(60)
        case 2:
            agent.insert(UInt8.random(in: 0...255, using: &random), at: place)
        case 3:
            guard place < agent.count else { return }
            agent.remove(at: place)
        default:
            agent = agent.map { byte in
                let isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7A
                return isLetter && Bool.random(using: &random) ? byte ^ 0x20 : byte
            }
        }
    }

    /// Every pattern alone, at an even and an odd place of an agent that the sieve lets pass.
    @Test func `no pattern slips through the sieve at any place`() {
        let plain = "Mozilla/5.0 (X) 0123456789"
        let oracle = BotOracle(rules: Self.table.rules)
        for rule in Self.table.rules where rule.layer.numbers != nil && !rule.isForTheRest {
            for place in plain.utf8.count - 1...plain.utf8.count {
                var agent = Array(plain.utf8)
                agent.insert(contentsOf: rule.text, at: place)
                #expect(
                    Self.table.match(agent) == oracle.match(agent), "\(rule.number) at \(place)")
            }
        }
    }

    @Test func `a word that ends in bot is a machine's, a phone's name is not`() {
        let machines = [
            "Mozilla/5.0 (X11) Foobot/2.1", "Mozilla/5.0 (foobot; x)", "Mozilla/5.0 (x) foo-bot",
            "Mozilla/5.0 (x) a bot here", "Mozilla/5.0 (Linux; CUBOT P60) Googlebot/2.1",
            "Mozilla/5.0 (Linux; CUBOT P60; somebot)",
        ]
        let people = [
            "Mozilla/5.0 (Linux; Android 12; CUBOT P60) AppleWebKit/537.36",
            "Mozilla/5.0 (Linux; Android 9; CUBOT_X18_Plus Build/PPR1) Chrome/100",
            "Mozilla/5.0 (Linux; Android 9; Talbott) AppleWebKit/537.36",
        ]
        for agent in machines { #expect(Self.table.refuses(agent), "\(agent)") }
        for agent in people { #expect(!Self.table.refuses(agent), "\(agent)") }
    }

    @Test func `who names Google's shop is a person, who names a fetcher of Google's is none`() {
        let view = "Mozilla/5.0 (Linux; Android 14; SM-S911N; wv) AppleWebKit/537.36 Chrome/131.0"
        #expect(!Self.table.refuses("\(view) Mobile Safari/537.36 SHOP CHANNEL_google-play"))
        #expect(Self.table.refuses("\(view) Mobile Safari/537.36 (Google-Read-Aloud)"))
        #expect(Self.table.refuses("\(view) CHANNEL_google-play (Google-Read-Aloud)"))
    }

    @Test(arguments: ["Trello", "Basecamp", "Tumblr", "Hyper", "Insomnia"])
    func `who reads in an app is a person, what fetches under its name is none`(name: String) {
        let browser = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36"
        #expect(!Self.table.refuses("\(browser) \(name)/2.10 Chrome/118.0 Safari/537.36"))
        #expect(Self.table.refuses("\(name)/2.10"))
    }

    /// On both sides of each bound that the rule has.
    @Test func `a platform alone makes no browser, an engine or an old console's name does`() {
        let filler = String(repeating: "x", count: 63 - "Mozilla/5.0 (X11) ".utf8.count)
        let machines = [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (X11) \(filler)",
            "Mozilla/5.0 (Linux; Android 10; SM-G973F Build/QP1A.190711.020; wv; ko-kr)",
        ]
        let people = [
            "Mozilla/5.0 (X11) \(filler)x", "Mozilla/5.0 (PLAYSTATION 3; 3.55)",
            "Mozilla/5.0 (Nintendo 3DS; U; ; ko) Version/1.7567.KR",
            "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
            "Mozilla/5.0 (Windows NT 6.1; rv:11.0) like Gecko", "Mozilla/4.08 [en] (WinNT; U)",
            "Mozilla/5.0 (X11; Linux x86_64) Ladybird/1.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605 (a) KAKAO (b)",
        ]
        for agent in machines { #expect(Self.table.refuses(agent), "\(agent)") }
        for agent in people { #expect(!Self.table.refuses(agent), "\(agent)") }
    }

    @Test func `the reason names the machine`() {
        let scrap =
            "facebookexternalhit/1.1;kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap"
        let number = Self.table.match(Array(scrap.utf8))
        #expect(Self.table.rule(number)?.layer == .korean)
        #expect(Self.table.rule(0) == nil)
        #expect(Self.table.match([]) != 0)
    }

    @Test func `only the bytes that are stored count`() {
        let filler = "Mozilla/5.0 (X) " + String(repeating: "ab cd ", count: 100)
        let stored = Array(filler.utf8.prefix(ClickTexts.userAgentBytesMax))
        #expect(Self.table.match(stored + Array(" Googlebot/2.1".utf8)) == 0)
        #expect(Self.table.match(stored.dropLast(14) + Array(" Googlebot/2.1".utf8)) != 0)
    }
}
