import Glibc
import Linux
import Synchronization

/// A TCP relay on the loopback that says something before each conversation, and passes on what a
/// client says in pieces as small as a test likes. Conversations one after the other.
package final class ByteRelay: Sendable {
    package let port: UInt16
    private let serverPort: UInt16
    private let prefix: [UInt8]
    private let pieceBytes: Int
    private let suffix: [UInt8]
    private let listener: Listener
    private let stopping: WakeSignal
    private let thread = Mutex<SystemThread?>(nil)

    /// - Parameters:
    ///   - prefix: what the server hears first.
    ///   - pieceBytes: sent at once, each piece a segment of its own.
    ///   - suffix: what it hears after it has spoken twice.
    package init(
        to serverPort: UInt16, prefix: [UInt8] = [], pieceBytes: Int = 65_536,
        suffix: [UInt8] = []
    ) throws {
        self.serverPort = serverPort
        self.prefix = prefix
        self.pieceBytes = pieceBytes
        self.suffix = suffix
        listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false)
        port = listener.port
        stopping = try WakeSignal()
        let started = SystemThread(name: "byte-relay") { self.run() }
        thread.withLock { $0 = started }
    }

    /// Ends the conversation and the thread, which keeps this object alive until then.
    package func stop() {
        stopping.raise()
        let started = thread.withLock { thread -> SystemThread? in
            defer { thread = nil }
            return thread
        }
        started?.join()
    }

    private func run() {
        while awaitInput([listener.raw]) {
            var peer = PeerAddress()
            let raw = Socket.accept(listener.raw, peer: &peer)
            guard raw >= 0 else { continue }
            let client = Descriptor(owning: Int32(raw))
            if let server = try? PlainClient(port: serverPort) { carry(client, server) }
        }
    }

    /// - Returns: false when the relay is to stop.
    private func awaitInput(_ descriptors: [Int32]) -> Bool {
        var polls = (descriptors + [stopping.raw]).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while poll(&polls, nfds_t(polls.count), -1) < 0 && errno == EINTR {}
        return polls.last!.revents == 0
    }

    private func carry(_ client: borrowing Descriptor, _ server: PlainClient) {
        guard (try? server.send(bytes: prefix)) != nil else { return }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        var spokenCount = 0
        while awaitInput([client.raw, server.raw]) {
            for (source, isFromClient) in [(client.raw, true), (server.raw, false)] {
                let count = recv(source, &bytes, bytes.count, Int32(MSG_DONTWAIT))
                if count < 0 && errno == EAGAIN { continue }
                guard count > 0 else { return }
                let isSent =
                    isFromClient
                    ? sendInPieces(Array(bytes[..<count]), server)
                    : bytes.withUnsafeBytes {
                        Socket.send(client.raw, $0.baseAddress!, bytes: count) == count
                    }
                guard isSent else { return }
                if !isFromClient {
                    spokenCount += 1
                    if spokenCount == 2 { try? server.send(bytes: suffix) }
                }
            }
        }
    }

    private func sendInPieces(_ bytes: [UInt8], _ server: PlainClient) -> Bool {
        for start in stride(from: 0, to: bytes.count, by: pieceBytes) {
            let piece = Array(bytes[start..<min(start + pieceBytes, bytes.count)])
            guard (try? server.send(bytes: piece)) != nil else { return false }
        }
        return true
    }
}
