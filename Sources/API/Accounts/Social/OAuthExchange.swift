// What the four providers have in common: a code is posted, tokens or an OAuth error come back (RFC
// 6749, 4.1.3 and 5.2).

/// The code's exchange, and what its answers mean.
enum OAuthExchange {
    /// The token endpoint's JSON.
    ///
    /// - Throws: ``SocialRefusal``: the person's login is refused, or we are, or the provider is
    ///   unwell.
    static func tokens(from answer: OutboundAnswer) throws(SocialRefusal) -> JSON {
        guard let json = answer.json, json.members != nil else {
            throw .providerFailed(.answerUnfit)
        }
        // Naver refuses with a 200.
        guard let error = json["error"]?.text else {
            guard answer.status == 200 else { throw .providerFailed(.answerUnfit) }
            return json
        }
        switch error {
        case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope",
            "redirect_uri_mismatch":
            throw .providerFailed(.refusesUs(error))
        // `invalid_grant`, and what Naver and others say of a code that is spent or made up.
        default: throw .loginRefused
        }
    }

    /// `Authorization: Bearer`, of a token that can stand in a header.
    static func bearer(
        _ tokens: JSON
    ) throws(SocialRefusal) -> (name: String, value: String) {
        guard let token = tokens["access_token"]?.text, (1...4096).contains(token.utf8.count),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw .providerFailed(.answerUnfit) }
        return ("Authorization", "Bearer " + token)
    }
}

extension OutboundClient {
    /// Asks a provider. What it answers below 500 is for the caller to read, but for 429.
    ///
    /// - Throws: ``SocialRefusal/providerDown(retryAfterSeconds:)`` where there is no answer or one
    ///   that says to come back.
    func ask(
        _ request: OutboundRequest, party: String
    ) async throws -> OutboundAnswer {
        let answer: OutboundAnswer
        do {
            answer = try await send(request, to: party)
        } catch let failure as OutboundFailure {
            switch failure {
            case .circuitOpen(let seconds):
                throw SocialRefusal.providerDown(retryAfterSeconds: seconds)
            case .busy: throw SocialRefusal.providerDown(retryAfterSeconds: 2)
            case .unreachable, .timedOut, .broken:
                throw SocialRefusal.providerDown(retryAfterSeconds: 5)
            case .answerTooLarge: throw SocialRefusal.providerFailed(.answerUnfit)
            }
        }
        if answer.status >= 500 || answer.status == 429 {
            throw SocialRefusal.providerDown(
                retryAfterSeconds: answer.retryAfterSeconds ?? 5)
        }
        return answer
    }
}

/// The addresses at which providers are asked.
enum ProviderURL {
    /// https; http of this machine alone, where a stand-in runs, since secrets are sent there.
    static func isAllowed(_ text: String) -> Bool {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), !text.contains("@") else {
            return false
        }
        if let host = host(text, scheme: "https://") { return !host.isEmpty }
        let own = ["127.0.0.1", "localhost", "[::1]"]
        return host(text, scheme: "http://").map { own.contains($0) } ?? false
    }

    /// The host as it is written, without a port.
    private static func host(_ text: String, scheme: String) -> String? {
        guard text.hasPrefix(scheme) else { return nil }
        let authority = text.dropFirst(scheme.count).prefix { !"/?#".contains($0) }
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[...end])
        }
        return String(authority.prefix { $0 != ":" })
    }
}
