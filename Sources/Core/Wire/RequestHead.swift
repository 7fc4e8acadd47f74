// HOT
// What a request said, as ranges into the buffer it arrived in. Plain words only, so that nothing
// has to be freed.

import Clicks

/// A run of bytes in the buffer that was parsed. Two 16-bit numbers are enough because a head is
/// never longer than 16 KiB.
public struct ByteRange: Equatable, Sendable, BitwiseCopyable {
    public let start: UInt16
    public let count: UInt16

    /// Nothing was sent. No field can begin at offset 0, since a request line comes first.
    @inlinable
    public static var absent: ByteRange { ByteRange(start: 0, end: 0) }

    @inlinable
    public init(start: Int, end: Int) {
        self.start = UInt16(truncatingIfNeeded: start)
        self.count = UInt16(truncatingIfNeeded: end &- start)
    }

    /// Whether the field was sent, be it empty.
    @inlinable
    public var isPresent: Bool { start != 0 }

    @inlinable
    public var isEmpty: Bool { count == 0 }

    /// The bytes themselves, valid while the buffer is. `buffer` is the one that was parsed, not
    /// empty: only debug builds, and so the tests, trap where it is another one.
    @inlinable
    @inline(always)
    public func bytes(ofParsed buffer: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        assert(Int(start) &+ Int(count) <= buffer.count, "a range lies in its buffer")
        return UnsafeRawBufferPointer(
            start: buffer.baseAddress.unsafelyUnwrapped + Int(start), count: Int(count))
    }

    /// The same, checked. `buffer` is the one that was parsed.
    @inlinable
    @inline(always)
    public func bytes(in buffer: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        precondition(Int(start) &+ Int(count) <= buffer.count, "a range lies in its buffer")
        return UnsafeRawBufferPointer(
            start: buffer.baseAddress.map { $0 + Int(start) }, count: Int(count))
    }
}

/// A request's method. Names are case-sensitive (RFC 9110, 9.1), so `get` is ``other``.
public enum RequestMethod: UInt8, Sendable, BitwiseCopyable {
    case get
    case head
    case post
    case options
    /// A well-formed token that no route of the edge knows.
    case other
}

/// A request head. Meaningful after ``ParseOutcome/complete(headBytes:)``; after a fault only
/// ``method`` may be relied on (``RequestMethod/other`` where it was not reached).
///
/// Fields sent twice: Host, Content-Length, Content-Type and Authorization are faults, whatever
/// they say; Connection, the prefetch hints and X-Forwarded-For are read together; of all others
/// the first is kept.
public struct RequestHead: Sendable, BitwiseCopyable {
    public var method = RequestMethod.other
    /// 0 or 1, of HTTP/1.x.
    public var minorVersion: UInt8 = 1
    /// Whether the connection may carry another request: the client asked for it or its version
    /// implies it, and it did not say `close`.
    public var keepAlive = false
    /// What the parser and its neighbours remember, in bits: one byte more would be eight.
    @usableFromInline var notes: UInt8 = 0
    /// A Content-Length was sent. Without one the body is empty, since no other framing is taken.
    public var hasContentLength = false
    /// The client waits for `100 Continue` before it sends the body. Never set for HTTP/1.0.
    public var expectsContinue = false
    /// Sec-Purpose, Purpose, X-Purpose or X-Moz contains prefetch, prerender or preview.
    public var isPrefetch = false
    /// The body's bytes; 0 without a Content-Length.
    public var contentLength = 0

    /// From the first slash to before the question mark; empty for `http://host`.
    public var path = ByteRange.absent
    /// After the question mark; absent without one.
    public var query = ByteRange.absent
    /// The target's authority where it was sent in absolute form, else the Host field.
    public var host = ByteRange.absent
    public var userAgent = ByteRange.absent
    public var referer = ByteRange.absent
    public var contentType = ByteRange.absent
    public var origin = ByteRange.absent
    public var authorization = ByteRange.absent
    public var cookie = ByteRange.absent
    /// Of several lines everything from the first one's value to the last one's end, other fields
    /// between them included; ``ForwardedFor`` knows its way.
    public var forwardedFor = ByteRange.absent
    public var accessControlRequestMethod = ByteRange.absent

    /// Of a target in absolute form; absent in all others.
    var authority = ByteRange.absent

    /// Of ``linkID``.
    @usableFromInline var linkWords: (UInt64, UInt64) = (0, 0)

    public init() {}

    /// A Connection line said `close`, which a later `keep-alive` does not take back.
    var sawClose: Bool {
        @inline(always) get { notes & 1 != 0 }
        @inline(always) set { notes = notes & ~1 | (newValue ? 1 : 0) }
    }

    /// The scheme of a target in absolute form is https.
    var isSecure: Bool {
        get { notes & 8 != 0 }
        set { notes = notes & ~8 | (newValue ? 8 : 0) }
    }

    /// The UUID behind `/go/`, if there is one: read on the way, so that ``LinkTarget`` need not
    /// read it again.
    @usableFromInline var linkID: Identifier? {
        @inlinable @inline(always) get {
            notes & 4 != 0 ? Identifier(high: linkWords.0, low: linkWords.1) : nil
        }
        // Once for a head, in which there is none before.
        @inline(always) set {
            guard let newValue else { return }
            linkWords = (newValue.high, newValue.low)
            notes |= 4
        }
    }

    @inline(always)
    mutating func addForwardedFor(_ value: ByteRange) {
        let start = forwardedFor.isPresent ? forwardedFor.start : value.start
        forwardedFor = ByteRange(start: Int(start), end: Int(value.start) &+ Int(value.count))
    }

    /// Of `GET /go/` and what has a UUID or is a label, up to `pathEnd`.
    @inline(always)
    mutating func takeLink(_ id: Identifier?, pathEnd: Int, minor: UInt8) {
        method = .get
        path = ByteRange(start: 4, end: pathEnd)
        isLink = true
        linkID = id
        minorVersion = minor
        keepAlive = minor == 1
    }

    /// The path is `/go/` and behind it what labels are made of, if anything: the parser comes by
    /// that, and ``LinkTarget`` need not look again.
    @usableFromInline var isLink: Bool {
        @inlinable @inline(always) get { notes & 2 != 0 }
        @inline(always) set { notes = notes & ~2 | (newValue ? 2 : 0) }
    }
}

/// Why a request was refused. Whatever the reason, the connection is closed after the answer,
/// because where the next request would begin is no longer certain.
public enum RequestFault: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// Not a token, or more than one blank line before the request.
    case method
    /// Neither origin form nor http(s) absolute form, or a byte that no target may have.
    case target
    /// The third word of the request line is not an HTTP version at all.
    case version
    /// An HTTP version other than 1.0 and 1.1.
    case versionNotSupported
    /// A CR without LF or a LF without CR.
    case lineEnd
    /// A name that is empty or no token; white space before the colon or before the name
    /// (which is also how a folded line looks).
    case fieldName
    /// A control character in a value.
    case fieldValue
    /// Host missing on HTTP/1.1, sent twice, or not a host and port.
    case host
    /// Not plain decimal digits, too large, or sent twice.
    case contentLength
    /// Any Transfer-Encoding: the edge takes no chunked bodies.
    case transferEncoding
    /// Content-Type or Authorization sent twice.
    case repeatedField
    case tooManyFields
    case headTooLarge

    /// The status to answer with.
    public var status: Int {
        switch self {
        case .versionNotSupported: 505
        case .tooManyFields, .headTooLarge: 431
        case .method, .target, .version, .lineEnd, .fieldName, .fieldValue, .host, .contentLength,
            .transferEncoding, .repeatedField:
            400
        }
    }
}

/// The answer of the parser.
public enum ParseOutcome: Equatable, Sendable, BitwiseCopyable {
    /// The head ended after so many bytes; the body or the next request begins there.
    case complete(headBytes: Int)
    /// Nothing wrong yet; ask again when more has arrived.
    case partial
    case malformed(RequestFault)
}
