import Clicks
import Foundation
import Testing

@testable import API

@Suite struct HTTPTimeTests {
    /// Seconds since 1970 by the C library, nil for a day that it has to move.
    private func reference(_ fields: [Int]) -> Int? {
        var parts = tm()
        parts.tm_year = Int32(fields[0] - 1900)
        parts.tm_mon = Int32(fields[1] - 1)
        parts.tm_mday = Int32(fields[2])
        parts.tm_hour = Int32(fields[3])
        parts.tm_min = Int32(fields[4])
        parts.tm_sec = Int32(fields[5])
        let seconds = timegm(&parts)
        let back = [
            Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday),
            Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec),
        ]
        return back == fields ? seconds : nil
    }

    @Test func `times are read exactly as the C library counts them`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            // One step outside each range on either side, so that half-valid texts are common.
            let fields = [
                Int.random(in: 1...9999, using: &random), Int.random(in: 0...13, using: &random),
                Int.random(in: 0...32, using: &random), Int.random(in: 0...24, using: &random),
                Int.random(in: 0...60, using: &random), Int.random(in: 0...60, using: &random),
            ]
            let offset = Int.random(in: -1439...1439, using: &random)
            let fraction = Int.random(in: 0...999_999, using: &random)
            let text =
                String(
                    format: "%04d-%02d-%02dT%02d:%02d:%02d.%06d%@%02d:%02d", fields[0], fields[1],
                    fields[2], fields[3], fields[4], fields[5], fraction, offset < 0 ? "-" : "+",
                    abs(offset) / 60, abs(offset) % 60)
            let expected = reference(fields).map { seconds in
                Int64(seconds - offset * 60) * 1_000_000 + Int64(fraction)
            }.flatMap {
                (-62_135_596_800_000_000..<253_402_300_800_000_000).contains($0) ? $0 : nil
            }
            #expect(
                Timestamp(rfc3339: text)?.microseconds == expected, "\(text), seed \(seed)")
        }
    }

    @Test func `a printed time reads back as itself at any offset`() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            let time = Timestamp(
                microseconds: .random(
                    in: -62_135_596_800_000_000..<253_402_300_800_000_000, using: &random))
            let text = time.rfc3339(offsetMinutes: .random(in: -1439...1439, using: &random))
            #expect(Timestamp(rfc3339: text) == time, "\(text), seed \(seed)")
        }
    }

    @Test func `every prefix of a time is refused, and so is a byte too many`() {
        let text = "2026-11-21T18:00:00.25+09:00"
        #expect(Timestamp(rfc3339: text)?.microseconds == 1_795_251_600_250_000)
        for count in 0..<text.utf8.count {
            #expect(Timestamp(rfc3339: String(text.prefix(count))) == nil)
        }
        #expect(Timestamp(rfc3339: text + "0") == nil)
    }

    @Test(arguments: [
        "2026-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "1900-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-11-21T24:00:00Z", "2026-11-21T12:99:00Z", "2016-12-31T23:59:60Z",
        "2026-11-21 18:00:00Z", "2026-11-21T18:00:00", "2026-11-21T18:00Z",
        "2026-11-21T18:00:00.Z", "2026-11-21T18:00:00,5Z", "2026-11-21T18:00:00+0900",
        "2026-11-21T18:00:00+24:00", "2026-11-21T18:00:00+09:60", "2026-11-21T18:00:00+09",
        "0000-01-01T00:00:00Z", "+2026-11-21T18:00:00Z", "20261121T180000Z",
        "2026-11-21T18:00:00Z\n", " 2026-11-21T18:00:00Z", "２０２６-11-21T18:00:00Z",
        "0001-01-01T00:00:00+09:00", "9999-12-31T23:59:59-09:00",
    ])
    func `what is no time is refused, not moved`(text: String) {
        #expect(Timestamp(rfc3339: text) == nil)
    }

    @Test func `times are printed in Korean time, the fraction only where there is one`() {
        let time = Timestamp(rfc3339: "2026-11-21T15:00:00z")
        #expect(time?.rfc3339() == "2026-11-22T00:00:00+09:00")
        #expect(time?.rfc3339(offsetMinutes: 0) == "2026-11-21T15:00:00Z")
        #expect(time?.rfc3339(offsetMinutes: -210) == "2026-11-21T11:30:00-03:30")
        let fraction = Timestamp(rfc3339: "1969-12-31t23:59:59.0000019Z")
        #expect(fraction?.microseconds == -999_999)
        #expect(fraction?.rfc3339(offsetMinutes: 0) == "1969-12-31T23:59:59.000001Z")
        let last = Timestamp(rfc3339: "9999-12-31T23:59:59Z")
        #expect(last?.rfc3339() == "9999-12-31T23:59:59Z")
    }

    @Test func `a Korean day reads back as itself and takes no other form`() {
        for days in stride(from: Int32(-700_000), to: 2_900_000, by: 997) {
            let day = KoreanDay(daysSince1970: days)
            #expect(KoreanDay(text: day.text) == day)
        }
        #expect(KoreanDay(text: "2026-11-21")?.digits == 20_261_121)
        for text in ["2026-2-1", "2026-02-30", "2026-11-21T", "", "20261121"] {
            #expect(KoreanDay(text: text) == nil)
        }
    }
}
