import Settings

/// How Kakao or Naver is asked.
struct ProviderAccess: Sendable {
    let clientID: String
    /// Nil where the provider lets an application do without.
    let secret: Secret?
    /// Where codes become tokens; without a slash at the end.
    let loginURL: String
    /// Where a token tells whose it is.
    let apiURL: String
}

/// How an OpenID issuer is asked.
struct IssuerAccess: Sendable {
    let clientID: String
    let secret: ClientSecret
    /// Its address, below which it publishes what it is.
    let issuer: String
    /// What its tokens call it.
    let issuerNames: Set<String>
}

/// Which social logins there are. A provider without credentials is off.
package struct SocialSettings: Sendable {
    /// Where providers may send people back to; compared to the letter.
    let redirectURIs: Set<String>
    let kakao: ProviderAccess?
    let naver: ProviderAccess?
    let google: IssuerAccess?
    let apple: IssuerAccess?

    init(reading reader: inout SettingsReader) {
        redirectURIs = Set(
            reader.list(
                "SOCIAL_REDIRECT_URIS", itemsMax: 32,
                "The pages or app links that providers send people back to, as registered with "
                    + "them. Needed where a provider is set."))
        kakao = SocialSettings.kakao(&reader)
        naver = SocialSettings.naver(&reader)
        google = SocialSettings.google(&reader)
        apple = SocialSettings.apple(&reader)
        let isAnyOn = kakao != nil || naver != nil || google != nil || apple != nil
        if isAnyOn, redirectURIs.isEmpty {
            reader.reject("SOCIAL_REDIRECT_URIS", "is empty, so that no social login can succeed")
        }
        for uri in redirectURIs where !uri.contains(":") || uri.contains("#") {
            reader.reject("SOCIAL_REDIRECT_URIS", "holds something that is no absolute address")
            break
        }
    }

    private static func kakao(_ reader: inout SettingsReader) -> ProviderAccess? {
        let id = reader.optionalText(
            "KAKAO_CLIENT_ID", bytesMax: 200, "The REST API key at Kakao; empty for no Kakao login."
        )
        let secret = reader.optionalSecret(
            "KAKAO_CLIENT_SECRET", "The client secret at Kakao, where it is switched on there.")
        let base = baseURL("KAKAO_BASE_URL", of: "Kakao", &reader)
        guard let id else {
            if secret != nil { reader.reject("KAKAO_CLIENT_ID", "is missing beside its secret") }
            return nil
        }
        return ProviderAccess(
            clientID: id, secret: secret, loginURL: base ?? "https://kauth.kakao.com",
            apiURL: base ?? "https://kapi.kakao.com")
    }

    private static func naver(_ reader: inout SettingsReader) -> ProviderAccess? {
        let id = reader.optionalText(
            "NAVER_CLIENT_ID", bytesMax: 200, "The client id at Naver; empty for no Naver login.")
        let secret = reader.optionalSecret("NAVER_CLIENT_SECRET", "The client secret at Naver.")
        let base = baseURL("NAVER_BASE_URL", of: "Naver", &reader)
        guard let id, let secret else {
            rejectHalf("NAVER_CLIENT_ID", "NAVER_CLIENT_SECRET", id != nil, secret != nil, &reader)
            return nil
        }
        return ProviderAccess(
            clientID: id, secret: secret, loginURL: base ?? "https://nid.naver.com",
            apiURL: base ?? "https://openapi.naver.com")
    }

    private static func google(_ reader: inout SettingsReader) -> IssuerAccess? {
        let id = reader.optionalText(
            "GOOGLE_CLIENT_ID", bytesMax: 200,
            "The client id at Google; empty for no Google login.")
        let secret = reader.optionalSecret("GOOGLE_CLIENT_SECRET", "The client secret at Google.")
        let base = baseURL("GOOGLE_BASE_URL", of: "Google", &reader)
        guard let id, let secret else {
            rejectHalf(
                "GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", id != nil, secret != nil, &reader)
            return nil
        }
        return IssuerAccess(
            clientID: id, secret: .fixed(secret), issuer: base ?? "https://accounts.google.com",
            // Google's tokens have been seen with either.
            issuerNames: base.map { [$0] } ?? [
                "https://accounts.google.com", "accounts.google.com",
            ]
        )
    }

    private static func apple(_ reader: inout SettingsReader) -> IssuerAccess? {
        let id = reader.optionalText(
            "APPLE_CLIENT_ID", bytesMax: 200,
            "The services id at Apple; empty for no Apple login.")
        let team = reader.optionalText("APPLE_TEAM_ID", bytesMax: 32, "The team's id at Apple.")
        let keyID = reader.optionalText(
            "APPLE_KEY_ID", bytesMax: 32, "The id of the key that Apple gave out for signing in.")
        let pem = reader.optionalSecret(
            "APPLE_PRIVATE_KEY",
            "That key, the text of its .p8 file; line ends may be written as \\n. It signs the "
                + "client secret, which is none by itself.")
        let base = baseURL("APPLE_BASE_URL", of: "Apple", &reader)
        let given = [
            ("APPLE_CLIENT_ID", id != nil), ("APPLE_TEAM_ID", team != nil),
            ("APPLE_KEY_ID", keyID != nil), ("APPLE_PRIVATE_KEY", pem != nil),
        ]
        guard let id, let team, let keyID, let pem else {
            if given.contains(where: \.1) {
                for missing in given where !missing.1 {
                    reader.reject(missing.0, "is missing beside Apple's other settings")
                }
            }
            return nil
        }
        guard let key = AppleKey(teamID: team, keyID: keyID, clientID: id, pem: pem) else {
            reader.reject("APPLE_PRIVATE_KEY", "is no PKCS#8 PEM of a P-256 key")
            return nil
        }
        let issuer = base ?? "https://appleid.apple.com"
        return IssuerAccess(
            clientID: id, secret: .apple(key), issuer: issuer, issuerNames: [issuer])
    }

    /// Where the provider is instead of its own place; without a slash at the end.
    private static func baseURL(
        _ name: String, of provider: String, _ reader: inout SettingsReader
    ) -> String? {
        let text = reader.optionalURL(
            name, schemes: ["https", "http"],
            "Where \(provider) is asked instead of its own hosts, such as a stand-in of tests; "
                + "http on this machine alone.")
        guard let text else { return nil }
        guard ProviderURL.isAllowed(text), !text.hasSuffix("/") else {
            reader.reject(name, "is neither https nor this machine, or ends with a slash")
            return nil
        }
        return text
    }

    private static func rejectHalf(
        _ id: String, _ secret: String, _ hasID: Bool, _ hasSecret: Bool,
        _ reader: inout SettingsReader
    ) {
        if hasID, !hasSecret { reader.reject(secret, "is missing beside \(id)") }
        if hasSecret, !hasID { reader.reject(id, "is missing beside \(secret)") }
    }
}
