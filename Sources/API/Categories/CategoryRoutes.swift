import Clicks
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

    private static let id = Parameter.path("id", Schema.identifier)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("categories", Wording("카테고리", "What gonggus are about"))
        table.add(
            .get, "/api/v1/categories", id: "listCategories", tag: tag,
            Wording("카테고리 트리", "All categories as a tree"), access: .everyone,
            answer: .ok(CategoryList.schema),
            handler: { _ in
                let all = try await pool.run { try CategoryQueries.all(in: $0) }
                return CategoryList(items: CategoryTree.forest(all))
            })
        table.add(
            .post, "/api/v1/categories", id: "createCategory", tag: tag,
            Wording("카테고리 추가", "Add a category"), access: .role(.admin),
            body: CategoryDraft.schema, answer: .created(CategoryTree.schema),
            errors: [.categoryNameTaken, .tooManyCategories],
            handler: { try await write($1, in: nil, by: $0.account.id) })
        table.add(
            .put, "/api/v1/categories/{id}", id: "replaceCategory", tag: tag,
            Wording("카테고리 수정", "Replace a category"), access: .role(.admin),
            inputs: [Self.id], body: CategoryDraft.schema, answer: .ok(CategoryTree.schema),
            errors: [.categoryNotFound, .categoryNameTaken],
            handler: { try await write($1, in: $0[Self.id], by: $0.account.id) })
        table.add(
            .delete, "/api/v1/categories/{id}", id: "deleteCategory", tag: tag,
            Wording("쓰이지 않는 카테고리 삭제", "Delete a category that nothing uses"),
            access: .role(.admin), inputs: [Self.id], answer: .noContent,
            errors: [.categoryNotFound, .categoryInUse],
            handler: { try await delete($0[Self.id], by: $0.account.id) })
    }

    /// Makes a category, or replaces the one of that id.
    func write(
        _ draft: CategoryDraft, in place: Identifier?, by admin: Identifier
    ) async throws -> CategoryTree {
        let written = try await pool.transaction { connection -> CategoryTree? in
            let all = try CategoryQueries.lockAll(in: connection)
            let accepted = try CategoryRules.accept(draft, replacing: place, among: all)
            let id = place ?? .new()
            try CategoryQueries.write(accepted, as: id, isNew: place == nil, in: connection)
            let after = try CategoryQueries.all(in: connection)
            let old = all.first { $0.id == id }
            let new = after.first { $0.id == id }
            try AuditLog.write(
                place == nil ? .categoryCreated : .categoryReplaced, on: id,
                before: old?.audited, after: new?.audited, by: admin, in: connection)
            return new.map { CategoryTree.tree(of: $0, among: after) }
        }
        guard let written else { throw CategoryRefusal.notFound }
        return written
    }

    /// 409 while a gonggu or a category below uses it.
    func delete(_ id: Identifier, by admin: Identifier) async throws {
        try await pool.transaction { connection in
            let old = try CategoryQueries.lockAll(in: connection).first { $0.id == id }
            try CategoryQueries.remove(id, in: connection)
            try AuditLog.write(
                .categoryDeleted, on: id, before: old?.audited, after: nil, by: admin,
                in: connection)
        }
    }
}

extension Category {
    /// What the audit keeps of it.
    fileprivate var audited: JSON {
        [
            "name": .text(name), "parent_id": parentID.map { .text($0.description) } ?? .null,
            "icon": icon.map { .text($0) } ?? .null, "sort_order": .integer(sortOrder),
        ]
    }
}

extension AuditAction {
    static let categoryCreated = AuditAction("category.created")
    static let categoryReplaced = AuditAction("category.replaced")
    static let categoryDeleted = AuditAction("category.deleted")
}

// MARK: Refusals

extension ProblemCode {
    static let categoryNotFound = ProblemCode(
        "CATEGORY_NOT_FOUND", .notFound, "카테고리를 찾을 수 없습니다", "There is no such category")
    static let categoryNameTaken = ProblemCode(
        "CATEGORY_NAME_TAKEN", .conflict, "같은 위치에 같은 이름의 카테고리가 있습니다",
        "A category beside it has this name")
    static let categoryInUse = ProblemCode(
        "CATEGORY_IN_USE", .conflict, "공구나 하위 카테고리가 사용 중입니다",
        "Gonggus or categories below it use it")
    static let tooManyCategories = ProblemCode(
        "TOO_MANY_CATEGORIES", .conflict,
        "카테고리는 \(CategoryRules.countMax)개까지 만들 수 있습니다",
        "There are \(CategoryRules.countMax) categories already")
}

extension CategoryRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.categoryNotFound)
        case .nameTaken: Problem(.categoryNameTaken)
        case .inUse: Problem(.categoryInUse)
        case .tooMany: Problem(.tooManyCategories)
        case .fieldsInvalid(let faults): Problem(.fieldsInvalid, faults: faults.map(\.fault))
        }
    }
}

extension CategoryFault {
    fileprivate var fault: Fault {
        switch self {
        case .nameBlank:
            Fault("name", "EMPTY", "비워 둘 수 없습니다", "This must not be empty")
        case .parentUnknown:
            Fault("parent_id", "UNKNOWN", "없는 카테고리입니다", "There is no such category")
        case .tooDeep:
            Fault(
                "parent_id", "TOO_DEEP", "최상위 카테고리여야 합니다", "Use a category at the top")
        case .hasChildren:
            Fault(
                "parent_id", "HAS_CHILDREN", "하위 카테고리가 있으면 최상위에 있어야 합니다",
                "A category with others below it stays at the top")
        }
    }
}
