import Clicks
import TestSupport
import Testing

@Suite struct IdentifierTests {
    @Test func `text reads back as written, in either case`() {
        let text = "0190f3a2-7c1b-7e55-9abc-0123456789ef"
        #expect(Identifier(text)?.description == text)
        #expect(Identifier(text.uppercased())?.description == text)
    }

    @Test(arguments: [
        "", "0190f3a2", "0190f3a27c1b7e559abc0123456789ef",
        "{190f3a2-7c1b-7e55-9abc-0123456789e}", "0190f3a2-7c1b-7e55-9abc-0123456789eg",
        "0190f3a2-7c1b-7e55-9abc-0123456789ef ", "0190f3a27-c1b-7e55-9abc-0123456789ef",
        "0190f3a2-7c1b-7e55-9abc-0123456789e－",
    ])
    func `anything but the one spelling is refused`(text: String) {
        #expect(Identifier(text) == nil)
    }

    /// The obvious reading, digit by digit, against the one by words.
    private func plainly(_ text: [UInt8]) -> Identifier? {
        guard text.count == 36 else { return nil }
        var digits = ""
        for (index, byte) in text.enumerated() {
            if [8, 13, 18, 23].contains(index) {
                guard byte == UInt8(ascii: "-") else { return nil }
            } else {
                guard byte < 0x80, Character(UnicodeScalar(byte)).isHexDigit else { return nil }
                digits.unicodeScalars.append(UnicodeScalar(byte))
            }
        }
        return Identifier(
            high: UInt64(digits.prefix(16), radix: 16)!, low: UInt64(digits.suffix(16), radix: 16)!)
    }

    @Test func `every byte at every place is judged as digit by digit`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        for _ in 0..<4 {
            let id = Identifier(high: random.next(), low: random.next())
            let text = Array(id.description.utf8)
            for index in text.indices {
                for byte in UInt8.min...UInt8.max {
                    var changed = text
                    changed[index] = byte
                    let read = changed.withUnsafeBytes { Identifier(text: $0) }
                    #expect(read == plainly(changed))
                    let byByte = changed.withUnsafeBytes { Identifier(textByByte: $0) }
                    #expect(byByte == read)
                }
            }
        }
    }

    @Test func `an identifier is written digit by digit or all at once, and into 36 bytes only`() {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("seed \(seed)")
        var random = SplitMix(state: seed)
        func hexadecimal(_ word: UInt64) -> String {
            let digits = String(word, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        for round in 0..<1000 {
            // Words of few bits have many zeros.
            let mask = round % 2 == 0 ? UInt64.max : random.next() & random.next() & random.next()
            let id = Identifier(high: random.next() & mask, low: random.next() & mask)
            var plain = Array((hexadecimal(id.high) + hexadecimal(id.low)).utf8)
            for place in [20, 16, 12, 8] { plain.insert(UInt8(ascii: "-"), at: place) }
            for write in [id.writeText, id.writeTextByByte] {
                var room = [UInt8](repeating: 0, count: 38)
                room.withUnsafeMutableBytes { write($0.baseAddress! + 1) }
                #expect(room == [0] + plain + [0])
            }
        }
    }

    @Test func `version 7 carries its milliseconds, version and variant`() {
        let id = Identifier(unixMilliseconds: 0x0190_F3A2_7C1B, random: (.max, .max))
        #expect(id.unixMilliseconds == 0x0190_F3A2_7C1B)
        #expect(id.version == 7)
        #expect(id.low >> 62 == 0b10)
        #expect(id.description == "0190f3a2-7c1b-7fff-bfff-ffffffffffff")
    }

    @Test func `an identifier of a moment sorts by the microsecond and is a version 7 one`() {
        let start: Int64 = 1_700_000_000_000_000
        var last = Identifier(high: 0, low: 0)
        for offset in Int64(0)..<3000 {
            let time = Timestamp(microseconds: start + offset)
            let word = Identifier.timeWord(of: time)
            for random in [UInt64.max, 0] {
                let id = Identifier(timeWord: word, random: random)
                #expect(id.version == 7 && id.low >> 62 == 0b10)
                #expect(id.unixMilliseconds == UInt64(start + offset) / 1000)
                #expect(id.high > last.high || random == 0)
                last = id
            }
        }
    }

    @Test func `later identifiers sort after earlier ones, as values and as text`() {
        let first = Identifier(unixMilliseconds: 1_700_000_000_000, random: (.max, .max))
        let second = Identifier(unixMilliseconds: 1_700_000_000_001, random: (0, 0))
        #expect(first < second)
        #expect(first.description < second.description)
    }
}

@Suite struct VerdictTests {
    /// Stored for ever: a change here changes what past clicks were worth.
    @Test func `the numbers are the ones in the contract`() {
        let names = Verdict.allCases.map { "\($0.rawValue) \($0.name)" }
        #expect(
            names == [
                "0 valid", "1 duplicate", "2 flood", "3 bot", "4 prefetch", "5 inactive", "6 self",
                "7 malformed", "8 datacenter", "9 refused",
            ])
        #expect(Verdict.allCases.filter(\.isBillable) == [.valid])
        #expect(Verdict.allCases.filter(\.isHeld) == [.flood, .datacenter])
    }
}

@Suite struct KoreanDayTests {
    @Test(arguments: [
        (0, 19_700_101), (1_795_186_799_999_999, 20_261_120), (1_795_186_800_000_000, 20_261_121),
        (1_709_132_400_000_000, 20_240_229), (951_750_000_000_000, 20_000_229),
        (-32_400_000_001, 19_691_231), (4_107_510_000_000_000, 21_000_301),
    ])
    func `a moment falls in the day that Seoul's calendar shows`(micros: Int64, digits: Int) {
        #expect(Timestamp(microseconds: micros).koreanDay.digits == digits)
    }

    @Test func `every day of four centuries follows the one before and starts at 15 o'clock UTC`() {
        var (year, month, day) = (1970, 1, 1)
        for days in Int32(0)..<146_097 {
            let today = KoreanDay(daysSince1970: days)
            #expect(today.civil == (year, month, day))
            #expect(today.start.koreanDay == today)
            #expect(Timestamp(microseconds: today.start.microseconds - 1).koreanDay < today)
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let length = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
            day += 1
            if day > length { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
        }
    }

    @Test func `the hour of a moment is its start`() {
        let time = Timestamp(microseconds: 1_795_186_799_999_999)
        #expect(time.startOfHour.microseconds == 1_795_183_200_000_000)
    }
}

@Suite struct NetworkAddressTests {
    @Test func `an IPv4 address keeps its number and reads dotted`() {
        let address = NetworkAddress(ipv4: 0xC0A8_0001)
        #expect(address.ipv4 == 0xC0A8_0001)
        #expect(address.description == "192.168.0.1")
        #expect(address.subscriber == address)
    }

    @Test(
        arguments: [
            (0x2001_0DB8_0000_0000, 0x0000_0000_0000_0001, "2001:db8::1"),
            (0, 1, "::1"), (0, 0, "::"),
            (0x2001_0DB8_0000_0001, 0x0001_0000_0000_0001, "2001:db8:0:1:1::1"),
            (0x2001_0DB8_0001_0002, 0x0003_0000_0005_0006, "2001:db8:1:2:3:0:5:6"),
            (0xFE80_0000_0000_0000, 0, "fe80::"),
        ] as [(UInt64, UInt64, String)])
    func `an IPv6 address reads as RFC 5952 wants`(high: UInt64, low: UInt64, text: String) {
        #expect(NetworkAddress(high: high, low: low).description == text)
    }

    @Test func `an IPv6 subscriber is the first half`() {
        let address = NetworkAddress(high: 0x2001_0DB8_0000_0001, low: 0x1234)
        #expect(address.ipv4 == nil)
        #expect(address.subscriber == NetworkAddress(high: 0x2001_0DB8_0000_0001, low: 0))
    }
}
