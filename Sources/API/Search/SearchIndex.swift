import Clicks
import Postgres

// What the rest of the API knows of searching: an entry is put, entries are found. That they lie in
// PostgreSQL, as pairs of characters under a GIN index, is known to this folder alone, so another
// engine would take the place of these functions and of nothing else.
//
// Writers that change what is found put the entry in their own transaction, and the next search
// finds it. Whatever is written past them (imports, other rooms, a migration) is noted by the
// database itself in search_pending, and ``SearchCatchUp`` puts it some seconds later. What must
// not be found any more (hidden, suspended) the database takes out in the same transaction,
// whoever writes.
//
// Bounds: ``SearchText/bodyScalarsMax`` characters of a body; ``countMax`` hits are counted, ranked
// and paged through. Of a word that more have, ranked are the newest ``newestMax`` of each kind
// with it in their title, as far as they are among the ``walkMax`` newest, and ``countMax`` others.

/// What can be found.
package enum SearchKind: String, CaseIterable, Sendable {
    case gonggu
    case influencer

    /// As the column holds it.
    var number: Int {
        switch self {
        case .gonggu: 1
        case .influencer: 2
        }
    }

    init(number: Int) throws(PostgresError) {
        switch number {
        case 1: self = .gonggu
        case 2: self = .influencer
        default:
            throw PostgresError(kind: .decoding, message: "search has no kind \(number)")
        }
    }
}

/// One of what was found.
package struct SearchHit: Hashable, Sendable {
    package let kind: SearchKind
    package let id: Identifier
}

/// A page of what was found.
package struct SearchResult: Equatable, Sendable {
    /// The best first.
    package let hits: [SearchHit]
    package let total: Int
    /// False where more than `total` were found.
    package let isTotalExact: Bool

    static let nothing = SearchResult(hits: [], total: 0, isTotalExact: true)
}

/// Puts entries and finds them.
package enum SearchIndex {
    /// Hits that are counted and ranked; a page ends within them.
    package static let countMax = 2000
    static let newestMax = 500
    static let walkMax = 20_000

    /// Enters a gonggu as it is now; one that is not listed is not entered.
    ///
    /// - Precondition: the transaction that wrote the content.
    package static func put(
        gonggu id: Identifier, _ content: GongguContent, in connection: Connection
    ) throws(PostgresError) {
        let text = SearchText(title: content.title, body: content.description)
        try SearchQueries.put(.gonggu, id, text, in: connection)
    }

    /// Enters an influencer as their account and profile are now; one who is suspended or has no
    /// profile is not entered. For the transaction that wrote a nickname or a bio; it holds the
    /// account's row, since the two have different writers.
    package static func put(
        influencer id: Identifier, in connection: Connection
    ) throws(PostgresError) {
        guard let words = try SearchQueries.lockInfluencer(id, in: connection) else { return }
        let text = SearchText(title: words.nickname, body: words.bio)
        try SearchQueries.put(.influencer, id, text, in: connection)
    }

    /// One page of what the text finds: titles that begin with it, then titles that hold it, then
    /// the rest; each with what is new and clicked or subscribed to first.
    ///
    /// - Precondition: the page ends within ``countMax``.
    package static func find(
        _ text: String, kind: SearchKind?, limit: Int, offset: Int, in connection: Connection
    ) throws(PostgresError) -> SearchResult {
        precondition(limit + offset <= countMax, "a page is within the hits that are ranked")
        guard let query = SearchQuery(text) else { return .nothing }
        return try SearchQueries.find(
            query, kind: kind, limit: limit, offset: offset, in: connection)
    }
}
