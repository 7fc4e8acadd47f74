import Clicks
import Postgres

// A family is what grows from one sign-in: each refresh uses up one token and adds the next.
// Whoever presents a used token, the honest client or a thief, ends the family for both.
//
// All changes to a user's tokens hold that user's row, so a rotation and a revocation of one family
// cannot pass each other and leave a token alive that nobody revoked.

/// SQL on refresh_tokens.
package enum RefreshTokenQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        deleteExpired, insertToken, lockOwner, useUp, revokeReused, revokeFamily,
    ]

    static let deleteExpired = Statement(
        "refresh_tokens_delete_expired",
        "delete from refresh_tokens where user_id = $1 and expires_at < now()")

    static let insertToken = Statement(
        "refresh_tokens_insert",
        """
        insert into refresh_tokens (id, family_id, user_id, token_hash, issued_at, expires_at)
        -- An access token tells its time in whole seconds, so in the second in which an account
        -- ended all tokens, a new one is of the next.
        select $1, $2, u.id, $4,
            greatest(now(), date_trunc('second', u.tokens_valid_after) + interval '1 second'),
            now() + make_interval(secs => $5)
        from users u
        where u.id = $3 and u.status = 'active'
        returning issued_at
        """)

    /// Begins a family, or goes on with one; drops what has expired, which bounds the table by the
    /// sign-ins of a token's lifetime. Nil where the account may not act any more.
    static func insert(
        _ token: RefreshToken, family: Identifier, user: Identifier, lifetimeSeconds: Int,
        in connection: Connection
    ) throws(PostgresError) -> Timestamp? {
        try connection.execute(deleteExpired, [user])
        let rows = try connection.query(
            insertToken,
            [Identifier.new(), family, user, token.hash, Double(lifetimeSeconds)])
        return try rows.first?.get("issued_at")
    }

    static let lockOwner = Statement(
        "refresh_tokens_lock_owner",
        """
        select id, role, status
        from users
        where id = (select user_id from refresh_tokens where token_hash = $1)
        for no key update
        """)

    static let useUp = Statement(
        "refresh_tokens_use_up",
        """
        update refresh_tokens
        set used_at = now()
        where token_hash = $1
            and used_at is null and revoked_at is null and expires_at > now()
        returning family_id
        """)

    static let revokeReused = Statement(
        "refresh_tokens_revoke_reused",
        """
        update refresh_tokens
        set revoked_at = now()
        where revoked_at is null and family_id = (
            select family_id from refresh_tokens
            where token_hash = $1 and (used_at is not null or revoked_at is not null)
        )
        """)

    /// Uses up the old token and stores the next, or says why not. In one transaction, which is to
    /// commit whatever the outcome, since a revocation must stay.
    static func rotate(
        _ old: RefreshToken, to next: RefreshToken, lifetimeSeconds: Int,
        in connection: Connection
    ) throws(PostgresError) -> Rotation {
        guard let owner = try connection.query(lockOwner, [old.hash]).first else { return .invalid }
        let user: Identifier = try owner.get("id")
        guard try owner.status("status") == .active else { return .suspended }
        guard let used = try connection.query(useUp, [old.hash]).first else {
            let revoked = try connection.execute(revokeReused, [old.hash])
            return revoked > 0 ? .reused : .invalid
        }
        let now = try insert(
            next, family: try used.get("family_id"), user: user,
            lifetimeSeconds: lifetimeSeconds, in: connection)
        guard let now else { return .suspended }
        return .rotated(user: user, role: try owner.role("role"), now: now)
    }

    static let revokeFamily = Statement(
        "refresh_tokens_revoke_family",
        """
        update refresh_tokens
        set revoked_at = now()
        where revoked_at is null
            and family_id = (select family_id from refresh_tokens where token_hash = $1)
        """)

    /// Ends the session a token belongs to; nothing where there is none.
    static func revoke(
        _ token: RefreshToken, in connection: Connection
    ) throws(PostgresError) {
        _ = try connection.query(lockOwner, [token.hash])
        try connection.execute(revokeFamily, [token.hash])
    }
}
