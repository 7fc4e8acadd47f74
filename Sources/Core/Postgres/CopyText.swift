// COPY as text, both ways: for files that people read, where a row's cost does not matter as it
// does for clicks on their way up (see CopyIn).

import CPostgres

extension Connection {
    /// Receives what a `copy … to stdout` sends: with a text format, a row at a time with its line
    /// end, the header first. Returns the number of rows, the header not among them.
    ///
    /// If `body` throws, the server is told to stop and the error is thrown on.
    ///
    /// - Parameter statement: not prepared, since COPY cannot be.
    package func copyOut(
        _ statement: Statement, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws -> Int {
        let started = PQexec(handle, statement.sql)
        guard PQresultStatus(started) == PGRES_COPY_OUT else {
            _ = try answer(started, statement: statement.name)
            preconditionFailure("copyOut was given a statement that is not a COPY … TO STDOUT")
        }
        PQclear(started)
        var failure: (any Error)?
        while true {
            var row: UnsafeMutablePointer<CChar>?
            // At the end -1, and -2 for an error, which the result tells as well.
            let count = PQgetCopyData(handle, &row, 0)
            guard count > 0 else { break }
            defer { PQfreemem(row) }
            // After a failure the rest is read and dropped, until the server has stopped.
            guard failure == nil else { continue }
            do {
                try body(UnsafeRawBufferPointer(start: row, count: Int(count)))
            } catch {
                failure = error
                cancel()
            }
        }
        let result = PQgetResult(handle)
        while let rest = PQgetResult(handle) { PQclear(rest) }
        if let failure {
            PQclear(result)
            throw failure
        }
        return try answer(result, statement: statement.name).affectedRows
    }

    /// Sends text to a `copy … from stdin`, in parts, by the function that `body` gets. Returns the
    /// number of rows the server took.
    ///
    /// If `body` throws, the COPY is given up, nothing of it remains, and the error is thrown on.
    package func copyIn(
        text statement: Statement,
        _ body: (_ send: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws -> Int {
        let started = PQexec(handle, statement.sql)
        guard PQresultStatus(started) == PGRES_COPY_IN else {
            _ = try answer(started, statement: statement.name)
            preconditionFailure("copyIn was given a statement that is not a COPY … FROM STDIN")
        }
        PQclear(started)
        var hasFailed = false
        do {
            try body { bytes in
                guard !hasFailed, bytes.count > 0 else { return }
                let start = bytes.assumingMemoryBound(to: CChar.self).baseAddress
                hasFailed = PQputCopyData(handle, start, Int32(bytes.count)) != 1
            }
        } catch {
            // The server answers with the error that we asked for; the body's is the cause.
            _ = try? finishCopy(refusal: "the client gave up", statement: statement)
            throw error
        }
        let refusal = hasFailed ? "the client could not send" : nil
        return try finishCopy(refusal: refusal, statement: statement).affectedRows
    }

    /// Asks the server to stop what it does, on a connection that libpq makes for it. Best effort:
    /// the statement may be over by then.
    private func cancel() {
        guard let cancel = PQgetCancel(handle) else { return }
        var message = [CChar](repeating: 0, count: 256)
        PQcancel(cancel, &message, Int32(message.count))
        PQfreeCancel(cancel)
    }
}
