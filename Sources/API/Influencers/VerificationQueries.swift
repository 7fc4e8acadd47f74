import Clicks
import Postgres

/// SQL on influencer_verifications. Whoever asks and whoever decides takes the profile's row first,
/// so that neither waits for the other while it is waited for.
package enum VerificationQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        lockProfile, insert, latest, owner, decide, verify, select, listAscending, listDescending,
        count,
    ]

    private static let columns = """
        v.id, v.status, v.message, v.links, v.reason, v.requested_at, v.decided_at
        """

    // MARK: Asking

    static let lockProfile = Statement(
        "influencer_profiles_lock",
        """
        select p.is_verified,
            (
                select count(*)
                from influencer_verifications v
                where v.user_id = p.user_id
                    and v.requested_at > now() - make_interval(days => $2)
            ) as recent
        from influencer_profiles p
        where p.user_id = $1
        for no key update of p
        """)

    static let insert = Statement(
        "influencer_verifications_insert",
        """
        insert into influencer_verifications as v (id, user_id, message, links)
        values ($1, $2, $3, $4)
        returning \(columns)
        """)

    /// Takes a request, if the influencer may ask now. The unique index decides between two at
    /// once, should they ever pass the lock.
    static func insert(
        _ request: VerificationRequest, of user: Identifier, in connection: Connection
    ) throws -> Verification {
        let days = VerificationRules.windowDays
        guard let profile = try connection.query(lockProfile, [user, days]).first else {
            throw VerificationRefusal.notInfluencer
        }
        try VerificationRules.mayAsk(
            isVerified: profile.get("is_verified"),
            hasOpen: latest(of: user, in: connection)?.status == .pending,
            recent: profile.get("recent"))
        do throws(PostgresError) {
            return try Verification(
                connection.query(insert, [Identifier.new(), user, request.message, request.links])[
                    0])
        } catch  where error.violates("influencer_verifications_open_key") {
            throw VerificationRefusal.alreadyAsked
        }
    }

    static let latest = Statement(
        "influencer_verifications_latest",
        """
        select \(columns)
        from influencer_verifications v
        where v.user_id = $1
        order by v.requested_at desc
        limit 1
        """)

    /// The last request of an influencer, nil before the first.
    static func latest(
        of user: Identifier, in connection: Connection
    ) throws(PostgresError) -> Verification? {
        try connection.query(latest, [user]).first.map { row throws(PostgresError) in
            try Verification(row)
        }
    }

    // MARK: Deciding

    static let owner = Statement(
        "influencer_verifications_owner",
        "select user_id from influencer_verifications where id = $1")

    static let decide = Statement(
        "influencer_verifications_decide",
        """
        update influencer_verifications
        set status = $2, reason = $3, decided_by = $4, decided_at = now()
        where id = $1 and status = 'pending'
        """)

    static let verify = Statement(
        "influencer_verifications_verify",
        "update influencer_profiles set is_verified = true where user_id = $1")

    /// Decides a request, which happens once.
    ///
    /// - Returns: whose it is.
    static func decide(
        _ id: Identifier, _ status: VerificationStatus, reason: String, by: Identifier,
        in connection: Connection
    ) throws -> Identifier {
        guard let row = try connection.query(owner, [id]).first else {
            throw VerificationRefusal.notFound
        }
        let user: Identifier = try row.get("user_id")
        _ = try connection.query(lockProfile, [user, 0])
        guard try connection.execute(decide, [id, status.rawValue, reason, by]) == 1 else {
            throw VerificationRefusal.alreadyDecided
        }
        if status == .approved { try connection.execute(verify, [user]) }
        return user
    }

    // MARK: Cases

    private static let caseColumns = """
        \(columns), v.decided_by, u.email, \(InfluencerQueries.columns)
        """

    private static let joins = """
        join influencer_profiles p on p.user_id = v.user_id
        join users u on u.id = v.user_id
        """

    static let select = Statement(
        "influencer_verifications_select",
        """
        select \(caseColumns)
        from influencer_verifications v
        \(joins)
        where v.id = $1
        """)

    /// At most one, by the primary key.
    static func verificationCase(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> VerificationCase? {
        try connection.query(select, [id]).first.map { row throws(PostgresError) in
            try VerificationCase(row)
        }
    }

    /// The page is cut off an index; only what is on it is looked at, behind a fence (`offset 0`):
    /// the planner takes a parameter for a limit to be a tenth of the table, and would join that.
    private static func list(
        _ name: StaticString, _ order: StaticString
    ) -> Statement {
        Statement(
            name,
            """
            with page as materialized (
                select id, requested_at
                from influencer_verifications
                where status = $1
                order by requested_at \(order), id \(order)
                limit $2 offset $3
            )
            select shown.id, shown.status, shown.message, shown.links, shown.reason,
                shown.requested_at, shown.decided_at, shown.decided_by, shown.email,
                shown.influencer_id, shown.nickname, shown.profile_image, shown.bio,
                shown.banner_image, shown.instagram_url, shown.tiktok_url, shown.subscriber_count,
                shown.is_verified, shown.profile_created_at
            from page
            cross join lateral (
                select \(caseColumns)
                from influencer_verifications v
                \(joins)
                where v.id = page.id
                offset 0
            ) shown
            order by page.requested_at \(order), page.id \(order)
            """)
    }

    private static let listAscending = list("influencer_verifications_list", "asc")
    private static let listDescending = list("influencer_verifications_list_desc", "desc")

    static let count = Statement(
        "influencer_verifications_count",
        "select count(*) as total from influencer_verifications where status = $1")

    /// One page of the requests of a status, and how many there are.
    static func page(
        _ status: VerificationStatus, _ request: PageRequest<VerificationSort>,
        in connection: Connection
    ) throws(PostgresError) -> (items: [VerificationCase], total: Int) {
        let list = request.order == .ascending ? listAscending : listDescending
        let rows = try connection.query(list, [status.rawValue, request.size, request.offset])
        let total: Int = try connection.query(count, [status.rawValue])[0].get("total")
        return (try rows.map { row throws(PostgresError) in try VerificationCase(row) }, total)
    }
}

extension Verification {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        status = try row.oneOf("status")
        message = try row.get("message")
        links = try row.get("links")
        reason = try row.get("reason")
        requestedAt = try row.get("requested_at")
        decidedAt = try row.get("decided_at")
    }
}

extension VerificationCase {
    init(_ row: Row) throws(PostgresError) {
        verification = try Verification(row)
        influencer = try Influencer(row)
        email = try row.get("email")
        decidedBy = try row.get("decided_by")
    }
}
