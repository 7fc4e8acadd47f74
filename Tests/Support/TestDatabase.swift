import Postgres
import Schema

/// A migrated database of its own, dropped with whoever still uses it when this goes.
///
/// Keep it in a stored property of the suite, made in its `init`: then it lives as long as the test
/// does. (A local variable may go right after its last mention.) Costs about 50 ms: the schema is
/// migrated once per server and version into a template, and the database is a copy of that.
package final class TestDatabase: Sendable {
    package let name: String
    package let url: String
    private let serverURL: String

    /// - Parameter migrated: false for a database with nothing in it.
    package init(migrated: Bool = true) throws {
        serverURL = try TestServers.databaseURL()
        let server = try Connection(url: serverURL, applicationName: "TestDatabase")
        let template =
            migrated ? try TestDatabase.template(server, serverURL: serverURL) : "template0"
        name = "test_" + String(UInt64.random(in: .min ... .max), radix: 36)
        url = try TestDatabase.url(serverURL, database: name)
        try server.run(script: "create database \(name) template \(template)")
    }

    deinit {
        // Best effort: a database that stays behind goes with its private server.
        let server = try? Connection(url: serverURL, applicationName: "TestDatabase")
        try? server?.run(script: "drop database if exists \(name) with (force)")
    }

    package func connect() throws -> Connection {
        try Connection(url: url, applicationName: "test")
    }

    /// The template's name tells its schema, so one that was made for another is not used.
    static func template(_ server: Connection, serverURL: String) throws -> String {
        let name: String = try server.query(
            Statement(
                "template_name",
                "select 'template_' || md5(string_agg(s, '')) from unnest($1::text[]) as s"),
            [Migration.all.map(\.sql)])[0].get(0)
        let exists = Statement(
            "template_exists", "select exists (select from pg_database where datname = $1)")
        // Test processes and tests run side by side; one of them makes it, the others wait.
        try server.run(script: "select pg_advisory_lock(7203485)")
        defer { try? server.run(script: "select pg_advisory_unlock(7203485)") }
        guard try !server.query(exists, [name])[0].get(0, as: Bool.self) else { return name }
        // Made under another name first: what bears the template's name is whole.
        try server.run(script: "drop database if exists \(name)_unfinished with (force)")
        try server.run(script: "create database \(name)_unfinished template template0")
        try migrate(url(serverURL, database: name + "_unfinished"))
        try server.run(script: "alter database \(name)_unfinished rename to \(name)")
        return name
    }

    private static func migrate(_ url: String) throws {
        _ = try Migrator.migrate(Connection(url: url, applicationName: "TestDatabase"))
    }

    /// `url` with the name of the database replaced.
    static func url(_ url: String, database: String) throws -> String {
        struct Unreadable: Error, CustomStringConvertible {
            let description = "TEST_DATABASE_URL has to be of the form postgres://host/database"
        }
        guard let scheme = url.firstRange(of: "://") else { throw Unreadable() }
        let query = url.firstIndex(of: "?") ?? url.endIndex
        let path = url[scheme.upperBound..<query].firstIndex(of: "/") ?? query
        return url[..<path] + "/" + database + url[query...]
    }
}
