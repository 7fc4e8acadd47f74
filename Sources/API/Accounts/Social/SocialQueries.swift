import Clicks
import Postgres

/// SQL on social_identities, and on users where an identity leads to one.
package enum SocialQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        lockPerson, selectIdentity, lockOwner, insertUser, insertIdentity, resetAccount,
    ]

    static let lockPerson = Statement(
        "social_lock_person", "select pg_advisory_xact_lock(hashtextextended($1, 19470325))")

    /// Makes sign-ins of one person take turns until the end of the transaction, so that the first
    /// one's account is there for the second.
    static func lock(
        _ profile: SocialProfile, in connection: Connection
    ) throws(PostgresError) {
        _ = try connection.query(
            lockPerson, ["\(profile.provider.rawValue) \(profile.subject)"])
    }

    static let selectIdentity = Statement(
        "social_identities_select",
        """
        select u.id, u.role
        from social_identities s
        join users u on u.id = s.user_id
        where s.provider = $1 and s.subject = $2
        """)

    /// At most one row, by the primary key.
    static func account(
        of profile: SocialProfile, in connection: Connection
    ) throws(PostgresError) -> Account? {
        let rows = try connection.query(
            selectIdentity, [profile.provider.rawValue, profile.subject])
        guard let row = rows.first else { return nil }
        return try Account(id: row.get("id"), role: row.role("role"))
    }

    static let lockOwner = Statement(
        "social_lock_owner",
        """
        select u.id, u.role, u.status, u.email_verified_at is not null as is_proven,
            exists (
                select from social_identities s where s.user_id = u.id and s.provider = $2
            ) as has_this_provider,
            exists (select from social_identities s where s.user_id = u.id) as has_any_provider
        from users u
        where lower(u.email) = lower($1)
        for no key update of u
        """)

    /// The account with that e-mail, held until the end of the transaction. At most one row, by the
    /// index on lower(email).
    static func owner(
        of email: String, provider: SocialProvider, in connection: Connection
    ) throws(PostgresError) -> SocialRules.Owner? {
        guard let row = try connection.query(lockOwner, [email, provider.rawValue]).first else {
            return nil
        }
        return try SocialRules.Owner(
            id: row.get("id"), role: row.role("role"), status: row.status("status"),
            isProven: row.get("is_proven"), hasThisProvider: row.get("has_this_provider"),
            hasAnyProvider: row.get("has_any_provider"))
    }

    static let insertUser = Statement(
        "social_insert_user",
        """
        insert into users (id, email, email_verified_at, nickname, role, status, profile_image)
        values ($1, $2, case when $2::text is not null then now() end, $3, 'buyer', 'active', $4)
        on conflict (lower(email)) do nothing
        returning id
        """)

    /// Nil where somebody has taken the e-mail in this moment.
    static func insert(
        _ newcomer: SocialRules.Newcomer, in connection: Connection
    ) throws(PostgresError) -> Identifier? {
        let rows = try connection.query(
            insertUser,
            [Identifier.new(), newcomer.email, newcomer.nickname, newcomer.imageURL])
        return try rows.first?.get("id")
    }

    static let insertIdentity = Statement(
        "social_identities_insert",
        """
        insert into social_identities (user_id, provider, subject)
        values ($1, $2, $3)
        on conflict do nothing
        returning user_id
        """)

    /// False where the account has got another identity at the provider in this moment.
    static func link(
        _ profile: SocialProfile, to user: Identifier, in connection: Connection
    ) throws(PostgresError) -> Bool {
        let rows = try connection.query(
            insertIdentity, [user, profile.provider.rawValue, profile.subject])
        return !rows.isEmpty
    }

    static let resetAccount = Statement(
        "social_reset_account",
        """
        update users
        set password_hash = null, email_verified_at = now(), tokens_valid_after = now()
        where id = $1
        """)

    /// Takes from an account all that let anybody in so far, and notes its e-mail as proven.
    static func reset(
        _ user: Identifier, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(resetAccount, [user])
        try RefreshTokenQueries.revokeAll(of: user, in: connection)
    }
}
