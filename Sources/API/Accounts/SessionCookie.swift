// Browsers get the access token as a cookie too, so that the edge knows the shopper who follows a
// link. Lax, since that visit comes from another site; requests that change something are asked for
// their origin besides.

/// How the cookie `access_token` is set and taken back.
package struct SessionCookie: Sendable {
    /// Clients reach us by https.
    package let isSecure: Bool
    /// Where it goes besides the API's own host; nil for nowhere.
    package let domain: String?

    package init(isSecure: Bool, domain: String?) {
        self.isSecure = isSecure
        self.domain = domain
    }

    var given: AnswerHeader<Session> {
        AnswerHeader(
            .setCookie,
            Wording("브라우저와 엣지를 위한 액세스 토큰", "The access token, for browsers and the edge")
        ) { session in
            [text(session.accessToken, ageSeconds: session.expiresIn)]
        }
    }

    var takenBack: AnswerHeader<Void> { taken() }

    /// Beside an answer that has a body.
    func taken<Value>() -> AnswerHeader<Value> {
        AnswerHeader(.setCookie, Wording("쿠키 삭제", "Takes the cookie back")) { _ in
            [text("", ageSeconds: 0)]
        }
    }

    private func text(_ value: String, ageSeconds: Int) -> String {
        var text = "\(PresentedToken.cookieName)=\(value); Max-Age=\(ageSeconds); Path=/"
        if let domain { text += "; Domain=\(domain)" }
        return text + "; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "")
    }
}
