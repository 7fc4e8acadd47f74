import Clicks
import Postgres

/// The routes under /admin/users.
package struct AdminUserRoutes: Sendable {
    let pool: ConnectionPool

    private static let id = Parameter.path("id", Schema.identifier)
    private static let email = Parameter<String?>.optional(
        "email", Schema.text(3...254, example: "hana@"),
        about: Wording("이메일의 앞부분", "How the e-mail begins"))
    private static let nickname = Parameter<String?>.optional(
        "nickname", Schema.text(1...50, example: "하나"),
        about: Wording("닉네임의 앞부분", "How the nickname begins"))
    private static let role = Parameter<Role?>.optional("role", Schema.oneOf(Role.self))
    private static let status = Parameter<UserStatus?>.optional(
        "status", Schema.oneOf(UserStatus.self))
    private static let pages = Pages(AdminUserSort.self, default: .createdAt)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("admin", Wording("운영", "Administration"))
        table.add(
            .get, "/api/v1/admin/users", id: "listUsers", tag: tag,
            Wording(
                "계정 목록. total은 10,000까지 셉니다", "Accounts; total counts up to 10,000"),
            access: .role(.admin),
            inputs: [Self.email, Self.nickname, Self.role, Self.status, Self.pages],
            answer: .ok(Schema.page(of: AdminUser.schema)),
            handler: { call in
                let filter = AdminUserFilter(
                    email: call[Self.email], nickname: call[Self.nickname],
                    role: call[Self.role], status: call[Self.status])
                return try await list(filter, call[Self.pages])
            })
        table.add(
            .post, "/api/v1/admin/users/{id}/suspend", id: "suspendUser", tag: tag,
            Wording("계정 정지. 즉시 적용됩니다", "Suspend an account, at once"),
            access: .role(.admin), inputs: [Self.id], body: AccountDecision.schema,
            answer: .ok(AdminUser.schema),
            errors: [.userNotFound, .ownAccount, .userSuspended],
            handler: { call, body in
                try await decide(.suspend, over: call[Self.id], body, by: call.account)
            })
        table.add(
            .post, "/api/v1/admin/users/{id}/restore", id: "restoreUser", tag: tag,
            Wording("계정 정지 해제. 다시 로그인해야 합니다", "Lift a suspension; its holder signs in anew"),
            access: .role(.admin), inputs: [Self.id], body: AccountDecision.schema,
            answer: .ok(AdminUser.schema),
            errors: [.userNotFound, .ownAccount, .userNotSuspended],
            handler: { call, body in
                try await decide(.restore, over: call[Self.id], body, by: call.account)
            })
    }

    func list(
        _ filter: AdminUserFilter, _ request: PageRequest<AdminUserSort>
    ) async throws -> Page<AdminUser> {
        let (items, total) = try await pool.run { connection in
            try AdminUserQueries.page(
                filter, order: request.order, limit: request.size, offset: request.offset,
                in: connection)
        }
        return request.page(items, total: total)
    }

    func decide(
        _ decision: AdminUserRules.Decision, over id: Identifier, _ body: AccountDecision,
        by admin: Account
    ) async throws -> AdminUser {
        let reason = body.reason.trimmed
        guard !reason.isEmpty else { throw AdminUserRefusal.reasonBlank }
        let changed = try await pool.transaction { connection -> AdminUser? in
            let before = try AdminUserQueries.lock(id, in: connection)
            let after = try AdminUserRules.decide(
                decision, over: id, status: before, by: admin.id)
            try AdminUserQueries.set(after, of: id, in: connection)
            try AuditLog.write(
                decision.action, on: id,
                before: before.map { ["status": .text($0.rawValue)] },
                after: ["status": .text(after.rawValue)], reason: reason, by: admin.id,
                in: connection)
            return try AdminUserQueries.user(id, in: connection)
        }
        guard let changed else { throw AdminUserRefusal.notFound }
        return changed
    }
}

extension AuditAction {
    static let userSuspended = AuditAction("user.suspended")
    static let userRestored = AuditAction("user.restored")
    static let userRoleSet = AuditAction("user.role_set")
}

extension AdminUserRules.Decision {
    fileprivate var action: AuditAction {
        switch self {
        case .suspend: .userSuspended
        case .restore: .userRestored
        }
    }
}

// MARK: Refusals

extension ProblemCode {
    static let ownAccount = ProblemCode(
        "OWN_ACCOUNT", .conflict, "자신의 계정에는 할 수 없습니다", "Nobody decides over themself")
    static let userSuspended = ProblemCode(
        "USER_SUSPENDED", .conflict, "이미 정지된 계정입니다", "The account is suspended already")
    static let userNotSuspended = ProblemCode(
        "USER_NOT_SUSPENDED", .conflict, "정지된 계정이 아닙니다", "The account is not suspended")
}

extension AdminUserRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.userNotFound)
        case .oneself: Problem(.ownAccount)
        case .suspendedAlready: Problem(.userSuspended)
        case .notSuspended: Problem(.userNotSuspended)
        case .reasonBlank: Problem(.fieldsInvalid, faults: [.empty("reason")])
        }
    }
}
