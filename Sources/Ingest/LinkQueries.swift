import Clicks
import Links
import Postgres

/// A row of the view `links`, but for its URL: what the edge needs of a gonggu or a banner.
struct PublishedLink {
    let kind: LinkKind
    let id: Identifier
    let influencerID: Identifier
    let shortCode: String
    let opensAt: Timestamp
    let closesAt: Timestamp
    let isSuspended: Bool
}

/// Every statement that the way down uses.
enum LinkQueries {
    static let all = [linksStatement]
    /// Of those that cannot be prepared.
    static let copies = [allLinksStatement]

    /// Links that one question names at most.
    static let namedLinksMax = 1000

    private static let columns = """
        select id, influencer_id, short_code, opens_at, closes_at, is_suspended, is_banner,
            target_url
        from links
        """

    private static let linksStatement = Statement(
        "ingest_links", "\(columns) where id = any ($1::uuid[]) limit \(namedLinksMax)")

    /// At most ``namedLinksMax`` links, each by the primary keys of two tables; those that are gone
    /// are missing. The URL's bytes are lent for the call.
    static func links(
        _ ids: [Identifier], in db: Connection,
        _ body: (PublishedLink, _ url: UnsafeRawBufferPointer) throws -> Void
    ) throws {
        precondition(ids.count <= namedLinksMax, "a question has a bounded size")
        let rows = try db.query(
            linksStatement, [ids.map { PostgresUUID(high: $0.high, low: $0.low) }])
        for row in rows {
            let isBanner: Bool = try row.get("is_banner")
            let link = PublishedLink(
                kind: isBanner ? .banner : .gonggu,
                id: Identifier(try row.get("id")),
                influencerID: try row.get("influencer_id", as: PostgresUUID?.self)
                    .map { Identifier($0) } ?? .anonymous,
                shortCode: try row.get("short_code"),
                opensAt: Timestamp(try row.get("opens_at")),
                closesAt: Timestamp(try row.get("closes_at")),
                isSuspended: try row.get("is_suspended"))
            var url: String = try row.get("target_url")
            try url.withUTF8 { try body(link, UnsafeRawBufferPointer($0)) }
        }
    }

    private static let allLinksStatement = Statement(
        "ingest_all_links", "copy (\(columns)) to stdout (format binary)")

    /// All links of one moment, in no order: two sequential scans.
    ///
    /// Cost: 0.7 µs of the server's and 1 µs of our time a link.
    static func allLinks(
        in db: Connection, _ body: (PublishedLink, _ url: UnsafeRawBufferPointer) throws -> Void
    ) throws {
        _ = try db.copyOutRows(allLinksStatement) { row in
            guard let id = row.uuid(0), let code = row.bytes(2), let opensAt = row.timestamp(3),
                let closesAt = row.timestamp(4), let isSuspended = row.bool(5),
                let isBanner = row.bool(6), let url = row.bytes(7)
            else {
                throw PostgresError(
                    kind: .decoding, message: "a column of a link is null or of another type",
                    statement: allLinksStatement.name)
            }
            try body(
                PublishedLink(
                    kind: isBanner ? .banner : .gonggu, id: Identifier(id),
                    influencerID: row.uuid(1).map { Identifier($0) } ?? .anonymous,
                    shortCode: String(decoding: code, as: UTF8.self),
                    opensAt: Timestamp(opensAt), closesAt: Timestamp(closesAt),
                    isSuspended: isSuspended), url)
        }
    }
}

extension Identifier {
    fileprivate init(_ uuid: PostgresUUID) { self.init(high: uuid.high, low: uuid.low) }
}

extension Timestamp {
    fileprivate init(_ time: PostgresTimestamp) { self.init(microseconds: time.microseconds) }
}
