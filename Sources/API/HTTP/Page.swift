// Lists, all alike: `?page=1&size=20&sort=created_at&order=desc` asks, and
// `{"items":[],"total":0,"page":1,"size":20,"pages":0}` answers.

/// Which way a list is sorted.
package enum Order: String, CaseIterable, Sendable {
    case ascending = "asc"
    case descending = "desc"
}

/// The paging parameters of a route, with its sort keys as an enum, so that a query switches over
/// them and a new key cannot be forgotten.
package struct Pages<Sort>: RouteInput
where Sort: RawRepresentable & CaseIterable & Sendable, Sort.RawValue == String {
    let page: Parameter<Int>
    let size: Parameter<Int>
    let sort: Parameter<Sort>
    let order: Parameter<Order>

    /// Twenty items, sorted by `sort`, where the client does not say.
    package init(_ sorts: Sort.Type, default sort: Sort, _ order: Order = .descending) {
        page = .query(
            "page", .integer(1...PageRequest<Sort>.pageMax), default: 1,
            about: Wording("쪽 번호, 1부터", "The page, from 1"))
        size = .query(
            "size", .integer(1...100), default: 20, about: Wording("한 쪽의 개수", "Items on a page"))
        self.sort = .query(
            "sort", .oneOf(sorts), default: sort, about: Wording("정렬 기준", "What to sort by"))
        self.order = .query(
            "order", .oneOf(Order.self), default: order, about: Wording("정렬 방향", "Which way"))
    }

    package var declarations: [ParameterDeclaration] {
        var sort = sort.declaration
        sort.refusal = .sortUnknown
        return [page.declaration, size.declaration, sort, order.declaration]
    }
}

/// The page that a client asks for.
package struct PageRequest<Sort: Sendable>: Sendable {
    /// From 1.
    package let page: Int
    /// 1…100.
    package let size: Int
    package let sort: Sort
    package let order: Order

    /// Later pages are refused: a client that walks so far wants an export.
    static var pageMax: Int { 100_000 }

    /// Rows before the page, for SQL's `offset`.
    package var offset: Int { (page - 1) * size }

    /// The answer that fits this request.
    package func page<Item>(_ items: [Item], total: Int) -> Page<Item> {
        Page(items: items, total: total, page: page, size: size)
    }
}

/// One page of a list.
package struct Page<Item: Sendable>: Sendable {
    package let items: [Item]
    /// Items on all pages.
    package let total: Int
    package let page: Int
    package let size: Int

    /// 0 where there are no items.
    package var pages: Int { (total + size - 1) / size }

    package init(items: [Item], total: Int, page: Int, size: Int) {
        self.items = items
        self.total = total
        self.page = page
        self.size = size
    }
}

extension Schema {
    /// A page of these; the item's schema is an object, whose name the page's is made from.
    package static func page<Item>(of item: Schema<Item>) -> Schema where Value == Page<Item> {
        guard case .object(let shape) = item.shape.kind else {
            preconditionFailure("a page holds objects")
        }
        return Schema(
            shape.name + "Page",
            [
                Field("items", item.list(0...100), \.items),
                Field("total", .count, \.total, example: 1),
                Field("page", .integer(1...PageRequest<Item>.pageMax), \.page),
                Field("size", .integer(1...100), \.size, example: 20),
                Field("pages", .count, \.pages, example: 1),
            ])
    }
}
