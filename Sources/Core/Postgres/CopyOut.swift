import CPostgres

// COPY … TO STDOUT: a query of any number of rows in constant memory. libpq keeps whole messages
// only, one a row, so what is held at a time is a row.

extension Connection {
    /// Gives `body` what a COPY sends, piece by piece: with `format binary` its header, each row
    /// and its trailer, so that all pieces together are the stream that psql would write to a file.
    ///
    /// A piece is valid inside its call only. If `body` throws, the rest is asked not to be sent
    /// (a cancel request) and dropped, and the error is thrown on.
    ///
    /// - Parameter statement: `copy (select …) to stdout (format binary)`; not prepared, since COPY
    ///   cannot be, so it takes no parameters: only numbers and days may be spelt into it.
    /// - Returns: rows sent.
    package func copyOut(
        _ statement: Statement, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int {
        let started = PQexec(handle, statement.sql)
        guard PQresultStatus(started) == PGRES_COPY_OUT else {
            _ = try answer(started, statement: statement.name)
            preconditionFailure("copyOut was given a statement that is not a COPY … TO STDOUT")
        }
        PQclear(started)
        do {
            while let piece = try nextPiece(statement) {
                defer { PQfreemem(piece.baseAddress) }
                try body(UnsafeRawBufferPointer(piece))
            }
        } catch {
            giveUpCopy()
            throw error
        }
        let result = PQgetResult(handle)
        while let rest = PQgetResult(handle) { PQclear(rest) }
        return try answer(result, statement: statement.name).affectedRows
    }

    /// Nil at the end; the caller frees it by `PQfreemem`.
    private func nextPiece(
        _ statement: Statement
    ) throws(PostgresError) -> UnsafeMutableRawBufferPointer? {
        var bytes: UnsafeMutablePointer<CChar>?
        let count = PQgetCopyData(handle, &bytes, 0)
        switch count {
        case 1...:
            return UnsafeMutableRawBufferPointer(start: bytes, count: Int(count))
        case -1:
            return nil
        default:
            throw PostgresError(
                kind: .connection, sqlState: "08006",
                message: PostgresError.connectionMessage(handle), statement: statement.name)
        }
    }

    /// Leaves the connection fit for the next statement, or lost.
    private func giveUpCopy() {
        var room = [CChar](repeating: 0, count: 256)
        let cancel = PQgetCancel(handle)
        // If it cannot be asked, the rest is read all the same.
        PQcancel(cancel, &room, Int32(room.count))
        PQfreeCancel(cancel)
        var bytes: UnsafeMutablePointer<CChar>?
        while PQgetCopyData(handle, &bytes, 0) > 0 { PQfreemem(bytes) }
        while let rest = PQgetResult(handle) { PQclear(rest) }
    }
}
