import Postgres

/// SQL on categories.
package enum CategoryQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [selectAll]

    /// More than these are not shown; a shop front has some dozens.
    static let countMax = 1000

    static let selectAll = Statement(
        "categories_select",
        """
        select id, parent_id, name, icon, sort_order
        from categories
        order by sort_order, name, id
        limit \(countMax)
        """)

    static func all(in connection: Connection) throws(PostgresError) -> [Category] {
        try connection.query(selectAll).map { row throws(PostgresError) in
            try Category(
                id: row.get("id"), parentID: row.get("parent_id"), name: row.get("name"),
                icon: row.get("icon"), sortOrder: row.get("sort_order"))
        }
    }
}
