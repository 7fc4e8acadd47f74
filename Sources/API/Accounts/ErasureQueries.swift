import Clicks
import Postgres

/// SQL of the erasure.
package enum ErasureQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        due, lockDue, eraseTokens, eraseIdentities, eraseInbox, eraseKeptAnswers,
        eraseVerifications, eraseProfile, eraseGonggus, eraseUser, removePayees, countPayees,
        redactSettlements,
    ]

    /// What an erased account is called where a name has to be.
    static let nickname = "탈퇴한 회원"

    static let due = Statement(
        "erasure_due",
        """
        select id, erase_requested_at
        from users
        where erase_requested_at is not null and status <> 'erased'
            and erase_requested_at <= now() - make_interval(days => $1)
            and (erase_requested_at, id) > ($2, $3)
        order by erase_requested_at, id
        limit $4
        """)

    struct Due: Sendable {
        let id: Identifier
        let requestedAt: Timestamp
    }

    /// By the index on erase_requested_at.
    static func due(
        after last: (Timestamp, Identifier)?, limit: Int, in connection: Connection
    ) throws(PostgresError) -> [Due] {
        let (time, id) = last ?? (Timestamp(microseconds: 0), Identifier(high: 0, low: 0))
        return try connection.query(due, [AccountErasure.reservationDays, time, id, limit])
            .map { row throws(PostgresError) in
                Due(id: try row.get("id"), requestedAt: try row.get("erase_requested_at"))
            }
    }

    static let lockDue = Statement(
        "erasure_lock",
        """
        select id
        from users
        where id = $1 and status <> 'erased'
            and erase_requested_at <= now() - make_interval(days => $2)
        for update
        """)

    /// False for whoever has signed in meanwhile, or was erased by another run.
    static func lock(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Bool {
        try !connection.query(lockDue, [id, AccountErasure.reservationDays]).isEmpty
    }

    static let eraseTokens = Statement(
        "erasure_refresh_tokens", "delete from refresh_tokens where user_id = $1")

    static let eraseIdentities = Statement(
        "erasure_social_identities", "delete from social_identities where user_id = $1")

    static let eraseInbox = Statement(
        "erasure_notifications", "delete from notifications where user_id = $1")

    // Answers kept for a day, which may hold what the account wrote.
    static let eraseKeptAnswers = Statement(
        "erasure_kept_answers", "delete from kept_answers where account_id = $1")

    // That somebody was verified, when and by whom, stays; a text that has to be there is a dash.
    static let eraseVerifications = Statement(
        "erasure_verifications",
        """
        update influencer_verifications
        set message = '-', links = '{}', reason = case when reason = '' then '' else '-' end
        where user_id = $1
        """)

    static let eraseProfile = Statement(
        "erasure_influencer_profiles",
        """
        update influencer_profiles
        set bio = '', banner_image = null, instagram_url = null, tiktok_url = null,
            is_verified = false
        where user_id = $1
        """)

    // Title and target stay: they say what clicks were paid for.
    static let eraseGonggus = Statement(
        "erasure_gonggus",
        """
        update gonggus
        set description = '', thumbnail = null, hidden_at = coalesce(hidden_at, now())
        where influencer_id = $1
        """)

    static let eraseUser = Statement(
        "erasure_users",
        """
        update users
        set status = 'erased', erased_at = now(), email = null, password_hash = null,
            nickname = '\(nickname)', social_provider = null, social_id = null,
            profile_image = null, tokens_valid_after = now()
        where id = $1
        """)

    static let removePayees = Statement(
        "erasure_payees",
        """
        delete from payees
        where user_id in (
            select p.user_id
            from payees p
            join users u on u.id = p.user_id
            where u.status = 'erased'
                and (
                    u.erased_at < now() - make_interval(years => $1)
                    or not is_owed_money(
                        u.id,
                        date_trunc('month', u.erase_requested_at at time zone 'Asia/Seoul')::date)
                )
            order by u.erased_at
            limit $2
        )
        """)

    /// Lets go of details that no payment needs; a payment that was made has kept its own. Looks
    /// at the payees among the erased, who are found by the index on status.
    static func removePayees(
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.execute(removePayees, [AccountErasure.booksYears, limit])
    }

    static let countPayees = Statement(
        "erasure_payees_count",
        """
        select count(*)
        from payees p
        join users u on u.id = p.user_id
        where u.status = 'erased'
        """)

    static func countPayees(in connection: Connection) throws(PostgresError) -> Int {
        try connection.query(countPayees)[0].get(0)
    }

    static let redactSettlements = Statement(
        "erasure_settlements",
        """
        update settlements
        set nickname = ''
        where id in (
            select s.id
            from users u
            join settlements s on s.influencer_id = u.id
            where u.status = 'erased' and u.erased_at < now() - make_interval(years => $1)
                and s.nickname <> '' and s.month < now() - make_interval(years => $1)
            limit $2
        )
        """)

    /// Of books that the law no longer wants; the nickname is in no month's hash.
    static func redactSettlements(
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> Int {
        try connection.execute(redactSettlements, [AccountErasure.booksYears, limit])
    }
}
