import Clicks
import Postgres

/// SQL on what holders do with their own accounts.
package enum ProfileQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        selectPublic, change, selectPassword, changePassword, leave, hideGonggus,
    ]

    static let selectPublic = Statement(
        "profile_select",
        """
        select id, nickname, role, profile_image, created_at
        from users
        where id = $1 and status = 'active' and erase_requested_at is null
        """)

    /// At most one row, by the primary key. Nobody who is suspended, leaving or gone.
    static func profile(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> PublicProfile? {
        guard let row = try connection.query(selectPublic, [id]).first else { return nil }
        return PublicProfile(
            id: try row.get("id"), nickname: try row.get("nickname"), role: try row.role("role"),
            profileImage: try row.get("profile_image"), createdAt: try row.get("created_at"))
    }

    static let change = Statement(
        "profile_change",
        """
        update users
        set nickname = coalesce($2, nickname),
            profile_image = case when $3 then $4 else profile_image end
        where id = $1 and status = 'active'
        """)

    static func change(
        _ id: Identifier, _ change: AcceptedProfileChange, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(
            Self.change,
            [id, change.nickname, change.profileImage != nil, change.profileImage ?? nil])
    }

    static let selectPassword = Statement(
        "profile_password", "select email, password_hash from users where id = $1")

    /// The e-mail that failures are counted by, and the hash, each where there is one.
    static func password(
        of id: Identifier, in connection: Connection
    ) throws(PostgresError) -> (email: String?, hash: String?) {
        guard let row = try connection.query(selectPassword, [id]).first else { return (nil, nil) }
        return (try row.get("email"), try row.get("password_hash"))
    }

    static let changePassword = Statement(
        "profile_change_password",
        """
        update users
        set password_hash = $3, tokens_valid_after = now()
        where id = $1 and password_hash = $2 and status = 'active'
        """)

    /// Replaces the hash and ends every session; false where it has changed meanwhile.
    static func changePassword(
        of id: Identifier, from old: String, to new: String, in connection: Connection
    ) throws(PostgresError) -> Bool {
        guard try connection.execute(changePassword, [id, old, new]) == 1 else { return false }
        try RefreshTokenQueries.revokeAll(of: id, in: connection)
        return true
    }

    static let leave = Statement(
        "profile_leave",
        """
        update users
        set erase_requested_at = now(), tokens_valid_after = now()
        where id = $1 and status = 'active' and erase_requested_at is null
        returning erase_requested_at + make_interval(days => $2) as erase_after
        """)

    static let hideGonggus = Statement(
        "profile_hide_gonggus",
        """
        update gonggus
        set hidden_at = now()
        where influencer_id = $1 and hidden_at is null
        """)

    /// Reserves the erasure, ends every session and hides every gonggu, so that no click earns any
    /// more. Nil where it is reserved already or the account may not act.
    static func leave(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> Timestamp? {
        let rows = try connection.query(leave, [id, AccountErasure.reservationDays])
        guard let row = rows.first else { return nil }
        try RefreshTokenQueries.revokeAll(of: id, in: connection)
        try connection.execute(hideGonggus, [id])
        return try row.get("erase_after")
    }
}
