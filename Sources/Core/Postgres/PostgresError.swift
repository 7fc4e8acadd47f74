import CPostgres

/// A statement, a connection or the pool failed: what code may match on and a log may show.
///
/// Holds neither parameters nor connection strings, so that it can be logged whole. The server's
/// DETAIL is dropped for the same reason: it quotes the row.
package struct PostgresError: Error, Sendable, Equatable {
    package enum Kind: Sendable {
        /// The server refused the statement; ``sqlState`` says why.
        case server
        /// The connection was refused or lost; whether a statement in flight took effect is
        /// unknown.
        case connection
        /// A parameter does not fit the type that the statement gives it.
        case encoding
        /// A column is missing, null, or of another type than was asked for.
        case decoding
        /// The pool is closed, its queue is full, or the wait was too long.
        case pool
    }

    package var kind: Kind
    /// Five characters, `23505` for a unique violation; empty where the server had no part in it.
    package var sqlState: String
    package var message: String
    /// The name of the constraint that was violated.
    package var constraint: String?
    package var table: String?
    package var column: String?
    /// The name of the ``Statement``.
    package var statement: String?

    package init(
        kind: Kind, sqlState: String = "", message: String, constraint: String? = nil,
        table: String? = nil, column: String? = nil, statement: String? = nil
    ) {
        self.kind = kind
        self.sqlState = sqlState
        self.message = message
        self.constraint = constraint
        self.table = table
        self.column = column
        self.statement = statement
    }

    /// Whether the connection is gone, and so worth opening again before another try.
    package var isConnectionLost: Bool { kind == .connection }

    /// Whether this is the violation of the constraint (or unique index) of that name.
    package func violates(_ constraint: String) -> Bool {
        sqlState.hasPrefix("23") && self.constraint == constraint
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        var text = "PostgreSQL"
        if !sqlState.isEmpty { text += " " + sqlState }
        if let statement { text += " in \(statement)" }
        text += ": " + message
        if let constraint { text += " [constraint \(constraint)]" }
        if let column { text += " [column \(column)]" }
        return text
    }
}

// MARK: From libpq

extension PostgresError {
    /// What `result` (nil where libpq could make none) says about a failed call.
    init(result: OpaquePointer?, handle: OpaquePointer, statement: String?) {
        func field(_ code: Character) -> String? {
            // The field codes are the characters of the protocol; their C macros do not import.
            guard let text = PQresultErrorField(result, Int32(code.asciiValue!)) else { return nil }
            return String(cString: text)
        }
        let state = field("C")
        let lost =
            PQstatus(handle) != CONNECTION_OK || state?.hasPrefix("08") == true
            || state?.hasPrefix("57P0") == true && state != "57P04"
        let message = field("M") ?? PostgresError.connectionMessage(handle)
        self.init(
            kind: lost ? .connection : .server,
            sqlState: state ?? (lost ? "08006" : ""),
            message: PostgresError.withoutValues(message, sqlState: state),
            constraint: field("n"), table: field("t"), column: field("c"), statement: statement)
    }

    /// The connection's own message, as one line.
    static func connectionMessage(_ handle: OpaquePointer?) -> String {
        let text = PQerrorMessage(handle).map { String(cString: $0) } ?? ""
        let line = text.split(whereSeparator: \.isNewline).joined(separator: "; ")
        return line.isEmpty ? "the connection was lost" : line
    }

    /// Data exceptions (class 22) quote the value they refuse; it is cut out, everything else in
    /// double quotes is a name.
    private static func withoutValues(_ message: String, sqlState: String?) -> String {
        guard sqlState?.hasPrefix("22") == true,
            let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""),
            first != last
        else { return message }
        return message[...first] + "…" + message[last...]
    }
}
