import Clicks
import Postgres

/// SQL on reviews and on what they sum up to.
package enum ReviewQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [insert, lock, update, delete, erase, summary]
        + ReviewSort.allCases.flatMap { [list($0, .ascending), list($0, .descending)] }

    private static let own = """
        id, gonggu_id, user_id, rating, content, images, created_at, updated_at
        """
    private static let columns = """
        r.id, r.gonggu_id, r.user_id, r.rating, r.content, r.images, r.created_at, r.updated_at
        """

    // MARK: One

    static let insert = Statement(
        "reviews_insert",
        """
        with subject as (
            select id, influencer_id = $3 as is_own
            from gonggus
            where id = $2 and hidden_at is null
        ),
        made as (
            insert into reviews (id, gonggu_id, user_id, rating, content, images)
            select $1, subject.id, $3, $4, $5, $6
            from subject
            where not subject.is_own
            on conflict on constraint reviews_gonggu_id_user_id_key do nothing
            returning \(own)
        )
        select subject.is_own, r.id is not null as is_made, u.nickname, \(columns)
        from subject
        left join made r on true
        left join users u on u.id = r.user_id
        """)

    /// Writes a review; the constraint on gonggu and author decides between two at once. In one
    /// statement outside of a transaction, as the gonggu's totals are locked from there to the
    /// commit.
    static func insert(
        _ content: ReviewContent, of gonggu: Identifier, by author: Identifier,
        in connection: Connection
    ) throws -> Review {
        let rows = try connection.query(
            insert,
            [
                Identifier.new(), gonggu, author, content.rating, content.content,
                content.images,
            ])
        guard let row = rows.first else { throw ReviewRefusal.gongguNotFound }
        guard try !row.get("is_own", as: Bool.self) else { throw ReviewRefusal.ownGonggu }
        guard try row.get("is_made", as: Bool.self) else { throw ReviewRefusal.exists }
        return try Review(row)
    }

    static let lock = Statement(
        "reviews_lock",
        """
        select r.user_id
        from reviews r
        join gonggus g on g.id = r.gonggu_id
        where r.id = $1 and g.hidden_at is null
        for no key update of r
        """)

    /// The author, with the row held until the transaction ends.
    static func lockAuthor(
        of id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Identifier? {
        try connection.query(lock, [id]).first.map { row throws(PostgresError) in
            try row.get("user_id")
        }
    }

    static let update = Statement(
        "reviews_update",
        """
        with changed as (
            update reviews
            set rating = $2, content = $3, images = $4
            where id = $1
            returning \(own)
        )
        select u.nickname, \(columns)
        from changed r
        join users u on u.id = r.user_id
        """)

    /// At most one row, by the primary key.
    static func update(
        _ id: Identifier, _ content: ReviewContent, in connection: Connection
    ) throws(PostgresError) -> Review? {
        try connection.query(update, [id, content.rating, content.content, content.images])
            .first.map { row throws(PostgresError) in try Review(row) }
    }

    static let delete = Statement("reviews_delete", "delete from reviews where id = $1")

    static func delete(_ id: Identifier, in connection: Connection) throws(PostgresError) {
        try connection.execute(delete, [id])
    }

    /// For an account that is erased, $1: its words and pictures go.
    package static let erase = Statement("reviews_erase", "delete from reviews where user_id = $1")

    // MARK: The list

    static let summary = Statement(
        "reviews_summary",
        """
        select \(totals)
        from gonggus g
        left join gonggu_review_totals rt on rt.gonggu_id = g.id
        where g.id = $1 and g.hidden_at is null
        """)

    /// What a ``ReviewSummary`` needs, from a row `rt` of gonggu_review_totals or from none.
    static let totals = """
        coalesce(rt.review_count, 0) as review_count,
        round(rt.rating_sum::numeric / nullif(rt.review_count, 0), 2)::float8 as rating_average
        """

    /// Nil for a gonggu that is not there. At most one row, by the primary keys.
    static func summary(
        of gonggu: Identifier, in connection: Connection
    ) throws(PostgresError) -> ReviewSummary? {
        try connection.query(summary, [gonggu]).first.map { row throws(PostgresError) in
            try ReviewSummary(row)
        }
    }

    private static let lists: [ReviewSort: (ascending: Statement, descending: Statement)] = [
        .createdAt: (
            list("reviews_list_created_at", "created_at", "asc"),
            list("reviews_list_created_at_desc", "created_at", "desc")
        ),
        // Ids sort by time, so of equal ratings the newest is first or last.
        .rating: (
            list("reviews_list_rating", "rating", "asc"),
            list("reviews_list_rating_desc", "rating", "desc")
        ),
    ]

    /// The page is cut before anything is joined to it.
    private static func list(
        _ name: StaticString, _ column: StaticString, _ order: StaticString
    ) -> Statement {
        Statement(
            name,
            """
            with r as (
                select \(own)
                from reviews
                where gonggu_id = $1
                order by \(column) \(order), id \(order)
                limit $2 offset $3
            )
            select u.nickname, \(columns)
            from r
            join users u on u.id = r.user_id
            order by r.\(column) \(order), r.id \(order)
            """)
    }

    private static func list(_ sort: ReviewSort, _ order: Order) -> Statement {
        guard let statements = lists[sort] else {
            preconditionFailure("each way to sort has its statements")
        }
        return order == .ascending ? statements.ascending : statements.descending
    }

    /// One page, by the index on gonggu and what is sorted by.
    static func page(
        of gonggu: Identifier, _ wish: PageRequest<ReviewSort>, in connection: Connection
    ) throws(PostgresError) -> [Review] {
        try connection.query(list(wish.sort, wish.order), [gonggu, wish.size, wish.offset])
            .map { row throws(PostgresError) in try Review(row) }
    }
}

extension ReviewSummary {
    init(_ row: Row) throws(PostgresError) {
        count = try row.get("review_count")
        ratingAverage = try row.get("rating_average")
    }
}

extension Review {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        gongguID = try row.get("gonggu_id")
        userID = try row.get("user_id")
        userNickname = try row.get("nickname")
        rating = try row.get("rating")
        content = try row.get("content")
        images = try row.get("images")
        createdAt = try row.get("created_at")
        updatedAt = try row.get("updated_at")
    }
}
