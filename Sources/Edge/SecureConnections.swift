// HOT for connections that come by TLS or behind a PROXY header. Bench: Benchmarks/Edge, TLS rows.
//
// What such a connection does differently from a plain one, and no more: its bytes are unwrapped
// before they are read as requests, and its answers are sealed before they are sent. In between,
// and from the sealed bytes on, it goes the same way: one recv, one record of the turn, one send,
// the same waits, the same leftovers (of a sealed answer the sealed bytes are kept).
//
//   accept → [PROXY header] → [handshake] → requests
//
// Everything before requests has the patience of one request, counted from accept: who connects to
// such a listener has something to say at once.

import Clicks
import Linux
import TLS
import Wire

/// How connections reach a worker, besides plainly.
struct Entrance {
    /// Nil without TLS.
    let secureListener: Listener?
    /// For the handshakes to come; nil without TLS.
    var credentials: TLSCredentials?
    /// Whether each connection begins with a PROXY header, on both listeners.
    let expectsProxyHeader: Bool
    /// Peers whose header is believed.
    let trusted: NetworkSet
    /// Steps of handshakes since answers were last sent for their sake.
    var stepsUnflushed = 0
}

extension Connection {
    /// Whether something has to come before the first request.
    var isOpening: Bool { transport != .plain && transport != .secure }
}

extension Worker {
    /// Bytes taken at once while a PROXY header is awaited; a handshake may follow it.
    private static let headerReadBytesMax = TLSWire.receiveBytesMax - ProxyHeader.bytesMax
    /// A step costs as much as dozens of requests. After so many of them in a turn the answers that
    /// wait go out first, or a crowd of newcomers would make all others wait for all of them.
    private static let stepsMax = 8

    mutating func beginWrapped(_ connection: ConnectionPlace, isSecure: Bool) {
        if entrance.expectsProxyHeader {
            guard entrance.trusted.contains(connection.pointee.address) else {
                metrics.count(.proxyHeadersRefused)
                return close(connection)
            }
            connection.pointee.transport = isSecure ? .proxiedSecure : .proxied
        } else {
            connection.pointee.transport = .shaking
        }
        connections.begin(.request, connection, now: moment)
    }

    @inline(never)
    mutating func receiveWrapped(_ connection: ConnectionPlace, closesIfSilent: Bool) {
        switch connection.pointee.transport {
        case .plain: preconditionFailure("plain connections are received plainly")
        case .proxied, .proxiedSecure: return receiveHeader(connection)
        case .shaking, .secure: break
        }
        let got = receive(connection, into: wire.room.baseAddress!, bytesMax: wire.room.count)
        guard got > 0 else {
            if got != Socket.wouldBlock || closesIfSilent { close(connection) }
            return
        }
        unwrap(connection, got)
    }

    /// After an answer that waited for the peer: goes on where a plain connection would be idle.
    mutating func resume(_ connection: ConnectionPlace) {
        guard connection.pointee.raw >= 0 else { return }
        if connection.pointee.isOpening { connections.begin(.request, connection, now: moment) }
        if connection.pointee.peerHasEnded { endAfterAnswers(connection) }
    }

    /// The header or the handshake did not come whole in time.
    mutating func giveUpOpening(_ connection: ConnectionPlace) {
        if connection.pointee.transport != .shaking {
            metrics.count(.proxyHeadersRefused)
        }
        close(connection)
    }

    /// Encrypts answers and sends them; of the last, in the same send, that it was the last.
    mutating func sendSealed(_ bytes: UnsafeRawBufferPointer, _ connection: ConnectionPlace) {
        guard connection.pointee.transport == .secure, let session = connection.pointee.session
        else { return send(bytes, connection) }
        let withTicket = connection.pointee.owesTicket
        connection.pointee.owesTicket = false
        guard
            wire.seal(
                session, bytes, withTicket: withTicket,
                isLast: connection.pointee.closesAfterAnswer)
        else { return close(connection) }
        send(wire.unsent, connection)
    }

    /// Frees the session of a connection that closes, and tells the client unless it knows.
    mutating func endSession(_ connection: ConnectionPlace) {
        guard let session = connection.pointee.session else { return }
        connection.pointee.session = nil
        switch connection.pointee.transport {
        case .shaking: metrics.count(.handshakesFailed)
        case .secure where connection.pointee.unsent.count == 0:
            wire.close(session)
            let bytes = wire.unsent
            // Whether it arrives is of no consequence: the connection is over.
            if !bytes.isEmpty {
                _ = Socket.send(connection.pointee.raw, bytes.baseAddress!, bytes: bytes.count)
            }
        default: break
        }
        wire.end(session)
    }

    // MARK: Before requests

    private mutating func receiveHeader(_ connection: ConnectionPlace) {
        let input = makeInput()
        let carried = connection.pointee.carry.count
        if carried > 0 { input.copyMemory(from: connection.pointee.carry.bytes) }
        let got = receive(
            connection, into: input.baseAddress! + carried, bytesMax: Worker.headerReadBytesMax)
        guard got > 0 else {
            if got != Socket.wouldBlock { close(connection) }
            return
        }
        let bytes = UnsafeRawBufferPointer(rebasing: input[..<(carried + got)])
        var header = ProxyHeader()
        switch ProxyHeader.parse(bytes, into: &header) {
        case .partial:
            connection.pointee.carry.keep(bytes)
        case .malformed:
            metrics.count(.proxyHeadersRefused)
            close(connection)
        case .complete(let headerBytes):
            connection.pointee.carry.drop()
            if let client = header.client {
                connection.pointee.address = client
                connection.pointee.isTrusted = desk.trusts(client)
            }
            goOn(connection, behindHeader: UnsafeRawBufferPointer(rebasing: bytes[headerBytes...]))
        }
    }

    private mutating func goOn(
        _ connection: ConnectionPlace, behindHeader rest: UnsafeRawBufferPointer
    ) {
        if connection.pointee.transport == .proxied {
            connection.pointee.transport = .plain
            connections.begin(.idle, connection, now: moment)
            if !rest.isEmpty { take(connection, rest) }
        } else {
            connection.pointee.transport = .shaking
            guard !rest.isEmpty else { return }
            wire.room.copyMemory(from: rest)
            unwrap(connection, rest.count)
        }
    }

    // MARK: TLS

    private mutating func unwrap(_ connection: ConnectionPlace, _ count: Int) {
        let isStep = connection.pointee.transport == .shaking
        read(connection, count)
        guard isStep else { return }
        entrance.stepsUnflushed += 1
        guard entrance.stepsUnflushed >= Worker.stepsMax else { return }
        entrance.stepsUnflushed = 0
        settle()
        if answers.spanCount > 0 { flush() }
    }

    /// Takes what was received to the wire's room: handshake, then requests.
    private mutating func read(_ connection: ConnectionPlace, _ count: Int) {
        let input = makeInput()
        guard let session = connection.pointee.session ?? beginSession(connection) else {
            return close(connection)
        }
        let carried = connection.pointee.carry.count
        if carried > 0 { input.copyMemory(from: connection.pointee.carry.bytes) }
        let reading = wire.receive(
            session, count, into: UnsafeMutableRawBufferPointer(rebasing: input[carried...]))
        if reading.isNew { welcome(connection, reading) }
        if !wire.unsent.isEmpty { send(wire.unsent, connection) }
        guard connection.pointee.raw >= 0 else { return }
        if reading.state == .failed { return refuse(connection) }
        connection.pointee.peerHasEnded = reading.state == .ended
        if reading.plainBytes > 0 {
            take(
                connection,
                UnsafeRawBufferPointer(rebasing: input[..<(carried + reading.plainBytes)]))
        } else if connection.pointee.wait == .idle && !reading.isNew {
            // A record that has begun is a request that has, as far as patience goes.
            connections.begin(.request, connection, now: moment)
        }
        if reading.state == .ended { endAfterAnswers(connection) }
    }

    private mutating func beginSession(_ connection: ConnectionPlace) -> TLSSession? {
        let session = entrance.credentials.flatMap { wire.begin($0) }
        connection.pointee.session = session
        return session
    }

    private mutating func welcome(_ connection: ConnectionPlace, _ reading: TLSReading) {
        connection.pointee.transport = .secure
        connection.pointee.owesTicket = true
        connections.begin(.idle, connection, now: moment)
        metrics.count(.handshakes)
        if reading.isResumed { metrics.count(.handshakesResumed) }
    }

    /// What came is not TLS. The client may still read an alert that says so.
    private mutating func refuse(_ connection: ConnectionPlace) {
        if connection.pointee.wait == .drain { return close(connection) }
        if let session = connection.pointee.session {
            if connection.pointee.transport == .shaking { metrics.count(.handshakesFailed) }
            wire.end(session)
            connection.pointee.session = nil
        }
        connection.pointee.carry.drop()
        connection.pointee.lingers = true
        part(connection)
    }

    /// The client sends nothing more: what it asked for is answered, then we part.
    private mutating func endAfterAnswers(_ connection: ConnectionPlace) {
        settle()
        // Closed by its answers, closing with them, or to be asked again when they are taken.
        guard connection.pointee.raw >= 0, !connection.pointee.closesAfterAnswer,
            connection.pointee.wait != .drain
        else { return }
        let pending = answers.lastBytes(
            connection: connection, generation: connection.pointee.generation)
        if pending > 0 {
            beFarewell(connection, lingers: false)
        } else {
            close(connection)
        }
    }
}
