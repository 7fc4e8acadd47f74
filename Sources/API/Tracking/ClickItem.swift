import Clicks
import Judging

// A single click as it is shown: the verdict that counts, what the edge had said, and why, in words
// that an influencer can argue with.

/// One stored click, read for people.
package struct ClickItem: Sendable {
    package let id: Identifier
    package let gonggu: Identifier
    package let time: Timestamp
    package let verdict: Verdict
    package let edgeVerdict: Verdict
    package let reason: UInt16
    package let ruleSet: Int
    /// Whether an adjudication has covered its time.
    package let isAdjudicated: Bool
    /// Requests that it stands for.
    package let count: Int
    package let visitor: UInt64
    /// Nil once it is erased.
    package let address: NetworkAddress?
    package let country: String
    package let device: DeviceClass
    package let channel: String
    package let refererHost: String
    package let os: String
    package let browser: String
    package let inApp: String

    /// Where a list goes on behind it.
    var cursor: ClickCursor { ClickCursor(time: time, id: id) }
}

/// A click as one reader may see it.
struct ShownClick: Sendable {
    let item: ClickItem
    let language: Language
    let showsWholeAddress: Bool

    static let schema = Schema<ShownClick>(
        "Click",
        [
            Field("id", .identifier) { $0.item.id },
            Field("gonggu_id", .identifier) { $0.item.gonggu },
            Field("clicked_at", .time) { $0.item.time },
            Field("verdict", .verbatim(example: "duplicate")) { "\($0.item.verdict.name)" },
            Field("is_paid", .boolean) { $0.item.verdict.isBillable },
            Field(
                "why", .verbatim(example: "같은 방문자의 유효 클릭 직후입니다"), { $0.why },
                about: Wording("판정 이유", "Why it was judged so")),
            Field(
                "rule", .count, { Int($0.item.reason) },
                about: Wording("봇 목록의 줄 번호. 없으면 0", "The line of the bot table, 0 for none")),
            Field(
                "edge_verdict", .verbatim(example: "valid"), { "\($0.item.edgeVerdict.name)" },
                about: Wording("클릭 당시의 판정", "What was thought of it when it came")),
            Field("rule_set", .count) { $0.item.ruleSet },
            Field(
                "is_adjudicated", .boolean, { $0.item.isAdjudicated },
                about: Wording("최종 판정을 거쳤는지", "Whether its time was adjudicated")),
            Field(
                "count", .count, { $0.item.count },
                about: Wording("이 기록이 나타내는 요청 수", "Requests that it stands for")),
            Field(
                "visitor", .verbatim(example: "00f1a2b3c4d5e6f7"), { $0.item.visitorText },
                about: Wording("방문자를 나타내는 값", "What stands for the visitor")),
            Field(
                "ip_address", Schema<String>.verbatim(example: "203.0.113.*").orNull,
                { $0.addressText },
                about: Wording(
                    "인플루언서에게는 일부만. 지워졌으면 null",
                    "A part of it for influencers; null once it is erased")),
            Field("country", .verbatim(example: "KR")) { $0.item.country },
            Field("device", .verbatim(example: "phone")) { $0.item.device.name },
            Field("channel", .verbatim(example: "insta")) { $0.item.channel },
            Field("referer_host", .verbatim(example: "l.instagram.com")) { $0.item.refererHost },
            Field("os", .verbatim(example: "android")) { $0.item.os },
            Field("browser", .verbatim(example: "webview")) { $0.item.browser },
            Field("in_app", .verbatim(example: "kakaotalk")) { $0.item.inApp },
        ])

    private var why: String {
        item.verdict.why(isAdjudicated: item.verdict != item.edgeVerdict)[language]
    }

    var addressText: String? {
        item.address.map { showsWholeAddress ? "\($0)" : $0.masked }
    }
}

extension ClickItem {
    /// Sixteen hexadecimal digits.
    var visitorText: String {
        let digits = String(visitor, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

extension NetworkAddress {
    /// The network it is in: enough to tell two apart, not enough to find who.
    var masked: String {
        if let ipv4 {
            return (0..<3).map { String(ipv4 >> UInt32(24 - 8 * $0) & 0xFF) }
                .joined(separator: ".") + ".*"
        }
        return (0..<3).map { String(high >> UInt64(48 - 16 * $0) & 0xFFFF, radix: 16) }
            .joined(separator: ":") + ":*"
    }
}

extension DeviceClass {
    var name: String {
        switch self {
        case .unknown: "unknown"
        case .phone: "phone"
        case .tablet: "tablet"
        case .desktop: "desktop"
        case .television: "television"
        }
    }
}

extension Verdict {
    /// What an influencer is told.
    func why(isAdjudicated: Bool) -> Wording {
        let own = sentence
        guard isAdjudicated else { return own }
        return Wording(
            "다시 판정: " + own.korean, "Judged again: " + own.english)
    }

    private var sentence: Wording {
        switch self {
        case .valid: Wording("유효한 클릭입니다", "The click is paid")
        case .duplicate:
            Wording(
                "같은 방문자의 유효 클릭 직후입니다",
                "The same visitor had a valid click shortly before")
        case .flood:
            Wording(
                "한 주소의 클릭이 너무 잦아 검토를 기다립니다",
                "The address clicked too often; a person will look at it")
        case .bot: Wording("사람이 아닌 프로그램의 요청입니다", "A program asked, not a person")
        case .prefetch:
            Wording("브라우저가 미리 읽은 것입니다", "The browser fetched ahead of a click")
        case .inactive: Wording("공구 기간이 아니었습니다", "The gonggu was not open")
        case .self:
            Wording("본인 또는 관리자의 클릭입니다", "It was the influencer's own, or an admin's")
        case .malformed:
            Wording("정상적인 브라우저의 요청이 아닙니다", "No browser makes such a request")
        case .datacenter:
            Wording(
                "서버용 네트워크에서 와 검토를 기다립니다",
                "It came from a hosting network; a person will look at it")
        case .refused:
            Wording("검토한 사람이 무효로 결정했습니다", "A person looked at it and refused it")
        }
    }
}

/// A place in a list of clicks: `1795000000000000-018f…`.
package struct ClickCursor: Equatable, Sendable {
    package let time: Timestamp
    package let id: Identifier

    package init(time: Timestamp, id: Identifier) {
        self.time = time
        self.id = id
    }

    /// Nil for what ``text`` never writes.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let micros = Int64(parts[0]), micros >= 0,
            micros <= 9_999_999_999_999_999, let id = Identifier(parts[1])
        else { return nil }
        self.init(time: Timestamp(microseconds: micros), id: id)
        // A sign, a leading zero, capitals: another spelling of it is not in the document.
        guard self.text == text else { return nil }
    }

    package var text: String { "\(time.microseconds)-\(id)" }

    static let schema = Schema<String>.formed(
        1...60, pattern: "^(0|[1-9][0-9]{0,15})-\(Schema<Identifier>.pattern)$",
        example: "1795000000000000-01931e5b-7c00-7abc-8000-0000000000ff"
    ) { ClickCursor($0) != nil }
}

/// The clicks of one page, the newest first.
struct ClickList: Sendable {
    static let countMax = 200
    let items: [ShownClick]
    /// Nil at the end.
    let nextCursor: String?

    static let schema = Schema<ClickList>(
        "ClickList",
        [
            Field("items", ShownClick.schema.list(0...countMax), \.items),
            Field("next_cursor", ClickCursor.schema.orNull, \.nextCursor),
        ])
}
