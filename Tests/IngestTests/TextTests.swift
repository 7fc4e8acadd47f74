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
        let table = TextPlaces { Int32($0.count) }
        var places: [[UInt8]: Int32] = [:]
        for _ in 0..<20_000 {
            // Short, so that they repeat; and around the hash's steps of 8 and 16 bytes.
            let count = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 32, 33].randomElement(using: &random)!
            let free = Int.random(in: 0..<3, using: &random)
            let text = (0..<count).map { at in
                at % 11 == free ? UInt8.random(in: 0...255, using: &random) & 0x8F : 0x61
            }
            let place = text.withUnsafeBytes { table.place(of: $0) }
            #expect(places.updateValue(place, forKey: text) ?? place == place)
        }
        #expect(table.count == places.count)
        #expect(Set(places.values) == Set(0..<Int32(places.count)))
        for (text, place) in places {
            let kept = String(decoding: text, as: UTF8.self).utf8.flatMap {
                $0 == 0 ? [0xEF, 0xBF, 0xBD] : [$0]
            }
            #expect(Array(table.text(place).utf8) == kept)
            #expect(table.extra(place) == Int32(text.count))
            if let plain = table.plainBytes(place) { #expect(Array(plain) == kept) }
        }
        table.removeAll()
        #expect(table.count == 0)
        #expect([UInt8](repeating: 0x61, count: 3).withUnsafeBytes { table.place(of: $0) } == 0)
    }

    @Test func `sums are those of a plain dictionary`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let table = WordTable()
        for _ in 0..<3 {
            var sums: [[UInt64]: Int64] = [:]
            for _ in 0..<20_000 {
                let words = (0..<4).map { _ in random.next() % 9 << (random.next() % 2 * 60) }
                let amount = Int64(random.next() % 100)
                table.add(amount, to: (words[0], words[1], words[2], words[3]))
                sums[words, default: 0] += amount
            }
            #expect(table.count == sums.count)
            for index in 0..<table.count {
                let (key, sum) = table[index]
                #expect(sums[[key.0, key.1, key.2, key.3]] == sum)
                #expect(table[table.add(0, to: key)].sum == sum)
            }
            table.removeAll()
        }
    }

    /// A ledger that numbers texts by their bytes and counts the questions.
    private final class Numbers {
        var known: [[UInt8]: Int32] = [:]
        var asked: [Int] = []

        func of(_ texts: [String]) -> [Int32] {
            asked.append(texts.count)
            return texts.map { text in
                let id = known[Array(text.utf8)] ?? Int32(known.count + 1)
                known[Array(text.utf8)] = id
                return id
            }
        }
    }

    private func place(_ text: String, _ table: TextPlaces) -> Int32 {
        Array(text.utf8).withUnsafeBytes { table.place(of: $0) }
    }

    private func number(_ table: TextPlaces, by ask: ([String]) throws -> [Int32]) throws {
        defer { table.learnNumbers() }
        try table.takeUnnumbered().number(by: ask)
    }

    @Test func `numbers are those of the ledger, asked for once, in questions of bounded size`()
        throws
    {
        let ledger = Numbers()
        let table = TextPlaces()
        let texts = (0..<12_000).map { "text \($0)" }
        let places = texts.map { place($0, table) }
        try number(table, by: ledger.of)
        #expect(places.map(table.number) == texts.map { ledger.known[Array($0.utf8)]! })
        #expect(ledger.asked == [5000, 5000, 2000])
        #expect(texts.reversed().map { place($0, table) } == places.reversed())
        try number(table, by: ledger.of)
        #expect(ledger.asked.count == 3, "nothing was asked twice")
    }

    @Test func `composed and decomposed Hangul have a number each`() throws {
        let ledger = Numbers()
        let table = TextPlaces()
        let places = ["\u{AC00}", "\u{1100}\u{1161}"].map { place($0, table) }
        try number(table, by: ledger.of)
        #expect(Set(places.map(table.number)).count == 2)
    }

    @Test func `bytes that repair makes equal share a number`() throws {
        let ledger = Numbers()
        let table = TextPlaces()
        let texts: [[UInt8]] = [[0x61, 0xFF], [0x61, 0xFE], [0x61, 0], [0x62], [0x61]]
        let places = texts.map { $0.withUnsafeBytes { table.place(of: $0) } }
        #expect(Set(places).count == 5)
        try number(table, by: ledger.of)
        #expect(ledger.asked == [3])
        let numbers = places.map(table.number)
        #expect(Set(numbers[..<3]).count == 1 && Set(numbers).count == 3)
    }

    @Test func `a client with endless texts cannot make what is known grow`() throws {
        let ledger = Numbers()
        let bytesMax = 100_000
        let known = KnownTexts(bytesMax: bytesMax)
        for batch in 0..<50 {
            known.beginBatch()
            #expect(known.bytes <= bytesMax)
            for number in 0..<100 {
                let text = "\(batch) \(number) " + String(repeating: "x", count: 500)
                _ = place(text, known.userAgents)
                _ = place("https://h\(batch)-\(number).example/", known.referers)
            }
            let usual = place("usual", known.userAgents)
            try number(known.userAgents, by: ledger.of)
            #expect(known.userAgents.number(usual) == ledger.known[Array("usual".utf8)])
        }
        known.removeAll()
        #expect(known.userAgents.count == 0 && known.hosts.count == 2)
    }

    @Test func `a text is one batch's to ask for, and its number comes when that has asked`()
        throws
    {
        let ledger = Numbers()
        let table = TextPlaces()
        let a = place("a", table)
        let first = table.takeUnnumbered()
        let b = place("b", table)
        let second = table.takeUnnumbered()
        #expect(first.wanted.map(\.place) == [a] && second.wanted.map(\.place) == [b])
        try second.number(by: ledger.of)
        table.learnNumbers()
        #expect(table.number(a) == 0 && table.number(b) == 1)
        // Nobody waits for the places of a table that has forgotten them.
        table.removeAll()
        #expect(place("c", table) == a)
        try first.number(by: ledger.of)
        table.learnNumbers()
        #expect(table.number(a) == 0)
        first.numbers.read { #expect($0(a) == 2 && $0(b) == 1 && $0(70_000) == 0) }
    }

    @Test func `what a question fails to answer is asked again when all is forgotten`() throws {
        struct Away: Error {}
        let ledger = Numbers()
        let table = TextPlaces()
        let a = place("a", table)
        #expect(throws: Away.self) { try number(table) { _ in throw Away() } }
        #expect(table.number(a) == 0)
        table.removeAll()
        #expect(place("a", table) == a)
        try number(table, by: ledger.of)
        #expect(table.number(a) == ledger.known[Array("a".utf8)])
    }

    @Test func `a text is found by its key as by its bytes`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        let table = TextPlaces { Int32($0.count) }
        for _ in 0..<50_000 {
            // Keys of several sources, of which some fall on one place.
            let number = random.next() % 300 &* (random.next() % 2 == 0 ? 1 : 1 << 16)
            let key = random.next() % 3 << 32 | number
            let text = "text \(key)"
            Array(text.utf8).withUnsafeBytes { bytes in
                table.fetch(key: key)
                let found = table.find(bytes, key: random.next() % 5 == 0 ? 0 : key)
                #expect(found.place == table.place(of: bytes))
                #expect(found.extra == Int32(bytes.count))
            }
        }
    }
}
