import Clicks
import Postgres

// SQL on gonggus. The status is a comparison with the database's clock in each statement that needs
// it; hidden rows (deleted by their owner) are in none of the answers. The parts that statements
// share are constants of this file, so each statement is still one constant text. Lists have a file
// of their own: GongguListQueries.

/// SQL on gonggus and their categories.
package enum GongguQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [
            select, selectAll, lock, insert, update, deleteCategories, insertCategories, hide,
        ] + GongguLists.statements

    // MARK: What is answered

    static let statusCase = """
        case
            when now() < g.open_at then 'scheduled'
            when now() < g.close_at then 'active'
            else 'closed'
        end
        """

    /// Everything a ``Gonggu`` needs, from a row `g` of gonggus; in the order that it reads them.
    static let columns = """
        g.id, g.influencer_id, u.nickname, g.short_code, g.title, g.description, g.original_price,
        g.gonggu_price, g.discount_rate::float8, \(statusCase), g.open_at, g.close_at,
        g.external_url, g.thumbnail, coalesce(t.clicks, 0) + coalesce(n.clicks, 0),
        g.suspended_at is not null, coalesce(k.ids, '{}'), coalesce(k.names, '{}'), g.created_at,
        g.updated_at, \(ReviewQueries.totals)
        """

    /// Where ``columns`` come from. The count is of what is folded and of the deltas that are not
    /// yet: those are some seconds' and read once, however many gonggus are asked for.
    static let joins = """
        join users u on u.id = g.influencer_id
        left join gonggu_click_totals t on t.gonggu_id = g.id
        left join (
            select d.gonggu_id, sum(d.clicks)::bigint as clicks
            from click_stats_unfolded d
            where d.verdict = 0
            group by d.gonggu_id
        ) n on n.gonggu_id = g.id
        left join gonggu_review_totals rt on rt.gonggu_id = g.id
        left join lateral (
            select array_agg(c.id order by c.sort_order, c.name) as ids,
                array_agg(c.name order by c.sort_order, c.name) as names
            from gonggu_categories gc
            join categories c on c.id = gc.category_id
            where gc.gonggu_id = g.id
        ) k on true
        """

    // MARK: One

    static let select = Statement(
        "gonggus_select",
        """
        select \(columns)
        from gonggus g
        \(joins)
        where g.id = $1 and g.hidden_at is null
        """)

    /// At most one row, by the primary key.
    static func gonggu(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Gonggu? {
        try connection.query(select, [id]).first.map { row throws(PostgresError) in
            try Gonggu(row)
        }
    }

    static let selectAll = Statement(
        "gonggus_select_all",
        """
        select \(columns)
        from (
            select id
            from unnest($1::uuid[]) as id
            limit \(GongguLists.sizeMax)
        ) wanted
        join gonggus g on g.id = wanted.id and g.hidden_at is null
        \(joins)
        """)

    /// Those of at most ``GongguLists/sizeMax`` that are not hidden, in no order; by the primary
    /// key.
    static func gonggus(
        _ ids: [Identifier], in connection: Connection
    ) throws(PostgresError) -> [Gonggu] {
        try connection.query(selectAll, [ids]).map { row throws(PostgresError) in
            try Gonggu(row)
        }
    }

    static let lock = Statement(
        "gonggus_lock",
        """
        select influencer_id
        from gonggus
        where id = $1 and hidden_at is null
        for no key update
        """)

    /// The owner, with the row held until the transaction ends.
    static func lockOwner(
        of id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Identifier? {
        try connection.query(lock, [id]).first.map { row throws(PostgresError) in
            try row.get("influencer_id")
        }
    }

    // MARK: Changes

    static let insert = Statement(
        "gonggus_insert",
        """
        with owner as (
            select user_id
            from influencer_profiles
            where user_id = $2 and is_verified
        ),
        made as (
            insert into gonggus (
                id, influencer_id, title, description, original_price, gonggu_price, open_at,
                close_at, external_url, thumbnail
            )
            select $1, user_id, $3, $4, $5, $6, $7, $8, $9, $10
            from owner
            on conflict on constraint gonggus_short_code_key do nothing
            returning id
        )
        select exists (select 1 from owner) as is_verified, exists (select 1 from made) as is_made
        """)

    /// Draws of a short code before giving up; a second one is needed once in a million inserts.
    private static let codeDrawsMax = 5

    /// Writes a gonggu of an influencer, who must be verified, under a code the database draws.
    static func insert(
        _ content: GongguContent, id: Identifier, owner: Identifier, in connection: Connection
    ) throws {
        for _ in 0..<codeDrawsMax {
            let row = try connection.query(
                insert,
                [
                    id, owner, content.title, content.description, content.originalPrice,
                    content.gongguPrice, content.openAt, content.closeAt,
                    content.externalURL.text, content.thumbnail,
                ])[0]
            guard try row.get("is_verified", as: Bool.self) else {
                throw GongguRefusal.notVerified
            }
            if try row.get("is_made", as: Bool.self) { return }
        }
        preconditionFailure("five codes in a row are taken only if make_short_code is broken")
    }

    static let update = Statement(
        "gonggus_update",
        """
        update gonggus
        set title = $2, description = $3, original_price = $4, gonggu_price = $5, open_at = $6,
            close_at = $7, external_url = $8, thumbnail = $9
        where id = $1 and hidden_at is null
        """)

    static func update(
        _ id: Identifier, _ content: GongguContent, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(
            update,
            [
                id, content.title, content.description, content.originalPrice,
                content.gongguPrice, content.openAt, content.closeAt, content.externalURL.text,
                content.thumbnail,
            ])
    }

    static let deleteCategories = Statement(
        "gonggu_categories_delete",
        "delete from gonggu_categories where gonggu_id = $1 and category_id <> all ($2)")

    static let insertCategories = Statement(
        "gonggu_categories_insert",
        """
        insert into gonggu_categories (gonggu_id, category_id)
        select $1, unnest($2::uuid[])
        on conflict do nothing
        """)

    /// Makes these the categories of the gonggu. The foreign key decides which categories exist.
    static func setCategories(
        _ categories: [Identifier], of id: Identifier, in connection: Connection
    ) throws {
        try connection.execute(deleteCategories, [id, categories])
        do throws(PostgresError) {
            try connection.execute(insertCategories, [id, categories])
        } catch  where error.violates("gonggu_categories_category_id_fkey") {
            throw GongguRefusal.fieldsInvalid([.categoryUnknown])
        }
    }

    static let hide = Statement(
        "gonggus_hide",
        "update gonggus set hidden_at = now() where id = $1 and hidden_at is null")

    /// Takes a gonggu out of sight; its clicks stay.
    static func hide(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(hide, [id])
    }
}

extension Gonggu {
    /// From ``GongguQueries/columns``, by their places: a list has hundreds of values to find.
    init(_ row: Row) throws(PostgresError) {
        id = try row.get(0)
        influencerID = try row.get(1)
        influencerNickname = try row.get(2)
        shortCode = try row.get(3)
        title = try row.get(4)
        description = try row.get(5)
        originalPrice = try row.get(6)
        gongguPrice = try row.get(7)
        discountRate = try row.get(8)
        status = try row.oneOf(9)
        openAt = try row.get(10)
        closeAt = try row.get(11)
        externalURL = try row.get(12)
        thumbnail = try row.get(13)
        clickCount = try row.get(14)
        reviews = try ReviewSummary(row)
        isSuspended = try row.get(15)
        let ids: [Identifier] = try row.get(16)
        let names: [String] = try row.get(17)
        categories = zip(ids, names).map { CategoryLabel(id: $0, name: $1) }
        createdAt = try row.get(18)
        updatedAt = try row.get(19)
    }
}
