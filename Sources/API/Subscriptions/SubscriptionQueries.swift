import Clicks
import Postgres

/// SQL on subscriptions, and on the gonggus of whom one follows.
package enum SubscriptionQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        insert, delete, erase, flush, update, select, lists.ascending, lists.descending, count,
        feeds.ascending,
        feeds.descending, feedCount,
    ]

    // MARK: One

    // An influencer's profile is locked from its count's change to the commit, and a commit waits
    // for the disk: whoever subscribes to the same influencer would wait for one turn of the disk
    // after the other. So the commit does not wait, and `flush` does before anybody is answered,
    // for all of them together. The log keeps its order: a crash between the two loses subscription
    // and count alike. Neither is for a transaction's middle.

    private static let quickCommit = "set_config('synchronous_commit', 'off', true)"

    /// Commits a record of nothing, and so returns when all that was committed before it is as
    /// durable as the server makes commits.
    static let flush = Statement(
        "subscriptions_flush", "select pg_logical_emit_message(true, 'gonggumoa', '') is null")

    static let insert = Statement(
        "subscriptions_insert",
        """
        with target as (
            select p.user_id, u.nickname, u.profile_image
            from influencer_profiles p
            join users u on u.id = p.user_id
            where p.user_id = $2 and u.role = 'influencer' and u.status = 'active'
                and u.erase_requested_at is null
        ),
        held as (
            select count(*) as subscriptions
            from (select from subscriptions where buyer_id = $1 limit $4) as counted
        ),
        known as (
            select influencer_id, notify_enabled, created_at
            from subscriptions
            where buyer_id = $1 and influencer_id = $2
        ),
        made as (
            insert into subscriptions (id, buyer_id, influencer_id)
            select $3, $1, target.user_id
            from target, held
            where held.subscriptions < $4
            on conflict on constraint subscriptions_buyer_id_influencer_id_key do nothing
            returning influencer_id, notify_enabled, created_at
        )
        select \(quickCommit),
            target.user_id as influencer_id, target.nickname, target.profile_image,
            held.subscriptions >= $4 as is_full,
            exists (select from made) as is_made,
            coalesce(made.notify_enabled, known.notify_enabled) as notify_enabled,
            coalesce(made.created_at, known.created_at) as created_at
        from target
        cross join held
        left join known on true
        left join made on true
        """)

    /// Tries before giving up; a second one is needed where another call of the same account
    /// subscribed between this statement's snapshot and its insert.
    private static let triesMax = 5

    /// Subscribes, durably when it returns.
    ///
    /// - Returns: the subscription, and whether it is new.
    static func insert(
        _ influencer: Identifier, by caller: Identifier, in connection: Connection
    ) throws -> (subscription: Subscription, isNew: Bool) {
        for _ in 0..<triesMax {
            let rows = try connection.query(
                insert, [caller, influencer, Identifier.new(), SubscriptionRules.subscriptionsMax])
            guard let row = rows.first else { throw SubscriptionRefusal.influencerNotFound }
            guard try row.get("created_at", as: Timestamp?.self) != nil else {
                guard try !row.get("is_full", as: Bool.self) else {
                    throw SubscriptionRefusal.tooMany
                }
                continue
            }
            let isNew: Bool = try row.get("is_made")
            if isNew { _ = try connection.query(flush) }
            return (try Subscription(row), isNew)
        }
        throw SubscriptionRefusal.contended
    }

    static let delete = Statement(
        "subscriptions_delete",
        """
        delete from subscriptions
        where buyer_id = $1 and influencer_id = $2
        returning \(quickCommit)
        """)

    /// Unsubscribes, durably when it returns; does nothing where there is no subscription.
    static func delete(
        _ influencer: Identifier, by caller: Identifier, in connection: Connection
    ) throws(PostgresError) {
        guard try !connection.query(delete, [caller, influencer]).isEmpty else { return }
        _ = try connection.query(flush)
    }

    /// For an account that is erased, $1: whom it follows and who follows it. It locks profiles, so
    /// it comes before whatever else of the erasure does.
    package static let erase = Statement(
        "subscriptions_erase",
        "delete from subscriptions where buyer_id = $1 or influencer_id = $1")

    static let update = Statement(
        "subscriptions_update",
        """
        update subscriptions s
        set notify_enabled = $3
        from users u
        where s.buyer_id = $1 and s.influencer_id = $2 and u.id = s.influencer_id
        returning s.influencer_id, u.nickname, u.profile_image, s.notify_enabled, s.created_at
        """)

    /// At most one row, by the unique key.
    static func update(
        _ influencer: Identifier, by caller: Identifier, _ change: SubscriptionChange,
        in connection: Connection
    ) throws(PostgresError) -> Subscription? {
        try connection.query(update, [caller, influencer, change.notifies]).first
            .map { row throws(PostgresError) in try Subscription(row) }
    }

    static let select = Statement(
        "subscriptions_select",
        """
        select s.influencer_id, u.nickname, u.profile_image, s.notify_enabled, s.created_at
        from subscriptions s
        join users u on u.id = s.influencer_id
        where s.buyer_id = $1 and s.influencer_id = $2
        """)

    /// At most one row, by the unique key.
    static func subscription(
        _ influencer: Identifier, by caller: Identifier, in connection: Connection
    ) throws(PostgresError) -> Subscription? {
        try connection.query(select, [caller, influencer]).first
            .map { row throws(PostgresError) in try Subscription(row) }
    }

    // MARK: The list

    static let count = Statement(
        "subscriptions_count", "select count(*) as total from subscriptions where buyer_id = $1")

    static let lists = (
        ascending: list("subscriptions_list", "asc"),
        descending: list("subscriptions_list_desc", "desc")
    )

    private static func list(_ name: StaticString, _ order: StaticString) -> Statement {
        Statement(
            name,
            """
            select s.influencer_id, u.nickname, u.profile_image, s.notify_enabled, s.created_at
            from subscriptions s
            join users u on u.id = s.influencer_id
            where s.buyer_id = $1
            order by s.created_at \(order), s.influencer_id \(order)
            limit $2 offset $3
            """)
    }

    /// One page by the index on subscriber and time, and how many there are in all.
    static func page(
        of caller: Identifier, _ wish: PageRequest<SubscriptionSort>, in connection: Connection
    ) throws(PostgresError) -> (items: [Subscription], total: Int) {
        let statement = wish.order == .ascending ? lists.ascending : lists.descending
        let rows = try connection.query(statement, [caller, wish.size, wish.offset])
        let total: Int = try connection.query(count, [caller])[0].get("total")
        return (try rows.map { row throws(PostgresError) in try Subscription(row) }, total)
    }

    // MARK: The feed

    /// Influencer by influencer: joined freely, a thousand of them look to the planner like a
    /// reason to read all gonggus.
    static let feedCount = Statement(
        "subscriptions_feed_count",
        """
        select coalesce(sum(own.gonggus), 0)::bigint as total
        from subscriptions s
        cross join lateral (
            select count(*) as gonggus
            from gonggus g
            where g.influencer_id = s.influencer_id
                and g.hidden_at is null and g.suspended_at is null
        ) as own
        where s.buyer_id = $1
        """)

    static let feeds = (
        ascending: list("subscriptions_feed_list", feed: "asc"),
        descending: list("subscriptions_feed_list_desc", feed: "desc")
    )

    /// Down to the end of page n, only those n × size influencers can be in it whose first gonggus
    /// come first. So one look at each influencer's end of the index finds them, and what is read
    /// besides is theirs; a walk through all gonggus by time would read most of them for who
    /// follows few, and a join would sort all gonggus of everybody followed.
    private static func list(_ name: StaticString, feed order: StaticString) -> Statement {
        let gonggus = """
            select g.created_at, g.id
            from gonggus g
            where g.influencer_id = s.influencer_id
                and g.hidden_at is null and g.suspended_at is null
            order by g.created_at \(order), g.id \(order)
            """
        return Statement(
            name,
            """
            with s as materialized (
                select s.influencer_id
                from subscriptions s
                cross join lateral (\(gonggus) limit 1) as first
                where s.buyer_id = $1
                order by first.created_at \(order), first.id \(order)
                limit $2::bigint + $3::bigint
            ),
            page as (
                select own.id
                from s
                cross join lateral (\(gonggus) limit $2::bigint + $3::bigint) as own
                order by own.created_at \(order), own.id \(order)
                limit $2 offset $3
            )
            select \(GongguQueries.columns)
            from page
            join gonggus g on g.id = page.id
            \(GongguQueries.joins)
            order by g.created_at \(order), g.id \(order)
            """)
    }

    /// One page of the gonggus of whom the caller follows, and how many there are in all, both by
    /// the index on influencer and time.
    static func feed(
        of caller: Identifier, _ wish: PageRequest<SubscriptionSort>, in connection: Connection
    ) throws(PostgresError) -> (items: [Gonggu], total: Int) {
        let statement = wish.order == .ascending ? feeds.ascending : feeds.descending
        let rows = try connection.query(statement, [caller, wish.size, wish.offset])
        let total: Int = try connection.query(feedCount, [caller])[0].get("total")
        return (try rows.map { row throws(PostgresError) in try Gonggu(row) }, total)
    }
}

extension Subscription {
    init(_ row: Row) throws(PostgresError) {
        influencerID = try row.get("influencer_id")
        influencerNickname = try row.get("nickname")
        influencerImage = try row.get("profile_image")
        notifies = try row.get("notify_enabled")
        createdAt = try row.get("created_at")
    }
}
