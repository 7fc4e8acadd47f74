import Linux

/// One address that asks for one link as fast as it can: batches of requests in one packet each,
/// all answers read. Its agents are a handful, so most of its clicks are duplicates, then floods.
package final class FloodClient {
    private let port: UInt16
    private let target: String
    private let fields: String
    private var client: PlainClient?
    /// Requests whose first byte may have left.
    package private(set) var sent = 0
    /// Requests whose whole redirect came back.
    package private(set) var answered = 0

    package static let batch = 50

    /// - Parameter address: for `X-Forwarded-For`, where the loopback is trusted; nil for none.
    package init(port: UInt16, target: String, address: String? = nil) {
        self.port = port
        self.target = target
        fields = address.map { "X-Forwarded-For: \($0)\r\n" } ?? ""
    }

    /// Ends the connection; the next batch has another.
    package func hangUp() {
        client = nil
    }

    /// Sends a batch and reads its answers.
    /// - Returns: false if the server was away or went away meanwhile.
    package func ask() -> Bool {
        if client == nil { client = try? PlainClient(port: port) }
        guard let client else { return false }
        var text = ""
        for number in sent..<sent + FloodClient.batch {
            let agent = TestAgent.browser(100 + number % 7)
            text += "GET \(target) HTTP/1.1\r\nHost: x\r\nUser-Agent: \(agent)\r\n\(fields)\r\n"
        }
        sent += FloodClient.batch
        do {
            try client.send(text)
            for _ in 0..<FloodClient.batch {
                guard let answer = try client.receive(), answer.status == 302 else {
                    self.client = nil
                    return false
                }
                answered += 1
            }
            return true
        } catch {
            self.client = nil
            return false
        }
    }
}
