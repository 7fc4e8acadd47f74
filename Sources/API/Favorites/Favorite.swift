import Clicks

// Gonggus that somebody keeps an eye on.

/// A gonggu among the caller's favourites.
package struct Favorite: Equatable, Sendable {
    package let card: GongguCard
    /// When it became one.
    package let createdAt: Timestamp

    static let schema = Schema<Favorite>(
        "Favorite",
        [
            Field("created_at", .time, \.createdAt),
            Field("gonggu", GongguCard.schema, \.card),
        ])
}

/// That a gonggu is among the caller's favourites.
package struct FavoriteMark: Equatable, Sendable {
    package let gongguID: Identifier
    package let createdAt: Timestamp

    static let schema = Schema<FavoriteMark>(
        "FavoriteMark",
        [Field("gonggu_id", .identifier, \.gongguID), Field("created_at", .time, \.createdAt)])
}

/// What a list of favourites can be sorted by: when they became ones.
package enum FavoriteSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
}

/// Why a favourite is refused.
package enum FavoriteRefusal: Error, Equatable, Sendable {
    case gongguNotFound
    case notFavorite
    /// The caller has ``FavoriteRules/favoritesMax``.
    case tooMany
}

/// What is decided of favourites without the database.
package enum FavoriteRules {
    /// Favourites that one may have; it bounds what a list counts. Two calls at the same moment
    /// may make one more.
    package static let favoritesMax = 2000
}
