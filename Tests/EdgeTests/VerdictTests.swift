import Clicks
import Linux
import TLS
import TestSupport
import Testing

@testable import Edge

/// Each verdict as a client brings it about, read back from the spool.
@Suite struct VerdictTests {
    private func verdicts(_ bench: EdgeBench) throws -> [Verdict] {
        try bench.clicks().map(\.click.verdict)
    }

    @Test(arguments: [
        "facebookexternalhit/1.1;kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
        "Mozilla/5.0 (compatible; Yeti/1.1; +https://naver.me/spd)",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "python-requests/2.32.3",
    ])
    func `a machine is redirected like anybody and stored as a bot with its rule`(agent: String)
        throws
    {
        let bench = try EdgeBench()
        let answer = try bench.ask(request(to: "/go/open-1", agent: agent))
        #expect(answer?.status == 302)
        let click = try #require(try bench.clicks().first?.click)
        #expect(click.verdict == .bot && click.reason != 0)
        // It has not spent the window of a person behind the same address.
        _ = try bench.ask(request(to: "/go/open-1"))
        #expect(try verdicts(bench) == [.bot, .valid])
    }

    @Test func `a user agent that no program would send is malformed`() throws {
        let bench = try EdgeBench()
        for agent in ["x", "Mozilla/5.0"] {
            _ = try bench.ask(request(to: "/go/open-1", agent: agent))
        }
        _ = try bench.ask(request(to: "/go/open-1", agent: nil))
        #expect(try verdicts(bench) == [.malformed, .malformed, .malformed])
    }

    @Test func `more than the limit from one address within a minute is a flood`() throws {
        let bench = try EdgeBench(["FLOOD_CLICKS_PER_MINUTE": "10"])
        for number in 0..<12 {
            _ = try bench.ask(request(to: "/go/open-1", agent: TestAgent.browser(100 + number)))
        }
        let expected = Array(repeating: Verdict.valid, count: 10) + [.flood, .flood]
        #expect(try verdicts(bench) == expected)
    }

    @Test func `a proxy's word is taken only from a trusted one`() throws {
        // Of a hosting network in the list; the peer is the loopback.
        let forwarded = ["X-Forwarded-For: 203.0.113.9, 3.5.140.2"]
        let trusting = try EdgeBench(["TRUSTED_PROXIES": "127.0.0.0/8"])
        _ = try trusting.ask(request(to: "/go/open-1", fields: forwarded))
        let held = try #require(try trusting.clicks().first?.click)
        #expect(held.address == NetworkAddress("3.5.140.2"))
        #expect(held.verdict == .datacenter)

        let wary = try EdgeBench()
        _ = try wary.ask(request(to: "/go/open-1", fields: forwarded))
        let plain = try #require(try wary.clicks().first?.click)
        #expect(plain.address == NetworkAddress("127.0.0.1") && plain.verdict == .valid)
    }

    @Test func `behind two proxies, of which one adds a line, the client is the shopper`() throws {
        let bench = try EdgeBench(["TRUSTED_PROXIES": "127.0.0.0/8,198.51.100.0/24"])
        for shopper in ["203.0.113.9", "203.0.113.10"] {
            let fields = ["X-Forwarded-For: \(shopper)", "X-Forwarded-For: 198.51.100.7"]
            _ = try bench.ask(request(to: "/go/open-1", fields: fields))
        }
        let addresses = try bench.clicks().map { $0.click.address.description }
        #expect(addresses == ["203.0.113.9", "203.0.113.10"])
        #expect(try verdicts(bench) == [.valid, .valid])
        // A stranger's lines are a stranger's.
        let wary = try EdgeBench()
        let fields = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.7"]
        _ = try wary.ask(request(to: "/go/open-1", fields: fields))
        #expect(try wary.clicks().first?.click.address == NetworkAddress("127.0.0.1"))
    }

    @Test func `the gonggu's own influencer and admins are not paid for`() throws {
        let bench = try EdgeBench()
        let owner = TestLinks.open.influencerID
        let stranger = Identifier(high: 0x1234_5678_0000_7000, low: 0x8000_0000_0000_0001)
        for (user, role) in [(owner, "influencer"), (stranger, "admin"), (stranger, "buyer")] {
            let fields = ["Authorization: Bearer \(token(user, role))"]
            _ = try bench.ask(request(to: "/go/open-1", fields: fields))
        }
        #expect(try verdicts(bench) == [.self, .self, .valid])
        #expect(try bench.clicks().map(\.click.userID) == [owner, stranger, stranger])
    }

    @Test func `a signed-in shopper is one visitor on every device`() throws {
        let bench = try EdgeBench()
        let shopper = Identifier(high: 0x1234_5678_0000_7000, low: 0x8000_0000_0000_0002)
        for number in 0..<2 {
            _ = try bench.ask(
                request(
                    to: "/go/open-1", agent: TestAgent.browser(100 + number),
                    fields: ["Cookie: theme=dark; access_token=\(token(shopper, "buyer"))"]))
        }
        #expect(try verdicts(bench) == [.valid, .duplicate])
    }

    /// A held click may be refused in the end; it must not have cost the shopper the paid one.
    @Test func `a held click starts no window`() throws {
        let bench = try EdgeBench(["TRUSTED_PROXIES": "127.0.0.0/8"])
        let shopper = Identifier(high: 0x1234_5678_0000_7000, low: 0x8000_0000_0000_0003)
        for address in ["3.5.140.2", "203.0.113.9", "203.0.113.9"] {
            let fields = [
                "X-Forwarded-For: \(address)", "Authorization: Bearer \(token(shopper, "buyer"))",
            ]
            _ = try bench.ask(request(to: "/go/open-1", fields: fields))
        }
        #expect(try verdicts(bench) == [.datacenter, .valid, .duplicate])
    }

    @Test func `a bad token makes a shopper anonymous, never an error`() throws {
        let bench = try EdgeBench()
        let owner = TestLinks.open.influencerID
        let expired = token(owner, "influencer", secondsLeft: -1)
        for bad in [expired, expired.dropLast() + "A", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            let answer = try bench.ask(
                request(to: "/go/open-1", fields: ["Authorization: Bearer \(bad)"]))
            #expect(answer?.status == 302)
        }
        let clicks = try bench.clicks().map(\.click)
        #expect(clicks.allSatisfy { $0.userID == .anonymous })
        #expect(clicks.map(\.verdict) == [.valid, .duplicate, .duplicate, .duplicate])
    }

    /// An access token as the API signs it.
    private func token(_ user: Identifier, _ role: String, secondsLeft: Int64 = 600) -> String {
        let now = Clock.now() / 1_000_000
        let claims =
            #"{"sub":"\#(user)","role":"\#(role)","iss":"gonggumoa","iat":\#(now - 60),"#
            + #""exp":\#(now + secondsLeft)}"#
        let signed =
            base64URL(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8)) + "."
            + base64URL(Array(claims.utf8))
        let key = Array(EdgeBench.tokenSecret.utf8).withUnsafeBytes { HMACSHA256(key: $0) }
        var code = [UInt8](repeating: 0, count: HMACSHA256.codeBytes)
        Array(signed.utf8).withUnsafeBytes { message in
            code.withUnsafeMutableBytes { key.authenticate(message, into: $0) }
        }
        return signed + "." + base64URL(code)
    }

    private func base64URL(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        var text = ""
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for place in 0...group.count { text.append(alphabet[word >> (18 - 6 * place) & 63]) }
        }
        return text
    }
}
