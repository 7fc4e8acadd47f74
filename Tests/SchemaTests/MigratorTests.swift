import Postgres
import Schema
import TestSupport
import Testing

@Suite struct MigratorTests {
    let database: TestDatabase

    init() throws { database = try TestDatabase(migrated: false) }

    @Test func `an empty database is migrated, and again changes nothing`() throws {
        let connection = try database.connect()
        #expect(try Migrator.currentVersion(connection) == 0)
        #expect(try Migrator.migrate(connection) == Migration.all.map(\.version))
        #expect(try Migrator.migrate(connection) == [])
        #expect(try Migrator.currentVersion(connection) == Migration.all.count)
        try Migrator.requireCurrent(connection)
    }

    @Test func `every constraint has a name that someone gave it`() throws {
        let connection = try database.connect()
        _ = try Migrator.migrate(connection)
        // PostgreSQL's own names for checks end in _check, with a number or not.
        let unnamed = try connection.query(
            Statement(
                "unnamed",
                """
                select conname::text from pg_constraint
                where connamespace = 'public'::regnamespace and conname ~ '_check[0-9]*$'
                """))
        #expect(try unnamed.map { try $0.get(0, as: String.self) } == [])
    }

    @Test func `an edited migration is refused`() throws {
        let connection = try database.connect()
        let first = Migration(version: 1, name: "a", sql: "create table a (n int)")
        let second = Migration(version: 2, name: "b", sql: "create table b (n int)")
        _ = try Migrator.migrate(connection, migrations: [first])
        let edited = Migration(version: 1, name: "a", sql: "create table a (n bigint)")
        let error = #expect(throws: SchemaError.self) {
            try Migrator.migrate(connection, migrations: [edited, second])
        }
        #expect(error?.description.contains("migration 1 (a) was edited") == true)
        #expect(try Migrator.migrate(connection, migrations: [first, second]) == [2])
        let unknown = #expect(throws: SchemaError.self) {
            try Migrator.migrate(connection, migrations: [first])
        }
        #expect(unknown?.description.contains("migration 2 (b) is unknown") == true)
    }

    @Test func `another version is named together with what to do`() throws {
        let connection = try database.connect()
        let wanted = Migration.all.count
        func sentence() -> String? {
            #expect(throws: SchemaError.self) { try Migrator.requireCurrent(connection) }?
                .description
        }
        #expect(sentence() == "schema is at 0, this build wants \(wanted): run `API migrate`")
        _ = try Migrator.migrate(connection)
        try connection.run(script: "insert into schema_migrations values (99, 'later', '')")
        #expect(sentence() == "schema is at 99, this build wants \(wanted): run a newer build")
    }

    @Test func `a migration that fails leaves nothing of itself`() throws {
        let connection = try database.connect()
        let good = Migration(version: 1, name: "good", sql: "create table good (n int)")
        let bad = Migration(version: 2, name: "bad", sql: "create table bad (n int); select 1/0")
        let error = #expect(throws: PostgresError.self) {
            try Migrator.migrate(connection, migrations: [good, bad])
        }
        #expect(error?.sqlState == "22012")
        #expect(try Migrator.currentVersion(connection) == 1)
        let row = try connection.query(
            Statement("tables", "select to_regclass('good') is null, to_regclass('bad') is null"))[
                0]
        #expect(try row.get(0) == false)
        #expect(try row.get(1) == true)
    }

    @Test func `of two migrators at once each migration is applied by one`() async throws {
        let database = database
        let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
            for _ in 0..<2 {
                let pool = ConnectionPool(
                    url: database.url, applicationName: "migrators", connections: 1)
                group.addTask { try await pool.run { try Migrator.migrate($0) } }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        #expect(applied.sorted() == Migration.all.map(\.version))
    }
}
