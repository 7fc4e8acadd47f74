import Clicks
import Postgres

/// A gonggu as the edge needs it.
struct PublishedLink {
    let id: Identifier
    let influencerID: Identifier
    let shortCode: String
    let opensAt: Timestamp
    let closesAt: Timestamp
    let isSuspended: Bool
    let externalURL: String
}

/// Every statement that the way down uses.
enum LinkQueries {
    static let all = [snapshotStatement, linksStatement]

    static let pageLinksMax = 10_000

    private static let snapshotStatement = Statement(
        "ingest_links_snapshot", "set transaction isolation level repeatable read, read only")

    /// Runs `body` on the gonggus of one moment: over several pages, a short code that moves from
    /// one gonggu to another would be met twice, or not at all.
    static func snapshot(
        of db: Connection, _ body: (Connection) throws -> Void
    ) throws {
        try db.transaction { db in
            try db.execute(snapshotStatement)
            try body(db)
        }
    }

    /// A deleted gonggu keeps its link as if suspended: who follows it lands on a page, not in a
    /// void, and the click is written down.
    private static let linksStatement = Statement(
        "ingest_links",
        """
        select id, influencer_id, short_code, open_at, close_at, external_url,
            suspended_at is not null or hidden_at is not null as is_suspended
        from gonggus
        where id > $1
        order by id
        limit \(pageLinksMax)
        """)

    /// The next links in the order of their ids, at most ``pageLinksMax``, by the primary key.
    static func links(after id: Identifier, in db: Connection) throws -> [PublishedLink] {
        try db.query(linksStatement, [PostgresUUID(high: id.high, low: id.low)]).map { row in
            PublishedLink(
                id: try row.identifier("id"), influencerID: try row.identifier("influencer_id"),
                shortCode: try row.get("short_code"),
                opensAt: try row.timestamp("open_at"), closesAt: try row.timestamp("close_at"),
                isSuspended: try row.get("is_suspended"),
                externalURL: try row.get("external_url"))
        }
    }
}

extension Row {
    fileprivate func identifier(_ column: String) throws -> Identifier {
        let uuid: PostgresUUID = try get(column)
        return Identifier(high: uuid.high, low: uuid.low)
    }

    fileprivate func timestamp(_ column: String) throws -> Timestamp {
        Timestamp(microseconds: try get(column, as: PostgresTimestamp.self).microseconds)
    }
}
