import Redis
import Settings

// What an operator can turn, read once at start and passed down. Commands that need less than the
// whole read a part, so that a migration does not ask for the secret that signs tokens.

/// Where the data is, and how much of it at a time.
package struct DatabaseSettings: Sendable {
    /// May hold a password; never printed.
    package let url: String
    /// Connections of this process, each a thread; all processes together stay below PostgreSQL's
    /// `max_connections`.
    package let connections: Int

    init(reading reader: inout SettingsReader) {
        url = reader.url(
            "DATABASE_URL", schemes: ["postgresql", "postgres"], "The PostgreSQL database.")
        connections = reader.integer(
            "DATABASE_CONNECTIONS", default: 10, in: 1...200, unit: "connections",
            "Connections to PostgreSQL. More than twice its cores gain nothing.")
    }
}

/// How passwords are hashed.
package struct PasswordSettings: Sendable {
    /// bcrypt runs 2^cost rounds.
    package let cost: Int
    /// Hashes computed at once.
    package let lanes: Int
    /// Hashes under way or waiting; at least `lanes`.
    package let queueMax: Int

    init(reading reader: inout SettingsReader) {
        cost = reader.integer(
            "BCRYPT_COST", default: 12, in: 4...14,
            "Each step doubles what a guess costs, and a sign-in. Below 10 is for tests.")
        lanes = reader.integer(
            "PASSWORD_LANES", default: 2, in: 1...64, unit: "hashes",
            "Password hashes computed at once; each keeps a core busy.")
        queueMax = reader.integer(
            "PASSWORD_QUEUE_MAX", default: 64, in: 1...10_000, unit: "hashes",
            "Sign-ins under way or waiting; more are answered 503. At least PASSWORD_LANES.")
        if queueMax < lanes { reader.reject("PASSWORD_QUEUE_MAX", "is less than PASSWORD_LANES") }
    }
}

/// How money is paid.
package struct SettlementSettings: Sendable {
    /// A balance below it is carried to the next month.
    package let minimumPayoutWon: Int
    /// Nil where none are set: payees' details can then be neither taken nor shown.
    package let payeeKeys: PayeeKeys?

    init(reading reader: inout SettingsReader) {
        minimumPayoutWon = reader.integer(
            "SETTLEMENT_MINIMUM_PAYOUT_WON", default: 50_000, in: 1...100_000_000, unit: "won",
            "Balances below it are carried to the next month. A draft keeps the one it was made by."
        )
        let text = reader.optionalSecret(
            "PAYEE_KEYS", minBytes: PayeeKeys.keyBytes * 2 + 2,
            "Keys that payees' details are sealed under, name:key,name:key with keys of 64 "
                + "hexadecimal digits. The first seals, all open. Without it no payee is taken.")
        payeeKeys = text.flatMap { PayeeKeys($0.text) }
        if text != nil, payeeKeys == nil {
            reader.reject("PAYEE_KEYS", "is not name:key,… with keys of 64 hexadecimal digits")
        }
    }
}

/// Everything that `API serve` takes.
package struct APISettings: Sendable {
    package let database: DatabaseSettings
    package let passwords: PasswordSettings
    package let settlements: SettlementSettings
    package let document: DocumentSettings
    package let uploads: UploadSettings
    package let social: SocialSettings
    package let inbox: InboxSettings
    package let redisURL: String
    /// At least 32 bytes; the edge has the same.
    package let tokenSecret: Secret
    /// How long an access token counts.
    package let accessTokenMinutes: Int
    /// How long a session lives without a visit.
    package let refreshTokenDays: Int
    package let host: String
    /// 0 lets the kernel choose.
    package let port: Int
    /// Empty serves any.
    package let allowedHosts: [String]
    /// Where clients reach the API.
    package let publicURL: String
    /// What shared links begin with.
    package let edgeURL: String
    /// Nil keeps the cookie to the API's own host.
    package let cookieDomain: String?
    /// FRONTEND_URL's and those of CORS_ORIGINS.
    package let origins: Origins
    package let proxies: TrustedProxies
    package let logLevel: LogLevel

    /// Declares and reads them all; faults are the reader's to throw.
    package init(reading reader: inout SettingsReader) {
        database = DatabaseSettings(reading: &reader)
        redisURL = reader.url(
            "REDIS_URL", default: "redis://127.0.0.1:6379/0", schemes: ["redis"],
            "Redis, for what may be lost. Without it the API serves on.")
        if RedisEndpoint(url: redisURL) == nil {
            reader.reject("REDIS_URL", "is not of the form redis://host:port/0")
        }
        tokenSecret = reader.secret(
            "JWT_SECRET_KEY", minBytes: 32,
            "Signs access tokens; the edge has the same. A new one ends all access tokens.")
        accessTokenMinutes = reader.integer(
            "ACCESS_TOKEN_EXPIRE_MINUTES", default: 30, in: 1...1440, unit: "minutes",
            "How long an access token counts.")
        refreshTokenDays = reader.integer(
            "REFRESH_TOKEN_EXPIRE_DAYS", default: 7, in: 1...90, unit: "days",
            "How long a session lives without a visit.")
        passwords = PasswordSettings(reading: &reader)
        settlements = SettlementSettings(reading: &reader)
        document = DocumentSettings(reading: &reader)
        uploads = UploadSettings(reading: &reader)
        social = SocialSettings(reading: &reader)
        inbox = InboxSettings(reading: &reader)
        host = reader.text(
            "API_HOST", default: "127.0.0.1", bytesMax: 255,
            "The address to listen on; 0.0.0.0 for all of IPv4.")
        port = reader.integer(
            "API_PORT", default: 8000, in: 0...65_535, "The port; 0 lets the kernel choose.")
        publicURL = reader.url(
            "PUBLIC_API_URL", default: "http://127.0.0.1:8000", schemes: ["https", "http"],
            "Where clients reach the API. With https the cookie is Secure and HSTS is on.")
        allowedHosts = reader.list(
            "API_ALLOWED_HOSTS", itemsMax: 64,
            "Host names served, without ports; empty serves any. Set it where the world calls.")
        edgeURL = reader.url(
            "PUBLIC_EDGE_URL", default: "http://127.0.0.1:8080", schemes: ["https", "http"],
            "Where the edge serves /go/ links; what is shared begins with it.")
        let frontend = reader.url(
            "FRONTEND_URL", default: "http://127.0.0.1:8000", schemes: ["https", "http"],
            "The shop front; pages of its origin may call with the cookie.")
        cookieDomain = reader.optionalText(
            "COOKIE_DOMAIN", bytesMax: 253,
            "The domain that API and edge share, where they are hosts of their own under it.")
        origins = APISettings.origins(frontend: frontend, &reader)
        let proxyText = reader.text(
            "TRUSTED_PROXIES", default: "",
            "Networks whose X-Forwarded-For is believed, such as 10.0.0.0/8; empty for none.")
        proxies = TrustedProxies(proxyText) ?? .none
        if TrustedProxies(proxyText) == nil {
            reader.reject("TRUSTED_PROXIES", "holds something that is no network")
        }
        logLevel = reader.choice("LOG_LEVEL", default: .info, "The least that is logged.")
    }

    private static func origins(frontend: String, _ reader: inout SettingsReader) -> Origins {
        let listed = reader.list(
            "CORS_ORIGINS", itemsMax: 64,
            "Origins besides FRONTEND_URL's whose pages may call, such as https://gonggu-moa.com; "
                + "* lets any read what needs no cookie.")
        guard let own = origin(of: frontend).flatMap({ Origins($0) }) else {
            reader.reject("FRONTEND_URL", "is no URL of a web page")
            return .none
        }
        guard !listed.isEmpty else { return own }
        let all = (listed + [origin(of: frontend) ?? ""]).joined(separator: ",")
        guard let origins = Origins(all) else {
            reader.reject("CORS_ORIGINS", "holds something that is no origin")
            return own
        }
        return origins
    }

    /// Scheme, host and port of a URL.
    private static func origin(of url: String) -> String? {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let authority = url[scheme.upperBound...].prefix { !"/?#".contains($0) }
        return authority.isEmpty ? nil : String(url[..<scheme.upperBound] + authority)
    }

    /// Whether clients reach the API by https.
    package var isHTTPS: Bool { publicURL.hasPrefix("https://") }

    /// What `--help` says of all settings.
    package static var help: String {
        var reader = SettingsReader(environment: [:])
        _ = APISettings(reading: &reader)
        let lines = reader.declared.map { setting in
            let fallback =
                switch setting.presence {
                case .required: "required"
                case .optional: "optional"
                case .preset(let value): "default \(value.isEmpty ? "(empty)" : value)"
                }
            return "  \(setting.name)\n      \(setting.meaning)\n      \(setting.form); \(fallback)"
        }
        return "It is configured by environment variables:\n\n" + lines.joined(separator: "\n")
    }
}

/// The levels of the log, as their names are written.
package enum LogLevel: String, CaseIterable, Sendable {
    case debug
    case info
    case warning
    case error
}
