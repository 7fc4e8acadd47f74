import CPostgres

/// One row of an answer. Holds the whole answer in memory, so take the values out and let it go.
package struct Row {
    let answer: Answer
    let index: Int32

    /// The value of the first column of that name, as PostgreSQL spells it.
    ///
    /// - Throws: `.decoding`, naming the column, where there is none of that name, where it is null
    ///   and `T` is not optional, or where its type does not suit `T`.
    package func get<T: PostgresDecodable>(
        _ column: String, as _: T.Type = T.self
    ) throws(PostgresError) -> T {
        guard let ordinal = answer.columns.firstIndex(of: column) else {
            throw answer.decodingError("the answer has no such column", column: column)
        }
        return try get(ordinal)
    }

    /// The value of a column by its place, from 0. A place that is not there traps.
    package func get<T: PostgresDecodable>(
        _ ordinal: Int, as _: T.Type = T.self
    ) throws(PostgresError) -> T {
        let value = answer.value(row: index, column: ordinal)
        if let decoded = T.decode(value) { return decoded }
        let column = answer.columns[ordinal]
        guard value.bytes != nil else {
            throw answer.decodingError("it is null, which \(T.self) cannot be", column: column)
        }
        throw answer.decodingError("\(value.type) cannot be read as \(T.self)", column: column)
    }
}

/// Owns libpq's result; immutable once made.
final class Answer {
    let columns: [String]
    let rows: Int32
    private let types: [PostgresType]
    private let statement: String?
    private let result: OpaquePointer

    /// Takes over `result`.
    init(result: OpaquePointer, statement: String?) {
        self.result = result
        self.statement = statement
        rows = PQntuples(result)
        columns = (0..<PQnfields(result)).map { String(cString: PQfname(result, $0)) }
        types = (0..<PQnfields(result)).map { PostgresType(rawValue: PQftype(result, $0)) }
    }

    deinit { PQclear(result) }

    /// Rows that an insert, update, delete or copy touched, or a select returned.
    var affectedRows: Int {
        PQcmdTuples(result).flatMap { Int(String(cString: $0)) } ?? 0
    }

    /// `COMMIT`, `INSERT 0 1`, …
    var commandTag: String { String(cString: PQcmdStatus(result)) }

    /// The type of the statement's parameters, where this answers a description of one.
    var parameterTypes: [PostgresType] {
        (0..<PQnparams(result)).map { PostgresType(rawValue: PQparamtype(result, $0)) }
    }

    func value(row: Int32, column: Int) -> ColumnValue {
        precondition(columns.indices.contains(column), "the statement's answer has that column")
        let column = Int32(column)
        guard PQgetisnull(result, row, column) == 0 else {
            return ColumnValue(bytes: nil, type: types[Int(column)])
        }
        return ColumnValue(
            bytes: UnsafeRawBufferPointer(
                start: PQgetvalue(result, row, column),
                count: Int(PQgetlength(result, row, column))),
            type: types[Int(column)])
    }

    func decodingError(_ message: String, column: String) -> PostgresError {
        PostgresError(kind: .decoding, message: message, column: column, statement: statement)
    }
}
