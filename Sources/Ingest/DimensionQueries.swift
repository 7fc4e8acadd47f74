import Postgres

// The statements by which dimensions of statistics get their numbers.
extension IngestQueries {
    static let dimensions = NumberedTable(
        "click_stats_dimensions", numbering: "ingest_number_dimensions",
        columns: ["verdict", "device", "country", "channel", "referer_host"])

    /// By `click_stats_dimensions_key`.
    static let dimensionIDsStatement = Statement(
        "ingest_dimension_ids",
        """
        select known.id, new.place
        from unnest($1::smallint[], $2::smallint[], $3::text[], $4::text[], $5::text[])
            with ordinality as new (verdict, device, country, channel, referer_host, place)
        join click_stats_dimensions as known
            on (known.verdict, known.device, known.country, known.channel, known.referer_host)
                = (new.verdict, new.device, new.country::char(2), new.channel, new.referer_host)
        limit \(TextPlaces.questionTextsMax)
        """)

    /// The numbers of at most ``TextPlaces/questionTextsMax`` dimensions, in the order given; those
    /// not seen before are stored.
    static func dimensionIDs(
        _ some: [StatisticsDimensions], in db: Connection
    ) throws -> [Int32] {
        func look(for some: [StatisticsDimensions]) throws -> [Row] {
            try db.query(
                dimensionIDsStatement,
                [
                    some.map { Int($0.verdict) }, some.map { Int($0.device) }, some.map(\.country),
                    some.map(\.channel), some.map(\.refererHost),
                ])
        }
        return try numbers(of: some, in: dimensions, db, look: look) {
            $1.writeInt16(Int16($0.verdict))
            $1.writeInt16(Int16($0.device))
            $1.writeText($0.country)
            $1.writeText($0.channel)
            $1.writeText($0.refererHost)
        }
    }
}
