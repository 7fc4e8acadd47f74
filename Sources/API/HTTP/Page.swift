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

    /// Refuses a page that does not end within so many items: an offset costs what it skips.
    package func requireEnd(within itemsMax: Int) throws(Problem) {
        guard offset + size <= itemsMax else {
            throw Problem(.fieldsInvalid, faults: [.pageTooDeep])
        }
    }

    /// The answer that fits this request.
    package func page<Item>(
        _ items: [Item], total: Int, isTotalExact: Bool = true
    ) -> Page<Item> {
        Page(items: items, total: total, page: page, size: size, isTotalExact: isTotalExact)
    }
}

/// One page of a list.
package struct Page<Item: Sendable>: Sendable {
    package let items: [Item]
    /// Items on all pages; at least so many where ``isTotalExact`` is false.
    package let total: Int
    package let page: Int
    package let size: Int
    /// False where there are more than could be counted at a bounded cost.
    package let isTotalExact: Bool

    /// 0 where there are no items.
    package var pages: Int { (total + size - 1) / size }

    package init(items: [Item], total: Int, page: Int, size: Int, isTotalExact: Bool = true) {
        self.items = items
        self.total = total
        self.page = page
        self.size = size
        self.isTotalExact = isTotalExact
    }
}

extension Fault {
    fileprivate static let pageTooDeep = Fault(
        "page", "TOO_DEEP", "여기까지는 넘겨 볼 수 없습니다. 조건을 좁혀 주세요",
        "The list cannot be paged through this far; narrow it down")
}

extension Schema {
    /// A page of these; the item's schema is an object, whose name the page's is made from.
    package static func page<Item>(of item: Schema<Item>) -> Schema where Value == Page<Item> {
        Schema(name(of: item) + "Page", fields(of: item))
    }

    /// The same for lists that count only so far, with a member that says whether they did.
    package static func boundedPage<Item>(of item: Schema<Item>) -> Schema
    where Value == Page<Item> {
        Schema(
            name(of: item) + "BoundedPage",
            fields(of: item) + [
                Field(
                    "is_total_exact", .boolean, \.isTotalExact,
                    about: Wording(
                        "false이면 total은 최소 개수입니다", "Where false, there are more than total"))
            ])
    }

    private static func name<Item>(of item: Schema<Item>) -> String {
        guard case .object(let shape) = item.shape.kind else {
            preconditionFailure("a page holds objects")
        }
        return shape.name
    }

    private static func fields<Item>(of item: Schema<Item>) -> [Field<Page<Item>>] {
        [
            Field("items", item.list(0...100), \.items),
            Field("total", .count, \.total, example: 1),
            Field("page", .integer(1...PageRequest<Item>.pageMax), \.page),
            Field("size", .integer(1...100), \.size, example: 20),
            Field("pages", .count, \.pages, example: 1),
        ]
    }
}
