import Clicks
import Links
import Testing

@Suite struct TrackedURLTests {
    private static let gonggu = Identifier(high: 0x0193_5D2A_7F00_7000, low: 0x8000_0000_0000_0001)
    private static let ours =
        "utm_source=gonggumoa&utm_campaign=01935d2a-7f00-7000-8000-000000000001"

    private func location(_ url: String) -> String {
        do throws(TrackedURLRefusal) {
            let bytes = try TrackedURL.location(externalURL: url, gonggu: TrackedURLTests.gonggu)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            return "refused: \(error)"
        }
    }

    /// `$` stands for our two parameters.
    @Test(arguments: [
        ("https://shop.kr/p", "https://shop.kr/p?$"),
        ("https://shop.kr", "https://shop.kr?$"),
        ("HTTPS://Shop.KR:8443/a/../b//c", "HTTPS://Shop.KR:8443/a/../b//c?$"),
        ("http://[2001:db8::1]:80/p", "http://[2001:db8::1]:80/p?$"),
        ("https://shop.kr:/p", "https://shop.kr:/p?$"),
        // Parameters: order, empty ones and odd ones stay.
        ("https://shop.kr/p?", "https://shop.kr/p?$"),
        ("https://shop.kr/p?b=2&a=1", "https://shop.kr/p?b=2&a=1&$"),
        ("https://shop.kr/p?a&&b=&=c&", "https://shop.kr/p?a&&b=&=c&&$"),
        ("https://shop.kr/p?&", "https://shop.kr/p?&&$"),
        ("https://shop.kr/p?a=1?b=2/3:4@5;6", "https://shop.kr/p?a=1?b=2/3:4@5;6&$"),
        ("https://shop.kr/p?f[x]='1'+2%20%2f%", "https://shop.kr/p?f[x]='1'+2%20%2f%&$"),
        // Fragments: behind the first #, whatever they have.
        ("https://shop.kr/p#top", "https://shop.kr/p?$#top"),
        ("https://shop.kr#a?utm_source=x#b", "https://shop.kr?$#a?utm_source=x#b"),
        ("https://shop.kr/p?a=1#!/r?b=2", "https://shop.kr/p?a=1&$#!/r?b=2"),
        ("https://shop.kr/p?a#", "https://shop.kr/p?a&$#"),
        // Ours replaced, wherever and however often and however spelled.
        ("https://shop.kr/p?utm_source=x", "https://shop.kr/p?$"),
        ("https://shop.kr/p?utm_source", "https://shop.kr/p?$"),
        ("https://shop.kr/p?a=1&utm_source=x&b=2", "https://shop.kr/p?a=1&b=2&$"),
        ("https://shop.kr/p?utm_campaign=1&utm_campaign=2&a", "https://shop.kr/p?a&$"),
        ("https://shop.kr/p?%75tm_source=x&a=1", "https://shop.kr/p?a=1&$"),
        ("https://shop.kr/p?utm%5Fcampaign=x&a=1", "https://shop.kr/p?a=1&$"),
        ("https://shop.kr/p?utm%5fsourc%65&a=1", "https://shop.kr/p?a=1&$"),
        ("https://shop.kr/p?utm_source=x#utm_source=y", "https://shop.kr/p?$#utm_source=y"),
        // Like ours, but not ours.
        ("https://shop.kr/p?utm_medium=x", "https://shop.kr/p?utm_medium=x&$"),
        ("https://shop.kr/p?UTM_SOURCE=x", "https://shop.kr/p?UTM_SOURCE=x&$"),
        ("https://shop.kr/p?xutm_source=x", "https://shop.kr/p?xutm_source=x&$"),
        ("https://shop.kr/p?utm_source%3Dx", "https://shop.kr/p?utm_source%3Dx&$"),
        ("https://shop.kr/p?utm_source%=x", "https://shop.kr/p?utm_source%=x&$"),
        ("https://shop.kr/p?u=utm_source", "https://shop.kr/p?u=utm_source&$"),
        ("https://shop.kr/utm_source=x", "https://shop.kr/utm_source=x?$"),
        // Bytes that may not stand in an address.
        ("https://shop.kr/p?q=공구", "https://shop.kr/p?q=%EA%B3%B5%EA%B5%AC&$"),
        ("https://공구.kr/상", "https://%EA%B3%B5%EA%B5%AC.kr/%EC%83%81?$"),
        ("https://shop.kr/p?q=a b#c d", "https://shop.kr/p?q=a%20b&$#c%20d"),
        ("https://shop.kr/\"<>\\^`{|}", "https://shop.kr/%22%3C%3E%5C%5E%60%7B%7C%7D?$"),
        ("https://shop.kr/\r\nSet-Cookie: a=b", "https://shop.kr/%0D%0ASet-Cookie:%20a=b?$"),
        ("https://shop.kr/?a=\r\n\r\n<html>", "https://shop.kr/?a=%0D%0A%0D%0A%3Chtml%3E&$"),
        ("https://shop.kr/#\n\u{0}\u{7F}\t", "https://shop.kr/?$#%0A%00%7F%09"),
    ])
    func `an address is tracked and otherwise left alone`(url: String, expected: String) {
        let wanted = expected.replacing("$", with: TrackedURLTests.ours)
        #expect(location(url) == wanted)
        #expect(location(wanted) == wanted, "the result does not change when done again")
    }

    @Test(arguments: [
        ("", "notWeb"), ("shop.kr/p", "notWeb"), ("//shop.kr/p", "notWeb"),
        ("javascript:alert(1)", "notWeb"), ("ftp://shop.kr/", "notWeb"),
        (" https://shop.kr/", "notWeb"), ("https:/shop.kr", "notWeb"), ("https:shop.kr", "notWeb"),
        ("\r\nhttps://shop.kr/", "notWeb"), ("https", "notWeb"), ("ＨTTPS://shop.kr", "notWeb"),
        ("https://", "host"), ("https:///p", "host"), ("https://?a", "host"),
        ("https://#a", "host"),
        ("https://:80/", "host"), ("https://sh op.kr/", "host"),
        ("https://shop.kr\r\nX: y", "host"),
        ("https://shop.kr\\.evil.kr/", "host"), ("https://shop.kr:80a/", "host"),
        ("https://shop.kr:123456/", "host"), ("https://[::1/", "host"), ("https://[]/", "host"),
        ("https://[::1]x/", "host"), ("https://[::1%25]/", "host"), ("https://a]b/", "host"),
        ("https://shop%2ekr/", "host"), ("https://shop.kr%40evil.kr/", "host"),
        ("https://shop%EA%/", "host"), ("https://shop.kr:80:80/", "host"),
        ("https://naver.com@evil.kr/", "userInformation"),
        ("https://naver.com\\@evil.kr/", "userInformation"),
        ("https://a:b@shop.kr/", "userInformation"),
    ])
    func `what is no plain web address is refused`(url: String, refusal: String) {
        #expect(location(url) == "refused: \(refusal)")
    }

    @Test func `the result is bounded, encoding and parameters included`() {
        let room = 2000 - "https://shop.kr/?".utf8.count - TrackedURLTests.ours.utf8.count
        let fits = String(repeating: "a", count: room)
        #expect(location("https://shop.kr/" + fits).utf8.count == 2000)
        #expect(location("https://shop.kr/a" + fits) == "refused: tooLong")
        #expect(location("https://shop.kr/" + fits.dropLast() + " ") == "refused: tooLong")
        #expect(
            location("https://shop.kr/" + String(repeating: "a", count: 1 << 20))
                == "refused: tooLong")
    }

    @Test func `every byte comes out as one that an address may have`() {
        for scalar in (0...0x2FF).compactMap(Unicode.Scalar.init) {
            for url in ["https://shop.kr/\(scalar)", "https://shop.kr/?\(scalar)"] {
                let result = location(url)
                #expect(
                    result.utf8.allSatisfy { 0x21...0x7E ~= $0 && !"\"<>\\^`{|}".utf8.contains($0) }
                )
                #expect(location(result) == result)
            }
        }
    }
}
