import Clicks

/// An account as an admin sees it.
package struct AdminUser: Sendable {
    package let id: Identifier
    /// Nil where a social provider told none, and for the erased.
    package let email: String?
    package let nickname: String
    package let role: Role
    package let status: UserStatus
    /// Nil for whoever has no influencer's profile.
    package let isVerified: Bool?
    /// Nil unless its holder is leaving.
    package let eraseAfter: Timestamp?
    package let createdAt: Timestamp
    package let updatedAt: Timestamp

    static let schema = Schema<AdminUser>(
        "AdminUser",
        [
            Field("id", .identifier, \.id),
            Field("email", Schema.heldEmail.orNull, \.email),
            Field("nickname", .text(1...50), \.nickname, example: "하나"),
            Field("role", .oneOf(Role.self), \.role),
            Field("status", .oneOf(UserStatus.self), \.status),
            Field("is_verified", Schema.boolean.orNull, \.isVerified),
            Field(
                "erase_after", Schema<Timestamp>.time.orNull, \.eraseAfter,
                about: Wording("탈퇴 예약이 있으면 삭제 시각", "When a holder who is leaving is erased")),
            Field("created_at", .time, \.createdAt),
            Field("updated_at", .time, \.updatedAt),
        ])
}

/// What accounts can be sorted by.
package enum AdminUserSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
}

/// Which accounts a list holds; nil leaves a condition out.
package struct AdminUserFilter: Sendable {
    /// How the e-mail begins, in any case.
    package var email: String?
    /// How the nickname begins, in any case.
    package var nickname: String?
    package var role: Role?
    package var status: UserStatus?

    package init(
        email: String? = nil, nickname: String? = nil, role: Role? = nil,
        status: UserStatus? = nil
    ) {
        self.email = email
        self.nickname = nickname
        self.role = role
        self.status = status
    }
}

/// The body of a decision over an account.
package struct AccountDecision: Sendable {
    package let reason: String

    static let schema = Schema<AccountDecision>(
        "AccountDecision",
        [
            Field(
                "reason", .prose(1...AuditLog.reasonLengthMax),
                about: Wording(
                    "사유. 감사 기록에 영구히 남으니 개인정보를 적지 마세요",
                    "Why. It stays in the audit log for good, so name no personal data"),
                example: "허위 공구 반복 등록")
        ]
    ) { AccountDecision(reason: $0["reason"]) }
}

/// Why a decision over an account is refused.
package enum AdminUserRefusal: Error, Equatable, Sendable {
    case notFound
    /// Nobody is left who could undo it.
    case oneself
    case suspendedAlready
    case notSuspended
    case reasonBlank
}

/// What may become of an account by an admin's decision.
package enum AdminUserRules {
    /// The two decisions.
    package enum Decision: Sendable {
        case suspend, restore
    }

    /// The status after the decision.
    ///
    /// - Parameter status: nil for an account that does not exist.
    package static func decide(
        _ decision: Decision, over account: Identifier, status: UserStatus?, by admin: Identifier
    ) throws(AdminUserRefusal) -> UserStatus {
        guard let status, status != .erased else { throw .notFound }
        guard account != admin else { throw .oneself }
        switch (decision, status) {
        case (.suspend, .suspended): throw .suspendedAlready
        case (.suspend, _): return .suspended
        case (.restore, .suspended): return .active
        case (.restore, _): throw .notSuspended
        }
    }
}
