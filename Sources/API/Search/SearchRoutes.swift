import Clicks
import Hummingbird
import Postgres

/// An influencer as search shows them.
package struct FoundInfluencer: Equatable, Sendable {
    package let id: Identifier
    package let nickname: String
    package let profileImage: String?
    package let bio: String
    package let isVerified: Bool
    package let subscriberCount: Int

    static let schema = Schema<FoundInfluencer>(
        "FoundInfluencer",
        [
            Field("id", .identifier, \.id),
            Field("nickname", .text(0...50), \.nickname, example: "하나"),
            Field("profile_image", Schema.text(0...500).orNull, \.profileImage, example: .null),
            Field("bio", .prose(0...2000), \.bio),
            Field("is_verified", .boolean, \.isVerified),
            Field("subscriber_count", .count, \.subscriberCount),
        ])
}

/// One of what was found: a gonggu or an influencer, the other null.
package struct FoundItem: Sendable {
    package let kind: SearchKind
    package let gonggu: GongguCard?
    package let influencer: FoundInfluencer?

    static let schema = Schema<FoundItem>(
        "FoundItem",
        [
            Field("type", .oneOf(SearchKind.self), \.kind),
            Field("gonggu", GongguCard.schema.orNull, \.gonggu),
            Field("influencer", FoundInfluencer.schema.orNull, \.influencer, example: .null),
        ])
}

/// What a search looks among.
enum SearchScope: String, CaseIterable, Sendable {
    case all
    case gonggu
    case influencer

    var kind: SearchKind? {
        switch self {
        case .all: nil
        case .gonggu: .gonggu
        case .influencer: .influencer
        }
    }
}

/// The way results are sorted, which is one only.
enum SearchSort: String, CaseIterable, Sendable {
    case rank
}

/// The route /search.
package struct SearchRoutes: Sendable {
    let pool: ConnectionPool
    /// Where the edge serves `/go/…`, without a slash at the end.
    let edgeURL: String

    /// Characters of a query; who pastes more does not look for a word.
    static let queryLengthMax = 100

    private static let query = Parameter.required(
        "q", Schema.text(0...queryLengthMax, example: "공구"),
        about: Wording(
            "찾을 말. 여러 단어는 모두 들어 있어야 합니다", "What to look for; several words must all be there"))
    private static let scope = Parameter.query(
        "type", Schema.oneOf(SearchScope.self), default: .all,
        about: Wording("찾을 대상", "What to look among"))
    private static let page = Parameter.query(
        "page", Schema.integer(1...SearchIndex.countMax), default: 1,
        about: Wording("쪽 번호, 1부터", "The page, from 1"))
    private static let size = Parameter.query(
        "size", Schema.integer(1...100), default: 20,
        about: Wording("한 쪽의 개수", "Items on a page"))

    /// - Parameter edgeURL: where the edge serves `/go/…`; a slash at its end does not count.
    package init(pool: ConnectionPool, edgeURL: String) {
        self.pool = pool
        self.edgeURL = edgeURL.withoutTrailingSlashes
    }

    /// Declares it.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/search", id: "search",
            tag: Tag("search", Wording("검색", "Finding gonggus and influencers")),
            Wording(
                "공구와 인플루언서 검색. 제목이 일치하는 것, 새롭고 클릭이 많은 것부터",
                "Search gonggus and influencers, the best match first"),
            access: .everyone, inputs: [Self.query, Self.scope, Self.page, Self.size],
            answer: .ok(.boundedPage(of: FoundItem.schema)),
            handler: find)
    }

    @Sendable private func find(_ call: Call) async throws -> Page<FoundItem> {
        let request = PageRequest<SearchSort>(
            page: call[Self.page], size: call[Self.size], sort: .rank, order: .descending)
        try request.requireEnd(within: SearchIndex.countMax)
        let text = call[Self.query]
        let kind = call[Self.scope].kind
        return try await pool.run { connection in
            let found = try SearchIndex.find(
                text, kind: kind, limit: request.size, offset: request.offset, in: connection)
            return request.page(
                try items(found.hits, in: connection), total: found.total,
                isTotalExact: found.isTotalExact)
        }
    }

    /// The hits in their order. One that was taken away a moment ago is left out.
    private func items(
        _ hits: [SearchHit], in connection: Connection
    ) throws(PostgresError) -> [FoundItem] {
        let gonggus = hits.filter { $0.kind == .gonggu }.map(\.id)
        let influencers = hits.filter { $0.kind == .influencer }.map(\.id)
        var found: [Identifier: FoundItem] = [:]
        if !gonggus.isEmpty {
            for gonggu in try GongguQueries.gonggus(gonggus, in: connection) {
                found[gonggu.id] = FoundItem(
                    kind: .gonggu, gonggu: GongguCard(gonggu: gonggu, edgeURL: edgeURL),
                    influencer: nil)
            }
        }
        if !influencers.isEmpty {
            for influencer in try SearchQueries.influencers(influencers, in: connection) {
                found[influencer.id] = FoundItem(
                    kind: .influencer, gonggu: nil, influencer: influencer)
            }
        }
        return hits.compactMap { found[$0.id] }
    }
}
