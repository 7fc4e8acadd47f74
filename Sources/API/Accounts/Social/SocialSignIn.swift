import Clicks
import Postgres

/// From a provider's person to an account and a session, in one transaction: the account that has
/// the identity, else the one that the verified e-mail opens, else a new one.
package struct SocialSignIn: Sendable {
    let profile: SocialProfile
    let newcomer: SocialRules.Newcomer
    let token: RefreshToken
    let lifetimeSeconds: Int

    /// An account that is signed in.
    struct Opened: Sendable {
        let account: Account
        let now: Timestamp
    }

    /// - Throws: ``SocialRefusal/suspended`` or ``SocialRefusal/emailTaken``, after which nothing
    ///   is to be kept.
    func run(in connection: Connection) throws -> Opened {
        try SocialQueries.lock(profile, in: connection)
        let account = try entered(in: connection)
        let now = try RefreshTokenQueries.insert(
            token, family: .new(), user: account.id, lifetimeSeconds: lifetimeSeconds,
            in: connection)
        guard let now else { throw SocialRefusal.suspended }
        return Opened(account: account, now: now)
    }

    private func entered(in connection: Connection) throws -> Account {
        if let known = try SocialQueries.account(of: profile, in: connection) { return known }
        // Whoever takes the e-mail between the look and the insert is found by the second look.
        for _ in 0..<2 {
            if let linked = try linked(in: connection) { return linked }
            guard let id = try SocialQueries.insert(newcomer, in: connection) else { continue }
            guard try SocialQueries.link(profile, to: id, in: connection) else {
                preconditionFailure("a new account has no identity, and this one is locked")
            }
            return Account(id: id, role: .buyer)
        }
        throw SocialRefusal.emailTaken
    }

    /// The account with the verified e-mail, with the identity added; nil where there is none.
    private func linked(in connection: Connection) throws -> Account? {
        guard let email = newcomer.email,
            let owner = try SocialQueries.owner(
                of: email, provider: profile.provider, in: connection)
        else { return nil }
        guard owner.status == .active else { throw SocialRefusal.suspended }
        let decision = SocialRules.decision(owner)
        guard decision != .refuse,
            try SocialQueries.link(profile, to: owner.id, in: connection)
        else { throw SocialRefusal.emailTaken }
        if decision == .linkAndReset { try SocialQueries.reset(owner.id, in: connection) }
        return Account(id: owner.id, role: owner.role)
    }
}
