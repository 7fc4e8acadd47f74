import Clicks
import Postgres

// Lists of gonggus. What a list is filtered and sorted by decides how the server had best go about
// it, and one text for all cases ("$1 is null or …") is planned for none of them: at 100 k gonggus
// it read every row twice. So each combination is a statement of its own, made here by rule,
// planned once a connection and kept.
//
// A page is cut from an index in the list's order that also holds the times which the status
// follows from; only what is on the page is then looked at. One statement answers the page and how
// many there are in all.
//
// Bounds: ``depthMax`` rows can be paged through (an offset costs what it skips), and ``countMax``
// are counted; only the list of everything has its number at hand, from a counter.

/// Which of the clock's states a list holds.
package enum GongguPhase: String, CaseIterable, Sendable {
    case any
    case scheduled
    case active
    case closed
    /// Active, and closed within a day from now.
    case closing

    package init(_ status: GongguStatus?) {
        self =
            switch status {
            case nil: .any
            case .scheduled: .scheduled
            case .active: .active
            case .closed: .closed
            }
    }
}

/// Which gonggus a list holds; nil leaves a condition out.
package struct GongguFilter: Sendable {
    package var category: Identifier?
    package var phase: GongguPhase
    package var influencer: Identifier?

    package init(
        category: Identifier? = nil, phase: GongguPhase = .any, influencer: Identifier? = nil
    ) {
        self.category = category
        self.phase = phase
        self.influencer = influencer
    }
}

/// What a list is cut from.
enum GongguSource: String, CaseIterable, Sendable {
    case all
    case category
    case influencer
    /// Of an influencer, in a category.
    case both

    init(_ filter: GongguFilter) {
        self =
            switch (filter.influencer, filter.category) {
            case (nil, nil): .all
            case (nil, _): .category
            case (_, nil): .influencer
            default: .both
            }
    }
}

/// One list: what it is cut from, what it holds, and in which order.
struct GongguList: Sendable {
    let source: GongguSource
    let phase: GongguPhase
    let sort: GongguSort
    let order: Order

    static var all: [GongguList] {
        GongguSource.allCases.flatMap { source in
            GongguPhase.allCases.flatMap { phase in
                GongguSort.allCases.flatMap { sort in
                    Order.allCases.map {
                        GongguList(source: source, phase: phase, sort: sort, order: $0)
                    }
                }
            }
        }
    }
}

/// SQL on lists of gonggus.
package enum GongguLists {
    /// Items on a page at most, as ``Pages`` has it.
    static let sizeMax = 100
    /// An item further back is on no page.
    package static let depthMax = 10_000
    /// What is counted; a list of more says that it has at least as many.
    package static let countMax = 10_000
    static let closingSoonSeconds = 24 * 3600

    private struct Pair {
        let first: Statement
        let later: Statement
    }

    /// For each list the statement of its first page and that of the others.
    private static let pairs: [String: Pair] = Dictionary(
        uniqueKeysWithValues: GongguList.all.map { list in
            (
                list.name,
                Pair(first: list.statement(later: false), later: list.statement(later: true))
            )
        })

    /// All of them, for the test that has the server prepare each.
    package static let statements = pairs.values.flatMap { [$0.first, $0.later] }

    /// How far a list can be paged through. Of a category by clicks only the first hundred: its
    /// gonggus have no index in that order, as every fold would have to write to it.
    package static func depth(_ filter: GongguFilter, sort: GongguSort) -> Int {
        GongguSource(filter) == .category && sort == .clickCount ? sizeMax : depthMax
    }

    /// One page, how many there are in all, and whether that is their number or the least it is.
    ///
    /// - Precondition: the page ends within ``depth(_:sort:)``.
    static func page(
        _ filter: GongguFilter, sort: GongguSort, order: Order, limit: Int, offset: Int,
        in connection: Connection
    ) throws(PostgresError) -> (items: [Gonggu], total: Int, isTotalExact: Bool) {
        precondition(
            limit <= sizeMax && limit + offset <= depth(filter, sort: sort),
            "a page is within its bounds")
        let list = GongguList(
            source: GongguSource(filter), phase: filter.phase, sort: sort, order: order)
        guard let pair = pairs[list.name] else {
            preconditionFailure("each list has its statements")
        }
        var parameters: [(any PostgresEncodable)?] = [limit]
        if let influencer = filter.influencer { parameters.append(influencer) }
        if let category = filter.category { parameters.append(category) }
        var rows: [Row]
        if offset == 0 {
            rows = try connection.query(pair.first, parameters)
        } else {
            rows = try connection.query(pair.later, parameters + [offset])
        }
        let items = try rows.map { row throws(PostgresError) in try Gonggu(row) }
        if items.isEmpty, offset > 0 {
            // A page beyond the last has no row that could say how many there are.
            parameters[0] = 1
            rows = try connection.query(pair.first, parameters)
        }
        guard let counted: Int = try rows.first?.get("total") else { return ([], 0, true) }
        // The counter is exact whatever it says; counting stops one after its bound.
        if list.hasCounter || counted <= countMax { return (items, counted, true) }
        return (items, countMax, false)
    }
}

extension GongguList {
    var name: String {
        "gonggus_list_\(source.rawValue)_\(phase.rawValue)_\(sort.rawValue)_\(order.rawValue)"
    }

    /// Whether the total is kept rather than counted.
    var hasCounter: Bool { source == .all && phase == .any }

    /// The page is cut before anything is joined to it. Inside it a constant limit tells the
    /// planner how few rows to expect; with `$1` alone it prepares for a tenth of the table.
    func statement(later: Bool) -> Statement {
        let offset = later ? "offset $\(source.parameters + 2)" : ""
        let order = order.rawValue
        return Statement(
            family: name + (later ? "_later" : ""),
            """
            with page as materialized (
                select few.id, few.sort_key
                from (
                    \(isShort ? shortCut : cut(offset))
                ) few
                order by few.sort_key \(order), few.id \(order)
                limit $1 \(isShort ? offset : "")
            )
            select \(GongguQueries.columns), \(total) as total
            from page
            join gonggus g on g.id = page.id
            \(GongguQueries.joins)
            order by page.sort_key \(order), page.id \(order)
            """)
    }

    private func cut(_ offset: String) -> String {
        """
        select \(id) as id, \(key) as sort_key
        from \(table)
        where \(condition)
        order by \(barrier)\(key) \(order.rawValue), \(id) \(order.rawValue)
        limit \(GongguLists.sizeMax) \(offset)
        """
    }

    /// Of a category by clicks: there is no index in that order. Of a small one each is asked for
    /// its clicks; for a large one, gonggus are walked by clicks until enough are in it. Which of
    /// the two runs is decided by what the category has.
    private var shortCut: String {
        let order = order.rawValue
        let smallMax = 2000
        let size = """
            (select count(*) from (
                select 1
                from gonggu_categories g
                where \(condition)
                order by g.close_at
                limit \(smallMax + 1)
            ) counted)
            """
        return """
            (
                select g.gonggu_id as id, \(clicks) as sort_key
                from gonggu_categories g
                where \(condition) and \(size) <= \(smallMax)
                order by 2 \(order), 1 \(order)
                limit \(GongguLists.sizeMax)
            )
            union all
            (
                select g.gonggu_id, g.clicks
                from gonggu_click_totals g
                where g.is_listed \(phase.condition) and \(size) > \(smallMax)
                    and (
                        select true
                        from gonggu_categories c
                        where c.gonggu_id = g.gonggu_id and c.category_id = $2
                    )
                order by g.clicks \(order), g.gonggu_id \(order)
                limit \(GongguLists.sizeMax)
            )
            """
    }

    private var isShort: Bool { source == .category && sort == .clickCount && !isLive }

    private var clicks: String {
        "(select t.clicks from gonggu_click_totals t where t.gonggu_id = \(id))"
    }

    /// Whether it holds only what is not closed yet, which is few whatever the table's age.
    private var isLive: Bool { [.scheduled, .active, .closing].contains(phase) }

    /// All by clicks: totals have a copy of what it takes.
    private var isOfTotals: Bool { source == .all && sort == .clickCount && !isLive }

    private var table: String {
        if isOfTotals { return "gonggu_click_totals g" }
        guard sort == .clickCount, !isLive else { return source.table }
        return "\(source.table) join gonggu_click_totals t on t.gonggu_id = \(source.id)"
    }

    private var condition: String {
        (isOfTotals ? "g.is_listed" : source.condition) + " " + phase.condition
    }

    /// Clicks are sorted by what is folded, which is some seconds behind what is shown. Of what is
    /// not closed each is asked for by its key: joined, all totals would be read for the few.
    private var key: String {
        guard sort == .clickCount else { return "g.\(sort.rawValue)" }
        if isOfTotals { return "g.clicks" }
        if !isLive { return "t.clicks" }
        return clicks
    }

    private var id: String { isOfTotals ? "g.gonggu_id" : source.id }

    /// The planner takes times of one row to be unrelated, so it would look for what is open by
    /// walking all gonggus from the oldest, or the cheapest, expecting one soon. An expression in
    /// front keeps it from that index; it reads what is not closed yet, and sorts that.
    private var barrier: String {
        let isNatural =
            switch (phase, sort, order) {
            case (.any, _, _), (.closed, _, _), (_, .closeAt, _), (.scheduled, .openAt, _),
                (.active, .openAt, .descending), (.active, .createdAt, .descending):
                true
            default: false
            }
        return isNatural ? "" : "(g.close_at < g.open_at), "
    }

    /// Any order would do; this one has an index, without which the planner would rather read the
    /// table from its beginning, as far as the limit lets it.
    private var countOrder: String {
        source == .all || source == .category ? "order by g.close_at" : ""
    }

    private var total: String {
        if hasCounter { return "(select sum(c.listed)::bigint from gonggu_listed_count c)" }
        return """
            (select count(*) from (
                select 1
                from \(source.table)
                where \(source.condition) \(phase.condition)
                \(countOrder)
                limit \(GongguLists.countMax + 1)
            ) counted)
            """
    }
}

extension GongguSource {
    /// Parameters besides the page's.
    fileprivate var parameters: Int {
        switch self {
        case .all: 0
        case .category, .influencer: 1
        case .both: 2
        }
    }

    fileprivate var id: String { self == .category ? "g.gonggu_id" : "g.id" }

    /// `g` with the columns that lists are sorted and filtered by. A category has its own copy of
    /// them.
    fileprivate var table: String { self == .category ? "gonggu_categories g" : "gonggus g" }

    fileprivate var condition: String {
        switch self {
        case .all: "g.hidden_at is null and g.suspended_at is null"
        case .category: "g.category_id = $2 and g.is_listed"
        case .influencer:
            "g.influencer_id = $2 and g.hidden_at is null and g.suspended_at is null"
        case .both:
            """
            g.influencer_id = $2 and g.hidden_at is null and g.suspended_at is null
            and exists (
                select from gonggu_categories gc
                where gc.gonggu_id = g.id and gc.category_id = $3
            )
            """
        }
    }
}

extension GongguPhase {
    /// As ``GongguQueries/statusCase`` has it, in a form that an index is searched by.
    fileprivate var condition: String {
        switch self {
        case .any: ""
        case .scheduled: "and g.open_at > now() and g.close_at > now()"
        case .active: "and g.open_at <= now() and g.close_at > now()"
        case .closed: "and g.close_at <= now()"
        case .closing:
            """
            and g.open_at <= now() and g.close_at > now()
            and g.close_at <= now() + interval '\(GongguLists.closingSoonSeconds) seconds'
            """
        }
    }
}
