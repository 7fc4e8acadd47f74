import Postgres

/// A migrated database with as much in it as its script loads, for plans of statements at volume.
///
/// Made once per server, schema and script, and then shared by whoever asks: read it, or roll back.
/// It stays until its server goes, which for tests is the end of the run.
package struct VolumeDatabase: Sendable {
    package let url: String

    /// - Parameter script: SQL, run as one transaction; the tables are vacuumed and analysed after.
    package init(script: String) throws {
        let serverURL = try TestServers.databaseURL()
        let server = try Connection(url: serverURL, applicationName: "VolumeDatabase")
        let template = try TestDatabase.template(server, serverURL: serverURL)
        let key = Statement("volume_name", "select 'volume_' || md5($1 || $2)")
        let name: String = try server.query(key, [template, script])[0].get(0)
        url = try TestDatabase.url(serverURL, database: name)
        let exists = Statement(
            "volume_exists", "select exists (select from pg_database where datname = $1)")
        // Test processes run side by side; one of them makes it, the others wait.
        try server.run(script: "select pg_advisory_lock(7203486)")
        defer { try? server.run(script: "select pg_advisory_unlock(7203486)") }
        guard try !server.query(exists, [name])[0].get(0, as: Bool.self) else { return }
        // Made under another name first: what bears the name is whole.
        let unfinished = name + "_unfinished"
        try server.run(script: "drop database if exists \(unfinished) with (force)")
        try server.run(script: "create database \(unfinished) template \(template)")
        do {
            let connection = try Connection(
                url: TestDatabase.url(serverURL, database: unfinished),
                applicationName: "VolumeDatabase")
            // Until a commit is on the disk, vacuum does not take its rows for visible to all, and
            // scans of an index alone would look into the table for each of them.
            try connection.run(script: "set synchronous_commit = on")
            try connection.run(script: script)
            try connection.run(script: "vacuum analyze")
        }
        try server.run(script: "alter database \(unfinished) rename to \(name)")
    }

    package func connect() throws -> Connection {
        try Connection(url: url, applicationName: "volume")
    }
}
