import Clicks

// Times as clients write and read them: RFC 3339, strictly. Foundation's ISO 8601 parsers roll
// 12:99 over to 13:39 and refuse offsets that are valid, so a client's slip would become a stored
// time that nobody sent.
//
// Refused although RFC 3339 has it: second 60 (PostgreSQL would store the next minute), a blank
// in place of `T`, and years before 1. Digits beyond the microsecond are cut off, not rounded, so
// that a time never moves into the next second, day or month.

extension Timestamp {
    /// Reads `2026-11-21T18:00:00+09:00`, with an optional fraction; nil for anything else.
    package init?(rfc3339 text: String) {
        var scanner = TimeScanner(text)
        guard let days = scanner.day(), scanner.takeAny("Tt"),
            let hour = scanner.digits(2, 0...23), scanner.takeAny(":"),
            let minute = scanner.digits(2, 0...59), scanner.takeAny(":"),
            let second = scanner.digits(2, 0...59), let fraction = scanner.fraction(),
            let offsetMinutes = scanner.offsetMinutes(), scanner.isAtEnd
        else { return nil }
        let seconds = ((days * 24 + hour) * 60 + minute - offsetMinutes) * 60 + second
        let time = Timestamp(microseconds: Int64(seconds) * 1_000_000 + Int64(fraction))
        guard Timestamp.writable.contains(time) else { return nil }
        self = time
    }

    /// Prints the time as a clock at that offset shows it, the fraction in six digits where there
    /// is one. Korean time unless told otherwise; UTC where the year would leave 1…9999.
    package func rfc3339(offsetMinutes: Int = 540) -> String {
        let local = advanced(bySeconds: Int64(offsetMinutes) * 60)
        guard offsetMinutes == 0 || Timestamp.writable.contains(local) else {
            return rfc3339(offsetMinutes: 0)
        }
        let microsecondsPerDay: Int64 = 86_400_000_000
        let (quotient, remainder) = local.microseconds.quotientAndRemainder(
            dividingBy: microsecondsPerDay)
        let days = remainder < 0 ? quotient - 1 : quotient
        let inDay = Int(remainder < 0 ? remainder + microsecondsPerDay : remainder)
        return String(unsafeUninitializedCapacity: 40) { bytes in
            var text = TimeWriter(bytes: bytes)
            text.write(KoreanDay(daysSince1970: Int32(clamping: days)))
            text.write("T", inDay / 3_600_000_000, 2)
            text.write(":", inDay / 60_000_000 % 60, 2)
            text.write(":", inDay / 1_000_000 % 60, 2)
            if inDay % 1_000_000 != 0 { text.write(".", inDay % 1_000_000, 6) }
            guard offsetMinutes != 0 else {
                text.write("Z")
                return text.count
            }
            let distance = abs(offsetMinutes)
            text.write(offsetMinutes < 0 ? "-" : "+", distance / 60, 2)
            text.write(":", distance % 60, 2)
            return text.count
        }
    }

    /// From the first moment of the year 1 to the last of 9999, in UTC: what four digits can say.
    private static let writable =
        Timestamp(
            microseconds: -62_135_596_800_000_000)...Timestamp(
            microseconds: 253_402_300_799_999_999)
}

extension KoreanDay {
    /// Reads `2026-11-21`; nil for anything else, also for days that no calendar has.
    package init?(text: String) {
        var scanner = TimeScanner(text)
        guard let days = scanner.day(), scanner.isAtEnd else { return nil }
        self.init(daysSince1970: Int32(days))
    }

    /// `2026-11-21`.
    package var text: String {
        String(unsafeUninitializedCapacity: 20) { bytes in
            var text = TimeWriter(bytes: bytes)
            text.write(self)
            return text.count
        }
    }
}

/// Writes numbers with leading zeros into a string's own memory: a list shows a hundred times, and
/// put together from strings they were an eighth of what it cost.
private struct TimeWriter {
    /// Valid while the string is made.
    let bytes: UnsafeMutableBufferPointer<UInt8>
    private(set) var count = 0

    init(bytes: UnsafeMutableBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    mutating func write(_ mark: Unicode.Scalar) {
        bytes[count] = UInt8(ascii: mark)
        count += 1
    }

    /// The mark, then the number in so many digits.
    mutating func write(_ mark: Unicode.Scalar, _ number: Int, _ width: Int) {
        write(mark)
        write(number, width)
    }

    mutating func write(_ day: KoreanDay) {
        let (year, month, day) = day.civil
        if year < 0 { write("-") }
        var width = 4
        // Days that no client sends, but that a column can hold.
        var limit = 10_000
        while abs(year) >= limit {
            width += 1
            limit *= 10
        }
        write(abs(year), width)
        write("-", month, 2)
        write("-", day, 2)
    }

    private mutating func write(_ number: Int, _ width: Int) {
        var rest = number
        for place in (count..<count + width).reversed() {
            bytes[place] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += width
    }
}

/// Reads fixed-width decimal fields; nil wherever the text is not exactly as asked.
private struct TimeScanner {
    /// Longer texts are no times: 19 characters, a fraction of up to 12 digits, and an offset.
    private static let bytesMax = 40
    private let bytes: [UInt8]
    private var offset = 0

    init(_ text: String) {
        bytes = text.utf8.count <= TimeScanner.bytesMax ? Array(text.utf8) : []
    }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func takeAny(_ characters: String) -> Bool {
        guard offset < bytes.count, characters.utf8.contains(bytes[offset]) else { return false }
        offset += 1
        return true
    }

    mutating func digits(_ count: Int, _ range: ClosedRange<Int>) -> Int? {
        guard offset + count <= bytes.count else { return nil }
        var value = 0
        for byte in bytes[offset..<offset + count] {
            guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte else { return nil }
            value = value * 10 + Int(byte - UInt8(ascii: "0"))
        }
        offset += count
        return range.contains(value) ? value : nil
    }

    /// Days since 1970 of `yyyy-mm-dd` in the proleptic Gregorian calendar.
    mutating func day() -> Int? {
        guard let year = digits(4, 1...9999), takeAny("-"), let month = digits(2, 1...12),
            takeAny("-"), let day = digits(2, 1...TimeScanner.daysIn(month: month, of: year))
        else { return nil }
        // The year begins in March here, so that the leap day is its last and needs no case.
        let marchYear = month > 2 ? year : year - 1
        let marchMonth = month > 2 ? month - 3 : month + 9
        let leapDays = marchYear / 4 - marchYear / 100 + marchYear / 400
        return 365 * marchYear + leapDays + (153 * marchMonth + 2) / 5 + day - 1 - 719_468
    }

    /// Microseconds of an optional `.digits`: 0 if there is none, nil if no digit follows the dot.
    mutating func fraction() -> Int? {
        guard takeAny(".") else { return 0 }
        var value = 0
        var count = 0
        while let digit = digits(1, 0...9) {
            if count < 6 { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        while count < 6 {
            value *= 10
            count += 1
        }
        return value
    }

    /// Minutes east of Greenwich of `Z` or `±hh:mm`.
    mutating func offsetMinutes() -> Int? {
        if takeAny("Zz") { return 0 }
        let isWest: Bool
        if takeAny("+") {
            isWest = false
        } else if takeAny("-") {
            isWest = true
        } else {
            return nil
        }
        guard let hours = digits(2, 0...23), takeAny(":"), let minutes = digits(2, 0...59) else {
            return nil
        }
        return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }

    private static func daysIn(month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}
