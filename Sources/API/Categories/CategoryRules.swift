import Clicks

// Where a category may stand: at the top, or below one that does. Decided over all categories at
// once, which are held still meanwhile; there are some dozens.

/// Why a category's request is refused.
package enum CategoryRefusal: Error, Equatable, Sendable {
    case notFound
    /// A sibling is called so.
    case nameTaken
    /// Gonggus are found by it, or categories stand below it.
    case inUse
    /// As many as are ever shown.
    case tooMany
    case fieldsInvalid([CategoryFault])
}

/// A faulty field of a category, beyond its shape.
package enum CategoryFault: Error, Equatable, Sendable {
    case nameBlank
    case parentUnknown
    /// Below a category that is itself below one, or below itself.
    case tooDeep
    /// What has categories below it stays at the top.
    case hasChildren
}

/// The body that makes a category or replaces it.
package struct CategoryDraft: Equatable, Sendable {
    package let name: String
    package let parentID: Identifier?
    package let icon: String?
    package let sortOrder: Int

    static let schema = Schema<CategoryDraft>(
        "CategoryDraft",
        [
            Field("name", .text(1...50), example: "육아/키즈"),
            .optional(
                "parent_id", .identifier,
                about: Wording("상위 그룹. 없으면 최상위", "The group it is in; none for a group"),
                example: .null),
            .optional("icon", .text(1...500), example: .null),
            .optional(
                "sort_order", .integer(-32_768...32_767, example: 1),
                about: Wording("형제 사이의 순서, 기본 0", "Among its siblings, ascending; 0 if absent")),
        ]
    ) {
        let sortOrder: Int? = $0["sort_order"]
        return CategoryDraft(
            name: $0["name"], parentID: $0["parent_id"], icon: $0["icon"],
            sortOrder: sortOrder ?? 0)
    }
}

/// What is decided of categories.
package enum CategoryRules {
    /// Lists have no more.
    package static let countMax = 1000

    /// The draft as it may be written: a new category, or in place of one of `all`.
    package static func accept(
        _ draft: CategoryDraft, replacing id: Identifier?, among all: [Category]
    ) throws(CategoryRefusal) -> CategoryDraft {
        let byID = Dictionary(all.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        if let id {
            guard byID[id] != nil else { throw .notFound }
        } else if all.count >= countMax {
            throw .tooMany
        }
        var faults: [CategoryFault] = []
        if draft.name.allSatisfy(\.isWhitespace) { faults.append(.nameBlank) }
        if let parentID = draft.parentID {
            if let parent = byID[parentID] {
                if parentID == id || parent.parentID != nil { faults.append(.tooDeep) }
            } else {
                faults.append(.parentUnknown)
            }
            if let id, all.contains(where: { $0.parentID == id }) { faults.append(.hasChildren) }
        }
        guard faults.isEmpty else { throw .fieldsInvalid(faults) }
        return CategoryDraft(
            name: draft.name.trimmed, parentID: draft.parentID, icon: draft.icon,
            sortOrder: draft.sortOrder)
    }
}
