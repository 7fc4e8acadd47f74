import Postgres

/// Brings a database to this build's schema, forward only, and keeps other processes from running
/// on another one.
///
/// What was applied is recorded in `schema_migrations` with the SHA-256 of its text, so a migration
/// that was edited afterwards is found out. Two migrators at once take turns by an advisory lock.
package enum Migrator {
    private static let makeLedger = """
        create table if not exists schema_migrations (
            version int not null,
            name text not null,
            sha256 text not null,
            applied_at timestamptz not null default now(),
            constraint schema_migrations_pkey primary key (version)
        )
        """

    private static let lock = Statement(
        "schema_lock", "select pg_advisory_xact_lock(hashtextextended('schema_migrations', 0))")

    /// The texts' hashes are the server's work, so that none is needed here.
    private static let applied = Statement(
        "schema_applied",
        """
        select applied.version, applied.name,
               applied.sha256 = encode(sha256(convert_to(known.sql, 'UTF8')), 'hex') as is_unchanged
        from schema_migrations as applied
        left join unnest($1::int[], $2::text[]) as known (version, sql) using (version)
        order by applied.version
        """)

    private static let record = Statement(
        "schema_record",
        """
        insert into schema_migrations (version, name, sha256)
        values ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'))
        """)

    private static let highest = Statement(
        "schema_highest", "select coalesce(max(version), 0) from schema_migrations")

    private static let hasLedger = Statement(
        "schema_has_ledger", "select to_regclass('schema_migrations') is not null")

    /// Applies what is missing, each migration in a transaction of its own. Returns the versions it
    /// applied; none when all was done.
    ///
    /// - Throws: ``SchemaError`` when an applied migration differs from this build's, or is unknown
    ///   to it; `PostgresError` when one fails, which leaves those before it applied.
    package static func migrate(
        _ connection: Connection, migrations: [Migration] = Migration.all
    ) throws -> [Int] {
        precondition(
            migrations.map(\.version) == Array(1...migrations.count), "versions have no gap")
        var versions: [Int] = []
        for migration in migrations {
            let isNew = try connection.transaction { connection in
                _ = try connection.query(lock)
                try connection.run(script: makeLedger)
                let done = try appliedVersions(connection, migrations)
                guard !done.contains(migration.version) else { return false }
                try connection.run(script: migration.sql)
                try connection.execute(
                    record, [migration.version, migration.name, migration.sql])
                return true
            }
            if isNew { versions.append(migration.version) }
        }
        return versions
    }

    /// The highest version that was applied; 0 for a database that has none.
    package static func currentVersion(_ connection: Connection) throws -> Int {
        guard try connection.query(hasLedger)[0].get(0, as: Bool.self) else { return 0 }
        return try connection.query(highest)[0].get(0)
    }

    /// Throws a ``SchemaError`` unless the database is at this build's version.
    package static func requireCurrent(
        _ connection: Connection, migrations: [Migration] = Migration.all
    ) throws {
        let version = try currentVersion(connection)
        guard version != migrations.count else { return }
        throw version < migrations.count
            ? SchemaError(
                description: """
                    schema is at \(version), this build wants \(migrations.count): \
                    run `API migrate`
                    """)
            : SchemaError(
                description: """
                    schema is at \(version), this build wants \(migrations.count): \
                    run a newer build
                    """)
    }

    private static func appliedVersions(
        _ connection: Connection, _ migrations: [Migration]
    ) throws -> [Int] {
        try connection.query(applied, [migrations.map(\.version), migrations.map(\.sql)]).map {
            let version = try $0.get("version", as: Int.self)
            let name = try $0.get("name", as: String.self)
            switch try $0.get("is_unchanged", as: Bool?.self) {
            case true?: return version
            case false?:
                throw SchemaError(
                    description: """
                        migration \(version) (\(name)) was edited after it was applied: \
                        put it back, and make the change in a new one
                        """)
            case nil:
                throw SchemaError(
                    description: """
                        migration \(version) (\(name)) is unknown to this build: run a newer build
                        """)
            }
        }
    }
}
