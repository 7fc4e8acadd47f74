// HOT
// Whole answers, appended to a buffer of the worker's. Each function has a bound of the same name
// that tells beforehand how much room it may use; with less it stops the process, because writing
// on would corrupt another client's answer.

import Clicks

/// Where an answer sends the client: bytes, and then perhaps our parameters, and an identifier.
public struct AnswerLocation {
    @usableFromInline let start: UnsafeRawBufferPointer
    /// 0 for no parameters.
    @usableFromInline let separator: UInt8
    @usableFromInline let gonggu: Identifier?

    /// - Parameters:
    ///   - start: visible ASCII, checked by whoever stored it: a URL whole, or up to where the
    ///     identifier belongs. Borrowed for the call it is passed to.
    ///   - separator: written after it, and then ``Campaign/parameters``, if an identifier
    ///     follows: `?` or `&`; 0 for neither.
    ///   - gonggu: written after these, such as in `https://shop.example/gonggus/<uuid>`.
    @inlinable
    @inline(always)
    public init(
        _ start: UnsafeRawBufferPointer, separator: UInt8 = 0, gonggu: Identifier? = nil
    ) {
        self.start = start
        self.separator = separator
        self.gonggu = gonggu
    }

    @inlinable
    @inline(always)
    var bytes: Int {
        // A comparison with nil would ask for the identifier's metadata.
        guard case .some = gonggu else { return start.count }
        let parameters = separator == 0 ? 0 : 1 &+ Campaign.parameters.utf8CodeUnitCount
        return start.count &+ parameters &+ AnswerWriter.identifierBytes
    }
}

/// What the request and the connection settle about an answer, whatever it says.
public struct AnswerTerms {
    /// The body is left out, its length is not (RFC 9110, 9.3.2).
    public var isHead: Bool
    /// HTTP/1.0 must be told that a connection stays open, HTTP/1.1 that it does not.
    public var minorVersion: UInt8
    public var keepAlive: Bool
    /// The origin to allow: the request's own, found in `CORS_ORIGINS`, or `*`; empty for none.
    /// Borrowed for the call.
    public var allowedOrigin: UnsafeRawBufferPointer

    /// - Parameter keepAlive: whether the connection stays open, which the client alone does not
    ///   decide.
    @inlinable
    @inline(always)
    public init(
        _ head: borrowing RequestHead, keepAlive: Bool,
        allowedOrigin: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) {
        // Not by ==, which for another module's type is a call through its table of functions.
        isHead = if case .head = head.method { true } else { false }
        minorVersion = head.minorVersion
        self.keepAlive = keepAlive
        self.allowedOrigin = allowedOrigin
    }
}

/// Writes answers. All return how many bytes they wrote.
public enum ResponseBytes {
    // MARK: Links

    /// `302`, the same to everyone: nothing in it tells what was thought of the click.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    @inlinable
    @inline(always)
    public static func redirect(
        to location: AnswerLocation, _ terms: AnswerTerms, date: DateLine,
        into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(room.count >= redirectBytesMax(location), "a redirect needs more room")
        var writer = AnswerWriter(room)
        let start: StaticString = """
            HTTP/1.1 302 Found\r
            Cache-Control: no-store\r
            X-Robots-Tag: noindex\r
            Content-Length: 0\r

            """
        writer.put(start)
        writer.put(date)
        putConnection(terms, &writer)
        writer.put("Location: ")
        put(location, &writer)
        writer.put("\r\n\r\n")
        return writer.count
    }

    @inlinable
    @inline(always)
    public static func redirectBytesMax(_ location: AnswerLocation) -> Int {
        // As if all parts were there, which spares the answer to ask.
        270 &+ location.start.count
    }

    // MARK: Reports

    /// `200 {"click_id":"…","redirect_url":"…"}`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func reported(
        _ click: Identifier, redirect location: AnswerLocation, _ terms: AnswerTerms,
        date: DateLine, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(
            room.count >= reportedBytesMax(location, terms), "a report's answer needs more room")
        var writer = AnswerWriter(room)
        let locationBytes =
            AnswerWriter.escapedBytes(location.start) &+ location.bytes &- location.start.count
        // {"click_id":"","redirect_url":""} and the identifier's text.
        let bodyBytes = 33 &+ AnswerWriter.identifierBytes &+ locationBytes
        writer.put("HTTP/1.1 200 OK\r\n")
        putFields(contentType: "application/json", bodyBytes: bodyBytes, terms, date, &writer)
        guard !terms.isHead else { return writer.count }
        writer.put(#"{"click_id":""#)
        writer.put(click)
        writer.put(#"","redirect_url":""#)
        writer.put(escaping: location.start)
        putRest(of: location, &writer)
        writer.put(#""}"#)
        return writer.count
    }

    public static func reportedBytesMax(_ location: AnswerLocation, _ terms: AnswerTerms) -> Int {
        512 &+ 6 &* location.bytes &+ terms.allowedOrigin.count
    }

    /// `204` to a CORS preflight. Without an allowed origin it allows nothing, which is the answer
    /// a browser understands.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func preflight(
        _ terms: AnswerTerms, date: DateLine, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(room.count >= shortBytesMax(terms), "a preflight's answer needs more room")
        var writer = AnswerWriter(room)
        writer.put("HTTP/1.1 204 No Content\r\nAllow: POST, OPTIONS\r\n")
        if terms.allowedOrigin.count > 0 {
            writer.put("Access-Control-Allow-Methods: POST\r\n")
            writer.put("Access-Control-Allow-Headers: authorization, content-type\r\n")
            writer.put("Access-Control-Max-Age: 600\r\n")
        }
        putOrigin(terms, &writer)
        writer.put(date)
        putConnection(terms, &writer)
        writer.put("\r\n")
        return writer.count
    }

    /// The interim answer that a waiting client wants before it sends its body (RFC 9110, 15.2.1).
    public static var continueLine: StaticString { "HTTP/1.1 100 Continue\r\n\r\n" }

    // MARK: The rest

    /// A refusal, as `{"detail":"…","code":"…"}`.
    #if !DEBUG
        @_noAllocation @_noLocks
    #endif
    public static func error(
        _ answer: ErrorAnswer, _ terms: AnswerTerms, date: DateLine,
        into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(room.count >= shortBytesMax(terms), "a refusal needs more room")
        var writer = AnswerWriter(room)
        let body = answer.body
        writer.put(answer.start)
        putFields(
            contentType: "application/json", bodyBytes: body.utf8CodeUnitCount, terms, date,
            &writer)
        if !terms.isHead { writer.put(body) }
        return writer.count
    }

    /// `robots.txt`: crawlers stay off the links, whose every visit is money.
    public static func robots(
        _ terms: AnswerTerms, date: DateLine, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(room.count >= shortBytesMax(terms), "robots.txt needs more room")
        let body: StaticString = "User-agent: *\nDisallow: /go/\nDisallow: /api/v1/go/\n"
        let bytes = UnsafeRawBufferPointer(start: body.utf8Start, count: body.utf8CodeUnitCount)
        return plain("200 OK", "text/plain; charset=utf-8", bytes, terms, date: date, into: room)
    }

    /// Room for any error, a preflight and robots.txt.
    public static func shortBytesMax(_ terms: AnswerTerms) -> Int {
        640 &+ terms.allowedOrigin.count
    }

    /// Any body with any status, for the admin listener.
    ///
    /// - Parameters:
    ///   - status: code and reason, such as `200 OK`; at most 64 bytes.
    ///   - contentType: at most 64 bytes.
    public static func plain(
        _ status: StaticString, _ contentType: StaticString, _ body: UnsafeRawBufferPointer,
        _ terms: AnswerTerms, date: DateLine, into room: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(room.count >= plainBytesMax(body, terms), "an answer needs more room")
        precondition(status.utf8CodeUnitCount <= 64 && contentType.utf8CodeUnitCount <= 64)
        var writer = AnswerWriter(room)
        writer.put("HTTP/1.1 ")
        writer.put(status)
        writer.put("\r\n")
        putFields(contentType: contentType, bodyBytes: body.count, terms, date, &writer)
        if !terms.isHead { writer.put(body) }
        return writer.count
    }

    public static func plainBytesMax(_ body: UnsafeRawBufferPointer, _ terms: AnswerTerms) -> Int {
        512 &+ body.count &+ terms.allowedOrigin.count
    }

    // MARK: Parts

    /// Everything between the status line and the body. No answer of the edge may be stored: each
    /// request is to reach it.
    @inline(always)
    private static func putFields(
        contentType: StaticString, bodyBytes: Int, _ terms: AnswerTerms, _ date: DateLine,
        _ writer: inout AnswerWriter
    ) {
        writer.put("Cache-Control: no-store\r\nContent-Type: ")
        writer.put(contentType)
        writer.put("\r\nContent-Length: ")
        writer.put(decimal: bodyBytes)
        writer.put("\r\n")
        putOrigin(terms, &writer)
        writer.put(date)
        putConnection(terms, &writer)
        writer.put("\r\n")
    }

    @inline(always)
    private static func putOrigin(_ terms: AnswerTerms, _ writer: inout AnswerWriter) {
        let origin = terms.allowedOrigin
        guard origin.count > 0 else { return }
        writer.put("Vary: Origin\r\nAccess-Control-Allow-Origin: ")
        writer.put(origin)
        writer.put("\r\n")
        // sendBeacon always sends cookies; with `*` the Fetch standard forbids to allow them.
        if origin.count > 1 { writer.put("Access-Control-Allow-Credentials: true\r\n") }
    }

    @inlinable
    @inline(always)
    static func putConnection(_ terms: AnswerTerms, _ writer: inout AnswerWriter) {
        if !terms.keepAlive {
            writer.put("Connection: close\r\n")
        } else if terms.minorVersion == 0 {
            writer.put("Connection: keep-alive\r\n")
        }
    }

    @inlinable
    @inline(always)
    static func put(_ location: AnswerLocation, _ writer: inout AnswerWriter) {
        writer.put(location.start)
        putRest(of: location, &writer)
    }

    @inlinable
    @inline(always)
    static func putRest(of location: AnswerLocation, _ writer: inout AnswerWriter) {
        guard let gonggu = location.gonggu else { return }
        if location.separator != 0 {
            writer.put(location.separator)
            writer.put(Campaign.parameters)
        }
        writer.put(gonggu)
    }
}
