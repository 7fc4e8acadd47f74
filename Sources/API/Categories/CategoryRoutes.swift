import Hummingbird
import Postgres

/// All categories, as a tree.
package struct CategoryList: Sendable {
    package let items: [CategoryTree]

    static let schema = Schema<CategoryList>(
        "CategoryList", [Field("items", CategoryTree.schema.list(0...1000), \.items)])
}

/// The routes under /categories.
package struct CategoryRoutes: Sendable {
    let pool: ConnectionPool

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/categories", id: "listCategories",
            tag: Tag("categories", Wording("카테고리", "What gonggus are about")),
            Wording("카테고리 트리", "All categories as a tree"), access: .everyone,
            answer: .ok(CategoryList.schema),
            handler: { _ in
                let all = try await pool.run { try CategoryQueries.all(in: $0) }
                return CategoryList(items: CategoryTree.forest(all))
            })
    }
}
