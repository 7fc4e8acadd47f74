// Signing in by somebody else's account, as values: which providers there are, what a client brings
// back from one, what the provider says of the person.

/// Who can vouch for a person. Raw values are the route's and the column's.
package enum SocialProvider: String, CaseIterable, Sendable {
    case kakao
    case naver
    case google
    case apple
}

/// What a client brings back from a provider's page.
package struct SocialCode: Sendable {
    /// Used once, and worth a session until then: never logged.
    package let code: String
    package let redirectURI: String
    /// Naver wants it again with the code.
    package let state: String?
    /// What the id_token has to repeat; nil if the client sent none to the provider.
    package let nonce: String?
    /// Apple tells a name to the page alone, and the first time only, so the page passes it on.
    package let name: String?

    static let schema = Schema<SocialCode>(
        "SocialCode",
        [
            Field("code", .text(1...2048), example: "4/0AQSTgQH"),
            Field(
                "redirect_uri", .text(1...500),
                about: Wording("허용된 주소와 글자까지 같아야 합니다", "Exactly one of the allowed addresses"),
                example: "https://gonggu-moa.com/login/google"),
            .optional(
                "state", .text(1...500), about: Wording("네이버는 필수", "Required by Naver"),
                example: "c2VlZA"),
            .optional(
                "nonce", .text(1...500),
                about: Wording(
                    "구글, 애플에 보낸 값. 보냈다면 필수",
                    "What was sent to Google or Apple; required if something was"),
                example: "n-0S6_WzA2Mj"),
            .optional(
                "name", .text(1...100),
                about: Wording("애플이 처음 한 번 알려 주는 이름", "The name that Apple tells once"),
                example: "하나"),
        ]
    ) {
        SocialCode(
            code: $0["code"], redirectURI: $0["redirect_uri"], state: $0["state"],
            nonce: $0["nonce"], name: $0["name"])
    }
}

/// What a provider says of a person.
package struct SocialProfile: Sendable, Equatable {
    package let provider: SocialProvider
    /// The provider's own name for the person, 1 to 255 characters.
    package let subject: String
    /// Nil unless the provider says that it has seen the person receive mail there.
    package let verifiedEmail: String?
    package let name: String?
    package let imageURL: String?
}

/// Why nobody is signed in by a provider.
package enum SocialRefusal: Error, Equatable, Sendable {
    /// This installation has no credentials of the provider.
    case providerOff
    case redirectNotAllowed
    /// Naver's code came without its state.
    case stateMissing
    /// The provider or its token's nonce says that this is no login of this client, now.
    case loginRefused
    /// The provider is away, or says that it is asked too often.
    case providerDown(retryAfterSeconds: Int)
    /// The provider answered what it should not have: its fault, or that of our settings.
    case providerFailed(ProviderFault)
    /// The e-mail has an account that the provider's word does not open.
    case emailTaken
    case suspended
}

/// What was wrong with a provider's answer; in the log, never in an answer of ours.
package enum ProviderFault: Equatable, Sendable {
    /// It refuses us, not the person; the OAuth error's name, such as `invalid_client`.
    case refusesUs(String)
    case answerUnfit
    case idToken(IDToken.Fault)
}
