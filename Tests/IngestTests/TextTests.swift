import TestSupport
import Testing

@testable import Ingest

@Suite struct TextTests {
    @Test(arguments: [
        ("https://www.instagram.com/p/1?x=y#z", "www.instagram.com"),
        ("http://l.facebook.com", "l.facebook.com"),
        ("HTTPS://Blog.NAVER.com:443/x", "blog.naver.com"),
        ("android-app://com.kakao.talk/", "com.kakao.talk"),
        ("https://user:secret@shop.example:8443/", "shop.example"),
        ("https://a@b@shop.example/", "shop.example"),
        ("https://shop.example?q=http://other.example/", "shop.example"),
        ("https://shop.example#@other.example", "shop.example"),
        ("https://xn--bj0bj06e.xn--3e0b707e/", "xn--bj0bj06e.xn--3e0b707e"),
        ("https://_dmarc.shop-1.example.", "_dmarc.shop-1.example."),
        ("https://127.0.0.1:80/", "127.0.0.1"),
        ("https://[2001:db8::1]:443/", ""),
        ("https://한국.kr/", ""),
        // U+212A, which is a k in lower case; a slash that a combining mark makes another
        // character.
        ("https://\u{212A}akao.com/", ""),
        ("https://shop.example/\u{0301}", "shop.example"),
        ("https://shop.example\\@other.example/", "shop.example"),
        ("https://shop example/", ""), ("https://(other)/", ""), ("https:///path", ""),
        ("https://", ""), ("https:shop.example", ""), ("://shop.example", ""),
        ("ftp://shop.example/", ""), ("javascript://shop.example/", ""), ("about:blank", ""),
        ("x https://shop.example/", ""), ("shop.example", ""), ("", ""), ("\u{FFFD}", ""),
    ])
    func `a referer's host is told, and nothing else`(referer: String, host: String) {
        #expect(RefererHost.of(referer) == host)
    }

    @Test func `a host has as many bytes as the longest name`() {
        let longest = String(repeating: "a", count: 253)
        #expect(RefererHost.of("https://\(longest)/") == longest)
        #expect(RefererHost.of("https://\(longest)a/") == "")
    }

    @Test func `a table gives each text one place, whatever the bytes and however many`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        var table = TextTable()
        var places: [[UInt8]: Int32] = [:]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...3, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random) & 0x8F
            }
            let place = text.withUnsafeBytes { table.index(of: $0) }
            #expect(places.updateValue(place, forKey: text) ?? place == place)
        }
        #expect(table.texts.count == places.count)
        #expect(Set(places.values).count == places.count)
        for (text, place) in places where !text.contains(0) {
            #expect(
                Array(table.texts[Int(place)].utf8)
                    == Array(String(decoding: text, as: UTF8.self).utf8))
        }
    }

    /// A ledger that numbers texts by their bytes and counts the questions.
    private final class Numbers {
        var known: [[UInt8]: Int32] = [:]
        var asked: [Int] = []

        func of(_ texts: [String]) -> [Int32] {
            asked.append(texts.count)
            return texts.map { text in
                let id = known[Array(text.utf8)] ?? Int32(known.count)
                known[Array(text.utf8)] = id
                return id
            }
        }
    }

    @Test func `numbers are those of the ledger, asked for once, in questions of bounded size`()
        throws
    {
        let ledger = Numbers()
        var dictionary = TextDictionary()
        let texts = (0..<12_000).map { "text \($0)" }
        let first = try dictionary.numbers(of: texts, resolve: ledger.of)
        #expect(first == texts.map { ledger.known[Array($0.utf8)]! })
        #expect(ledger.asked == [5000, 5000, 2000])
        #expect(
            try dictionary.numbers(of: texts.reversed(), resolve: ledger.of) == first.reversed())
        #expect(ledger.asked.count == 3, "nothing was asked twice")
        #expect(try dictionary.numbers(of: [], resolve: ledger.of) == [])
    }

    @Test func `composed and decomposed Hangul have a number each`() throws {
        let ledger = Numbers()
        var dictionary = TextDictionary()
        let numbers = try dictionary.numbers(
            of: ["\u{AC00}", "\u{1100}\u{1161}"], resolve: ledger.of)
        #expect(Set(numbers).count == 2)
    }

    @Test func `a client with endless texts cannot make the dictionary grow`() throws {
        let ledger = Numbers()
        let bytesMax = 100_000
        var dictionary = TextDictionary(bytesMax: bytesMax)
        for batch in 0..<50 {
            let texts = (0..<100).map { "\(batch) \($0) " + String(repeating: "x", count: 500) }
            let numbers = try dictionary.numbers(of: texts + ["usual"], resolve: ledger.of)
            #expect(numbers.last == ledger.known[Array("usual".utf8)])
            #expect(dictionary.bytes <= bytesMax && dictionary.count <= bytesMax / 100)
        }
        // One batch that is larger than the bound is answered all the same, and not kept.
        let large = (0..<1000).map { "large \($0)" + String(repeating: "y", count: 500) }
        #expect(try dictionary.numbers(of: large, resolve: ledger.of).count == 1000)
        #expect(dictionary.count == 0)
    }

    @Test func `what a question fails to answer is not remembered`() throws {
        struct Away: Error {}
        let ledger = Numbers()
        var dictionary = TextDictionary()
        #expect(throws: Away.self) { try dictionary.numbers(of: ["a"]) { _ in throw Away() } }
        #expect(try dictionary.numbers(of: ["a"], resolve: ledger.of) == [0])
    }
}
