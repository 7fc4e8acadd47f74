// HOT: two calls a request that comes encrypted. Bench: Benchmarks/Edge, the rows of TLS.
//
// OpenSSL never sees a socket here. What one recv brought is handed to it in memory, and what it
// wants sent is collected in memory, so that a turn of a worker is the same as without TLS: one
// recv a ready connection, one send for all its answers, and sessions that never block. Rejected:
// OpenSSL's socket BIO, which costs one recv more to find out that there is nothing more, and one
// send for each thing it has to say.

import COpenSSL

/// One client's TLS session. Freed by ``TLSWire/end(_:)``.
package struct TLSSession: Equatable {
    let raw: OpaquePointer
    fileprivate init(_ raw: OpaquePointer) { self.raw = raw }
}

/// What came of bytes that were received.
package struct TLSReading {
    package enum State {
        /// The handshake is not complete.
        case shaking
        case open
        /// The client has said that it sends nothing more.
        case ended
        /// Not TLS, or not as it must be; the client has been told on the wire as far as it can be.
        case failed
    }

    /// How many bytes of plain text were written.
    package var plainBytes = 0
    package var state = State.shaking
    /// Whether the handshake was completed by these bytes.
    package var isNew = false
    /// Whether it took up an earlier session.
    package var isResumed = false
}

/// What the sessions of one thread read from and write to. Confined to it.
///
/// Invariant: between two calls no received bytes wait on the wire, only inside their session.
package struct TLSWire: ~Copyable {
    private let wire: UnsafeMutablePointer<copenssl_wire>
    private let received: UnsafeMutableRawBufferPointer
    private let output: UnsafeMutableRawPointer

    /// What may be received at once. All of it is taken at once: with the 16 KiB of a record that
    /// a session may hold already, that much plain text needs room.
    package static var receiveBytesMax: Int { 24_576 }
    /// The plain text that one ``receive(_:_:into:)`` may give.
    package static var plainBytesMax: Int { receiveBytesMax + recordBytesMax }
    /// The plain text that one ``seal(_:_:ticket:isLast:)`` may take.
    package static var sealBytesMax: Int { 98_304 }
    private static var recordBytesMax: Int { 16_384 }
    /// Far above a handshake's longest flight, whose certificates are the operator's.
    private static var outputBytesMax: Int { 131_072 }

    // Made once for the process and never freed, as OpenSSL's own; nobody writes to it after.
    nonisolated(unsafe) private static let method: OpaquePointer = {
        guard let method = copenssl_wire_method() else {
            preconditionFailure("OpenSSL has no memory for a table of three functions")
        }
        return method
    }()

    package init() {
        received = .allocate(byteCount: TLSWire.receiveBytesMax, alignment: 64)
        output = .allocate(byteCount: TLSWire.outputBytesMax, alignment: 64)
        wire = .allocate(capacity: 1)
        wire.initialize(
            to: copenssl_wire(
                input: nil, input_count: 0,
                output: output.assumingMemoryBound(to: UInt8.self), output_count: 0,
                output_max: TLSWire.outputBytesMax))
    }

    deinit {
        received.deallocate()
        output.deallocate()
        wire.deallocate()
    }

    /// Where bytes are received to; of ``receiveBytesMax``.
    package var room: UnsafeMutableRawBufferPointer { received }

    /// What is to be sent now, in this order, to the client of the session last used. Valid until
    /// the next call.
    package var unsent: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: output, count: wire.pointee.output_count)
    }

    /// Begins a session. Allocates some tens of kilobytes, so that it is done when a client speaks.
    ///
    /// - Returns: nil if there is no memory.
    package func begin(_ credentials: TLSCredentials) -> TLSSession? {
        copenssl_session_new(credentials.context, TLSWire.method, wire).map(TLSSession.init)
    }

    /// Takes the bytes received to the start of ``room``, all of them: handshake first, then data.
    ///
    /// - Parameter plain: at least ``plainBytesMax`` of room.
    package func receive(
        _ session: TLSSession, _ count: Int, into plain: UnsafeMutableRawBufferPointer
    ) -> TLSReading {
        precondition(plain.count >= TLSWire.plainBytesMax, "all that is received has to fit")
        wire.pointee.input = UnsafePointer(
            received.baseAddress!.assumingMemoryBound(to: UInt8.self))
        wire.pointee.input_count = count
        wire.pointee.output_count = 0
        var reading = TLSReading()
        if SSL_is_init_finished(session.raw) == 0 {
            let result = SSL_do_handshake(session.raw)
            guard result == 1 else {
                reading.state = end(of: session, result) ?? .shaking
                return reading
            }
            reading.isNew = true
            reading.isResumed = SSL_session_reused(session.raw) == 1
        }
        reading.state = .open
        while copenssl_has_more(session.raw, wire) == 1 {
            var got = 0
            let result = SSL_read_ex(
                session.raw, plain.baseAddress! + reading.plainBytes,
                plain.count - reading.plainBytes, &got)
            guard result == 1 else {
                reading.state = end(of: session, result) ?? .open
                break
            }
            reading.plainBytes += got
        }
        return reading
    }

    /// Encrypts into ``unsent``.
    ///
    /// - Parameters:
    ///   - plain: at most ``sealBytesMax``.
    ///   - withTicket: whether a ticket to resume by goes first; once a session is enough.
    ///   - isLast: whether to say afterwards that nothing more will come.
    /// - Returns: false if there is no memory; the session cannot go on.
    package func seal(
        _ session: TLSSession, _ plain: UnsafeRawBufferPointer, withTicket: Bool, isLast: Bool
    ) -> Bool {
        precondition(plain.count <= TLSWire.sealBytesMax, "the answers of one turn have a bound")
        wire.pointee.output_count = 0
        if withTicket { copenssl_add_ticket(session.raw) }
        var taken = 0
        guard SSL_write_ex(session.raw, plain.baseAddress, plain.count, &taken) == 1 else {
            ERR_clear_error()
            return false
        }
        if isLast { sayEnd(session) }
        return true
    }

    /// Writes to ``unsent`` that nothing more will come, unless that was said.
    package func close(_ session: TLSSession) {
        wire.pointee.output_count = 0
        sayEnd(session)
    }

    /// Frees the session.
    package func end(_ session: TLSSession) {
        SSL_free(session.raw)
    }

    private func sayEnd(_ session: TLSSession) {
        guard SSL_get_shutdown(session.raw) & SSL_SENT_SHUTDOWN == 0 else { return }
        if SSL_shutdown(session.raw) < 0 { ERR_clear_error() }
    }

    /// - Returns: nil if there is only nothing more to read yet.
    private func end(of session: TLSSession, _ result: Int32) -> TLSReading.State? {
        switch SSL_get_error(session.raw, result) {
        case SSL_ERROR_WANT_READ: return nil
        case SSL_ERROR_ZERO_RETURN: return .ended
        default:
            ERR_clear_error()
            return .failed
        }
    }
}
