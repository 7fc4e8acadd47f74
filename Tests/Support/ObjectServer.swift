import Glibc
import Linux
import Synchronization

/// A server of objects on the loopback: PUT, GET and DELETE of whole objects, one request a
/// connection. It checks no signature; it keeps the heads of requests for whoever does.
package final class ObjectServer: Sendable {
    private struct State {
        var objects: [String: [UInt8]] = [:]
        var heads: [String] = []
        var refusal: Int?
    }

    package let port: UInt16
    private let listener: Listener
    private let stopping: WakeSignal
    private let state: Box
    private let thread: SystemThread

    /// What the thread shares with the server, without keeping that alive.
    private final class Box: Sendable {
        let state = Mutex(State())
    }

    package init() throws {
        let listener = try Listener(host: "127.0.0.1", port: 0, sharesPort: false)
        port = listener.port
        let raw = listener.raw
        self.listener = listener
        let stopping = try WakeSignal()
        self.stopping = stopping
        let state = Box()
        self.state = state
        thread = SystemThread(name: "object-server") {
            while let client = ObjectServer.accept(raw, until: stopping) {
                ObjectServer.answer(client, state)
            }
        }
    }

    deinit {
        stopping.raise()
        thread.join()
    }

    /// Of all requests so far, in order, each up to its empty line.
    package var heads: [String] { state.state.withLock { $0.heads } }
    package var keys: [String] { state.state.withLock { $0.objects.keys.sorted() } }

    /// Answers every request so from now on; nil serves again.
    package func refuse(status: Int?) { state.state.withLock { $0.refusal = status } }

    /// Changes a stored object; the path is that of its request.
    package func change(_ path: String, _ body: (inout [UInt8]) -> Void) {
        state.state.withLock { state in body(&state.objects[path, default: []]) }
    }

    private static func accept(_ listener: Int32, until stopping: WakeSignal) -> Descriptor? {
        var polls = [listener, stopping.raw].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        while true {
            while poll(&polls, 2, -1) < 0 && errno == EINTR {}
            if polls[1].revents != 0 { return nil }
            let raw = Glibc.accept(listener, nil, nil)
            if raw >= 0 { return Descriptor(owning: raw) }
        }
    }

    private static func answer(_ client: borrowing Descriptor, _ box: Box) {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        var (headEnd, bodyBytes) = (0, 0)
        while headEnd == 0 || bytes.count < headEnd + bodyBytes {
            let count = recv(client.raw, &chunk, chunk.count, 0)
            guard count > 0 else { return }
            bytes += chunk[..<count]
            if headEnd == 0,
                let end = String(decoding: bytes.prefix(8192), as: UTF8.self)
                    .firstRange(of: "\r\n\r\n")
            {
                let head = String(decoding: bytes.prefix(8192), as: UTF8.self)[..<end.lowerBound]
                headEnd = head.utf8.count + 4
                let length = head.split(separator: "\r\n").first {
                    $0.lowercased().hasPrefix("content-length:")
                }
                bodyBytes = length.flatMap { Int($0.dropFirst(15).drop { $0 == " " }) } ?? 0
            }
        }
        let head = String(decoding: bytes[..<(headEnd - 2)], as: UTF8.self)
        let words = head.split(separator: " ", maxSplits: 2)
        let path = String(words[1])
        let (status, body) = box.state.withLock { state -> (Int, [UInt8]) in
            state.heads.append(head)
            if let refusal = state.refusal { return (refusal, Array("<Code>Refused</Code>".utf8)) }
            if words[0] == "PUT" {
                state.objects[path] = Array(bytes[headEnd...])
                return (200, [])
            }
            if words[0] == "DELETE", state.objects.removeValue(forKey: path) != nil {
                return (204, [])
            }
            return state.objects[path].map { (200, $0) }
                ?? (404, Array("<Code>NoSuchKey</Code>".utf8))
        }
        let answer =
            "HTTP/1.1 \(status) x\r\nContent-Length: \(body.count)\r\n"
            + "Connection: close\r\n\r\n"
        var rest = (Array(answer.utf8) + body)[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                send(client.raw, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return }
            rest = rest.dropFirst(sent)
        }
    }
}
