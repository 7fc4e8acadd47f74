import Clicks
import HTTPTypes
import Hummingbird
import Postgres

// Sign-up, sign-in, and the tokens that follow.

/// The routes of accounts, and how a token becomes an account.
package struct AccountRoutes: Sendable {
    let pool: ConnectionPool
    let hasher: PasswordHasher
    let tokenKey: AccessTokenKey
    let refreshLifetimeSeconds: Int
    let cookie: SessionCookie
    let throttle: LoginThrottle

    /// - Parameter refreshLifetimeSeconds: how long a session lives without a refresh.
    package init(
        pool: ConnectionPool, hasher: PasswordHasher, tokenKey: AccessTokenKey,
        refreshLifetimeSeconds: Int, cookie: SessionCookie, throttle: LoginThrottle
    ) {
        self.pool = pool
        self.hasher = hasher
        self.tokenKey = tokenKey
        self.refreshLifetimeSeconds = refreshLifetimeSeconds
        self.cookie = cookie
        self.throttle = throttle
    }

    /// For ``HTTP``'s check of a caller: a token's account, if it may act at this moment.
    package var accessTokens: AccessTokens {
        AccessTokens { [pool, tokenKey] text in
            guard let bearer = await tokenKey.bearer(in: text, now: .now) else { return nil }
            return try await pool.run {
                try AccountQueries.account(bearer.account, tokenFrom: bearer.issuedAt, in: $0)
            }
        }
    }

    /// Declares the routes under /auth.
    package func add(to table: inout RouteTable) {
        let tag = Tag("auth", Wording("가입과 로그인", "Signing up and in"))
        table.add(
            .post, "/api/v1/auth/signup", id: "signUp", tag: tag,
            Wording("회원 가입", "Sign up"), access: .everyone, body: SignUp.schema,
            answer: .created(User.schema), errors: [.emailTaken],
            handler: { _, body in try await signUp(body) })
        table.add(
            .post, "/api/v1/auth/login", id: "logIn", tag: tag, Wording("로그인", "Log in"),
            access: .everyone, body: SignIn.schema,
            answer: .ok(Session.schema, headers: [cookie.given]),
            errors: [.credentialsWrong, .tooManyAttempts, .accountSuspended],
            handler: { call, body in try await logIn(body, from: call.clientAddress) })
        table.add(
            .post, "/api/v1/auth/refresh", id: "refreshSession", tag: tag,
            Wording("토큰 갱신", "Trade a refresh token for new tokens"), access: .everyone,
            body: RefreshBody.schema, answer: .ok(Session.schema, headers: [cookie.given]),
            errors: [.refreshTokenInvalid, .refreshTokenReused, .accountSuspended],
            handler: { _, body in try await refresh(body) })
        table.add(
            .post, "/api/v1/auth/logout", id: "logOut", tag: tag, Wording("로그아웃", "Log out"),
            access: .everyone, body: LogOut.schema,
            answer: .noContent(headers: [cookie.takenBack]),
            handler: { _, body in try await logOut(body) })
    }

    /// 201; 409 where the e-mail is taken, also by a sign-up at the same moment; 503 where sign-ups
    /// fill their half of the hashes that may wait.
    func signUp(_ body: SignUp) async throws -> User {
        let user = try AccountRules.accept(body)
        let hash = try await hashing { try await hasher.hash(user.password, isForSignUp: true) }
        return try await pool.transaction { connection in
            try AccountQueries.insert(user, passwordHash: hash, in: connection)
        }
    }

    /// The same answer after the same work for an unknown e-mail, for a wrong password, and for one
    /// that cannot be any account's. One that the throttle refuses costs no hash.
    func logIn(_ body: SignIn, from address: NetworkAddress) async throws -> Session {
        // try?: a text that is no password is a wrong password.
        let password = try? Password(body.password)
        let found = try await throttle.guarding(account: body.email, from: address) {
            try await credentials(body.email, password)
        }
        guard let (known, hash, password) = found else { throw AccountRefusal.credentialsWrong }
        let fresh =
            hasher.isCurrent(hash)
            ? nil : try await hashing { try await hasher.hash(password) }
        let (token, lifetime) = (RefreshToken(), refreshLifetimeSeconds)
        let now = try await pool.transaction { connection in
            let now = try RefreshTokenQueries.insert(
                token, family: .new(), user: known.id, lifetimeSeconds: lifetime, in: connection)
            // The account's row is held now. A password that was changed while it was looked at
            // lets nobody in, or who was to be locked out by the change would still come in.
            let held = try AccountQueries.credentials(of: body.email, in: connection)
            guard held?.id == known.id, held?.passwordHash == hash else {
                throw AccountRefusal.credentialsWrong
            }
            if let fresh {
                try AccountQueries.replaceHash(of: known.id, from: hash, to: fresh, in: connection)
            }
            return now
        }
        guard let now else { throw AccountRefusal.suspended }
        return try await session(of: known.id, role: known.role, token, now: now)
    }

    /// An account that has the e-mail and the password, with its hash.
    private func credentials(
        _ email: String, _ password: Password?
    ) async throws -> (AccountQueries.Credentials, hash: String, Password)? {
        // E-mails are ASCII, and so is the count of failures: no other spelling finds an account.
        let known =
            email.utf8.allSatisfy { $0 < 0x80 }
            ? try await pool.run { try AccountQueries.credentials(of: email, in: $0) } : nil
        let hash = password == nil ? nil : known?.passwordHash
        let isRight = try await hashing {
            try await hasher.matches(password ?? .nobodys, hash: hash)
        }
        guard isRight, let known, let hash, let password else { return nil }
        return (known, hash, password)
    }

    func refresh(_ body: RefreshBody) async throws -> Session {
        guard let old = RefreshToken(body.refreshToken) else {
            throw AccountRefusal.refreshTokenInvalid
        }
        let (next, lifetime) = (RefreshToken(), refreshLifetimeSeconds)
        let rotation = try await pool.transaction { connection in
            try RefreshTokenQueries.rotate(
                old, to: next, lifetimeSeconds: lifetime, in: connection)
        }
        switch rotation {
        case .rotated(let user, let role, let now):
            return try await session(of: user, role: role, next, now: now)
        case .suspended: throw AccountRefusal.suspended
        case .invalid: throw AccountRefusal.refreshTokenInvalid
        case .reused: throw AccountRefusal.refreshTokenReused
        }
    }

    /// 204 also where the token is unknown: whoever logs out is logged out.
    func logOut(_ body: LogOut) async throws {
        guard let token = body.refreshToken.flatMap({ RefreshToken($0) }) else { return }
        try await pool.transaction { try RefreshTokenQueries.revoke(token, in: $0) }
    }

    func session(
        of user: Identifier, role: Role, _ token: RefreshToken, now: Timestamp
    ) async throws -> Session {
        Session(
            accessToken: try await tokenKey.sign(for: user, role: role, now: now),
            refreshToken: token.text, expiresIn: tokenKey.lifetimeSeconds)
    }

    func hashing<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch is PasswordHasher.Busy {
            throw AccountRefusal.hashersBusy
        }
    }
}

// MARK: Refusals

extension ProblemCode {
    static let emailTaken = ProblemCode(
        "EMAIL_TAKEN", .conflict, "이미 가입된 이메일입니다", "This e-mail has an account already")
    static let credentialsWrong = ProblemCode(
        "CREDENTIALS_WRONG", .unauthorized, "이메일 또는 비밀번호가 올바르지 않습니다",
        "The e-mail or the password is not right")
    /// Given with `Retry-After`.
    static let tooManyAttempts = ProblemCode(
        "TOO_MANY_ATTEMPTS", .tooManyRequests, "로그인 시도가 너무 많습니다. 잠시 후 다시 시도해 주세요",
        "Too many attempts to sign in. Please try again later")
    static let accountSuspended = ProblemCode(
        "ACCOUNT_SUSPENDED", .forbidden, "이용이 정지된 계정입니다", "This account is suspended")
    static let refreshTokenInvalid = ProblemCode(
        "REFRESH_TOKEN_INVALID", .unauthorized, "다시 로그인해 주세요",
        "The refresh token is expired or not valid. Log in again")
    static let refreshTokenReused = ProblemCode(
        "REFRESH_TOKEN_REUSED", .unauthorized, "이미 사용된 토큰입니다. 다시 로그인해 주세요",
        "The refresh token was used before, so its session has ended. Log in again")
}

extension AccountRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .emailTaken: Problem(.emailTaken)
        case .credentialsWrong: Problem(.credentialsWrong)
        case .tooManyAttempts(let seconds):
            Problem(.tooManyAttempts, headers: [.retryAfter: "\(seconds)"])
        case .suspended: Problem(.accountSuspended)
        case .refreshTokenInvalid: Problem(.refreshTokenInvalid)
        case .refreshTokenReused: Problem(.refreshTokenReused)
        case .hashersBusy: Problem(.unavailable, headers: [.retryAfter: "2"])
        case .fieldsInvalid(let faults):
            Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension AccountFault {
    fileprivate var fault: Fault {
        switch self {
        case .nicknameBlank:
            Fault("nickname", "EMPTY", "비워 둘 수 없습니다", "This must not be empty")
        case .password(let fault): fault.fault(in: "password")
        }
    }
}

extension Password.Fault {
    func fault(in field: String) -> Fault {
        switch self {
        case .tooShort:
            Fault(field, "TOO_SHORT", "8바이트 이상이어야 합니다", "Use at least 8 bytes")
        case .tooLong:
            Fault(field, "TOO_LONG", "72바이트 이하여야 합니다 (한글은 24자)", "Use at most 72 bytes")
        case .characterForbidden:
            Fault(
                field, "CONTROL_CHARACTER", "사용할 수 없는 제어 문자가 있습니다",
                "Control characters are not allowed")
        }
    }
}
