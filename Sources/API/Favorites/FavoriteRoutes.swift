import Clicks
import Hummingbird
import Postgres

/// The routes under /favorites. A caller sees and changes only their own.
package struct FavoriteRoutes: Sendable {
    let pool: ConnectionPool
    /// How a gonggu is shown.
    let card: @Sendable (Gonggu) -> GongguCard

    private static let gonggu = Parameter.path("gonggu_id", Schema.identifier)
    private static let pages = Pages(FavoriteSort.self, default: .createdAt)

    package init(pool: ConnectionPool, card: @escaping @Sendable (Gonggu) -> GongguCard) {
        self.pool = pool
        self.card = card
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("favorites", Wording("찜", "Favourite gonggus"))
        let path = "/api/v1/favorites/{gonggu_id}"
        table.add(
            .put, path, id: "addFavorite", tag: tag,
            Wording("찜하기. 이미 찜했어도 204", "Make it a favourite; 204 also where it is one"),
            access: .signedIn, inputs: [Self.gonggu], answer: .noContent,
            errors: [.gongguNotFound, .tooManyFavorites], handler: { try await put($0) })
        table.add(
            .delete, path, id: "removeFavorite", tag: tag,
            Wording("찜 해제. 찜하지 않았어도 204", "Make it none; 204 also where it is none"),
            access: .signedIn, inputs: [Self.gonggu], answer: .noContent,
            handler: { try await delete($0) })
        table.add(
            .get, path, id: "getFavorite", tag: tag,
            Wording("찜했는지", "Whether it is a favourite"), access: .signedIn,
            inputs: [Self.gonggu], answer: .ok(FavoriteMark.schema), errors: [.notFavorite],
            handler: { try await show($0) })
        table.add(
            .get, "/api/v1/favorites", id: "listFavorites", tag: tag,
            Wording("찜한 공구, 최근 찜한 순", "Favourite gonggus, the latest first"),
            access: .signedIn, inputs: [Self.pages], answer: .ok(.page(of: Favorite.schema)),
            handler: { try await list($0) })
    }

    func put(_ call: Call) async throws {
        let (caller, gonggu) = (call.account.id, call[Self.gonggu])
        try await pool.run { try FavoriteQueries.insert(gonggu, by: caller, in: $0) }
    }

    func delete(_ call: Call) async throws {
        let (caller, gonggu) = (call.account.id, call[Self.gonggu])
        try await pool.run { try FavoriteQueries.delete(gonggu, by: caller, in: $0) }
    }

    func show(_ call: Call) async throws -> FavoriteMark {
        let (caller, gonggu) = (call.account.id, call[Self.gonggu])
        let found = try await pool.run { try FavoriteQueries.mark(gonggu, by: caller, in: $0) }
        guard let found else { throw FavoriteRefusal.notFavorite }
        return found
    }

    func list(_ call: Call) async throws -> Page<Favorite> {
        let (caller, wish) = (call.account.id, call[Self.pages])
        let (items, total) = try await pool.run {
            try FavoriteQueries.page(of: caller, wish, in: $0)
        }
        return wish.page(
            items.map { Favorite(card: card($0.gonggu), createdAt: $0.since) }, total: total)
    }
}

// MARK: Refusals

extension ProblemCode {
    static let notFavorite = ProblemCode(
        "NOT_FAVORITE", .notFound, "찜한 공구가 아닙니다", "This gonggu is not among your favourites")
    static let tooManyFavorites = ProblemCode(
        "TOO_MANY_FAVORITES", .conflict, "찜은 \(FavoriteRules.favoritesMax)개까지 할 수 있습니다",
        "One can have at most \(FavoriteRules.favoritesMax) favourites")
}

extension FavoriteRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .gongguNotFound: Problem(.gongguNotFound)
        case .notFavorite: Problem(.notFavorite)
        case .tooMany: Problem(.tooManyFavorites)
        }
    }
}
