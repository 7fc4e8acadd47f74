import Clicks
import Postgres

/// SQL on what a QR code leads to.
package enum QRQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [selectCode]

    static let selectCode = Statement(
        "gonggus_select_code",
        "select short_code from gonggus where id = $1 and hidden_at is null")

    /// What a gonggu's link ends with; at most one row, by the primary key.
    static func shortCode(
        of id: Identifier, in connection: Connection
    ) throws(PostgresError) -> String? {
        try connection.query(selectCode, [id]).first.map { row throws(PostgresError) in
            try row.get("short_code")
        }
    }
}
