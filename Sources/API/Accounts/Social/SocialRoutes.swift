import Clicks
import Hummingbird
import Postgres

/// Signing in, or up, by Kakao, Naver, Google or Apple.
package struct SocialRoutes: Sendable {
    let pool: ConnectionPool
    let logins: SocialLogins
    let tokenKey: AccessTokenKey
    let refreshLifetimeSeconds: Int
    let cookie: SessionCookie
    let throttle: LoginThrottle

    static let provider = Parameter.path(
        "provider", .oneOf(SocialProvider.self),
        about: Wording("로그인할 곳", "Where one has an account"))

    package func add(to table: inout RouteTable) {
        table.add(
            .post, "/api/v1/auth/social/{provider}", id: "logInBySocial",
            tag: Tag("auth", Wording("가입과 로그인", "Signing up and in")),
            Wording("소셜 로그인 또는 가입", "Log in or sign up by another service"),
            access: .everyone, inputs: [Self.provider], body: SocialCode.schema,
            answer: .ok(Session.schema, headers: [cookie.given]),
            errors: [
                .socialProviderOff, .socialLoginRefused, .socialProviderDown,
                .socialProviderFailed, .socialEmailTaken, .accountSuspended, .tooManyAttempts,
            ],
            handler: { call, body in try await logIn(call, body) })
    }

    /// The provider is asked first, outside of any transaction; then one decides and writes. A code
    /// that it does not confirm counts as a wrong password does.
    func logIn(_ call: Call, _ body: SocialCode) async throws -> Session {
        let confirmed = try await throttle.guarding(socialFrom: call.clientAddress) {
            do {
                return Optional(try await profile(call, body))
            } catch SocialRefusal.loginRefused {
                return nil
            }
        }
        guard let profile = confirmed else { throw SocialRefusal.loginRefused }
        let signIn = SocialSignIn(
            profile: profile,
            newcomer: SocialRules.newcomer(
                profile, givenName: body.name, random: .random(in: .min ... .max)),
            token: RefreshToken(), lifetimeSeconds: refreshLifetimeSeconds)
        let opened = try await pool.transaction { try signIn.run(in: $0) }
        return Session(
            accessToken: try await tokenKey.sign(
                for: opened.account.id, role: opened.account.role, now: opened.now),
            refreshToken: signIn.token.text, expiresIn: tokenKey.lifetimeSeconds)
    }

    private func profile(_ call: Call, _ body: SocialCode) async throws -> SocialProfile {
        do {
            return try await logins.profile(by: call[Self.provider], of: body)
        } catch let refusal as SocialRefusal {
            if case .providerFailed(let fault) = refusal {
                call.logger.error(
                    "a social provider answers what it should not",
                    metadata: [
                        "party": "\(call[Self.provider].rawValue)", "fault": "\(fault)",
                    ])
            }
            throw refusal
        }
    }
}

// MARK: Refusals

extension ProblemCode {
    static let socialProviderOff = ProblemCode(
        "SOCIAL_PROVIDER_OFF", .notFound, "지원하지 않는 소셜 로그인입니다",
        "Logging in by this service is not offered here")
    static let socialLoginRefused = ProblemCode(
        "SOCIAL_LOGIN_REFUSED", .unauthorized, "소셜 로그인에 실패했습니다. 처음부터 다시 시도해 주세요",
        "The service did not confirm this login. Start it again")
    static let socialProviderDown = ProblemCode(
        "SOCIAL_PROVIDER_DOWN", .serviceUnavailable,
        "소셜 로그인 서비스가 응답하지 않습니다. 잠시 후 처음부터 다시 시도해 주세요",
        "The service does not answer. Start the login again later")
    static let socialProviderFailed = ProblemCode(
        "SOCIAL_PROVIDER_FAILED", .badGateway, "소셜 로그인 서비스에 문제가 있습니다",
        "The service answered what could not be used")
    static let socialEmailTaken = ProblemCode(
        "SOCIAL_EMAIL_TAKEN", .conflict, "이미 가입된 이메일입니다. 기존 방법으로 로그인해 주세요",
        "This e-mail has an account already. Log in the way you did before")
}

extension SocialRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .providerOff: Problem(.socialProviderOff)
        case .redirectNotAllowed:
            Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "redirect_uri", "NOT_ALLOWED", "허용되지 않은 주소입니다",
                        "This address is not among the allowed ones")
                ])
        case .stateMissing:
            Problem(
                .fieldsInvalid,
                faults: [Fault("state", "REQUIRED", "필수 항목입니다", "This field is required")])
        case .loginRefused: Problem(.socialLoginRefused)
        case .providerDown(let seconds):
            Problem(.socialProviderDown, headers: [.retryAfter: String(seconds)])
        case .providerFailed: Problem(.socialProviderFailed)
        case .emailTaken: Problem(.socialEmailTaken)
        case .suspended: Problem(.accountSuspended)
        }
    }
}
