import Clicks
import Postgres

/// SQL on influencer_profiles and those they are of. Whose account may not act is in no answer.
package enum InfluencerQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [select, counts, update, count]
        + InfluencerSort.allCases.flatMap { [list($0, .ascending), list($0, .descending)] }

    /// Everything an ``Influencer`` needs, from a row `p` of profiles and its user `u`.
    static let columns = """
        u.id as influencer_id, u.nickname, u.profile_image, p.bio, p.banner_image,
        p.instagram_url, p.tiktok_url, p.subscriber_count, p.is_verified,
        p.created_at as profile_created_at
        """

    static let select = Statement(
        "influencers_select",
        """
        select \(columns)
        from influencer_profiles p
        join users u on u.id = p.user_id
        where p.user_id = $1 and u.status = 'active' and u.erase_requested_at is null
        """)

    static let counts = Statement(
        "influencers_gonggu_counts",
        """
        select
            count(*) filter (where now() < open_at) as scheduled,
            count(*) filter (where now() >= open_at and now() < close_at) as active,
            count(*) filter (where now() >= close_at) as closed
        from gonggus
        where influencer_id = $1 and hidden_at is null and suspended_at is null
        """)

    /// At most one, by the key on the profile's user, with what gonggus_influencer_id_idx finds.
    static func profile(
        of id: Identifier, in connection: Connection
    ) throws(PostgresError) -> InfluencerProfile? {
        guard let row = try connection.query(select, [id]).first else { return nil }
        let counted = try connection.query(counts, [id])[0]
        return try InfluencerProfile(
            influencer: Influencer(row),
            gonggus: GongguCounts(
                scheduled: counted.get("scheduled"), active: counted.get("active"),
                closed: counted.get("closed")))
    }

    static let update = Statement(
        "influencers_update",
        """
        update influencer_profiles
        set bio = $2, banner_image = $3, instagram_url = $4, tiktok_url = $5
        where user_id = $1
        """)

    /// False where the account has no profile.
    static func update(
        _ id: Identifier, _ content: InfluencerContent, in connection: Connection
    ) throws(PostgresError) -> Bool {
        try connection.execute(
            update,
            [id, content.bio, content.bannerImage, content.instagramURL, content.tiktokURL]) == 1
    }

    // MARK: Lists

    /// All profiles by an index alone, less the few whose account is suspended or leaves. In an
    /// order that has an index, and up to a limit nobody reaches, since the planner would else read
    /// the table.
    static let count = Statement(
        "influencers_count",
        """
        select
            (
                select count(*)
                from (
                    select from influencer_profiles
                    where is_verified = $1
                    order by created_at
                    limit 1000000000
                ) as walked
            )
            - (
                select count(*)
                from users u
                join influencer_profiles p on p.user_id = u.id
                where p.is_verified = $1 and (
                    u.status <> 'active'
                    or u.status = 'active' and u.erase_requested_at is not null
                )
            ) as total
        """)

    /// The page is cut from the index that sorts so, past the few whose account may not act; only
    /// what is on it is looked at, behind a fence (`offset 0`): the planner takes a parameter for a
    /// limit to be a tenth of the table, and would join that.
    private static func list(
        _ name: StaticString, _ column: StaticString, _ order: StaticString
    ) -> Statement {
        Statement(
            name,
            """
            with page as materialized (
                select p.user_id, p.\(column)
                from influencer_profiles p
                where p.is_verified = $1
                    and not exists (
                        select 1 from users u where u.id = p.user_id and u.status <> 'active'
                    )
                    and not exists (
                        select 1 from users u
                        where u.id = p.user_id and u.status = 'active'
                            and u.erase_requested_at is not null
                    )
                order by p.\(column) \(order), p.user_id \(order)
                limit $2 offset $3
            )
            select shown.influencer_id, shown.nickname, shown.profile_image, shown.bio,
                shown.banner_image, shown.instagram_url, shown.tiktok_url, shown.subscriber_count,
                shown.is_verified, shown.profile_created_at
            from page
            cross join lateral (
                select \(columns)
                from influencer_profiles p
                join users u on u.id = p.user_id
                where p.user_id = page.user_id
                offset 0
            ) shown
            order by page.\(column) \(order), page.user_id \(order)
            """)
    }

    private static let bySubscribers = list(
        "influencers_list_subscriber_count", "subscriber_count", "asc")
    private static let bySubscribersDescending = list(
        "influencers_list_subscriber_count_desc", "subscriber_count", "desc")
    private static let byAge = list("influencers_list_created_at", "created_at", "asc")
    private static let byAgeDescending = list(
        "influencers_list_created_at_desc", "created_at", "desc")

    private static func list(_ sort: InfluencerSort, _ order: Order) -> Statement {
        switch (sort, order) {
        case (.subscriberCount, .ascending): bySubscribers
        case (.subscriberCount, .descending): bySubscribersDescending
        case (.createdAt, .ascending): byAge
        case (.createdAt, .descending): byAgeDescending
        }
    }

    /// One page of those who are verified, or of those who are not, and how many there are in all.
    static func page(
        verified: Bool, _ request: PageRequest<InfluencerSort>, in connection: Connection
    ) throws(PostgresError) -> (items: [Influencer], total: Int) {
        let rows = try connection.query(
            list(request.sort, request.order), [verified, request.size, request.offset])
        let total: Int = try connection.query(count, [verified])[0].get("total")
        return (try rows.map { row throws(PostgresError) in try Influencer(row) }, total)
    }
}

extension Influencer {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("influencer_id")
        nickname = try row.get("nickname")
        profileImage = try row.get("profile_image")
        bio = try row.get("bio")
        bannerImage = try row.get("banner_image")
        instagramURL = try row.get("instagram_url")
        tiktokURL = try row.get("tiktok_url")
        subscriberCount = try row.get("subscriber_count")
        isVerified = try row.get("is_verified")
        createdAt = try row.get("profile_created_at")
    }
}
