import Clicks
import Postgres

// SQL on gonggus. The status is a comparison with the database's clock in each statement that needs
// it; hidden rows (deleted by their owner) are in none of the answers. The parts that statements
// share are constants of this file, so each statement is still one constant text.

/// Which gonggus a list holds; nil leaves a condition out.
package struct GongguFilter: Sendable {
    package var category: Identifier?
    package var status: GongguStatus?
    package var influencer: Identifier?
    /// Only those that close within so many seconds from now.
    package var closingWithinSeconds: Int?

    package init(
        category: Identifier? = nil, status: GongguStatus? = nil, influencer: Identifier? = nil,
        closingWithinSeconds: Int? = nil
    ) {
        self.category = category
        self.status = status
        self.influencer = influencer
        self.closingWithinSeconds = closingWithinSeconds
    }

    fileprivate var parameters: [(any PostgresEncodable)?] {
        [category, status?.rawValue, influencer, closingWithinSeconds.map(Double.init)]
    }
}

/// SQL on gonggus and their categories.
package enum GongguQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [select, lock, insert, update, deleteCategories, insertCategories, hide, count]
        + GongguSort.allCases.flatMap { [list($0, .ascending), list($0, .descending)] }

    // MARK: What is answered

    private static let statusCase = """
        case
            when now() < g.open_at then 'scheduled'
            when now() < g.close_at then 'active'
            else 'closed'
        end
        """

    /// Everything a ``Gonggu`` needs, from a row `g` of gonggus. The count is of the row and of the
    /// deltas that are not folded into it yet, by the index on the deltas' gonggu.
    static let columns = """
        g.id, g.influencer_id, u.nickname as influencer_nickname, g.short_code, g.title,
        g.description, g.original_price, g.gonggu_price,
        g.discount_rate::float8 as discount_rate, \(statusCase) as status, g.open_at, g.close_at,
        g.external_url, g.thumbnail, n.click_count, \(ReviewQueries.totals),
        g.suspended_at is not null as is_suspended,
        coalesce(k.ids, '{}') as category_ids, coalesce(k.names, '{}') as category_names,
        g.created_at, g.updated_at
        """

    static let joins = """
        join users u on u.id = g.influencer_id
        join gonggu_click_counts n on n.gonggu_id = g.id
        left join gonggu_review_totals rt on rt.gonggu_id = g.id
        left join lateral (
            select array_agg(c.id order by c.sort_order, c.name) as ids,
                array_agg(c.name::text order by c.sort_order, c.name) as names
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

    // MARK: Lists

    /// Conditions of a list, from $1 to $4.
    private static let filter = """
        g.hidden_at is null and g.suspended_at is null
        and ($1::uuid is null or exists (
            select 1 from gonggu_categories gc
            where gc.gonggu_id = g.id and gc.category_id = $1
        ))
        and ($2::text is null or \(statusCase) = $2)
        and ($3::uuid is null or g.influencer_id = $3)
        and ($4::float8 is null or g.close_at <= now() + make_interval(secs => $4))
        """

    static let count = Statement(
        "gonggus_count", "select count(*) as total from gonggus g where \(filter)")

    private static let lists: [GongguSort: (ascending: Statement, descending: Statement)] = [
        .createdAt: (
            list("gonggus_list_created_at", "created_at", "asc"),
            list("gonggus_list_created_at_desc", "created_at", "desc")
        ),
        .openAt: (
            list("gonggus_list_open_at", "open_at", "asc"),
            list("gonggus_list_open_at_desc", "open_at", "desc")
        ),
        .closeAt: (
            list("gonggus_list_close_at", "close_at", "asc"),
            list("gonggus_list_close_at_desc", "close_at", "desc")
        ),
        .price: (
            list("gonggus_list_price", "gonggu_price", "asc"),
            list("gonggus_list_price_desc", "gonggu_price", "desc")
        ),
        .discountRate: (
            list("gonggus_list_discount_rate", "discount_rate", "asc"),
            list("gonggus_list_discount_rate_desc", "discount_rate", "desc")
        ),
        // By the folded count, which is some seconds behind the one that is shown.
        .clickCount: (
            list("gonggus_list_click_count", "click_count", "asc"),
            list("gonggus_list_click_count_desc", "click_count", "desc")
        ),
    ]

    /// The page is cut before anything is joined to it.
    private static func list(
        _ name: StaticString, _ column: StaticString, _ order: StaticString
    ) -> Statement {
        let key = "\(column)" == "click_count" ? "coalesce(t.clicks, 0)" : "g.\(column)"
        return Statement(
            name,
            """
            with page as (
                select g.id
                from gonggus g
                left join gonggu_click_totals t on t.gonggu_id = g.id
                where \(filter)
                order by \(key) \(order), g.id \(order)
                limit $5 offset $6
            )
            select \(columns)
            from page
            join gonggus g on g.id = page.id
            left join gonggu_click_totals t on t.gonggu_id = g.id
            \(joins)
            order by \(key) \(order), g.id \(order)
            """)
    }

    private static func list(_ sort: GongguSort, _ order: Order) -> Statement {
        guard let statements = lists[sort] else {
            preconditionFailure("each way to sort has its statements")
        }
        return order == .ascending ? statements.ascending : statements.descending
    }

    /// One page, and how many there are in all.
    static func page(
        _ filter: GongguFilter, sort: GongguSort, order: Order, limit: Int, offset: Int,
        in connection: Connection
    ) throws(PostgresError) -> (items: [Gonggu], total: Int) {
        let rows = try connection.query(
            list(sort, order), filter.parameters + [limit, offset])
        let total: Int = try connection.query(count, filter.parameters)[0].get("total")
        return (try rows.map { row throws(PostgresError) in try Gonggu(row) }, total)
    }
}

extension Gonggu {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        influencerID = try row.get("influencer_id")
        influencerNickname = try row.get("influencer_nickname")
        shortCode = try row.get("short_code")
        title = try row.get("title")
        description = try row.get("description")
        originalPrice = try row.get("original_price")
        gongguPrice = try row.get("gonggu_price")
        discountRate = try row.get("discount_rate")
        status = try row.oneOf("status")
        openAt = try row.get("open_at")
        closeAt = try row.get("close_at")
        externalURL = try row.get("external_url")
        thumbnail = try row.get("thumbnail")
        clickCount = try row.get("click_count")
        reviews = try ReviewSummary(row)
        isSuspended = try row.get("is_suspended")
        let ids: [Identifier] = try row.get("category_ids")
        let names: [String] = try row.get("category_names")
        categories = zip(ids, names).map { CategoryLabel(id: $0, name: $1) }
        createdAt = try row.get("created_at")
        updatedAt = try row.get("updated_at")
    }
}
