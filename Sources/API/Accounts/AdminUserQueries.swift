import Clicks
import Postgres

// SQL on accounts for admins. A list has a statement for each index that can lead it, so that its
// plan does not depend on which filters were sent; the others are applied to what the index finds.
// Counts stop at a bound, as a million rows cannot be counted while somebody waits.

/// SQL of lists of accounts, and of decisions over one.
package enum AdminUserQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements =
        [lock, setStatus, select]
        + Lead.allCases.flatMap { [$0.list(.ascending), $0.list(.descending), $0.count] }

    private static let columns = """
        u.id, u.email, u.nickname, u.role, u.status, p.is_verified,
        case when u.status <> 'erased'
            then u.erase_requested_at
                + make_interval(days => \(AccountErasure.reservationDays)) end as erase_after,
        u.created_at, u.updated_at
        """

    // MARK: Lists

    /// Which index leads a list.
    enum Lead: CaseIterable {
        case email, nickname, status, role, time

        /// The most telling condition: few accounts share a beginning, fewer are in a state other
        /// than active than have a role.
        init(_ filter: AdminUserFilter) {
            self =
                if filter.email != nil {
                    .email
                } else if filter.nickname != nil {
                    .nickname
                } else if let status = filter.status, status != .active || filter.role == nil {
                    .status
                } else if filter.role != nil {
                    .role
                } else {
                    .time
                }
        }

        func list(_ order: Order) -> Statement {
            let statements =
                switch self {
                case .email: AdminUserQueries.byEmail
                case .nickname: AdminUserQueries.byNickname
                case .status: AdminUserQueries.byStatus
                case .role: AdminUserQueries.byRole
                case .time: AdminUserQueries.byTime
                }
            return order == .ascending ? statements.ascending : statements.descending
        }

        var count: Statement {
            switch self {
            case .email: AdminUserQueries.countOfEmail
            case .nickname: AdminUserQueries.countOfNickname
            case .status: AdminUserQueries.countOfStatus
            case .role: AdminUserQueries.countOfRole
            case .time: AdminUserQueries.countOfAll
            }
        }
    }

    // The greatest character ends the range of what begins with a text.
    private static let ofEmail: StaticString =
        "lower(u.email) collate \"C\" >= $1 and lower(u.email) collate \"C\" < $1 || chr(1114111)"
    private static let ofNickname: StaticString =
        """
        lower(u.nickname) collate "C" >= $2 and lower(u.nickname) collate "C" < $2 || chr(1114111)
        """

    /// Conditions from $1 to $4. That of the lead is without a way out, for its index.
    private static func condition(_ lead: Lead) -> String {
        let email = lead == .email ? "\(ofEmail)" : "($1::text is null or \(ofEmail))"
        let nickname =
            lead == .nickname ? "\(ofNickname)" : "($2::text is null or \(ofNickname))"
        let role = lead == .role ? "u.role = $3" : "($3::text is null or u.role = $3)"
        let status = lead == .status ? "u.status = $4" : "($4::text is null or u.status = $4)"
        return "\(email)\n    and \(nickname)\n    and \(role)\n    and \(status)"
    }

    /// Behind a fence (`offset 0`) where a beginning leads: the planner would rather walk all
    /// accounts in the order of time until twenty fit.
    private static func source(_ lead: Lead) -> String {
        switch lead {
        case .email, .nickname:
            "(select u.id, u.created_at from users u where \(condition(lead)) offset 0) as u"
        case .status, .role, .time: "users u where \(condition(lead))"
        }
    }

    private static func list(
        _ name: StaticString, _ lead: Lead, _ order: StaticString
    ) -> Statement {
        Statement(
            name,
            """
            with page as (
                select u.id
                from \(source(lead))
                order by u.created_at \(order), u.id \(order)
                limit $5 offset $6
            )
            select \(columns)
            from page
            join users u on u.id = page.id
            left join influencer_profiles p on p.user_id = u.id
            order by u.created_at \(order), u.id \(order)
            """)
    }

    /// Accounts counted at most: further ones are found by narrower filters.
    private static let countMax = 10_000

    /// In the order of the leading index, so that it is read, and no further than needed.
    private static func count(_ name: StaticString, _ lead: Lead) -> Statement {
        let key =
            switch lead {
            case .email: "lower(u.email) collate \"C\""
            case .nickname: "lower(u.nickname) collate \"C\""
            case .status, .role, .time: "u.created_at"
            }
        return Statement(
            name,
            """
            select count(*)
            from (
                select from users u
                where \(condition(lead))
                order by \(key)
                limit \(countMax)
            ) as counted
            """)
    }

    private static let byEmail = (
        ascending: list("admin_users_email", .email, "asc"),
        descending: list("admin_users_email_desc", .email, "desc")
    )
    private static let byNickname = (
        ascending: list("admin_users_nickname", .nickname, "asc"),
        descending: list("admin_users_nickname_desc", .nickname, "desc")
    )
    private static let byStatus = (
        ascending: list("admin_users_status", .status, "asc"),
        descending: list("admin_users_status_desc", .status, "desc")
    )
    private static let byRole = (
        ascending: list("admin_users_role", .role, "asc"),
        descending: list("admin_users_role_desc", .role, "desc")
    )
    private static let byTime = (
        ascending: list("admin_users", .time, "asc"),
        descending: list("admin_users_desc", .time, "desc")
    )
    private static let countOfEmail = count("admin_users_count_email", .email)
    private static let countOfNickname = count("admin_users_count_nickname", .nickname)
    private static let countOfStatus = count("admin_users_count_status", .status)
    private static let countOfRole = count("admin_users_count_role", .role)
    private static let countOfAll = count("admin_users_count", .time)

    /// One page, and how many there are, up to ``countMax``.
    static func page(
        _ filter: AdminUserFilter, order: Order, limit: Int, offset: Int, in connection: Connection
    ) throws(PostgresError) -> (items: [AdminUser], total: Int) {
        let lead = Lead(filter)
        let parameters: [(any PostgresEncodable)?] = [
            filter.email?.lowercased(), filter.nickname?.lowercased(), filter.role?.rawValue,
            filter.status?.rawValue,
        ]
        let rows = try connection.query(lead.list(order), parameters + [limit, offset])
        let items = try rows.map { row throws(PostgresError) in try AdminUser(row) }
        return (items, try connection.query(lead.count, parameters)[0].get(0))
    }

    // MARK: Decisions

    static let lock = Statement(
        "admin_users_lock", "select status from users where id = $1 for no key update")

    /// Nil where there is no such account; its row is held until the transaction ends.
    static func lock(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> UserStatus? {
        try connection.query(lock, [id]).first.map { row throws(PostgresError) in
            try row.status("status")
        }
    }

    static let setStatus = Statement(
        "admin_users_set_status",
        "update users set status = $2, tokens_valid_after = now() where id = $1")

    /// Sets the status of an account whose row is held, and ends every session: a restored account
    /// signs in anew.
    static func set(
        _ status: UserStatus, of id: Identifier, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(setStatus, [id, status.rawValue])
        try RefreshTokenQueries.revokeAll(of: id, in: connection)
    }

    static let select = Statement(
        "admin_users_select",
        """
        select \(columns)
        from users u
        left join influencer_profiles p on p.user_id = u.id
        where u.id = $1
        """)

    static func user(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> AdminUser? {
        try connection.query(select, [id]).first.map { row throws(PostgresError) in
            try AdminUser(row)
        }
    }
}

extension AdminUser {
    fileprivate init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        email = try row.get("email")
        nickname = try row.get("nickname")
        role = try row.role("role")
        status = try row.status("status")
        isVerified = try row.get("is_verified")
        eraseAfter = try row.get("erase_after")
        createdAt = try row.get("created_at")
        updatedAt = try row.get("updated_at")
    }
}
