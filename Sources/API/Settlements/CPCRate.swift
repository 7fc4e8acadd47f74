import Clicks

/// What a valid click is worth from a Korean day on.
package struct CPCRate: Equatable, Sendable {
    package let id: Identifier
    /// Of one gonggu; nil with nil `influencer` is everybody's.
    package let gonggu: Identifier?
    package let influencer: Identifier?
    package let effectiveFrom: KoreanDay
    package let rateWon: Int
    package let reason: String
    package let createdAt: Timestamp
    package let createdBy: Identifier?

    static let schema = Schema<CPCRate>(
        "CPCRate",
        [
            Field("id", .identifier, \.id),
            Field("gonggu_id", Schema.identifier.orNull, \.gonggu),
            Field("influencer_id", Schema.identifier.orNull, \.influencer),
            Field("effective_from", .day, \.effectiveFrom),
            Field("rate_won", .won(0...1_000_000), \.rateWon, example: 250),
            Field("reason", .text(0...500), \.reason, example: "11월 인상"),
            Field("created_at", .time, \.createdAt),
            Field("created_by", Schema.identifier.orNull, \.createdBy),
        ])
}

/// A rate to be set.
package struct CPCRateBody: Sendable {
    package let gonggu: Identifier?
    package let influencer: Identifier?
    package let effectiveFrom: KoreanDay
    package let rateWon: Int
    package let reason: String

    static let schema = Schema<CPCRateBody>(
        "CPCRateBody",
        [
            .optional(
                "gonggu_id", .identifier,
                about: Wording("공구별 단가. 없으면 인플루언서별이나 기본", "Of one gonggu")),
            .optional(
                "influencer_id", .identifier,
                about: Wording("인플루언서별 단가. 둘 다 없으면 기본 단가", "Of one influencer"),
                example: .null),
            Field(
                "effective_from", .day,
                about: Wording(
                    "적용 시작일(한국 시간). 내일부터 가능",
                    "From this Korean day on; tomorrow at the earliest")),
            Field("rate_won", .won(0...1_000_000), example: 250),
            Field("reason", .text(1...500), example: "11월 인상"),
        ],
        read: { body in
            CPCRateBody(
                gonggu: body["gonggu_id"], influencer: body["influencer_id"],
                effectiveFrom: body["effective_from"], rateWon: body["rate_won"],
                reason: body["reason"])
        })
}

/// What CPC rates are sorted by.
package enum CPCRateSort: String, CaseIterable, Sendable {
    case effectiveFrom = "effective_from"
    case createdAt = "created_at"
}
