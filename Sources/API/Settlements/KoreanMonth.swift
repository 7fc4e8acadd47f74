import Clicks
import Postgres

// Money is counted in Korean months. The database holds one as its first day.

/// A month as a calendar in Seoul has it.
package struct KoreanMonth: Hashable, Comparable, Sendable {
    package let firstDay: KoreanDay

    /// Of the day.
    package init(of day: KoreanDay) {
        firstDay = day.advanced(byDays: Int32(1 - day.civil.day))
    }

    /// Of the moment.
    package init(containing time: Timestamp) {
        self.init(of: time.koreanDay)
    }

    /// Reads `2026-11`; nil for anything else.
    package init?(text: String) {
        guard text.utf8.count == 7, let day = KoreanDay(text: text + "-01") else { return nil }
        firstDay = day
    }

    /// `2026-11`.
    package var text: String { String(firstDay.text.dropLast(3)) }

    /// The month after.
    package var next: KoreanMonth { KoreanMonth(of: firstDay.advanced(byDays: 31)) }
    /// The month before.
    package var previous: KoreanMonth { KoreanMonth(of: firstDay.advanced(byDays: -1)) }

    /// Midnight in Seoul at which it begins.
    package var start: Timestamp { firstDay.start }
    /// The first moment after it.
    package var end: Timestamp { next.start }

    /// Each of its days.
    package var days: [KoreanDay] {
        (firstDay.daysSince1970..<next.firstDay.daysSince1970).map { KoreanDay(daysSince1970: $0) }
    }

    package static func < (left: KoreanMonth, right: KoreanMonth) -> Bool {
        left.firstDay < right.firstDay
    }

    /// As a statement's parameter.
    var date: PostgresDate { firstDay.date }
}

extension KoreanDay {
    /// As a statement's parameter.
    var date: PostgresDate { PostgresDate(daysSince1970: daysSince1970) }
}

extension Row {
    /// A column that holds a day.
    func day(_ column: String) throws(PostgresError) -> KoreanDay {
        KoreanDay(daysSince1970: try get(column, as: PostgresDate.self).daysSince1970)
    }

    /// A column that holds a day or null.
    func dayIfAny(_ column: String) throws(PostgresError) -> KoreanDay? {
        try get(column, as: PostgresDate?.self).map {
            KoreanDay(daysSince1970: $0.daysSince1970)
        }
    }

    /// A column that holds a month by its first day.
    func month(_ column: String) throws(PostgresError) -> KoreanMonth {
        KoreanMonth(of: try day(column))
    }
}

extension Schema where Value == KoreanMonth {
    /// A month in Korea, `2026-11`.
    static var month: Schema {
        let text = Schema<String>.formed(
            7...7,
            // No calendar has a year 0.
            pattern: "^([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-(0[1-9]|1[0-2])$",
            example: "2026-11",
            accepts: { KoreanMonth(text: $0) != nil })
        return Schema(
            text.shape, read: { KoreanMonth(text: $0.text!)! }, write: { .text($0.text) })
    }
}
