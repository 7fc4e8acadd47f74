import Judging
import Testing

@Suite struct UserAgentShapeTests {
    private static func isAbsurd(_ text: String) -> Bool {
        Array(text.utf8).withUnsafeBytes { UserAgentShape.isAbsurd($0) }
    }

    private static let browser =
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        + "Chrome/131.0.0.0 Mobile Safari/537.36"

    @Test(arguments: [
        "", "-", "null", "Mozilla", "Mozilla/5.0", "Mozilla/4.0", "Mozilla/5.0 ", "12345678",
        "1.2.3.4.5.6", "--------", String(repeating: "A", count: 80),
        String(repeating: "0123abcd", count: 10), browser + "\u{1}", "\u{7F}" + browser,
        browser + "\r\nX-Injected: 1", String(repeating: "5", count: 300),
        String(repeating: "@", count: 30),
    ])
    func `nobody uses a program that sends this`(agent: String) {
        #expect(Self.isAbsurd(agent))
    }

    @Test(arguments: [
        browser, browser + "\t", browser + " 한글", "curl/8.5.0", "Opera/9.80 (J2ME/MIDP)",
        "Mozilla/4.0 (compatible; AVPersonalSerial \(String(repeating: "0", count: 40)); x)",
    ])
    func `what can be meant is left to the table`(agent: String) {
        #expect(!Self.isAbsurd(agent))
    }

    @Test func `a control byte is found at any place, and no other byte is taken for one`() {
        let agent = Array(Self.browser.utf8)
        for place in agent.indices {
            for byte: UInt8 in [0, 1, 8, 9, 10, 13, 31, 32, 34, 126, 127, 128, 160, 255] {
                var changed = agent
                changed[place] = byte
                // `Mozilla/` broken up is no bare Mozilla; nothing else of the rule can hold.
                let isControl = byte < 0x20 && byte != 0x09 || byte == 0x7F
                let isAbsurd = changed.withUnsafeBytes { UserAgentShape.isAbsurd($0) }
                #expect(isAbsurd == isControl, "byte \(byte) at \(place)")
            }
        }
    }

    @Test func `no person's agent is absurd`() {
        for agent in LabelledAgents.humans {
            #expect(!Self.isAbsurd(agent), "\(agent)")
        }
    }
}
