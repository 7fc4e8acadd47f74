import Clicks
import Postgres

/// SQL on favorites.
package enum FavoriteQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        insert, delete, erase, select, count, lists.ascending, lists.descending,
    ]

    static let insert = Statement(
        "favorites_insert",
        """
        with target as (
            select id
            from gonggus
            where id = $2 and hidden_at is null
        ),
        held as (
            select count(*) as favorites
            from (select from favorites where user_id = $1 limit $3) as counted
        ),
        made as (
            insert into favorites (user_id, gonggu_id)
            select $1, target.id
            from target, held
            where held.favorites < $3
            on conflict on constraint favorites_pkey do nothing
        )
        select held.favorites >= $3 as is_full,
            exists (select from favorites where user_id = $1 and gonggu_id = $2) as is_known
        from target, held
        """)

    /// Makes it a favourite, if it is none yet.
    static func insert(
        _ gonggu: Identifier, by caller: Identifier, in connection: Connection
    ) throws {
        let rows = try connection.query(insert, [caller, gonggu, FavoriteRules.favoritesMax])
        guard let row = rows.first else { throw FavoriteRefusal.gongguNotFound }
        let (isFull, isKnown): (Bool, Bool) = try (row.get("is_full"), row.get("is_known"))
        if isFull, !isKnown { throw FavoriteRefusal.tooMany }
    }

    static let delete = Statement(
        "favorites_delete", "delete from favorites where user_id = $1 and gonggu_id = $2")

    /// Does nothing where it is none.
    static func delete(
        _ gonggu: Identifier, by caller: Identifier, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(delete, [caller, gonggu])
    }

    /// For an account that is erased, $1.
    package static let erase = Statement(
        "favorites_erase", "delete from favorites where user_id = $1")

    static let select = Statement(
        "favorites_select",
        """
        select f.gonggu_id, f.created_at
        from favorites f
        join gonggus g on g.id = f.gonggu_id
        where f.user_id = $1 and f.gonggu_id = $2 and g.hidden_at is null
        """)

    /// At most one row, by the primary keys.
    static func mark(
        _ gonggu: Identifier, by caller: Identifier, in connection: Connection
    ) throws(PostgresError) -> FavoriteMark? {
        try connection.query(select, [caller, gonggu]).first.map { row throws(PostgresError) in
            try FavoriteMark(gongguID: row.get("gonggu_id"), createdAt: row.get("created_at"))
        }
    }

    // MARK: The list

    /// Each gonggu by its key: joined freely, two thousand of them look to the planner like a
    /// reason to read all there are.
    private static let visible = """
        from favorites f
        cross join lateral (
            select g.hidden_at, g.suspended_at
            from gonggus g
            where g.id = f.gonggu_id
            limit 1
        ) as g
        where f.user_id = $1 and g.hidden_at is null and g.suspended_at is null
        """

    static let count = Statement("favorites_count", "select count(*) as total \(visible)")

    static let lists = (
        ascending: list("favorites_list", "asc"), descending: list("favorites_list_desc", "desc")
    )

    private static func list(_ name: StaticString, _ order: StaticString) -> Statement {
        Statement(
            name,
            """
            with page as (
                select f.gonggu_id, f.created_at
                \(visible)
                order by f.created_at \(order), f.gonggu_id \(order)
                limit $2 offset $3
            )
            select \(GongguQueries.columns), page.created_at as favorited_at
            from page
            join gonggus g on g.id = page.gonggu_id
            \(GongguQueries.joins)
            order by page.created_at \(order), page.gonggu_id \(order)
            """)
    }

    /// One page by the index on account and time, and how many there are in all; neither deleted
    /// nor suspended gonggus.
    static func page(
        of caller: Identifier, _ wish: PageRequest<FavoriteSort>, in connection: Connection
    ) throws(PostgresError) -> (items: [(gonggu: Gonggu, since: Timestamp)], total: Int) {
        let statement = wish.order == .ascending ? lists.ascending : lists.descending
        let rows = try connection.query(statement, [caller, wish.size, wish.offset])
        let total: Int = try connection.query(count, [caller])[0].get("total")
        let items = try rows.map { row throws(PostgresError) in
            (gonggu: try Gonggu(row), since: try row.get("favorited_at", as: Timestamp.self))
        }
        return (items, total)
    }
}
