import Clicks
import Postgres

/// One address's flood on one gonggu within a Korean day, as a batch saw it.
struct Flood: Hashable {
    let day: KoreanDay
    let gongguID: Identifier
    let address: NetworkAddress
}

/// The floods of one batch: each opens a flag for a person to decide, or adds to the one there is.
///
/// At ``floodsMax`` further addresses are left out and counted: who comes from ever new addresses
/// would fill the list of what people look at, and the held clicks are in the ledger all the same.
struct FloodFlags {
    static let floodsMax = 1000

    struct Extent {
        var first: Timestamp
        var last: Timestamp
        var clicks: Int64
    }

    private(set) var floods: [Flood: Extent] = [:]
    /// Clicks whose floods were left out.
    private(set) var clicksLeftOut = 0

    mutating func note(_ click: Click) {
        let flood = Flood(
            day: click.time.koreanDay, gongguID: click.gongguID, address: click.address)
        if var extent = floods[flood] {
            extent.first = min(extent.first, click.time)
            extent.last = max(extent.last, click.time)
            extent.clicks += Int64(click.count)
            floods[flood] = extent
        } else if floods.count < FloodFlags.floodsMax {
            floods[flood] = Extent(
                first: click.time, last: click.time, clicks: Int64(click.count))
        } else {
            clicksLeftOut += 1
        }
    }

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
