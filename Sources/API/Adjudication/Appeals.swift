import Clicks

/// What became of an appeal.
package enum AppealStatus: String, CaseIterable, Sendable {
    case open
    case accepted
    case declined
}

/// How an appeal can be answered.
package enum AppealOutcome: String, CaseIterable, Sendable {
    case accepted
    case declined
}

/// The verdicts that an influencer can question: all that are not paid.
package enum AppealedVerdict: String, CaseIterable, Sendable {
    case duplicate, flood, bot, prefetch, inactive
    case own = "self"
    case malformed, datacenter, refused

    package var verdict: Verdict {
        switch self {
        case .duplicate: .duplicate
        case .flood: .flood
        case .bot: .bot
        case .prefetch: .prefetch
        case .inactive: .inactive
        case .own: .self
        case .malformed: .malformed
        case .datacenter: .datacenter
        case .refused: .refused
        }
    }

    init?(_ verdict: Verdict) {
        guard let known = AppealedVerdict.allCases.first(where: { $0.verdict == verdict }) else {
            return nil
        }
        self = known
    }

    /// Which rules an accepted appeal takes back. A refused click was held by one of two.
    var released: [Verdict] {
        self == .refused ? [.flood, .datacenter] : [verdict]
    }
}

/// An influencer's question about clicks that are not paid.
package struct ClickAppeal: Sendable {
    package let id: Identifier
    package let gonggu: Identifier
    package let from: Timestamp
    /// Not included.
    package let to: Timestamp
    package let verdict: AppealedVerdict
    package let grounds: String
    package let status: AppealStatus
    package let answer: String
    package let createdBy: Identifier
    package let createdAt: Timestamp
    package let answeredAt: Timestamp?

    static let schema = Schema<ClickAppeal>(
        "ClickAppeal",
        [
            Field("id", .identifier, \.id),
            Field("gonggu_id", .identifier, \.gonggu),
            Field("from", .time, \.from),
            Field("to", .time, \.to, about: Wording("포함하지 않음", "Not included")),
            Field("verdict", .oneOf(AppealedVerdict.self), \.verdict),
            Field("grounds", .prose(1...2000), \.grounds),
            Field("status", .oneOf(AppealStatus.self), \.status),
            Field("answer", .verbatim(example: "같은 방문자의 반복 클릭입니다"), \.answer),
            Field("created_by", .identifier, \.createdBy),
            Field("created_at", .time, \.createdAt),
            Field("answered_at", Schema<Timestamp>.time.orNull, \.answeredAt),
        ])
}

/// What an influencer sends.
struct AppealBody: Sendable {
    let gonggu: Identifier
    let from: Timestamp
    let to: Timestamp
    let verdict: AppealedVerdict
    let grounds: String

    static let schema = Schema<AppealBody>(
        "AppealBody",
        [
            Field("gonggu_id", .identifier),
            Field("from", .time, example: "2026-11-20T09:00:00+09:00"),
            Field(
                "to", .time, about: Wording("포함하지 않음", "Not included"),
                example: "2026-11-20T10:00:00+09:00"),
            Field("verdict", .oneOf(AppealedVerdict.self)),
            Field("grounds", .prose(1...2000), example: "사내 행사에서 함께 눌렀습니다"),
        ],
        read: { body in
            AppealBody(
                gonggu: body["gonggu_id"], from: body["from"], to: body["to"],
                verdict: body["verdict"], grounds: body["grounds"])
        })
}

/// What who answers sends.
struct AppealAnswerBody: Sendable {
    let outcome: AppealOutcome
    let answer: String

    static let schema = Schema<AppealAnswerBody>(
        "AppealAnswerBody",
        [
            Field("outcome", .oneOf(AppealOutcome.self)),
            Field("answer", .prose(1...2000), example: "행사 기록을 확인했습니다"),
        ],
        read: { AppealAnswerBody(outcome: $0["outcome"], answer: $0["answer"]) })
}

/// What is decided of appeals without the database.
enum AppealRules {
    /// A month with a day to spare.
    static let daysMax = 32
    /// Of one account; further ones wait until some are answered.
    static let openMax = 50

    /// The period of an appeal, which has begun and is not too long.
    static func requirePeriod(
        _ body: AppealBody, now: Timestamp
    ) throws(AdjudicationRefusal) {
        guard body.from < body.to else { throw .endsBeforeBeginning }
        guard body.to <= body.from.advanced(bySeconds: Int64(daysMax) * 86_400) else {
            throw .tooLong(daysMax: daysMax)
        }
        guard body.from < now else { throw .notYet }
    }
}
