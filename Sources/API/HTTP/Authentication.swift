import Clicks
import HTTPTypes
import Hummingbird

// Who is asking. How a token is verified is the accounts' affair and comes in as a value; where a
// token is looked for, and what a route's declaration demands of its bearer, is decided here once.

/// What an account may do. Raw values are the column's.
package enum Role: String, CaseIterable, Sendable {
    case buyer
    case influencer
    case finance
    case admin

    /// Whether this role may do what is open to the other: an admin everything, an influencer what
    /// a buyer may.
    package func covers(_ other: Role) -> Bool {
        self == other || self == .admin || self == .influencer && other == .buyer
    }
}

/// The account that an access token names.
package struct Account: Hashable, Sendable {
    package let id: Identifier
    package let role: Role

    package init(id: Identifier, role: Role) {
        self.id = id
        self.role = role
    }
}

/// How an access token becomes an account.
package struct AccessTokens: Sendable {
    /// Nil for a token that is forged, expired or of an account that may no longer act. What it
    /// throws is a fault of ours or of the world, and is answered with a 500.
    package let verify: @Sendable (String) async throws -> Account?

    package init(verify: @escaping @Sendable (String) async throws -> Account?) {
        self.verify = verify
    }
}

/// Whom a route is open to.
package enum Access: Hashable, Sendable {
    /// Anyone; a token is looked at only if the handler asks for ``Call/caller()``.
    case everyone
    /// Any account.
    case signedIn
    /// Accounts with one of these roles, or with a role that covers one.
    case roles(Set<Role>)

    /// One of these roles, or one that covers it.
    package static func role(_ roles: Role...) -> Access { .roles(Set(roles)) }

    func allows(_ role: Role) -> Bool {
        switch self {
        case .everyone, .signedIn: true
        case .roles(let roles): roles.contains { role.covers($0) }
        }
    }
}

/// A token as it came with a request.
struct PresentedToken: Sendable {
    let text: String
    /// Sent by the browser on its own, so an unsafe request needs an origin we know.
    let isCookie: Bool

    /// The cookie that login sets, which the edge reads as well.
    static let cookieName = "access_token"
    /// Longer ones are not verified: a token of ours has some 300 bytes.
    static let bytesMax = 4096

    /// `Authorization: Bearer` before the cookie; nil if there is neither.
    init?(_ request: Request) {
        if let header = request.headers[.authorization] {
            let parts = header.split(separator: " ", maxSplits: 1)
            guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
            self.init(String(parts[1]).trimmed, isCookie: false)
            return
        }
        guard let cookie = request.cookies[PresentedToken.cookieName]?.value, !cookie.isEmpty else {
            return nil
        }
        self.init(cookie, isCookie: true)
    }

    private init(_ text: String, isCookie: Bool) {
        self.text = text
        self.isCookie = isCookie
    }
}

extension AccessTokens {
    /// The account that may use the route, or the refusal. One place decides it for all routes.
    func admit(_ request: Request, to access: Access, origins: Origins) async throws -> Account? {
        guard access != .everyone else { return nil }
        guard let account = try await account(of: request, origins: origins) else {
            throw Problem(.notSignedIn, headers: [.wwwAuthenticate: "Bearer"])
        }
        guard access.allows(account.role) else { throw Problem(.roleMissing) }
        return account
    }

    /// The account of a request; nil without a token, a refusal for one that is not valid.
    func account(of request: Request, origins: Origins) async throws -> Account? {
        guard let token = PresentedToken(request) else { return nil }
        if token.isCookie, !origins.allowsUnsafe(request) { throw Problem(.originRefused) }
        guard token.text.utf8.count <= PresentedToken.bytesMax,
            let account = try await verify(token.text)
        else {
            throw Problem(
                .tokenInvalid, headers: [.wwwAuthenticate: "Bearer error=\"invalid_token\""])
        }
        return account
    }
}
