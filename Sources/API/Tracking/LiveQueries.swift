import Clicks
import Judging
import Postgres

/// SQL of the latest clicks.
enum LiveQueries {
    static let statements = [latest]
    /// Clicks a question, over all watched gonggus.
    static let clicksMax = 2000

    /// By the end of the newest partition's key.
    private static let latest = Statement(
        "live_clicks",
        """
        select id, gonggu_id, clicked_at, verdict, click_count, country::text, device, channel
        from click_trackings
        where clicked_at >= $1
            and gonggu_id = any ($2::uuid[])
        order by clicked_at desc, id desc
        limit $3
        """)

    /// The newest first, within a transaction.
    static func clicks(
        of gonggus: [Identifier], since time: Timestamp, in connection: Connection
    ) throws(PostgresError) -> [LiveClick] {
        try connection.inKeyOrder { connection throws(PostgresError) in
            try connection.query(latest, [time, gonggus, clicksMax])
        }
        .map { row throws(PostgresError) in
            LiveClick(
                id: try row.get(0), gonggu: try row.get(1), time: try row.get(2),
                verdict: try row.knownVerdict(3), count: try row.get(4), country: try row.get(5),
                device: (DeviceClass(rawValue: UInt8(clamping: try row.get(6, as: Int.self)))
                    ?? .unknown).name,
                channel: try row.get(7))
        }
    }
}
