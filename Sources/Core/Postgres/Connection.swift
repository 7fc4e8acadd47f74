import CPostgres

// A connection blocks its thread, on purpose: it is confined to one, so a transaction is a plain
// synchronous closure that nothing can interleave with. Async code goes through ConnectionPool.

/// One session with the server, in UTF-8 and UTC. Confined to one thread.
///
/// Once lost it stays lost (``isLost``): make another. Prepared statements belong to the session,
/// so the other one prepares them again.
package final class Connection {
    private struct Prepared {
        let sql: String
        let parameterTypes: [PostgresType]
    }

    let handle: OpaquePointer
    private var prepared: [String: Prepared] = [:]
    private var parameterBytes = ParameterBytes()
    private var isInTransaction = false
    /// COPY's buffer, made by the first COPY and kept, since page faults cost as much as the copy.
    private var copyBuffer: UnsafeMutableRawBufferPointer?

    /// Connects, waiting at most `connectTimeoutSeconds` (libpq knows no less than 2) per address.
    ///
    /// - Parameters:
    ///   - url: `postgres://` or `postgresql://`, or any other form libpq reads.
    ///   - statementTimeoutSeconds: after which the server gives a statement up; 0 is never.
    package init(
        url: String, applicationName: String, connectTimeoutSeconds: Int = 5,
        statementTimeoutSeconds: Int = 0
    ) throws(PostgresError) {
        handle = try Connection.connect(
            url: url, applicationName: applicationName,
            connectTimeoutSeconds: connectTimeoutSeconds)
        // Notices would go to standard error. What matters comes as an error or in the answer.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        try run(
            script: """
                set time zone 'UTC';
                set statement_timeout = \(statementTimeoutSeconds * 1000);
                """)
    }

    deinit {
        PQfinish(handle)
        copyBuffer?.deallocate()
    }

    private static func connect(
        url: String, applicationName: String, connectTimeoutSeconds: Int
    ) throws(PostgresError) -> OpaquePointer {
        // libpq quotes a string it cannot parse, password and all, so it is asked beforehand and
        // its message is not repeated.
        guard let parsed = PQconninfoParse(url, nil) else {
            throw PostgresError(
                kind: .connection, sqlState: "08001",
                message: "the connection URL is not one that libpq can read")
        }
        PQconninfoFree(parsed)
        // What stands before `dbname` may be overridden by the URL, what stands after may not. The
        // keepalives find a peer that vanished without a word in about a minute.
        let settings = [
            ("connect_timeout", String(connectTimeoutSeconds)), ("keepalives_idle", "30"),
            ("keepalives_interval", "10"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "60000"), ("dbname", url),
            ("application_name", applicationName), ("client_encoding", "UTF8"),
        ]
        let keywords = settings.map { cString($0.0) }
        let values = settings.map { cString($0.1) }
        defer { for text in keywords + values { text.deallocate() } }
        let handle = PQconnectdbParams(
            keywords.map { UnsafePointer($0) } + [nil], values.map { UnsafePointer($0) } + [nil], 1)
        guard let handle else {
            throw PostgresError(kind: .connection, message: "libpq is out of memory")
        }
        guard PQstatus(handle) == CONNECTION_OK else {
            defer { PQfinish(handle) }
            throw PostgresError(
                kind: .connection, sqlState: "08001",
                message: PostgresError.connectionMessage(handle))
        }
        return handle
    }

    /// A copy that the caller frees.
    private static func cString(_ text: String) -> UnsafeMutablePointer<CChar> {
        let bytes = text.utf8CString
        let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
        bytes.withUnsafeBufferPointer { copy.initialize(from: $0.baseAddress!, count: $0.count) }
        return copy
    }

    /// Whether libpq has noticed that the session is over. No system call.
    package var isLost: Bool { PQstatus(handle) != CONNECTION_OK }
}

// MARK: Statements

extension Connection {
    /// All rows that a statement returns, in memory: a select has a `limit`.
    ///
    /// The number of parameters must be the statement's, or it traps. A value that does not fit its
    /// parameter's type throws `.encoding`.
    package func query(
        _ statement: Statement, _ parameters: [(any PostgresEncodable)?] = []
    ) throws(PostgresError) -> [Row] {
        let answer = try submit(statement, parameters)
        return (0..<answer.rows).map { Row(answer: answer, index: $0) }
    }

    /// Runs a statement for its effect. The number of rows that it touched.
    @discardableResult
    package func execute(
        _ statement: Statement, _ parameters: [(any PostgresEncodable)?] = []
    ) throws(PostgresError) -> Int {
        try submit(statement, parameters).affectedRows
    }

    /// Runs any number of statements as one, without parameters; their rows are dropped. All of
    /// them are one transaction, unless the script itself says otherwise.
    package func run(script sql: String) throws(PostgresError) {
        _ = try answer(PQexec(handle, sql), statement: nil)
    }

    /// Has the server parse the statement and tell its parameters' types: two round trips, once.
    package func prepare(_ statement: Statement) throws(PostgresError) {
        _ = try parameterTypes(of: statement)
    }

    private func parameterTypes(of statement: Statement) throws(PostgresError) -> [PostgresType] {
        if let known = prepared[statement.name] {
            precondition(known.sql == statement.sql, "a statement's name stands for one SQL")
            return known.parameterTypes
        }
        let name = statement.name
        _ = try answer(PQprepare(handle, name, statement.sql, 0, nil), statement: name)
        let types = try answer(PQdescribePrepared(handle, name), statement: name).parameterTypes
        prepared[name] = Prepared(sql: statement.sql, parameterTypes: types)
        return types
    }

    private func submit(
        _ statement: Statement, _ parameters: [(any PostgresEncodable)?]
    ) throws(PostgresError) -> Answer {
        let types = try parameterTypes(of: statement)
        precondition(
            parameters.count == types.count, "a statement gets as many parameters as it has")
        parameterBytes.removeAll()
        for (index, parameter) in parameters.enumerated() {
            guard let parameter else {
                parameterBytes.appendNull()
                continue
            }
            guard parameterBytes.append(parameter, as: types[index]) else {
                throw PostgresError(
                    kind: .encoding,
                    message:
                        "$\(index + 1), a \(type(of: parameter)), does not fit \(types[index])",
                    statement: statement.name)
            }
        }
        return try answer(executePrepared(statement.name), statement: statement.name)
    }

    private func executePrepared(_ name: String) -> OpaquePointer? {
        let spans = parameterBytes.spans
        return parameterBytes.storage.withUnsafeBytes { bytes in
            // A value of no bytes must not look like null, even where the buffer is empty.
            let empty = UnsafePointer<CChar>(bitPattern: 1)!
            let values = spans.map { span -> UnsafePointer<CChar>? in
                guard span.length >= 0 else { return nil }
                guard span.length > 0 || span.isText else { return empty }
                return bytes.baseAddress!.advanced(by: span.start)
                    .assumingMemoryBound(to: CChar.self)
            }
            return PQexecPrepared(
                handle, name, Int32(spans.count), values, spans.map { Int32($0.length) },
                spans.map { $0.isText ? 0 : 1 }, 1)
        }
    }

    /// Takes over `result`; throws what it says unless it is a success.
    func answer(_ result: OpaquePointer?, statement: String?) throws(PostgresError) -> Answer {
        switch PQresultStatus(result) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
            return Answer(result: result!, statement: statement)
        default:
            defer { PQclear(result) }
            throw PostgresError(result: result, handle: handle, statement: statement)
        }
    }
}

// MARK: Transactions

extension Connection {
    /// Runs `body` between `begin` and `commit`; anything it throws rolls back and is thrown on.
    ///
    /// A nested call traps: what belongs together is one transaction. If a statement failed and
    /// `body` swallowed its error, the server cannot commit, and this throws 25P02 instead of
    /// pretending. After a lost connection at commit the outcome is unknown.
    package func transaction<T>(_ body: (Connection) throws -> T) throws -> T {
        precondition(!isInTransaction, "transactions do not nest")
        try run(script: "begin")
        isInTransaction = true
        defer { isInTransaction = false }
        let value: T
        do {
            value = try body(self)
        } catch {
            // The first error is the one to report; if this fails too, the connection is lost and
            // the server rolls back by itself.
            try? run(script: "rollback")
            throw error
        }
        let tag = try answer(PQexec(handle, "commit"), statement: "commit").commandTag
        guard tag == "COMMIT" else {
            throw PostgresError(
                kind: .server, sqlState: "25P02",
                message: "a statement had failed, so the transaction was rolled back")
        }
        return value
    }

    /// Runs `body` so that all of it stays or, if it throws, nothing: in a transaction of its own,
    /// or in a part of the one under way, which goes on. Such parts do not nest.
    package func atomically<T>(_ body: (Connection) throws -> T) throws -> T {
        guard isInTransaction else { return try transaction(body) }
        try run(script: "savepoint atomic")
        do {
            let value = try body(self)
            try run(script: "release savepoint atomic")
            return value
        } catch {
            try? run(script: "rollback to savepoint atomic; release savepoint atomic")
            throw error
        }
    }

    /// Whether a body left a transaction open by hand. No system call.
    var isIdle: Bool { PQtransactionStatus(handle) == PQTRANS_IDLE }
}

// MARK: COPY

extension Connection {
    /// Sends rows by binary COPY. Returns the number of rows the server took.
    ///
    /// If `body` throws, the COPY is given up, nothing of it remains, and the error is thrown on.
    ///
    /// - Parameter statement: `copy t (a, b) from stdin (format binary)`; not prepared, since COPY
    ///   cannot be.
    /// - Complexity: one `write` per MiB; no allocation after a connection's first COPY.
    package func copyIn(
        _ statement: Statement, _ body: (inout CopyIn) throws -> Void
    ) throws -> Int {
        try beginCopy(statement)
        let buffer = copyBuffer ?? CopyIn.makeBuffer()
        copyBuffer = buffer
        var copy = CopyIn(handle: handle, buffer: buffer)
        do {
            try body(&copy)
        } catch {
            // The server answers with the error that we asked for; the body's is the cause.
            _ = try? finishCopy(refusal: "the client gave up", statement: statement)
            throw error
        }
        let refusal = copy.finish() ? nil : "the client could not send"
        return try finishCopy(refusal: refusal, statement: statement).affectedRows
    }

    func beginCopy(_ statement: Statement) throws(PostgresError) {
        let started = PQexec(handle, statement.sql)
        guard PQresultStatus(started) == PGRES_COPY_IN else {
            _ = try answer(started, statement: statement.name)
            preconditionFailure("copyIn was given a statement that is not a COPY … FROM STDIN")
        }
        PQclear(started)
    }

    /// Where rows were refused, the end of the stream cannot be sent either, and the reason is in
    /// the result.
    func finishCopy(
        refusal: String?, statement: Statement
    ) throws(PostgresError) -> Answer {
        PQputCopyEnd(handle, refusal)
        let result = PQgetResult(handle)
        // While libpq is in COPY it has results without end; that it still is means the end could
        // not be sent.
        guard let result, PQresultStatus(result) != PGRES_COPY_IN else {
            PQclear(result)
            throw PostgresError(
                kind: .connection, sqlState: "08006", message: "COPY could not be ended",
                statement: statement.name)
        }
        while let rest = PQgetResult(handle) { PQclear(rest) }
        return try answer(result, statement: statement.name)
    }
}
