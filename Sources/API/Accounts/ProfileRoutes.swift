import Clicks
import Hummingbird
import Postgres

/// The routes under /users.
package struct ProfileRoutes: Sendable {
    let accounts: AccountRoutes

    private static let id = Parameter.path("id", Schema.identifier)

    /// - Parameter accounts: gives new sessions, and throttles passwords as sign-ins are.
    package init(accounts: AccountRoutes) {
        self.accounts = accounts
    }

    private var pool: ConnectionPool { accounts.pool }
    private var hasher: PasswordHasher { accounts.hasher }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("users", Wording("계정", "Accounts"))
        table.add(
            .get, "/api/v1/users/me", id: "me", tag: tag, Wording("내 정보", "Who am I"),
            access: .signedIn, answer: .ok(User.schema), handler: { try await me($0.account) })
        table.add(
            .patch, "/api/v1/users/me", id: "changeMe", tag: tag,
            Wording("내 정보 수정. 이메일은 바꿀 수 없습니다", "Change my nickname or picture; not the e-mail"),
            access: .signedIn, body: ProfileChange.schema, answer: .ok(User.schema),
            handler: { try await change($0.account, $1) })
        table.add(
            .delete, "/api/v1/users/me", id: "leave", tag: tag,
            Wording(
                "탈퇴 예약. 30일 안에 다시 로그인하면 취소됩니다",
                "Ask to be erased in 30 days; signing in before then takes it back"),
            access: .signedIn, answer: .ok(Leaving.schema, headers: [accounts.cookie.taken()]),
            handler: { try await leave($0.account) })
        table.add(
            .put, "/api/v1/users/me/password", id: "changePassword", tag: tag,
            Wording(
                "비밀번호 변경. 다른 모든 로그인이 끝나고 새 토큰을 받습니다",
                "Change my password; every other session ends, and this one gets new tokens"),
            access: .signedIn, body: PasswordChange.schema,
            answer: .ok(Session.schema, headers: [accounts.cookie.given]),
            errors: [.passwordWrong, .passwordAbsent, .tooManyAttempts],
            handler: { try await changePassword($0, $1) })
        table.add(
            .get, "/api/v1/users/{id}", id: "getUser", tag: tag,
            Wording("공개 프로필", "An account as everybody sees it"), access: .everyone,
            inputs: [Self.id], answer: .ok(PublicProfile.schema), errors: [.userNotFound],
            handler: { try await show($0[Self.id]) })
    }

    func me(_ caller: Account) async throws -> User {
        guard let user = try await pool.run({ try AccountQueries.user(caller.id, in: $0) }) else {
            throw Problem(.tokenInvalid)
        }
        return user
    }

    func show(_ id: Identifier) async throws -> PublicProfile {
        let profile = try await pool.run { try ProfileQueries.profile(id, in: $0) }
        guard let profile else { throw ProfileRefusal.notFound }
        return profile
    }

    func change(_ caller: Account, _ body: ProfileChange) async throws -> User {
        let change = try ProfileRules.accept(body)
        try await pool.run { try ProfileQueries.change(caller.id, change, in: $0) }
        return try await me(caller)
    }

    /// 200 with a session; 403 for a wrong password, which counts like one at a sign-in.
    func changePassword(_ call: Call, _ body: PasswordChange) async throws -> Session {
        let (caller, new) = (call.account, try Self.newPassword(body.new))
        let (email, hash) = try await pool.run {
            try ProfileQueries.password(of: caller.id, in: $0)
        }
        guard let hash else { throw ProfileRefusal.passwordAbsent }
        // try?: a text that is no password is a wrong password.
        let current = try? Password(body.current)
        let isRight: Void? = try await accounts.throttle.guarding(
            account: email ?? "\(caller.id)", from: call.clientAddress
        ) {
            let isMatch = try await accounts.hashing {
                try await hasher.matches(current ?? .nobodys, hash: current.map { _ in hash })
            }
            return isMatch ? () : nil
        }
        guard isRight != nil else { throw ProfileRefusal.passwordWrong }
        let newHash = try await accounts.hashing { try await hasher.hash(new) }
        let (token, lifetime) = (RefreshToken(), accounts.refreshLifetimeSeconds)
        let now = try await pool.transaction { connection -> Timestamp? in
            guard
                try ProfileQueries.changePassword(
                    of: caller.id, from: hash, to: newHash, in: connection)
            else { throw ProfileRefusal.passwordWrong }
            return try RefreshTokenQueries.insert(
                token, family: .new(), user: caller.id, lifetimeSeconds: lifetime, in: connection)
        }
        guard let now else { throw AccountRefusal.suspended }
        return try await accounts.session(of: caller.id, role: caller.role, token, now: now)
    }

    private static func newPassword(_ text: String) throws(ProfileRefusal) -> Password {
        do throws(Password.Fault) {
            return try Password(text)
        } catch {
            throw .newPassword(error)
        }
    }

    /// 200 with the day; who asks twice at once is told once, and is signed out the second time.
    func leave(_ caller: Account) async throws -> Leaving {
        let eraseAfter = try await pool.transaction {
            try ProfileQueries.leave(caller.id, in: $0)
        }
        guard let eraseAfter else { throw Problem(.tokenInvalid) }
        return Leaving(eraseAfter: eraseAfter)
    }
}

// MARK: Refusals

extension ProblemCode {
    static let userNotFound = ProblemCode(
        "USER_NOT_FOUND", .notFound, "사용자를 찾을 수 없습니다", "There is no such account")
    static let passwordWrong = ProblemCode(
        "PASSWORD_WRONG", .forbidden, "현재 비밀번호가 올바르지 않습니다",
        "The current password is not right")
    static let passwordAbsent = ProblemCode(
        "PASSWORD_ABSENT", .conflict, "소셜 로그인 계정에는 비밀번호가 없습니다",
        "This account has no password: it signs in at a provider")
}

extension ProfileRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.userNotFound)
        case .passwordWrong: Problem(.passwordWrong)
        case .passwordAbsent: Problem(.passwordAbsent)
        case .newPassword(let fault):
            Problem(.fieldsInvalid, faults: [fault.fault(in: "new_password")])
        case .fieldsInvalid(let faults):
            Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension ProfileFault {
    fileprivate var fault: Fault {
        switch self {
        case .nicknameBlank: .empty("nickname")
        case .image(let fault):
            fault.fault(in: "profile_image", bytesMax: ProfileRules.imageBytesMax)
        }
    }
}
