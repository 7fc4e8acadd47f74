import Clicks

// An account as others see it, and what its holder may change of it. The e-mail is not among that:
// it is how an account is found at sign-in and at linking, and nothing here proves that a new one
// is the holder's.

/// An account as anybody sees it.
package struct PublicProfile: Sendable {
    package let id: Identifier
    package let nickname: String
    package let role: Role
    /// An address.
    package let profileImage: String?
    package let createdAt: Timestamp

    static let schema = Schema<PublicProfile>(
        "PublicProfile",
        [
            Field("id", .identifier, \.id),
            Field("nickname", .text(1...50), \.nickname, example: "하나"),
            Field("role", .oneOf(Role.self), \.role),
            Field("profile_image", Schema.link(8...500).orNull, \.profileImage),
            Field("created_at", .time, \.createdAt),
        ])
}

/// The body that changes one's own account: what is absent stays.
package struct ProfileChange: Sendable {
    /// Nil for unchanged.
    package let nickname: String?
    /// Nil for unchanged, `.some(nil)` for cleared.
    package let profileImage: String??

    package init(nickname: String? = nil, profileImage: String?? = nil) {
        self.nickname = nickname
        self.profileImage = profileImage
    }

    static let schema = Schema<ProfileChange>(
        "ProfileChange",
        [
            .optional(
                "nickname", .text(1...50),
                about: Wording("null은 변경하지 않습니다", "null leaves it as it is"), example: "하나"),
            .optional(
                "profile_image", .link(8...500),
                about: Wording("null은 사진을 지웁니다", "null removes the picture")),
        ]
    ) { body in
        let image: String? = body["profile_image"]
        return ProfileChange(
            nickname: body["nickname"],
            profileImage: body.has("profile_image") ? .some(image) : .none)
    }
}

/// A change that may be written.
package struct AcceptedProfileChange: Equatable, Sendable {
    package let nickname: String?
    package let profileImage: String??
}

/// A faulty field of a change, beyond its shape.
package enum ProfileFault: Error, Equatable, Sendable {
    case nicknameBlank
    case image(ExternalURL.Fault)
}

/// Why a request about one's own account is refused.
package enum ProfileRefusal: Error, Equatable, Sendable {
    case notFound
    /// The current password is another.
    case passwordWrong
    /// The account has none: its holder signs in at a provider.
    case passwordAbsent
    case newPassword(Password.Fault)
    case fieldsInvalid([ProfileFault])
}

/// What is decided of profiles without the database.
package enum ProfileRules {
    /// The column's bound.
    package static let imageBytesMax = 500

    /// Checks a change; all faults at once.
    package static func accept(
        _ change: ProfileChange
    ) throws(ProfileRefusal) -> AcceptedProfileChange {
        var faults: [ProfileFault] = []
        let nickname = change.nickname?.trimmed
        if let nickname, nickname.allSatisfy(\.isWhitespace) { faults.append(.nicknameBlank) }
        var image: String?? = change.profileImage.map { _ in nil }
        if case .some(.some(let text)) = change.profileImage {
            do throws(ExternalURL.Fault) {
                let url = try ExternalURL(text)
                if url.text.utf8.count > imageBytesMax { throw .tooLong }
                image = url.text
            } catch {
                faults.append(.image(error))
            }
        }
        guard faults.isEmpty else { throw .fieldsInvalid(faults) }
        return AcceptedProfileChange(nickname: nickname, profileImage: image)
    }
}

/// The body that changes a password.
package struct PasswordChange: Sendable {
    package let current: String
    package let new: String

    static let schema = Schema<PasswordChange>(
        "PasswordChange",
        [
            Field("current_password", .password(1...500)),
            Field(
                "new_password", .password(1...Password.bytesMax),
                about: Wording("UTF-8로 8~72바이트", "8 to 72 bytes of UTF-8")),
        ]
    ) { PasswordChange(current: $0["current_password"], new: $0["new_password"]) }
}

/// When an account that asked for it will be erased.
package struct Leaving: Sendable {
    package let eraseAfter: Timestamp

    static let schema = Schema<Leaving>(
        "Leaving",
        [
            Field(
                "erase_after", .time, \.eraseAfter,
                about: Wording(
                    "이때까지 다시 로그인하면 탈퇴가 취소됩니다",
                    "Signing in before then takes the request back"))
        ])
}
