/// The providers that this installation has credentials of. Keeps what issuers publish, so one is
/// made for the process.
package struct SocialLogins: Sendable {
    private let redirectURIs: Set<String>
    private let kakao: KakaoLogin?
    private let naver: NaverLogin?
    private let google: OpenIDLogin?
    private let apple: OpenIDLogin?

    init(_ settings: SocialSettings, client: OutboundClient) {
        redirectURIs = settings.redirectURIs
        kakao = settings.kakao.map { KakaoLogin(access: $0, client: client) }
        naver = settings.naver.map { NaverLogin(access: $0, client: client) }
        google = settings.google.map { OpenIDLogin(.google, $0, client: client) }
        apple = settings.apple.map { OpenIDLogin(.apple, $0, client: client) }
    }

    /// Who brought this code.
    ///
    /// - Throws: ``SocialRefusal``.
    func profile(by provider: SocialProvider, of body: SocialCode) async throws -> SocialProfile {
        let ask: (@Sendable (SocialCode) async throws -> SocialProfile)? =
            switch provider {
            case .kakao: kakao?.profile(of:)
            case .naver: naver?.profile(of:)
            case .google: google?.profile(of:)
            case .apple: apple?.profile(of:)
            }
        guard let ask else { throw SocialRefusal.providerOff }
        // A provider would compare it too, if only with what it was told by whoever began.
        guard redirectURIs.contains(body.redirectURI) else {
            throw SocialRefusal.redirectNotAllowed
        }
        return try await ask(body)
    }
}
