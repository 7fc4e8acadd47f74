import Clicks
import Postgres

/// SQL on click_flags, as Ingest opens them; adjudication opens its own in the same way.
extension FloodFlags {
    static let open = Statement(
        "ingest_open_flags",
        """
        insert into click_flags (
            day, gonggu_id, ip_address, first_clicked_at, last_clicked_at, clicks)
        select day, gonggu_id, address::inet, first_at, last_at, clicks
        from unnest($1::date[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[],
            $6::bigint[]) as new (day, gonggu_id, address, first_at, last_at, clicks)
        on conflict on constraint click_flags_flood_key do update
        set first_clicked_at = least(click_flags.first_clicked_at, excluded.first_clicked_at),
            last_clicked_at = greatest(click_flags.last_clicked_at, excluded.last_clicked_at),
            clicks = click_flags.clicks + excluded.clicks,
            status = 'open'
        """)

    /// Writes them, in the transaction of their clicks. In one order on every Ingest, so that two
    /// never wait for each other in a circle. One statement; rows by `click_flags_flood_key`.
    func write(to db: Connection) throws {
        guard !floods.isEmpty else { return }
        let sorted = floods.sorted { left, right in
            let (a, b) = (left.key, right.key)
            if a.day != b.day { return a.day < b.day }
            if a.gongguID != b.gongguID { return a.gongguID < b.gongguID }
            return (a.address.high, a.address.low) < (b.address.high, b.address.low)
        }
        try db.execute(
            FloodFlags.open,
            [
                sorted.map { PostgresDate(daysSince1970: $0.key.day.daysSince1970) },
                sorted.map {
                    PostgresUUID(high: $0.key.gongguID.high, low: $0.key.gongguID.low)
                },
                sorted.map { $0.key.address.inetText },
                sorted.map { PostgresTimestamp(microseconds: $0.value.first.microseconds) },
                sorted.map { PostgresTimestamp(microseconds: $0.value.last.microseconds) },
                sorted.map { Int($0.value.clicks) },
            ])
    }
}

extension NetworkAddress {
    /// As PostgreSQL's inet reads it.
    fileprivate var inetText: String {
        if high == 0 && low >> 32 == 0xFFFF {
            return (0..<4).map { String(low >> (24 - 8 * $0) & 0xFF) }.joined(separator: ".")
        }
        return [high, low].flatMap { word in
            (0..<4).map { String(word >> (48 - 16 * $0) & 0xFFFF, radix: 16) }
        }.joined(separator: ":")
    }
}
