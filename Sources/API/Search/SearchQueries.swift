import Clicks
import Postgres

/// SQL on what can be found.
package enum SearchQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        forget, putGonggu, putInfluencer, lockInfluencer, take, find, count, influencers,
    ]

    // MARK: Entering

    /// Before the entry is written, and a statement of its own: whoever indexes the same change at
    /// the same time is waited for here, not with the entry half written.
    static let forget = Statement(
        "search_pending_forget", "delete from search_pending where kind = $1 and id = $2")

    private static let onConflict = """
        on conflict on constraint search_entries_pkey do update
        set created_at = excluded.created_at, title = excluded.title, body = excluded.body,
            grams = excluded.grams
        """

    static let putGonggu = Statement(
        "search_put_gonggu",
        """
        insert into search_entries (kind, id, created_at, title, body, grams)
        select 1, g.id, g.created_at, $2, $3, $4
        from gonggus g
        where g.id = $1 and g.hidden_at is null and g.suspended_at is null
        \(onConflict)
        """)

    static let putInfluencer = Statement(
        "search_put_influencer",
        """
        insert into search_entries (kind, id, created_at, title, body, grams)
        select 2, u.id, p.created_at, $2, $3, $4
        from users u
        join influencer_profiles p on p.user_id = u.id
        where u.id = $1 and u.role = 'influencer' and u.status = 'active'
            and u.erase_requested_at is null
        \(onConflict)
        """)

    static func put(
        _ kind: SearchKind, _ id: Identifier, _ text: SearchText, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(forget, [kind.number, id])
        try connection.execute(
            kind == .gonggu ? putGonggu : putInfluencer,
            [id, text.title, text.body, text.grams + ["#\(kind.number)"]])
    }

    static let lockInfluencer = Statement(
        "search_lock_influencer",
        """
        select u.nickname, p.bio
        from users u
        join influencer_profiles p on p.user_id = u.id
        where u.id = $1 and u.role = 'influencer' and u.status = 'active'
            and u.erase_requested_at is null
        for no key update of u
        """)

    static func lockInfluencer(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> (nickname: String, bio: String)? {
        try connection.query(lockInfluencer, [id]).first.map { row throws(PostgresError) in
            (try row.get(0), try row.get(1))
        }
    }

    // MARK: What was written past the index

    /// What changed, with the words it has now; the rows are taken away. In one snapshot: a change
    /// that is committed later has a row of its own, which stays.
    static let take = Statement(
        "search_pending_take",
        """
        with taken as (
            delete from search_pending
            where number in (
                select number
                from search_pending
                order by number
                limit $1
                for update skip locked
            )
            returning kind, id
        ),
        changed as (select distinct kind, id from taken)
        select c.kind, c.id, coalesce(g.title, u.nickname) as title,
            coalesce(g.description, p.bio) as body
        from changed c
        left join gonggus g
            on c.kind = 1 and g.id = c.id and g.hidden_at is null and g.suspended_at is null
        left join users u
            on c.kind = 2 and u.id = c.id and u.role = 'influencer' and u.status = 'active'
            and u.erase_requested_at is null
        left join influencer_profiles p on p.user_id = u.id
        order by c.kind, c.id
        """)

    /// Enters up to so many changes that were noted; how many there were.
    static func enterPending(
        limit: Int, in connection: Connection
    ) throws(PostgresError) -> Int {
        let rows = try connection.query(take, [limit])
        for row in rows {
            let kind = try SearchKind(number: try row.get(0))
            let id: Identifier = try row.get(1)
            // What is gone or hidden meanwhile has no words, and no entry to write.
            guard let title: String = try row.get(2), let body: String = try row.get(3) else {
                continue
            }
            try put(kind, id, SearchText(title: title, body: body), in: connection)
        }
        return rows.count
    }

    // MARK: Finding

    /// Recency and clicks in one number that does not move with the clock: ten times the clicks
    /// weigh as much as two weeks.
    private static let score = """
        date_part('epoch', h.created_at) / 86400 + 14 * log(1 + greatest(0, case h.kind
            when 1 then (select t.clicks from gonggu_click_totals t where t.gonggu_id = h.id)
            else (select p.subscriber_count from influencer_profiles p where p.user_id = h.id)
        end)::float8)
        """

    private static func newest(_ kind: Int) -> String {
        """
        select n.kind, n.id, n.created_at, n.title
        from (
            select s.kind, s.id, s.created_at, s.title
            from search_entries s
            where s.kind = \(kind) and coalesce($5, \(kind)) = \(kind)
            order by s.created_at desc
            limit \(SearchIndex.walkMax)
        ) n
        where n.title like all ($4::text[])
        order by n.created_at desc
        limit \(SearchIndex.newestMax)
        """
    }

    /// The grams come by a subselect, so that the planner does not know them: for a frequent one it
    /// would rather read the table from its beginning.
    static let find = Statement(
        "search_find",
        """
        with hits as materialized (
            select s.kind, s.id, s.created_at, s.title
            from search_entries s
            where s.grams @> (select $1::text[])
                and (s.title || ' ' || s.body) like all ($2::text[])
            limit \(SearchIndex.countMax + 1)
        ),
        found as materialized (select count(*) as hits from hits),
        newest as materialized (
            select a.kind, a.id, a.created_at, a.title
            from (
                (\(newest(1)))
                union all
                (\(newest(2)))
            ) a
            where (select f.hits from found f) > \(SearchIndex.countMax)
        ),
        candidates as (
            select h.kind, h.id, h.created_at, h.title from hits h
            union
            select n.kind, n.id, n.created_at, n.title from newest n
        )
        select h.kind, h.id, (select f.hits from found f) as hits
        from candidates h
        order by
            case when h.title like $3 then 0 when h.title like all ($4::text[]) then 1 else 2 end,
            \(score) desc, h.kind, h.id
        limit $6 offset $7
        """)

    static let count = Statement(
        "search_count",
        """
        select count(*)
        from (
            select 1
            from search_entries s
            where s.grams @> (select $1::text[])
                and (s.title || ' ' || s.body) like all ($2::text[])
            limit \(SearchIndex.countMax + 1)
        ) hits
        """)

    static func find(
        _ query: SearchQuery, kind: SearchKind?, limit: Int, offset: Int,
        in connection: Connection
    ) throws(PostgresError) -> SearchResult {
        let grams = query.grams + (kind.map { ["#\($0.number)"] } ?? [])
        let rows = try connection.query(
            find,
            [
                grams, query.rechecks, query.prefix, query.inTitle, kind?.number, limit, offset,
            ])
        let hits = try rows.map { row throws(PostgresError) in
            SearchHit(kind: try SearchKind(number: try row.get(0)), id: try row.get(1))
        }
        var counted: Int = try rows.first?.get(2) ?? 0
        if rows.isEmpty, offset > 0 {
            // A page beyond the last has no row that could say how many there are.
            counted = try connection.query(count, [grams, query.rechecks])[0].get(0)
        }
        return SearchResult(
            hits: hits, total: min(counted, SearchIndex.countMax),
            isTotalExact: counted <= SearchIndex.countMax)
    }

    static let influencers = Statement(
        "search_influencers",
        """
        select u.id, u.nickname, u.profile_image, p.bio, p.is_verified, p.subscriber_count
        from (
            select id
            from unnest($1::uuid[]) as id
            limit 100
        ) wanted
        join users u on u.id = wanted.id
        join influencer_profiles p on p.user_id = u.id
        """)

    /// At most 100, in no order.
    static func influencers(
        _ ids: [Identifier], in connection: Connection
    ) throws(PostgresError) -> [FoundInfluencer] {
        try connection.query(influencers, [ids]).map { row throws(PostgresError) in
            FoundInfluencer(
                id: try row.get(0), nickname: try row.get(1), profileImage: try row.get(2),
                bio: try row.get(3), isVerified: try row.get(4), subscriberCount: try row.get(5))
        }
    }
}
