/// SQL with a name, prepared once per connection, the first time it is used there.
///
/// The name is what logs, errors and `pg_prepared_statements` show. Two statements of one name and
/// different SQL are a bug and trap.
package struct Statement: Sendable {
    package let name: String
    package let sql: String

    /// - Parameters:
    ///   - name: unique in the process, `gonggus_insert`; at most 63 bytes.
    ///   - sql: one statement, values as `$1`, `$2`, …
    package init(_ name: StaticString, _ sql: String) {
        self.name = name.description
        self.sql = sql
    }

    /// One of a family that is made by rule, such as a list's for each way to sort it: as many are
    /// known when the process starts, and values are parameters here too.
    package init(family name: String, _ sql: String) {
        precondition(name.utf8.count <= 63, "PostgreSQL cuts longer names off: \(name)")
        self.name = name
        self.sql = sql
    }
}
