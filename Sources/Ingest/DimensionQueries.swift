import Postgres

// The statements by which dimensions of statistics get their numbers.
extension IngestQueries {
    static let insertDimensions = Statement(
        "ingest_insert_dimensions",
        """
        with new as materialized (
            select verdict, device, country::char(2), channel, referer_host, place
            from unnest($1::smallint[], $2::smallint[], $3::text[], $4::text[], $5::text[])
                with ordinality as new (verdict, device, country, channel, referer_host, place),
                set_config('synchronous_commit', 'off', true)
        ),
        stored as (
            insert into click_stats_dimensions (verdict, device, country, channel, referer_host)
            select verdict, device, country, channel, referer_host
            from new
            on conflict on constraint click_stats_dimensions_key do nothing
            returning id, verdict, device, country, channel, referer_host
        )
        select stored.id, new.place
        from stored
        join new using (verdict, device, country, channel, referer_host)
        limit \(TextPlaces.questionTextsMax)
        """)

    /// By `click_stats_dimensions_key`.
    static let selectDimensions = Statement(
        "ingest_select_dimensions",
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
        _ dimensions: [StatisticsDimensions], in db: Connection
    ) throws -> [Int32] {
        func columns(_ some: [StatisticsDimensions]) -> [any PostgresEncodable] {
            [
                some.map { Int($0.verdict) }, some.map { Int($0.device) }, some.map(\.country),
                some.map(\.channel), some.map(\.refererHost),
            ]
        }
        return try ids(
            of: dimensions, look: { try db.query(selectDimensions, columns($0)) },
            insert: { try db.query(insertDimensions, columns($0)) })
    }
}
