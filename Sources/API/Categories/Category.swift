import Clicks

/// What a gonggu is about. Groups have children, which have none of their own.
package struct Category: Equatable, Sendable {
    package let id: Identifier
    /// Nil for a top group.
    package let parentID: Identifier?
    package let name: String
    package let icon: String?
    /// Among its siblings, ascending.
    package let sortOrder: Int
}

/// A category with those below it.
package struct CategoryTree: Equatable, Sendable {
    package let category: Category
    package let children: [CategoryTree]

    /// The forest of a flat list, each level in the order of the list. Whatever hangs on a parent
    /// that is not in the list, or on itself, is left out.
    package static func forest(_ categories: [Category]) -> [CategoryTree] {
        let byParent = Dictionary(grouping: categories, by: \.parentID)
        func trees(below parent: Identifier?) -> [CategoryTree] {
            (byParent[parent] ?? []).map {
                CategoryTree(category: $0, children: trees(below: $0.id))
            }
        }
        return trees(below: nil)
    }

    /// One category with those below it.
    static func tree(of category: Category, among all: [Category]) -> CategoryTree {
        CategoryTree(
            category: category,
            children: all.filter { $0.parentID == category.id }.map { tree(of: $0, among: all) })
    }

    static let schema: Schema<CategoryTree> = Schema(
        "Category",
        [
            Field("id", .identifier, \.category.id),
            Field("name", .text(1...50), \.category.name, example: "육아/키즈"),
            Field("icon", Schema.text(1...500).orNull, \.category.icon, example: .null),
            Field("sort_order", .integer(-32_768...32_767, example: 1), \.category.sortOrder),
            Field(
                "children",
                Schema<CategoryTree>.reference("Category") { CategoryTree.schema }.list(0...1000),
                \.children, example: []),
        ])
}
