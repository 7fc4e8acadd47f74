// Large answers as a stream: the server makes rows while we read them, nothing is kept, and a row
// costs no allocation of ours. The layout is that of CopyIn.swift.

import CPostgres

/// A row of a COPY … TO STDOUT, its fields by their places. Valid only inside the call it is
/// handed to. A field that is not of the width asked for, or null, reads as nil.
package struct CopyOutRow {
    let bytes: UnsafeRawBufferPointer
    /// Where each field begins, and its length; -1 for null.
    let fields: UnsafeBufferPointer<(at: Int, count: Int)>

    /// The field's bytes; nil if it is null.
    package func bytes(_ field: Int) -> UnsafeRawBufferPointer? {
        let (at, count) = fields[field]
        return count < 0 ? nil : UnsafeRawBufferPointer(rebasing: bytes[at..<at + count])
    }

    /// Of int2, int4, int8.
    package func integer<Number: FixedWidthInteger & BitwiseCopyable>(
        _ field: Int, as _: Number.Type = Number.self
    ) -> Number? {
        guard let bytes = bytes(field), bytes.count == MemoryLayout<Number>.size else { return nil }
        return Number(bigEndian: bytes.loadUnaligned(as: Number.self))
    }

    package func bool(_ field: Int) -> Bool? {
        integer(field, as: UInt8.self).map { $0 != 0 }
    }

    package func uuid(_ field: Int) -> PostgresUUID? {
        guard let bytes = bytes(field), bytes.count == 16 else { return nil }
        return PostgresUUID(
            high: UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// Of timestamptz; times that microseconds since 1970 do not reach are the infinite ones.
    package func timestamp(_ field: Int) -> PostgresTimestamp? {
        guard let word: Int64 = integer(field) else { return nil }
        guard word != .min else { return .negativeInfinity }
        let (micros, isOver) = word.addingReportingOverflow(PostgresTimestamp.epochMicroseconds)
        return isOver ? .infinity : PostgresTimestamp(microseconds: micros)
    }
}

extension Connection {
    private static let fieldsMax = 32

    /// Runs a binary COPY … TO STDOUT and hands each row to `body`. Returns how many there were.
    ///
    /// If `body` throws, what the server still sends is read and dropped, and the error thrown on.
    ///
    /// - Parameter statement: `copy (select …) to stdout (format binary)`; not prepared, since COPY
    ///   cannot be. At most 32 columns.
    package func copyOutRows(
        _ statement: Statement, _ body: (CopyOutRow) throws -> Void
    ) throws -> Int {
        let started = PQexec(handle, statement.sql)
        guard PQresultStatus(started) == PGRES_COPY_OUT else {
            _ = try answer(started, statement: statement.name)
            preconditionFailure("copyOutRows was given a statement that is not a COPY … TO STDOUT")
        }
        PQclear(started)
        var rows = 0
        var failure: (any Error)?
        let fields = UnsafeMutableBufferPointer<(at: Int, count: Int)>.allocate(
            capacity: Connection.fieldsMax)
        defer { fields.deallocate() }
        var stream = CopyOutStream()
        while let message = nextMessage() {
            defer { PQfreemem(message.baseAddress) }
            guard failure == nil else { continue }
            do {
                try stream.read(UnsafeRawBufferPointer(message), fields: fields) { row in
                    try body(row)
                    rows += 1
                }
            } catch {
                failure = error
            }
        }
        let result = PQgetResult(handle)
        while let rest = PQgetResult(handle) { PQclear(rest) }
        if let failure {
            PQclear(result)
            throw failure
        }
        _ = try answer(result, statement: statement.name)
        return rows
    }

    /// What the server sent next; nil at the end, also of the connection.
    private func nextMessage() -> UnsafeMutableBufferPointer<CChar>? {
        var bytes: UnsafeMutablePointer<CChar>?
        let count = PQgetCopyData(handle, &bytes, 0)
        guard count > 0, let bytes else { return nil }
        return UnsafeMutableBufferPointer(start: bytes, count: Int(count))
    }
}

/// Takes the stream apart. The server sends a row a message, the first with the header before it,
/// and promises neither, so a part of a row waits for the rest.
private struct CopyOutStream {
    private var isBehindHeader = false
    private var waiting: [UInt8] = []
    private static let headerBytes = 19

    mutating func read(
        _ message: UnsafeRawBufferPointer,
        fields: UnsafeMutableBufferPointer<(at: Int, count: Int)>,
        _ body: (CopyOutRow) throws -> Void
    ) throws {
        guard waiting.isEmpty else {
            let whole = waiting + message
            waiting = []
            return try whole.withUnsafeBytes { try read($0, fields: fields, body) }
        }
        var at = 0
        if !isBehindHeader {
            // Magic, flags, and an extension whose length comes last.
            guard message.count >= CopyOutStream.headerBytes else { return waiting += message }
            let more = Int(CopyOutStream.word(message, at: 15, as: UInt32.self))
            guard message.count - CopyOutStream.headerBytes >= more else {
                return waiting += message
            }
            at = CopyOutStream.headerBytes + more
            isBehindHeader = true
        }
        while at < message.count {
            guard let (count, end) = try CopyOutStream.fields(of: message, at: at, into: fields)
            else { return waiting += message[at...] }
            // The end of the stream is a row of -1 fields.
            if count >= 0 {
                try body(
                    CopyOutRow(
                        bytes: message, fields: UnsafeBufferPointer(rebasing: fields[..<count])))
            }
            at = end
        }
    }

    /// Nil if the row is not whole.
    private static func fields(
        of message: UnsafeRawBufferPointer, at start: Int,
        into fields: UnsafeMutableBufferPointer<(at: Int, count: Int)>
    ) throws(PostgresError) -> (count: Int, end: Int)? {
        guard message.count - start >= 2 else { return nil }
        let count = Int(word(message, at: start, as: Int16.self))
        var at = start + 2
        guard count <= fields.count else {
            throw PostgresError(kind: .decoding, message: "the COPY has \(count) columns")
        }
        for field in 0..<max(0, count) {
            guard message.count - at >= 4 else { return nil }
            let bytes = Int(word(message, at: at, as: Int32.self))
            at += 4
            guard message.count - at >= bytes else { return nil }
            fields[field] = (at, bytes)
            at += max(0, bytes)
        }
        return (count, at)
    }

    private static func word<Number: FixedWidthInteger & BitwiseCopyable>(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, as _: Number.Type
    ) -> Number {
        Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
    }
}
