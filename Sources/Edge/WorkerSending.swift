// HOT: answers leave here, after their records. Bench: Benchmarks/Edge, every row.

import Linux
import Spool

extension Worker {
    /// Makes the turn's records durable, then sends the answers that waited for it.
    mutating func flush() {
        let outcome = spool.commit()
        switch outcome {
        case .nothing: break
        case .written: memory.settle()
        case .unrecorded, .unsynced:
            // Redirects go on without a record: the shopper is not to blame. Readiness says so.
            metrics.count(.clicksUnrecorded, memory.settleFailure(outcome, moment: moment))
        }
        for number in 0..<answers.spanCount {
            let (span, bytes) = answers.span(number)
            let connection = span.connection
            guard connection.pointee.generation == span.generation, connection.pointee.raw >= 0
            else { continue }
            if connection.pointee.transport == .plain {
                send(bytes, connection)
            } else {
                sendSealed(bytes, connection)
            }
        }
        answers.clear()
    }

    /// Sends bytes as they are, and keeps those that the peer's window has no room for.
    @inline(always)
    mutating func send(_ bytes: UnsafeRawBufferPointer, _ connection: ConnectionPlace) {
        if case .drain = connection.pointee.wait {
            // Only within one turn: answers made before the peer's window was known to be full.
            return connection.pointee.unsent.append(bytes)
        }
        let sent = Socket.send(
            connection.pointee.raw, bytes.baseAddress!, bytes: bytes.count)
        guard sent == bytes.count else { return sendLater(bytes, sent, connection) }
        if connection.pointee.closesAfterAnswer { part(connection) }
    }

    /// Keeps what could not be sent now, or closes the connection if nothing can.
    @inline(never)
    private mutating func sendLater(
        _ bytes: UnsafeRawBufferPointer, _ sent: Int, _ connection: ConnectionPlace
    ) {
        if sent >= 0 || sent == Socket.wouldBlock {
            connection.pointee.unsent.keep(
                UnsafeRawBufferPointer(rebasing: bytes[max(0, sent)...]))
            epoll.change(connection.pointee.raw, .write, token: token(of: connection))
            connections.begin(.drain, connection, now: moment)
        } else {
            close(connection)
        }
    }

    mutating func sendRest(_ connection: ConnectionPlace) {
        let bytes = connection.pointee.unsent.bytes
        let sent = Socket.send(connection.pointee.raw, bytes.baseAddress!, bytes: bytes.count)
        guard sent >= 0 else {
            if sent != Socket.wouldBlock { close(connection) }
            return
        }
        connection.pointee.unsent.keep(UnsafeRawBufferPointer(rebasing: bytes[sent...]))
        guard connection.pointee.unsent.count == 0 else {
            return connections.begin(.drain, connection, now: moment)
        }
        if connection.pointee.closesAfterAnswer { return part(connection) }
        epoll.change(connection.pointee.raw, .arrivals, token: token(of: connection))
        connections.begin(.idle, connection, now: moment)
        let carried = connection.pointee.carry.count
        if carried > 0 {
            // Requests that had already arrived when the window filled.
            let input = makeInput()
            input.copyMemory(from: connection.pointee.carry.bytes)
            take(connection, UnsafeRawBufferPointer(rebasing: input[..<carried]))
        }
        if connection.pointee.transport != .plain { resume(connection) }
    }

    /// After the last answer: our half ends, the peer may still read it and close.
    mutating func part(_ connection: ConnectionPlace) {
        guard connection.pointee.lingers else { return close(connection) }
        Socket.shutdownWrite(connection.pointee.raw)
        epoll.change(connection.pointee.raw, .arrivals, token: token(of: connection))
        connections.begin(.linger, connection, now: moment)
    }

    mutating func discard(_ connection: ConnectionPlace) {
        let input = makeInput()
        let got = receive(connection, into: input.baseAddress!, bytesMax: input.count)
        if got <= 0 && got != Socket.wouldBlock { close(connection) }
    }
}
