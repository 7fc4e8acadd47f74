// Rows of a COPY that are made before it begins. While a COPY is under way others may have to wait
// for it, and a client that makes rows takes the core on which the server would have stored them:
// what is sent from here costs the client a copy into the socket.

import CPostgres

/// Rows in memory, for a COPY to come. Confined to one thread.
///
/// Its memory grows to what the largest COPY needed and stays, since page faults cost as much as
/// writing the rows.
package final class CopyRows {
    /// What is sent at a time: the server reads a message whole before its first row, and one of a
    /// MiB has left its nearest caches by then.
    package static let pieceBytes = 1 << 16

    private var buffer: UnsafeMutableRawBufferPointer
    private var count = 0

    /// - Parameter bytes: of rows that have room without being moved. The machine gives memory for
    ///   what is used of it.
    package init(bytes: Int = pieceBytes) {
        buffer = .allocate(byteCount: bytes, alignment: 64)
    }

    deinit {
        buffer.deallocate()
    }

    /// Replaces the rows by those that `body` writes. If it throws, there are none to be sent.
    package func make(_ body: (inout CopyIn) throws -> Void) rethrows {
        count = 0
        var copy = CopyIn(handle: nil, buffer: buffer)
        defer { buffer = copy.wholeBuffer }
        try body(&copy)
        count = copy.end()
    }

    /// Writes another number over one of the rows, at the ``CopyIn/nextOffset`` that it was
    /// written at.
    package func replaceInt32(at offset: Int, by number: Int32) {
        precondition(
            offset >= 0 && offset + 4 <= count, "what is replaced lies within the rows")
        buffer.storeBytes(of: number.bigEndian, toByteOffset: offset, as: Int32.self)
    }

    /// Sends them. False if some could not be sent.
    fileprivate func send(to handle: OpaquePointer) -> Bool {
        precondition(count > 0, "rows are made before they are sent")
        var rest = UnsafeRawBufferPointer(buffer).prefix(count)
        while !rest.isEmpty {
            let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(CopyRows.pieceBytes))
            let bytes = piece.baseAddress?.assumingMemoryBound(to: CChar.self)
            guard PQputCopyData(handle, bytes, Int32(piece.count)) == 1 else { return false }
            rest = rest.dropFirst(piece.count)
        }
        return true
    }
}

extension Connection {
    /// Sends rows that were made before, by binary COPY. Returns how many the server took.
    ///
    /// - Parameters:
    ///   - statement: as ``copyIn(_:_:)`` takes it.
    ///   - rows: made by ``CopyRows/make(_:)`` at least once; sent as often as asked for.
    package func copyIn(_ statement: Statement, rows: CopyRows) throws(PostgresError) -> Int {
        try beginCopy(statement)
        let refusal = rows.send(to: handle) ? nil : "the client could not send"
        return try finishCopy(refusal: refusal, statement: statement).affectedRows
    }
}
