import Clicks
import Postgres

/// SQL on categories.
package enum CategoryQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [selectAll, lock, insert, update, unlinkHidden, delete]

    static let selectAll = Statement(
        "categories_select",
        """
        select id, parent_id, name, icon, sort_order
        from categories
        order by sort_order, name, id
        limit \(CategoryRules.countMax)
        """)

    static func all(in connection: Connection) throws(PostgresError) -> [Category] {
        try connection.query(selectAll).map { row throws(PostgresError) in
            try Category(
                id: row.get("id"), parentID: row.get("parent_id"), name: row.get("name"),
                icon: row.get("icon"), sortOrder: row.get("sort_order"))
        }
    }

    // Gonggus are linked to categories meanwhile: a foreign key's check takes no lock that this
    // one refuses.
    static let lock = Statement(
        "categories_lock", "lock table categories in share row exclusive mode")

    /// All of them, and nobody else changes one until the transaction ends.
    static func lockAll(in connection: Connection) throws(PostgresError) -> [Category] {
        try connection.execute(lock)
        return try all(in: connection)
    }

    static let insert = Statement(
        "categories_insert",
        """
        insert into categories (id, parent_id, name, icon, sort_order)
        values ($1, $2, $3, $4, $5)
        """)

    static let update = Statement(
        "categories_update",
        """
        update categories
        set parent_id = $2, name = $3, icon = $4, sort_order = $5
        where id = $1
        """)

    /// Writes a category that the rules have let through.
    static func write(
        _ draft: CategoryDraft, as id: Identifier, isNew: Bool, in connection: Connection
    ) throws {
        do throws(PostgresError) {
            try connection.execute(
                isNew ? insert : update,
                [id, draft.parentID, draft.name, draft.icon, draft.sortOrder])
        } catch  where error.violates("categories_parent_id_name_key") {
            throw CategoryRefusal.nameTaken
        }
    }

    // A deleted gonggu is seen by nobody, so nobody could take the category off it. The fence keeps
    // the planner from reading all gonggus for those few.
    static let unlinkHidden = Statement(
        "gonggu_categories_unlink_hidden",
        """
        delete from gonggu_categories gc
        where gc.category_id = $1
            and exists (
                select 1
                from gonggus g
                where g.id = gc.gonggu_id and g.hidden_at is not null
                offset 0
            )
        """)

    static let delete = Statement("categories_delete", "delete from categories where id = $1")

    /// Deletes a category unless something uses it. The foreign keys decide, so also between this
    /// and a gonggu that takes the category at the same moment: one of the two is refused.
    static func remove(_ id: Identifier, in connection: Connection) throws {
        let count: Int
        do throws(PostgresError) {
            try connection.execute(unlinkHidden, [id])
            count = try connection.execute(delete, [id])
        } catch  where error.violates("gonggu_categories_category_id_fkey") {
            throw CategoryRefusal.inUse
        } catch  where error.violates("categories_parent_id_fkey") {
            throw CategoryRefusal.inUse
        }
        guard count == 1 else { throw CategoryRefusal.notFound }
    }
}
