import Glibc
import Linux

/// One blocking connection to a server on the loopback, sending what it is given and reading whole
/// answers. It knows Content-Length and nothing else of HTTP, so that it hides nothing.
package final class PlainClient {
    package struct Answer: Equatable {
        package let status: Int
        /// As sent, in order, names in lower case.
        package let fields: [(name: String, value: String)]
        package let body: String

        package func field(_ name: String) -> String? {
            fields.first { $0.name == name }?.value
        }

        package static func == (left: Answer, right: Answer) -> Bool {
            left.status == right.status && left.body == right.body
                && left.fields.elementsEqual(right.fields) { $0 == $1 }
        }
    }

    private let descriptor: Descriptor
    private var received: [UInt8] = []

    /// - Parameter receiveBufferBytes: the kernel's, for a peer that takes little at a time.
    package init(
        port: UInt16, patienceSeconds: Int = 10, receiveBufferBytes: Int32? = nil
    ) throws(SystemError) {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard raw >= 0 else { throw SystemError("socket", "") }
        let descriptor = Descriptor(owning: raw)
        var patience = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        if var bytes = receiveBufferBytes { setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &bytes, 4) }
        // Each piece is a segment of its own.
        var one: Int32 = 1
        setsockopt(raw, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw SystemError("connect", "127.0.0.1:\(port)") }
        self.descriptor = descriptor
    }

    package var raw: Int32 { descriptor.raw }

    package func send(_ text: String) throws(SystemError) {
        try send(bytes: Array(text.utf8))
    }

    package func send(bytes: [UInt8]) throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Socket.send(descriptor.raw, $0.baseAddress! + sent, bytes: bytes.count - sent)
            }
            guard count > 0 else { throw SystemError("send", "", code: Int32(-count)) }
            sent += count
        }
    }

    /// The next answer; nil if the server closed before it was whole.
    ///
    /// - Parameter hasBody: false after HEAD, whose answer has a length and no body.
    package func receive(hasBody: Bool = true) throws(SystemError) -> Answer? {
        var headEnd = endOfHead()
        while headEnd == nil {
            guard try fill() else { return nil }
            headEnd = endOfHead()
        }
        let head = String(decoding: received[..<headEnd!], as: UTF8.self)
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
        let fields = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (line[..<colon].lowercased(), String(value))
        }
        let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") ?? 0
        let length = fields.first { $0.name == "content-length" }.flatMap { Int($0.value) } ?? 0
        let bodyStart = headEnd! + 4
        let bodyEnd = bodyStart + (hasBody ? length : 0)
        while received.count < bodyEnd {
            guard try fill() else { return nil }
        }
        let body = String(decoding: received[bodyStart..<bodyEnd], as: UTF8.self)
        received.removeFirst(bodyEnd)
        return Answer(status: status, fields: fields, body: body)
    }

    /// A request without a body on this connection.
    package func ask(
        _ method: String = "GET", _ target: String, userAgent: String = TestAgent.phone
    ) throws(SystemError) -> Answer? {
        try send(
            "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \(userAgent)\r\n\r\n")
        return try receive(hasBody: method != "HEAD")
    }

    /// Whether the server has ended the connection.
    package func isClosed() throws(SystemError) -> Bool {
        guard received.isEmpty else { return false }
        return try !fill()
    }

    /// Sends nothing more; answers are still read.
    package func endSending() {
        Socket.shutdownWrite(descriptor.raw)
    }

    /// Ends the connection the hard way (RST), now.
    package func reset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.raw, SOL_SOCKET, SO_LINGER, &hard, socklen_t(8))
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        _ = connect(descriptor.raw, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    /// Whatever the server sends until it ends the connection.
    package func receiveAll() throws(SystemError) -> String {
        while try fill() {}
        defer { received = [] }
        return String(decoding: received, as: UTF8.self)
    }

    /// What the server sends up to the text and with it; nil if it ends the connection before.
    /// For streams that do not end, of which nothing is taken apart.
    package func receive(until text: String) throws(SystemError) -> String? {
        while true {
            let sent = String(decoding: received, as: UTF8.self)
            if let range = sent.firstRange(of: text) {
                received.removeFirst(sent[..<range.upperBound].utf8.count)
                return String(sent[..<range.upperBound])
            }
            guard try fill() else { return nil }
        }
    }

    private func endOfHead() -> Int? {
        received.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return nil }
            var from = 0
            while let found = memchr(start + from, 13, bytes.count - from) {
                from = UnsafeRawPointer(found) - start
                if bytes.count - from >= 4 && memcmp(found, "\r\n\r\n", 4) == 0 { return from }
                from += 1
            }
            return nil
        }
    }

    /// - Returns: false at the end of what the server sends, or when it was cut off.
    private func fill() throws(SystemError) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = buffer.withUnsafeMutableBytes {
            Socket.receive(descriptor.raw, into: $0.baseAddress!, bytesMax: $0.count)
        }
        if count == -Int(EAGAIN) { throw SystemError("recv", "no answer in time", code: EAGAIN) }
        guard count > 0 else { return false }
        received += buffer[..<count]
        return true
    }
}

/// User agents that real people's browsers send, so that a click is judged for what it is about.
package enum TestAgent {
    package static let phone = browser(130)

    /// Samsung's phone with a Chrome of that version: one visitor a version.
    package static func browser(_ version: Int) -> String {
        "Mozilla/5.0 (Linux; Android 15; SM-S921N) AppleWebKit/537.36 (KHTML, like Gecko) "
            + "Chrome/\(version).0.0.0 Mobile Safari/537.36"
    }
}
