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
        deleteExpired, keepAccount, insertToken, lockOwner, useUp, revokeReused, revokeFamily,
        revokeAll,
    ]

    static let deleteExpired = Statement(
        "refresh_tokens_delete_expired",
        "delete from refresh_tokens where user_id = $1 and expires_at < now()")

    static let keepAccount = Statement(
        "refresh_tokens_keep_account",
        """
        with leaving as (
            select id, erase_requested_at
            from users
            where id = $1 and erase_requested_at is not null and status = 'active'
            for no key update
        ),
        shown as (
            -- What leaving had hidden; what its owner had deleted before stays deleted.
            update gonggus g
            set hidden_at = null
            from leaving
            where g.influencer_id = leaving.id and g.hidden_at = leaving.erase_requested_at
        )
        update users u
        set erase_requested_at = null
        from leaving
        where u.id = leaving.id
        """)

    static let insertToken = Statement(
        "refresh_tokens_insert",
        """
        with owner as (
            select id, tokens_valid_after
            from users
            where id = $3 and status = 'active'
            for no key update
        ),
        made as (
            insert into refresh_tokens (id, family_id, user_id, token_hash, issued_at, expires_at)
            select $1, $2, id, $4, now(), now() + make_interval(secs => $5)
            from owner
        )
        -- A token's time is in whole seconds: the rest of the second in which older tokens were
        -- ended is theirs.
        select greatest(
            now(), date_trunc('second', tokens_valid_after) + interval '1 second') as issued_at
        from owner
        """)

    /// Begins a family, or goes on with one; drops what has expired, which bounds the table by the
    /// sign-ins of a token's lifetime. Whoever signs in stays: a request to be erased is taken
    /// back. Nil where the account may not act any more.
    ///
    /// - Returns: the time that the access token beside it is of.
    static func insert(
        _ token: RefreshToken, family: Identifier, user: Identifier, lifetimeSeconds: Int,
        in connection: Connection
    ) throws(PostgresError) -> Timestamp? {
        try connection.execute(deleteExpired, [user])
        try connection.execute(keepAccount, [user])
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

    static let revokeAll = Statement(
        "refresh_tokens_revoke_all",
        "update refresh_tokens set revoked_at = now() where user_id = $1 and revoked_at is null")

    /// Ends every session of an account whose row is held. Its access tokens are ended by
    /// `users.tokens_valid_after`.
    static func revokeAll(of user: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(revokeAll, [user])
    }
}
