import Clicks
import Hummingbird
import Postgres

/// The routes under /gonggus.
package struct GongguRoutes: Sendable {
    let pool: ConnectionPool
    /// Where the edge serves `/go/…`, without a slash at the end.
    let edgeURL: String
    /// The host of `edgeURL`, which no gonggu may lead to.
    let edgeHost: String?

    private static let id = Parameter.path("id", Schema.identifier)
    private static let category = Parameter<Identifier?>.optional("category_id", Schema.identifier)
    private static let status = Parameter<GongguStatus?>.optional(
        "status", Schema.oneOf(GongguStatus.self))
    private static let influencer = Parameter<Identifier?>.optional(
        "influencer_id", Schema.identifier)
    private static let pages = Pages(GongguSort.self, default: .createdAt)
    private static let latestPages = Pages(GongguSort.self, default: .openAt)
    private static let soonestPages = Pages(GongguSort.self, default: .openAt, .ascending)
    private static let closingPages = Pages(GongguSort.self, default: .closeAt, .ascending)

    /// - Parameter edgeURL: where the edge serves `/go/…`; a slash at its end does not count.
    package init(pool: ConnectionPool, edgeURL: String) {
        self.pool = pool
        self.edgeURL = edgeURL.withoutTrailingSlashes
        // try?: an edge on a private address has no host that ``ExternalURL`` would let through.
        edgeHost = (try? ExternalURL(edgeURL))?.host
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("gonggus", Wording("공구", "Group buys"))
        let page = Answer.ok(Schema.boundedPage(of: GongguCard.schema))
        table.add(
            .get, "/api/v1/gonggus", id: "listGonggus", tag: tag,
            Wording("공구 목록", "List gonggus"), access: .everyone,
            inputs: [Self.category, Self.status, Self.influencer, Self.pages], answer: page,
            handler: { call in
                let filter = GongguFilter(
                    category: call[Self.category], phase: GongguPhase(call[Self.status]),
                    influencer: call[Self.influencer])
                return try await list(filter, call[Self.pages])
            })
        addLists(to: &table, tag: tag, answer: page)
        table.add(
            .get, "/api/v1/gonggus/{id}", id: "getGonggu", tag: tag,
            Wording("공구 상세", "One gonggu"), access: .everyone, inputs: [Self.id],
            answer: .ok(GongguCard.schema), errors: [.gongguNotFound],
            handler: { call in try await show(call[Self.id]) })
        table.add(
            .post, "/api/v1/gonggus", id: "createGonggu", tag: tag,
            Wording("공구 등록 (심사를 통과한 인플루언서)", "Make a gonggu, as a verified influencer"),
            access: .role(.influencer), body: GongguDraft.schema,
            answer: .created(GongguCard.schema, location: { "/api/v1/gonggus/\($0.gonggu.id)" }),
            errors: [.influencerNotVerified],
            handler: { call, draft in try await create(draft, by: call.account) })
        table.add(
            .put, "/api/v1/gonggus/{id}", id: "replaceGonggu", tag: tag,
            Wording("공구 수정", "Replace a gonggu's content"), access: .role(.influencer),
            inputs: [Self.id], body: GongguDraft.schema, answer: .ok(GongguCard.schema),
            errors: [.gongguNotFound, .notOwner],
            handler: { call, draft in
                try await replace(call[Self.id], draft, by: call.account)
            })
        table.add(
            .delete, "/api/v1/gonggus/{id}", id: "deleteGonggu", tag: tag,
            Wording("공구 삭제. 클릭 기록은 남습니다", "Delete a gonggu; its clicks stay"),
            access: .role(.influencer), inputs: [Self.id], answer: .noContent,
            errors: [.gongguNotFound, .notOwner],
            handler: { call in try await delete(call[Self.id], by: call.account) })
    }

    /// The three lists of the front page; each is the full list with a filter and an order of its
    /// own.
    private func addLists(
        to table: inout RouteTable, tag: Tag, answer: Answer<Page<GongguCard>>
    ) {
        table.add(
            .get, "/api/v1/gonggus/active", id: "listActiveGonggus", tag: tag,
            Wording("진행 중인 공구", "Gonggus that are open"), access: .everyone,
            inputs: [Self.latestPages], answer: answer,
            handler: { try await list(GongguFilter(phase: .active), $0[Self.latestPages]) })
        table.add(
            .get, "/api/v1/gonggus/upcoming", id: "listUpcomingGonggus", tag: tag,
            Wording("오픈 예정 공구", "Gonggus that will open"), access: .everyone,
            inputs: [Self.soonestPages], answer: answer,
            handler: { try await list(GongguFilter(phase: .scheduled), $0[Self.soonestPages]) })
        table.add(
            .get, "/api/v1/gonggus/closing-soon", id: "listClosingGonggus", tag: tag,
            Wording("24시간 안에 마감되는 공구", "Gonggus that close within 24 hours"),
            access: .everyone, inputs: [Self.closingPages], answer: answer,
            handler: { try await list(GongguFilter(phase: .closing), $0[Self.closingPages]) })
    }

    func list(
        _ filter: GongguFilter, _ request: PageRequest<GongguSort>
    ) async throws -> Page<GongguCard> {
        try request.requireEnd(within: GongguLists.depth(filter, sort: request.sort))
        let page = try await pool.run { connection in
            try GongguLists.page(
                filter, sort: request.sort, order: request.order, limit: request.size,
                offset: request.offset, in: connection)
        }
        return request.page(
            page.items.map(card), total: page.total, isTotalExact: page.isTotalExact)
    }

    func show(_ id: Identifier) async throws -> GongguCard {
        let gonggu = try await pool.run { try GongguQueries.gonggu(id, in: $0) }
        guard let gonggu else { throw GongguRefusal.notFound }
        return card(gonggu)
    }

    /// 201; 403 unless the caller is a verified influencer.
    func create(_ draft: GongguDraft, by caller: Account) async throws -> GongguCard {
        let content = try GongguRules.accept(draft, ownHost: edgeHost)
        let id = Identifier.new()
        let made = try await pool.transaction { connection -> Gonggu? in
            try GongguQueries.insert(content, id: id, owner: caller.id, in: connection)
            try GongguQueries.setCategories(content.categoryIDs, of: id, in: connection)
            try SearchIndex.put(gonggu: id, content, in: connection)
            return try GongguQueries.gonggu(id, in: connection)
        }
        guard let made else { throw GongguRefusal.notFound }
        return card(made)
    }

    func replace(
        _ id: Identifier, _ draft: GongguDraft, by caller: Account
    ) async throws -> GongguCard {
        let content = try GongguRules.accept(draft, ownHost: edgeHost)
        let changed = try await pool.transaction { connection -> Gonggu? in
            try Self.lock(id, for: caller, in: connection)
            try GongguQueries.update(id, content, in: connection)
            try GongguQueries.setCategories(content.categoryIDs, of: id, in: connection)
            try SearchIndex.put(gonggu: id, content, in: connection)
            return try GongguQueries.gonggu(id, in: connection)
        }
        guard let changed else { throw GongguRefusal.notFound }
        return card(changed)
    }

    func delete(_ id: Identifier, by caller: Account) async throws {
        try await pool.transaction { connection in
            try Self.lock(id, for: caller, in: connection)
            try GongguQueries.hide(id, in: connection)
        }
    }

    /// Holds the row of a gonggu that the caller may change.
    private static func lock(
        _ id: Identifier, for caller: Account, in connection: Connection
    ) throws {
        guard let owner = try GongguQueries.lockOwner(of: id, in: connection) else {
            throw GongguRefusal.notFound
        }
        try GongguRules.requireOwner(owner, caller)
    }

    /// The gonggu with the link that is to be shared.
    @Sendable func card(_ gonggu: Gonggu) -> GongguCard {
        GongguCard(gonggu: gonggu, edgeURL: edgeURL)
    }
}
