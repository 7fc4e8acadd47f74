import Clicks
import Crypto
import HTTPTypes
import Hummingbird

// Answers that a client may have already (RFC 9110, sections 8.8 and 13). They are made first and
// compared then: what is saved is the way to the client, not the making.

/// Bytes that are answered with validators, or with 304 where the client has them.
package struct ConditionalBody: Sendable {
    let bytes: [UInt8]
    let mediaType: String
    /// `Cache-Control`.
    let caching: String
    /// When what the bytes tell changed last; nil where nobody knows. Left out of the answer for
    /// two seconds, since a second change within the second would look like none.
    var lastModified: Timestamp?
    /// `Content-Disposition`.
    var disposition: String?
    /// Whether the words follow `Accept-Language`.
    var varies = false

    /// The first 128 bits of the bytes' SHA-256: equal exactly for equal bytes.
    var tag: String {
        let digest = SHA256.hash(data: bytes).prefix(16)
        return "\"" + digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() + "\""
    }

    /// The answer to the request: 200, or 304 without the bytes.
    package func response(to request: Request, now: Timestamp = .now) -> Response {
        var headers: HTTPFields = [.cacheControl: caching, .eTag: tag]
        let modified = lastModified.flatMap {
            $0.advanced(bySeconds: 2) <= now ? HTTPDate(containing: $0) : nil
        }
        if let modified { headers[.lastModified] = modified.text }
        if varies { headers[.vary] = "Accept-Language" }
        if isKnown(to: request, modified) {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = mediaType
        if let disposition { headers[.contentDisposition] = disposition }
        return Response(
            status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// A tag decides where one is sent; dates are looked at only otherwise.
    private func isKnown(to request: Request, _ modified: HTTPDate?) -> Bool {
        let sent = request.headers[values: .ifNoneMatch]
        if !sent.isEmpty {
            return sent.joined(separator: ",").split(separator: ",").map { $0.trimmed }
                .contains { $0 == "*" || $0 == tag || $0 == "W/" + tag }
        }
        guard let modified, let since = request.headers[.ifModifiedSince].flatMap(HTTPDate.init)
        else { return false }
        return modified <= since
    }

    /// What a route that answers so declares.
    static func outcomes(_ mediaTypes: String...) -> [Outcome] {
        let headers = [
            Outcome.Header(name: "ETag", about: Wording("내용의 지문", "The content's fingerprint")),
            Outcome.Header(name: "Cache-Control", about: Wording("보관 기간", "How long to keep it")),
        ]
        // The document shows the headers of one status once.
        return mediaTypes.enumerated().map { place, type in
            Outcome(status: .ok, mediaType: type, shape: nil, headers: place == 0 ? headers : [])
        } + [Outcome(status: .notModified, mediaType: nil, shape: nil, headers: headers)]
    }
}

/// A second, as HTTP's fields write it: `Sun, 06 Nov 1994 08:49:37 GMT`.
package struct HTTPDate: Comparable, Sendable {
    let seconds: Int64

    private static let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The second that the time is in.
    init(containing time: Timestamp) {
        let (seconds, rest) = time.microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        self.seconds = rest < 0 ? seconds - 1 : seconds
    }

    /// Reads the one form that senders may use; nil for the obsolete ones, which none sends.
    package init?(_ text: String) {
        // The same in RFC 3339, whose reader knows which days and times there are.
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0].utf8.count == 4, parts[0].last == ",", parts[5] == "GMT",
            let month = HTTPDate.months.firstIndex(of: String(parts[2]))
        else { return nil }
        let number = (month < 9 ? "0" : "") + String(month + 1)
        guard let time = Timestamp(rfc3339: "\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z") else {
            return nil
        }
        self.init(containing: time)
    }

    package var text: String {
        let time = Timestamp(microseconds: seconds * 1_000_000).rfc3339(offsetMinutes: 0)
        let (day, clock) = (time.prefix(10).split(separator: "-"), time.dropFirst(11).prefix(8))
        let days = Int((Double(seconds) / 86_400).rounded(.down))
        let weekday = HTTPDate.weekdays[((days % 7) + 7) % 7]
        // The month is one of twelve, since the clock wrote it.
        let month = HTTPDate.months[(Int(day[1]) ?? 1) - 1]
        return "\(weekday), \(day[2]) \(month) \(day[0]) \(clock) GMT"
    }

    package static func < (left: HTTPDate, right: HTTPDate) -> Bool {
        left.seconds < right.seconds
    }
}
