import Foundation

// What is asked of an outside server and what comes back, as values. Both hold secrets (codes,
// tokens, keys), so neither shows more of itself than its place.

/// One request to an outside server.
package struct OutboundRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"

        /// Whether asking twice comes to the same as asking once (RFC 9110, 9.2.2).
        package var isIdempotent: Bool { self != .post }
    }

    package let method: Method
    /// `https`, or `http` of the loopback; from settings and from what trusted parties say, never
    /// from a client.
    package let url: String
    package var headers: [(name: String, value: String)]
    package let body: [UInt8]?
    /// From the first attempt to the last byte of the last one's answer.
    package var timeoutSeconds: Double
    /// A longer answer is not read.
    package var answerBytesMax: Int
    /// Whether it may be sent again after its bytes may have arrived.
    package var isRepeatable: Bool

    package init(
        _ method: Method, _ url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil, timeoutSeconds: Double = 5, answerBytesMax: Int = 256 * 1024
    ) {
        precondition(timeoutSeconds > 0 && answerBytesMax > 0, "every request has its bounds")
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeoutSeconds = timeoutSeconds
        self.answerBytesMax = answerBytesMax
        isRepeatable = method.isIdempotent
    }

    /// A POST of `application/x-www-form-urlencoded`.
    package static func form(
        _ url: String, _ fields: [(name: String, value: String)],
        headers: [(name: String, value: String)] = []
    ) -> OutboundRequest {
        let text = fields.map { "\(formEncoded($0.name))=\(formEncoded($0.value))" }
        return OutboundRequest(
            .post, url,
            headers: headers + [("Content-Type", "application/x-www-form-urlencoded")],
            body: Array(text.joined(separator: "&").utf8))
    }

    /// All but the unreserved characters of RFC 3986 escaped.
    private static func formEncoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                bytes += Array(((byte < 16 ? "%0" : "%") + digits).utf8)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension OutboundRequest: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    /// Method and address without the query; headers and body hold secrets.
    package var description: String { "\(method.rawValue) \(url.prefix { $0 != "?" })" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// What an outside server answered, of any status; redirects are not followed.
package struct OutboundAnswer: Sendable {
    package let status: Int
    /// Names in lower case; the last of repeated ones.
    package let headers: [String: String]
    package let body: [UInt8]

    package init(status: Int, headers: [String: String] = [:], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The body as JSON; nil if it is none.
    package var json: JSON? {
        // try?: why somebody else's bytes are no JSON changes nothing.
        try? JSON(reading: body)
    }

    /// Seconds of `Retry-After`, if it was sent as a number; at most an hour.
    package var retryAfterSeconds: Int? {
        headers["retry-after"].flatMap { Int($0) }.map { min(max($0, 1), 3600) }
    }
}

extension OutboundAnswer: CustomStringConvertible, CustomDebugStringConvertible,
    CustomReflectable
{
    package var description: String { "\(status), \(body.count) bytes" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Why there is no answer.
package enum OutboundFailure: Error, Equatable, Sendable {
    /// Not asked: the party has failed too often just now.
    case circuitOpen(retryAfterSeconds: Int)
    /// Not asked: as many calls as are allowed are under way to the party.
    case busy
    /// No connection, so nothing was sent.
    case unreachable
    case timedOut
    /// Cut, garbled, or not the party by its certificate.
    case broken
    case answerTooLarge

    /// Whether the party cannot have seen the request.
    package var isUnsent: Bool {
        switch self {
        case .circuitOpen, .busy, .unreachable: true
        case .timedOut, .broken, .answerTooLarge: false
        }
    }
}
