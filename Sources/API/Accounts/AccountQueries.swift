import Clicks
import Postgres

/// SQL on users and influencer_profiles, with what it binds and what comes back.
package enum AccountQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [
        insertUser, insertProfile, selectCredentials, updateHash, selectUser, selectAccount,
        verifyInfluencer, updateRole,
    ]

    static let insertUser = Statement(
        "users_insert",
        """
        insert into users (id, email, password_hash, nickname, role, status)
        values ($1, $2, $3, $4, $5, 'active')
        returning id, email, nickname, role, status, profile_image, created_at,
            case when role = 'influencer' then false end as is_verified
        """)

    /// The index on lower(email) decides between two sign-ups at once.
    static func insert(
        _ user: NewUser, passwordHash: String, in connection: Connection
    ) throws -> User {
        let id = Identifier.new()
        let rows: [Row]
        do throws(PostgresError) {
            rows = try connection.query(
                insertUser, [id, user.email, passwordHash, user.nickname, user.role.rawValue])
        } catch  where error.violates("users_email_key") {
            throw AccountRefusal.emailTaken
        }
        if user.role == .influencer {
            try connection.execute(insertProfile, [Identifier.new(), id])
        }
        return try User(rows[0])
    }

    static let insertProfile = Statement(
        "influencer_profiles_insert",
        "insert into influencer_profiles (id, user_id, is_verified) values ($1, $2, false)")

    static let selectCredentials = Statement(
        "users_credentials",
        """
        select id, password_hash, role, status
        from users
        where lower(email) = lower($1)
        limit 1
        """)

    struct Credentials: Sendable {
        let id: Identifier
        /// Nil for an account without a password.
        let passwordHash: String?
        let role: Role
        let status: UserStatus
    }

    /// At most one row, by the index on lower(email).
    static func credentials(
        of email: String, in connection: Connection
    ) throws(PostgresError) -> Credentials? {
        guard let row = try connection.query(selectCredentials, [email]).first else { return nil }
        return try Credentials(
            id: row.get("id"), passwordHash: row.get("password_hash"), role: row.role("role"),
            status: row.status("status"))
    }

    static let updateHash = Statement(
        "users_update_hash",
        """
        update users
        set password_hash = $3
        where id = $1 and password_hash = $2
        """)

    /// Replaces a hash that was made with another cost, unless it has changed meanwhile.
    static func replaceHash(
        of id: Identifier, from old: String, to new: String, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(updateHash, [id, old, new])
    }

    static let selectUser = Statement(
        "users_select",
        """
        select u.id, u.email, u.nickname, u.role, u.status, u.profile_image, u.created_at,
            p.is_verified
        from users u
        left join influencer_profiles p on p.user_id = u.id
        where u.id = $1
        """)

    /// At most one row, by the primary key.
    static func user(
        _ id: Identifier, in connection: Connection
    ) throws(PostgresError) -> User? {
        try connection.query(selectUser, [id]).first.map { row throws(PostgresError) in
            try User(row)
        }
    }

    static let selectAccount = Statement(
        "users_account",
        """
        select id, role
        from users
        where id = $1 and status = 'active'
            and (tokens_valid_after is null or tokens_valid_after < $2)
        """)

    /// The account if it may act now: a suspension and a change of role count at once, whatever
    /// tokens are still about. At most one row, by the primary key.
    static func account(
        _ id: Identifier, tokenFrom issuedAt: Timestamp, in connection: Connection
    ) throws(PostgresError) -> Account? {
        guard let row = try connection.query(selectAccount, [id, issuedAt]).first else {
            return nil
        }
        return try Account(id: row.get("id"), role: row.role("role"))
    }

    static let verifyInfluencer = Statement(
        "influencer_profiles_verify",
        """
        update influencer_profiles p
        set is_verified = true
        from users u
        where u.id = p.user_id and lower(u.email) = lower($1)
        returning u.id
        """)

    /// Nil where no influencer has that e-mail.
    static func verify(
        email: String, in connection: Connection
    ) throws(PostgresError) -> Identifier? {
        guard let row = try connection.query(verifyInfluencer, [email]).first else { return nil }
        return try row.get("id")
    }

    static let updateRole = Statement(
        "users_update_role",
        """
        with known as (
            select id, role from users where lower(email) = lower($1) for no key update
        )
        update users u
        set role = $2
        from known
        where u.id = known.id
        returning u.id, known.role as role_before
        """)

    /// The account and what it was; nil where no account has that e-mail.
    static func setRole(
        _ role: Role, of email: String, in connection: Connection
    ) throws(PostgresError) -> (id: Identifier, before: Role)? {
        guard let row = try connection.query(updateRole, [email, role.rawValue]).first else {
            return nil
        }
        return (try row.get("id"), try row.role("role_before"))
    }
}

extension User {
    init(_ row: Row) throws(PostgresError) {
        id = try row.get("id")
        email = try row.get("email")
        nickname = try row.get("nickname")
        role = try row.role("role")
        status = try row.status("status")
        profileImage = try row.get("profile_image")
        isVerified = try row.get("is_verified")
        createdAt = try row.get("created_at")
    }
}

extension Row {
    func role(_ column: String) throws(PostgresError) -> Role { try oneOf(column) }

    func status(_ column: String) throws(PostgresError) -> UserStatus { try oneOf(column) }

    /// A text column that a check constraint keeps to the enum's raw values.
    func oneOf<Choice: RawRepresentable>(
        _ column: String
    ) throws(PostgresError) -> Choice where Choice.RawValue == String {
        try choice(get(column), column)
    }

    /// The same of a column by its place, from 0.
    func oneOf<Choice: RawRepresentable>(
        _ ordinal: Int
    ) throws(PostgresError) -> Choice where Choice.RawValue == String {
        try choice(get(ordinal), "\(ordinal)")
    }

    private func choice<Choice: RawRepresentable>(
        _ text: String, _ column: @autoclosure () -> String
    ) throws(PostgresError) -> Choice where Choice.RawValue == String {
        guard let choice = Choice(rawValue: text) else {
            throw PostgresError(
                kind: .decoding, message: "\(Choice.self) has no such case", column: column())
        }
        return choice
    }
}
