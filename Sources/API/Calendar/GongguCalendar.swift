import Clicks

// What a calendar shows of gonggus: when each opens and when it closes.

/// A gonggu as a calendar names it.
package struct CalendarGonggu: Equatable, Sendable {
    package let id: Identifier
    package let influencerID: Identifier
    package let influencerNickname: String
    package let title: String
    package let thumbnail: String?
    package let originalPrice: Int
    package let gongguPrice: Int
    package let shortCode: String
    package let openAt: Timestamp
    package let closeAt: Timestamp
    package let createdAt: Timestamp
    package let updatedAt: Timestamp

    static let schema = Schema<CalendarGonggu>(
        "CalendarGonggu",
        [
            Field("id", .identifier, \.id),
            Field("influencer_id", .identifier, \.influencerID),
            Field("influencer_nickname", .text(0...50), \.influencerNickname, example: "하나"),
            Field("title", .text(1...200), \.title, example: "로봇청소기 공구"),
            Field("thumbnail", Schema.link(8...500).orNull, \.thumbnail),
            Field("gonggu_price", .won(), \.gongguPrice, example: 199_000),
            Field("open_at", .time, \.openAt),
            Field("close_at", .time, \.closeAt, example: "2026-11-28T18:00:00+09:00"),
        ])
}

/// What opens, or closes, on one day.
package struct CalendarSlot: Equatable, Sendable {
    /// The first of them, by the clock.
    package var items: [CalendarGonggu] = []
    /// All of them.
    package var total = 0

    static let schema = Schema<CalendarSlot>(
        "CalendarSlot",
        [
            Field(
                "items", CalendarGonggu.schema.list(0...CalendarMonth.itemsMax), \.items,
                about: Wording(
                    "시각순, 최대 \(CalendarMonth.itemsMax)개",
                    "By time, at most \(CalendarMonth.itemsMax)")),
            Field("total", .count, \.total, example: 1),
        ])
}

/// A day in Korea.
package struct CalendarDay: Equatable, Sendable {
    package let day: KoreanDay
    package var openings = CalendarSlot()
    package var closings = CalendarSlot()

    static let schema = Schema<CalendarDay>(
        "CalendarDay",
        [
            Field("date", .day, \.day),
            Field("openings", CalendarSlot.schema, \.openings),
            Field("closings", CalendarSlot.schema, \.closings),
        ])
}

/// A month in Korea, each of its days in order.
package struct CalendarMonth: Equatable, Sendable {
    /// Openings, and closings, of a day that are shown; the others are only counted.
    package static let itemsMax = 20

    package let month: KoreanMonth
    package let days: [CalendarDay]

    static let schema = Schema<CalendarMonth>(
        "CalendarMonth",
        [
            Field("month", .month, \.month),
            Field("days", CalendarDay.schema.list(1...31), \.days),
        ])
}

/// Whose gonggus a calendar shows; nil leaves a condition out.
package struct CalendarFilter: Equatable, Sendable {
    package var influencer: Identifier?
    package var category: Identifier?
}

/// The feed that calendars subscribe to.
///
/// It holds the gonggus that have not been over for longer than ``pastDays`` days, those that close
/// first if there are more than ``gonggusMax``. Its window moves at midnight in Korea, so that it
/// changes only then and when a gonggu does.
package struct CalendarFeed: Sendable {
    package static let gonggusMax = 500
    package static let pastDays = 30
    /// What calendars are asked to wait between two looks.
    private static let refresh = "PT1H"

    package let gonggus: [CalendarGonggu]
    /// When what it shows changed last, at the earliest today's first moment in Korea.
    package let changedAt: Timestamp
    package let edgeURL: String
    package let language: Language

    /// The whole of it, byte for byte the same for the same gonggus.
    package var bytes: [UInt8] {
        var text = ICalendarText()
        let name = Wording("공구모아", "Gonggumoa")[language]
        text.line("BEGIN", "VCALENDAR")
        text.line("VERSION", "2.0")
        text.line("PRODID", "-//Gonggumoa//Gonggu calendar//\(language == .korean ? "KO" : "EN")")
        text.line("CALSCALE", "GREGORIAN")
        // RFC 7986, and what calendars knew before it.
        text.text("NAME", name)
        text.text("X-WR-CALNAME", name)
        text.line("X-WR-TIMEZONE", "Asia/Seoul")
        text.line("REFRESH-INTERVAL;VALUE=DURATION", CalendarFeed.refresh)
        text.line("X-PUBLISHED-TTL", CalendarFeed.refresh)
        for gonggu in gonggus {
            let (open, close) = (Wording("오픈", "Opens"), Wording("마감", "Closes"))
            write(gonggu, "open", gonggu.openAt, open[language], to: &text)
            write(gonggu, "close", gonggu.closeAt, close[language], to: &text)
        }
        text.line("END", "VCALENDAR")
        return text.bytes
    }

    /// One moment: an event without an end takes up no time (section 3.6.1).
    private func write(
        _ gonggu: CalendarGonggu, _ what: String, _ time: Timestamp, _ word: String,
        to text: inout ICalendarText
    ) {
        let link = GongguLink.text(of: gonggu.shortCode, edgeURL: edgeURL, channel: "calendar")
        let price = "\(gonggu.gongguPrice)" + Wording("원", " won")[language]
        text.line("BEGIN", "VEVENT")
        text.line("UID", "\(gonggu.id)-\(what)@gonggumoa")
        // Without METHOD, when this revision was made (section 3.8.7.2).
        text.line("DTSTAMP", ICalendarText.utc(gonggu.updatedAt))
        text.line("CREATED", ICalendarText.utc(gonggu.createdAt))
        text.line("LAST-MODIFIED", ICalendarText.utc(gonggu.updatedAt))
        text.line("SEQUENCE", "\(gonggu.revision)")
        text.line("DTSTART", ICalendarText.utc(time))
        text.text("SUMMARY", "[\(word)] \(gonggu.title)")
        text.text("DESCRIPTION", "\(gonggu.influencerNickname) · \(price)\n\(link)")
        text.line("URL", link)
        text.line("TRANSP", "TRANSPARENT")
        text.line("END", "VEVENT")
    }
}

extension CalendarGonggu {
    /// Seconds from its making to its last change: grows with each change, as SEQUENCE has to, and
    /// nobody has to count.
    fileprivate var revision: Int64 {
        min(max(0, (updatedAt.microseconds - createdAt.microseconds) / 1_000_000), 2_147_483_647)
    }
}
