// Naver Login (developers.naver.com): a code and its state for a token at nid.naver.com, then
// /v1/nid/me of openapi.naver.com, whose `resultcode` says how it went. A refused code is a 200
// with an error in it. Naver does not say whether an e-mail was verified, so none counts as such.

/// Asks Naver who has signed in.
struct NaverLogin: Sendable {
    let access: ProviderAccess
    let client: OutboundClient

    func profile(of body: SocialCode) async throws -> SocialProfile {
        guard let state = body.state else { throw SocialRefusal.stateMissing }
        let tokens = try OAuthExchange.tokens(
            from: try await client.ask(
                .form(
                    access.loginURL + "/oauth2.0/token",
                    [
                        ("grant_type", "authorization_code"), ("client_id", access.clientID),
                        ("client_secret", access.secret?.text ?? ""), ("code", body.code),
                        ("state", state),
                    ]), party: "naver"))
        let answer = try await client.ask(
            OutboundRequest(
                .get, access.apiURL + "/v1/nid/me", headers: [try OAuthExchange.bearer(tokens)]),
            party: "naver")
        return try NaverLogin.profile(from: answer)
    }

    static func profile(from answer: OutboundAnswer) throws(SocialRefusal) -> SocialProfile {
        guard let json = answer.json, let result = json["resultcode"]?.text else {
            throw .providerFailed(.answerUnfit)
        }
        guard result == "00" else {
            // 024 and 028: the token does not count; 403: the person gave no leave.
            throw ["024", "028", "403"].contains(result)
                ? .loginRefused : .providerFailed(.answerUnfit)
        }
        guard answer.status == 200, let person = json["response"],
            let id = person["id"]?.text, (1...255).contains(id.unicodeScalars.count),
            !id.hasControlCharacters(exceptLines: false)
        else { throw .providerFailed(.answerUnfit) }
        return SocialProfile(
            provider: .naver, subject: id, verifiedEmail: nil,
            name: person["nickname"]?.text ?? person["name"]?.text,
            imageURL: person["profile_image"]?.text)
    }
}
