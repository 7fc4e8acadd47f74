import Clicks

// How an influencer becomes a verified one: a request, and one decision on it.

/// Where a request stands. Raw values are the column's.
package enum VerificationStatus: String, CaseIterable, Sendable {
    case pending
    case approved
    case rejected
}

/// A request as whoever made it sees it.
package struct Verification: Equatable, Sendable {
    package let id: Identifier
    package let status: VerificationStatus
    package let message: String
    package let links: [String]
    /// The decision's; empty where none was given.
    package let reason: String
    package let requestedAt: Timestamp
    package let decidedAt: Timestamp?

    static let schema = Schema<Verification>("Verification", fields { $0 })

    /// The same in each answer that shows one.
    static func fields<Owner>(
        _ request: @escaping @Sendable (Owner) -> Verification
    ) -> [Field<Owner>] {
        [
            Field("id", .identifier, { request($0).id }),
            Field("status", .oneOf(VerificationStatus.self), { request($0).status }),
            Field("message", .prose(1...2000), { request($0).message }),
            Field(
                "links", Schema.link(8...500).list(0...VerificationRules.linksMax),
                { request($0).links }),
            Field("reason", .prose(0...500), { request($0).reason }, example: ""),
            Field("requested_at", .time, { request($0).requestedAt }),
            Field(
                "decided_at", Schema.time.orNull, { request($0).decidedAt }, example: .null),
        ]
    }
}

/// A request with what is needed to decide it.
package struct VerificationCase: Sendable {
    package let verification: Verification
    package let influencer: Influencer
    /// Nil where a social provider told none.
    package let email: String?
    package let decidedBy: Identifier?

    static let schema = Schema<VerificationCase>(
        "VerificationCase",
        Verification.fields { $0.verification }
            + [
                Field("influencer", Influencer.schema, \.influencer),
                Field("email", Schema.heldEmail.orNull, \.email),
                Field("decided_by", Schema.identifier.orNull, \.decidedBy, example: .null),
            ])
}

/// What a list of requests can be sorted by.
package enum VerificationSort: String, CaseIterable, Sendable {
    case requestedAt = "requested_at"
}

/// The body of a request.
package struct VerificationDraft: Sendable {
    package let message: String
    package let links: [String]

    static let schema = Schema<VerificationDraft>(
        "VerificationDraft",
        [
            Field("message", .prose(1...2000), example: "3년째 살림 공구를 진행하고 있습니다."),
            .optional(
                "links", Schema<String>.text(1...500).list(0...VerificationRules.linksMax),
                about: Wording("활동을 보여 주는 주소, 최대 5개", "Where your work can be seen, at most 5"),
                example: ["https://www.instagram.com/hana"]),
        ]
    ) {
        let links: [String]? = $0["links"]
        return VerificationDraft(message: $0["message"], links: links ?? [])
    }
}

/// Why somebody decides so; the person it is about is told.
package struct Reason: Sendable {
    package let text: String

    static let schema = Schema<Reason>(
        "Reason",
        [
            Field(
                "reason", .prose(1...AuditLog.reasonLengthMax), example: "활동 이력을 확인했습니다.")
        ]
    ) { Reason(text: $0["reason"]) }
}
