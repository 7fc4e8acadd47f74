// Time as clicks carry it: UTC, whole microseconds since 1970, the resolution of PostgreSQL's
// timestamptz, so that a click's time is the same number in the spool and in the ledger.

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
package struct Timestamp: Hashable, Sendable, BitwiseCopyable {
    package let microseconds: Int64

    @inlinable
    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package static let microsecondsPerSecond: Int64 = 1_000_000
    /// 1970 to 2000-01-01T00:00:00Z, where PostgreSQL's binary timestamps begin.
    package static let postgresEpochMicroseconds: Int64 = 946_684_800_000_000

    @inlinable
    package func advanced(bySeconds seconds: Int64) -> Timestamp {
        Timestamp(microseconds: microseconds + seconds * Timestamp.microsecondsPerSecond)
    }

    /// The Korean calendar day this moment falls on.
    package var koreanDay: KoreanDay { KoreanDay(containing: self) }

    /// The start of the UTC hour, which is also the start of a Korean hour.
    package var startOfHour: Timestamp {
        let hour: Int64 = 3600 * Timestamp.microsecondsPerSecond
        return Timestamp(microseconds: microseconds.flooredQuotient(by: hour) * hour)
    }
}

extension Timestamp: Comparable {
    @inlinable
    package static func < (left: Self, right: Self) -> Bool {
        left.microseconds < right.microseconds
    }
}

/// A calendar day in Asia/Seoul, which money and daily figures are cut by.
///
/// Korea has kept UTC+9 without daylight saving since 1988, so a constant offset is exact for every
/// click this system can hold; a return of daylight saving would be a new type, not a new constant.
package struct KoreanDay: Hashable, Sendable, BitwiseCopyable {
    /// Days since 1970-01-01 in Seoul.
    package let daysSince1970: Int32

    package static let offsetMicroseconds: Int64 = 9 * 3600 * Timestamp.microsecondsPerSecond
    private static let microsecondsPerDay: Int64 = 86_400 * Timestamp.microsecondsPerSecond

    package init(daysSince1970: Int32) {
        self.daysSince1970 = daysSince1970
    }

    package init(containing time: Timestamp) {
        let local = time.microseconds + KoreanDay.offsetMicroseconds
        daysSince1970 = Int32(local.flooredQuotient(by: KoreanDay.microsecondsPerDay))
    }

    /// Midnight in Seoul at which the day begins.
    package var start: Timestamp {
        Timestamp(
            microseconds: Int64(daysSince1970) * KoreanDay.microsecondsPerDay
                - KoreanDay.offsetMicroseconds)
    }

    package func advanced(byDays days: Int32) -> KoreanDay {
        KoreanDay(daysSince1970: daysSince1970 + days)
    }

    /// Year, month 1–12 and day 1–31 of the proleptic Gregorian calendar.
    ///
    /// Counts in 400-year eras that begin on 1 March, where the leap day falls last and needs no
    /// special case.
    package var civil: (year: Int, month: Int, day: Int) {
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
    package var digits: Int {
        let (year, month, day) = civil
        return year * 10_000 + month * 100 + day
    }
}

extension KoreanDay: Comparable {
    package static func < (left: Self, right: Self) -> Bool {
        left.daysSince1970 < right.daysSince1970
    }
}

extension Int64 {
    /// Division rounding towards minus infinity, so that times before 1970 fall in the right day.
    fileprivate func flooredQuotient(by divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
