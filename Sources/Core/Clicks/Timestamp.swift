// Time as clicks carry it: UTC, whole microseconds since 1970, the resolution of PostgreSQL's
// timestamptz, so that a click's time is the same number in the spool and in the ledger.

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
public struct Timestamp: Hashable, Sendable, BitwiseCopyable {
    public let microseconds: Int64

    @inlinable
    public init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    public static let microsecondsPerSecond: Int64 = 1_000_000
    /// 1970 to 2000-01-01T00:00:00Z, where PostgreSQL's binary timestamps begin.
    public static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    @inlinable
    public func advanced(bySeconds seconds: Int64) -> Timestamp {
        Timestamp(microseconds: microseconds + seconds * Timestamp.microsecondsPerSecond)
    }

    /// The Korean calendar day this moment falls on.
    public var koreanDay: KoreanDay { KoreanDay(containing: self) }

    /// The start of the UTC hour, which is also the start of a Korean hour.
    public var startOfHour: Timestamp {
        let hour: Int64 = 3600 * Timestamp.microsecondsPerSecond
        return Timestamp(microseconds: microseconds.flooredQuotient(by: hour) * hour)
    }
}

extension Timestamp: Comparable {
    @inlinable
    public static func < (left: Self, right: Self) -> Bool {
        left.microseconds < right.microseconds
    }
}

/// A calendar day in Asia/Seoul, which money and daily figures are cut by.
///
/// Korea has kept UTC+9 without daylight saving since 1988, so a constant offset is exact for every
/// click this system can hold; a return of daylight saving would be a new type, not a new constant.
public struct KoreanDay: Hashable, Sendable, BitwiseCopyable {
    /// Days since 1970-01-01 in Seoul.
    public let daysSince1970: Int32

    public static let offsetMicroseconds: Int64 = 9 * 3600 * Timestamp.microsecondsPerSecond
    private static let microsecondsPerDay: Int64 = 86_400 * Timestamp.microsecondsPerSecond

    public init(daysSince1970: Int32) {
        self.daysSince1970 = daysSince1970
    }

    public init(containing time: Timestamp) {
        let local = time.microseconds + KoreanDay.offsetMicroseconds
        daysSince1970 = Int32(local.flooredQuotient(by: KoreanDay.microsecondsPerDay))
    }

    /// Midnight in Seoul at which the day begins.
    public var start: Timestamp {
        Timestamp(
            microseconds: Int64(daysSince1970) * KoreanDay.microsecondsPerDay
                - KoreanDay.offsetMicroseconds)
    }

    public func advanced(byDays days: Int32) -> KoreanDay {
        KoreanDay(daysSince1970: daysSince1970 + days)
    }

    /// Year, month 1–12 and day 1–31 of the proleptic Gregorian calendar.
    ///
    /// Counts in 400-year eras that begin on 1 March, where the leap day falls last and needs no
    /// special case.
    public var civil: (year: Int, month: Int, day: Int) {
        let shifted = Int64(daysSince1970) + 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (Int(year), Int(month), Int(dayOfYear - (153 * marchMonth + 2) / 5 + 1))
    }

    /// `20261121`, as partition names and file names carry it.
    public var digits: Int {
        let (year, month, day) = civil
        return year * 10_000 + month * 100 + day
    }
}

extension KoreanDay: Comparable {
    public static func < (left: Self, right: Self) -> Bool {
        left.daysSince1970 < right.daysSince1970
    }
}

extension KoreanDay: CustomStringConvertible {
    /// `2026-11-21`.
    public var description: String {
        let (year, month, day) = civil
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }
}

extension Int64 {
    /// Division rounding towards minus infinity, so that times before 1970 fall in the right day.
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
