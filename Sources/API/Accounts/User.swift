import Clicks

// Accounts as the API takes and shows them. The password and its hash are in none of the answers.

/// Whether an account may act.
package enum UserStatus: String, CaseIterable, Sendable {
    case active
    case suspended
    case pending
    /// Its holder has left, and nothing says any more who it was.
    case erased
}

/// An account as its holder sees it.
package struct User: Equatable, Sendable {
    package let id: Identifier
    /// Nil where a social provider told none.
    package let email: String?
    package let nickname: String
    package let role: Role
    package let status: UserStatus
    /// An address.
    package let profileImage: String?
    /// Nil for whoever has no influencer's profile.
    package let isVerified: Bool?
    package let createdAt: Timestamp

    static let schema = Schema<User>(
        "User",
        [
            Field("id", .identifier, \.id),
            Field("email", Schema.heldEmail.orNull, \.email),
            Field("nickname", .text(1...50), \.nickname, example: "하나"),
            Field("role", .oneOf(Role.self), \.role),
            Field("status", .oneOf(UserStatus.self), \.status),
            Field("profile_image", Schema.link(8...500).orNull, \.profileImage),
            Field(
                "is_verified", Schema.boolean.orNull, \.isVerified,
                about: Wording(
                    "인플루언서 심사 통과 여부. 인플루언서가 아니면 null",
                    "Whether an influencer is verified; null for anyone else")),
            Field("created_at", .time, \.createdAt),
        ])
}

/// What a visitor may sign up as; the other roles are given by an operator.
package enum SignUpRole: String, CaseIterable, Sendable {
    case buyer
    case influencer

    var role: Role {
        switch self {
        case .buyer: .buyer
        case .influencer: .influencer
        }
    }
}

/// The body of a sign-up.
package struct SignUp: Sendable {
    package let email: String
    package let password: String
    package let nickname: String
    package let role: SignUpRole

    static let schema = Schema<SignUp>(
        "SignUp",
        [
            Field("email", .email),
            Field(
                "password", .password(1...Password.bytesMax),
                about: Wording("UTF-8로 8~72바이트", "8 to 72 bytes of UTF-8")),
            Field("nickname", .text(1...50), example: "하나"),
            Field("role", .oneOf(SignUpRole.self)),
        ]
    ) {
        SignUp(
            email: $0["email"], password: $0["password"], nickname: $0["nickname"], role: $0["role"]
        )
    }
}

/// The body of a sign-in.
package struct SignIn: Sendable {
    package let email: String
    package let password: String

    // Wider than what a sign-up takes: a password that cannot be right is simply wrong.
    static let schema = Schema<SignIn>(
        "SignIn",
        [
            Field("email", .text(1...254), example: "hana@example.com"),
            Field("password", .password(1...500)),
        ]
    ) { SignIn(email: $0["email"], password: $0["password"]) }
}

/// The body that carries a refresh token back.
package struct RefreshBody: Sendable {
    package let refreshToken: String

    static let schema = Schema<RefreshBody>(
        "RefreshToken",
        [
            Field(
                "refresh_token", .text(1...500),
                example: .text(String(repeating: "A", count: RefreshToken.textBytes)))
        ]
    ) { RefreshBody(refreshToken: $0["refresh_token"]) }
}

/// The body of a log-out.
package struct LogOut: Sendable {
    /// Nil from a browser that has nothing but the cookie, which it cannot clear by itself.
    package let refreshToken: String?

    static let schema = Schema<LogOut>(
        "LogOut",
        [
            .optional(
                "refresh_token", .text(1...500),
                example: .text(String(repeating: "A", count: RefreshToken.textBytes)))
        ]
    ) { LogOut(refreshToken: $0["refresh_token"]) }
}

/// What a sign-in and each refresh give.
package struct Session: Sendable {
    package let accessToken: String
    package let refreshToken: String
    /// Seconds until the access token expires.
    package let expiresIn: Int

    static let schema = Schema<Session>(
        "Session",
        [
            Field(
                "access_token", .text(1...4096), \.accessToken,
                example: "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"),
            Field(
                "refresh_token", .text(43...43), \.refreshToken,
                example: .text(String(repeating: "A", count: RefreshToken.textBytes))),
            Field("token_type", .text(6...6), \.tokenType, example: "bearer"),
            Field("expires_in", .integer(1...86_400, example: 1800), \.expiresIn),
        ])

    var tokenType: String { "bearer" }
}
