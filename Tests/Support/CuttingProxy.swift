import Glibc
import Linux
import Synchronization

/// A TCP proxy on the loopback that a test places before a server, to cut a conversation at a byte
/// or a moment of its choice. One conversation at a time, the next after the one before has ended.
package final class CuttingProxy: Sendable {
    /// What happens to the conversation. Once it has happened, bytes pass again.
    package enum Fate: Sendable {
        case passes
        /// So many bytes of what the client says go through, and then it is over.
        case cutAfterClientBytes(Int)
        case cutAfterServerBytes(Int)
        /// The server has not seen the message that begins with these bytes.
        case cutBefore([UInt8])
        /// The server has answered the message that begins so; the client never learns it.
        case cutAnswerTo([UInt8])
        /// Something is done first, then the message goes through.
        case pauseBefore([UInt8], @Sendable () -> Void)
    }

    package let port: UInt16
    private let serverPort: UInt16
    private let listener: Listener
    private let fate = Mutex<Fate>(.passes)
    private let cuts = Mutex<Int>(0)
    private let stopping: WakeSignal
    private let thread = Mutex<SystemThread?>(nil)

    package init(to serverPort: UInt16) throws {
        self.serverPort = serverPort
        listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false)
        port = listener.port
        stopping = try WakeSignal()
        let started = SystemThread(name: "cutting-proxy") { self.run() }
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

    /// Counts bytes from now on, in the conversation that is under way or the next.
    package func decide(_ fate: Fate) {
        self.fate.withLock { $0 = fate }
    }

    /// Conversations that were cut so far.
    package var cutCount: Int { cuts.withLock { $0 } }

    // MARK: The thread

    private func run() {
        while let client = accept() {
            guard let server = connect() else { continue }
            carry(client, server)
        }
    }

    private func accept() -> Descriptor? {
        while awaitInput([listener.raw]) {
            var peer = PeerAddress()
            let raw = Socket.accept(listener.raw, peer: &peer)
            if raw >= 0 { return Descriptor(owning: Int32(raw)) }
        }
        return nil
    }

    private func connect() -> Descriptor? {
        let descriptor = Descriptor(owning: socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = serverPort.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor.raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { return nil }
        return descriptor
    }

    /// - Returns: false when the proxy is to stop.
    private func awaitInput(_ descriptors: [Int32]) -> Bool {
        var polls = (descriptors + [stopping.raw]).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while poll(&polls, nfds_t(polls.count), -1) < 0 && errno == EINTR {}
        return polls.last!.revents == 0
    }

    /// Returns when either end, or fate, has ended it; both descriptors are closed by their going.
    private func carry(_ client: borrowing Descriptor, _ server: borrowing Descriptor) {
        var isAnswerAwaited = false
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        while awaitInput([client.raw, server.raw]) {
            for isFromClient in [true, false] {
                let source = isFromClient ? client.raw : server.raw
                let count = recv(source, &bytes, bytes.count, Int32(MSG_DONTWAIT))
                if count < 0 && errno == EAGAIN { continue }
                guard count > 0 else { return }
                let verdict = judge(bytes[..<count], isFromClient, &isAnswerAwaited)
                send(bytes[..<verdict.passing], to: isFromClient ? server.raw : client.raw)
                if verdict.isCut {
                    cuts.withLock { $0 += 1 }
                    return
                }
            }
        }
    }

    private func judge(
        _ bytes: ArraySlice<UInt8>, _ isFromClient: Bool, _ isAnswerAwaited: inout Bool
    ) -> (passing: Int, isCut: Bool) {
        if isAnswerAwaited && !isFromClient { return (0, true) }
        var action: (@Sendable () -> Void)?
        defer { action?() }
        return fate.withLock { fate in
            switch fate {
            case .cutAfterClientBytes(let left) where isFromClient,
                .cutAfterServerBytes(let left) where !isFromClient:
                guard left <= bytes.count else {
                    fate =
                        isFromClient
                        ? .cutAfterClientBytes(left - bytes.count)
                        : .cutAfterServerBytes(left - bytes.count)
                    return (bytes.count, false)
                }
                fate = .passes
                return (left, true)
            case .cutBefore(let message) where isFromClient && bytes.starts(with: message):
                fate = .passes
                return (0, true)
            case .cutAnswerTo(let message) where isFromClient && bytes.starts(with: message):
                fate = .passes
                isAnswerAwaited = true
            case .pauseBefore(let message, let body)
            where isFromClient && bytes.starts(with: message):
                fate = .passes
                action = body
            default: break
            }
            return (bytes.count, false)
        }
    }

    private func send(_ bytes: ArraySlice<UInt8>, to raw: Int32) {
        var rest = bytes
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Glibc.send(raw, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent > 0 {
                rest = rest.dropFirst(sent)
            } else if sent < 0 && errno == EAGAIN {
                var wait = pollfd(fd: raw, events: Int16(POLLOUT), revents: 0)
                _ = poll(&wait, 1, 1000)
            } else {
                // The other end is gone, which the next read tells.
                return
            }
        }
    }
}
