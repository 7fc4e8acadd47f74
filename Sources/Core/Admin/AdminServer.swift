// The second listener of Edge and Ingest: probes and metrics for operators and machines on the same
// host. It is a thread of its own that answers one connection at a time, so it can neither slow the
// work nor need tuning. It promises no throughput and no protection from a hostile network: it
// listens on loopback unless told otherwise.

import Linux
import Wire

/// What a path answers.
package struct AdminAnswer: Sendable {
    package let status: Int
    package let contentType: String
    package let body: String

    package init(status: Int, contentType: String = "text/plain; charset=utf-8", body: String) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }

    /// The text of a scrape.
    package static func metrics(_ metrics: MetricsText) -> AdminAnswer {
        AdminAnswer(
            status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8",
            body: metrics.text)
    }

    /// A probe's answer: 200, or 503 with every reason on a line of its own.
    package static func probe(unmet reasons: [String]) -> AdminAnswer {
        reasons.isEmpty
            ? AdminAnswer(status: 200, body: "ok\n")
            : AdminAnswer(status: 503, body: reasons.map { $0 + "\n" }.joined())
    }
}

/// Serves `GET` on a handful of paths until stopped.
package final class AdminServer: Sendable {
    private let listener: Listener
    private let stopping: WakeSignal
    private let routes: [String: @Sendable () -> AdminAnswer]

    /// Requests are a line and a few fields; whatever is longer is not for us.
    private static let requestBytesMax = 8192
    private static let patienceMilliseconds: Int32 = 2000

    /// Binds the address, so that a taken port fails the start of the process.
    package init(
        host: String, port: UInt16, routes: [String: @Sendable () -> AdminAnswer]
    ) throws(SystemError) {
        listener = try Listener(host: host, port: port, sharesPort: false)
        stopping = try WakeSignal()
        self.routes = routes
    }

    package var port: UInt16 { listener.port }

    /// Answers until ``stop()``; blocks its thread.
    package func run() throws(SystemError) {
        let epoll = try Epoll()
        try epoll.add(stopping.raw, .read, token: 0)
        try epoll.add(listener.raw, .read, token: 1)
        let events = UnsafeMutableBufferPointer<Epoll.Event>.allocate(capacity: 2)
        defer { events.deallocate() }
        while true {
            let count = epoll.wait(into: events, timeoutMilliseconds: -1)
            for event in events.prefix(count) where event.data.u64 == 0 { return }
            var peer = PeerAddress()
            let accepted = Socket.accept(listener.raw, peer: &peer)
            guard accepted >= 0 else {
                // A peer that left again; or no descriptors, where the next round would spin.
                if Socket.isOutOfDescriptors(accepted) { Clock.sleep(milliseconds: 50) }
                continue
            }
            let connection = Descriptor(owning: Int32(accepted))
            // A conversation for which there is no descriptor fails alone: just then the operator
            // has to be able to ask again.
            try? converse(connection)
        }
    }

    package func stop() {
        stopping.raise()
    }

    private func converse(_ connection: borrowing Descriptor) throws(SystemError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: AdminServer.requestBytesMax, alignment: 8)
        defer { buffer.deallocate() }
        let epoll = try Epoll()
        try epoll.add(connection.raw, [.read, .peerClosed], token: 0)
        let deadline = Clock.monotonic() + Int64(AdminServer.patienceMilliseconds) * 1000
        var count = 0
        var head = RequestHead()
        while count < buffer.count {
            guard wait(epoll, until: deadline) else { return }
            let got = Socket.receive(
                connection.raw, into: buffer.baseAddress! + count, bytesMax: buffer.count - count)
            if got == Socket.wouldBlock { continue }
            guard got > 0 else { return }
            count += got
            let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            switch RequestParser.parse(bytes, seenBefore: 0, into: &head) {
            case .partial: continue
            case .malformed:
                return send(.init(status: 400, body: "bad request\n"), connection, until: deadline)
            case .complete:
                return send(answer(to: head, in: bytes), connection, until: deadline)
            }
        }
    }

    private func wait(_ epoll: borrowing Epoll, until deadline: Int64) -> Bool {
        let left = (deadline - Clock.monotonic()) / 1000
        guard left > 0 else { return false }
        return withUnsafeTemporaryAllocation(of: Epoll.Event.self, capacity: 1) { events in
            epoll.wait(into: events, timeoutMilliseconds: Int32(left)) > 0
        }
    }

    private func answer(to head: RequestHead, in bytes: UnsafeRawBufferPointer) -> AdminAnswer {
        let path = String(decoding: head.path.bytes(in: bytes), as: UTF8.self)
        guard let route = routes[path] else {
            let known = routes.keys.sorted().joined(separator: " ")
            return AdminAnswer(status: 404, body: "not found; there is \(known)\n")
        }
        guard head.method == .get || head.method == .head else {
            return AdminAnswer(status: 405, body: "only GET\n")
        }
        return route()
    }

    private func send(
        _ answer: AdminAnswer, _ connection: borrowing Descriptor, until deadline: Int64
    ) {
        let reason =
            switch answer.status {
            case 200: "OK"
            case 400: "Bad Request"
            case 404: "Not Found"
            case 405: "Method Not Allowed"
            default: "Service Unavailable"
            }
        let head =
            "HTTP/1.1 \(answer.status) \(reason)\r\nContent-Type: \(answer.contentType)\r\n"
            + "Content-Length: \(answer.body.utf8.count)\r\nConnection: close\r\n\r\n"
        Array((head + answer.body).utf8).withUnsafeBytes { bytes in
            var rest = UnsafeRawBufferPointer(rebasing: bytes[...])
            // A scrape of many workers is longer than the socket's buffer; a peer that does not
            // read it in time loses the rest.
            while !rest.isEmpty, Clock.monotonic() < deadline {
                let sent = Socket.send(connection.raw, rest.baseAddress!, bytes: rest.count)
                if sent == Socket.wouldBlock {
                    Clock.sleep(milliseconds: 1)
                    continue
                }
                guard sent > 0 else { break }
                rest = UnsafeRawBufferPointer(rebasing: rest[sent...])
            }
        }
        Socket.shutdownWrite(connection.raw)
    }
}
