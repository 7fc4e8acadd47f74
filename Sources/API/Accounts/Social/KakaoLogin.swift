// Kakao Login (developers.kakao.com, REST API): a code for a token at kauth.kakao.com, then
// /v2/user/me of kapi.kakao.com. A person is a number. Errors of the second are `{code, msg}`, and
// Kakao asks to branch on the code.

/// Asks Kakao who has signed in.
struct KakaoLogin: Sendable {
    let access: ProviderAccess
    let client: OutboundClient

    func profile(of body: SocialCode) async throws -> SocialProfile {
        var fields = [
            (name: "grant_type", value: "authorization_code"),
            (name: "client_id", value: access.clientID),
            (name: "redirect_uri", value: body.redirectURI), (name: "code", value: body.code),
        ]
        // Kakao lets an application do without.
        if let secret = access.secret {
            fields.append((name: "client_secret", value: secret.text))
        }
        let tokens = try OAuthExchange.tokens(
            from: try await client.ask(
                .form(access.loginURL + "/oauth/token", fields), party: "kakao"))
        let answer = try await client.ask(
            OutboundRequest(
                .get, access.apiURL + "/v2/user/me",
                headers: [try OAuthExchange.bearer(tokens)]), party: "kakao")
        return try KakaoLogin.profile(from: answer)
    }

    static func profile(from answer: OutboundAnswer) throws(SocialRefusal) -> SocialProfile {
        guard let json = answer.json, json.members != nil else {
            throw .providerFailed(.answerUnfit)
        }
        if let code = json["code"]?.integer, answer.status != 200 {
            // -1 and -7: Kakao's own trouble. The others are about the token or the person: not
            // linked (-101), consent missing (-402), too young (-406), token gone (-401).
            throw code == -1 || code == -7
                ? .providerDown(retryAfterSeconds: 5) : .loginRefused
        }
        guard answer.status == 200, let id = json["id"]?.integer, id > 0 else {
            throw .providerFailed(.answerUnfit)
        }
        let account = json["kakao_account"]
        let isVerified =
            account?["is_email_valid"] == .bool(true)
            && account?["is_email_verified"] == .bool(true)
        return SocialProfile(
            provider: .kakao, subject: String(id),
            verifiedEmail: isVerified ? account?["email"]?.text : nil,
            name: account?["profile"]?["nickname"]?.text,
            imageURL: account?["profile"]?["profile_image_url"]?.text)
    }
}
