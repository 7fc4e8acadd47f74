import Clicks
import Postgres

/// SQL of the demo data. Everything is written so that a second run finds it and sets it right.
package enum DemoQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        countOthers, upsertUser, upsertProfile, upsertCategory, upsertGonggu,
    ]

    static let countOthers = Statement(
        "demo_count_others",
        "select count(*) as others from users where coalesce(email, '') not like '%@demo.example'")

    /// Accounts that are nobody's demo.
    static func others(in connection: Connection) throws(PostgresError) -> Int {
        try connection.query(countOthers)[0].get("others")
    }

    static let upsertUser = Statement(
        "demo_upsert_user",
        """
        insert into users (id, email, password_hash, nickname, role, status)
        values ($1, $2, $3, $4, $5, 'active')
        on conflict (lower(email)) do update
        set password_hash = excluded.password_hash, role = excluded.role, status = 'active'
        returning id
        """)

    static func upsert(
        email: String, passwordHash: String, nickname: String, role: Role,
        in connection: Connection
    ) throws(PostgresError) -> Identifier {
        let row = try connection.query(
            upsertUser, [Identifier.new(), email, passwordHash, nickname, role.rawValue])[0]
        return try row.get("id")
    }

    static let upsertProfile = Statement(
        "demo_upsert_profile",
        """
        insert into influencer_profiles (id, user_id, bio, is_verified)
        values ($1, $2, $3, true)
        on conflict (user_id) do update
        set is_verified = true
        """)

    static func upsertProfile(
        of user: Identifier, bio: String, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(upsertProfile, [Identifier.new(), user, bio])
    }

    static let upsertCategory = Statement(
        "demo_upsert_category",
        """
        insert into categories (id, parent_id, name, sort_order)
        values ($1, $2, $3, $4)
        on conflict (parent_id, name) do update
        set sort_order = excluded.sort_order
        returning id
        """)

    static func upsertCategory(
        _ name: String, below parent: Identifier?, sortOrder: Int, in connection: Connection
    ) throws(PostgresError) -> Identifier {
        let row = try connection.query(
            upsertCategory, [Identifier.new(), parent, name, sortOrder])[0]
        return try row.get("id")
    }

    static let upsertGonggu = Statement(
        "demo_upsert_gonggu",
        """
        insert into gonggus (
            id, influencer_id, title, description, original_price, gonggu_price, open_at, close_at,
            external_url
        )
        values (
            $1, $2, $3, $4, $5, $6, now() + make_interval(hours => $7),
            now() + make_interval(hours => $8), $9
        )
        on conflict (id) do update
        set influencer_id = excluded.influencer_id, open_at = excluded.open_at,
            close_at = excluded.close_at, hidden_at = null, suspended_at = null
        returning short_code
        """)

    /// Its short code.
    static func upsert(
        _ gonggu: DemoGonggu, of influencer: Identifier, in connection: Connection
    ) throws(PostgresError) -> String {
        let row = try connection.query(
            upsertGonggu,
            [
                gonggu.id, influencer, gonggu.title, gonggu.description, gonggu.originalPrice,
                gonggu.gongguPrice, gonggu.opensInHours, gonggu.closesInHours,
                gonggu.externalURL,
            ])[0]
        return try row.get("short_code")
    }
}
