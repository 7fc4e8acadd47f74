// HOT
// Every way in which the edge says no. The bodies look like the API's, in English: who reads them
// writes a program, since a shopper's browser is redirected or sees a page of the shop.

/// An answer other than success.
public enum ErrorAnswer: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    case badRequest
    case bodyNotAnObject
    case memberRepeated
    case gongguIDMissing
    case gongguIDInvalid
    case channelInvalid
    case notFound
    case gongguNotFound
    case linkMethodNotAllowed
    case reportMethodNotAllowed
    case requestTimeout
    case bodyTooLarge
    case unsupportedMediaType
    case headTooLarge
    /// To a browser that fetches ahead: the real visit must reach us.
    case prefetchRefused
    case unavailable
    case versionNotSupported

    public init(_ fault: RequestFault) {
        switch fault {
        case .versionNotSupported: self = .versionNotSupported
        case .tooManyFields, .headTooLarge: self = .headTooLarge
        case .method, .target, .version, .lineEnd, .fieldName, .fieldValue, .host, .contentLength,
            .transferEncoding, .repeatedField:
            self = .badRequest
        }
    }

    public init(_ fault: ReportFault) {
        switch fault {
        case .bodyTooLarge: self = .bodyTooLarge
        case .notAnObject: self = .bodyNotAnObject
        case .repeatedMember: self = .memberRepeated
        case .gongguIDMissing: self = .gongguIDMissing
        case .gongguIDInvalid: self = .gongguIDInvalid
        case .channelInvalid: self = .channelInvalid
        }
    }

    /// The status line, and the fields that only this answer has.
    var start: StaticString {
        switch self {
        case .badRequest, .bodyNotAnObject, .memberRepeated, .gongguIDMissing, .gongguIDInvalid,
            .channelInvalid:
            "HTTP/1.1 400 Bad Request\r\n"
        case .notFound, .gongguNotFound: "HTTP/1.1 404 Not Found\r\n"
        case .linkMethodNotAllowed: "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\n"
        case .reportMethodNotAllowed:
            "HTTP/1.1 405 Method Not Allowed\r\nAllow: POST, OPTIONS\r\n"
        case .requestTimeout: "HTTP/1.1 408 Request Timeout\r\n"
        case .bodyTooLarge: "HTTP/1.1 413 Content Too Large\r\n"
        case .unsupportedMediaType:
            "HTTP/1.1 415 Unsupported Media Type\r\nAccept: application/json, text/plain\r\n"
        case .headTooLarge: "HTTP/1.1 431 Request Header Fields Too Large\r\n"
        case .prefetchRefused: "HTTP/1.1 503 Service Unavailable\r\nX-Robots-Tag: noindex\r\n"
        case .unavailable: "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
        case .versionNotSupported: "HTTP/1.1 505 HTTP Version Not Supported\r\n"
        }
    }

    var body: StaticString {
        switch self {
        case .badRequest: #"{"detail":"The request is malformed","code":"BAD_REQUEST"}"#
        case .bodyNotAnObject:
            #"{"detail":"The body is not a JSON object","code":"INVALID_BODY"}"#
        case .memberRepeated: #"{"detail":"A member came twice","code":"INVALID_BODY"}"#
        case .gongguIDMissing: #"{"detail":"gonggu_id is missing","code":"INVALID_GONGGU_ID"}"#
        case .gongguIDInvalid:
            #"{"detail":"gonggu_id is no UUID or short code","code":"INVALID_GONGGU_ID"}"#
        case .channelInvalid:
            #"{"detail":"channel is not up to 32 of A-Za-z0-9_-","code":"INVALID_CHANNEL"}"#
        case .notFound: #"{"detail":"Nothing is here","code":"NOT_FOUND"}"#
        case .gongguNotFound: #"{"detail":"Gonggu not found","code":"GONGGU_NOT_FOUND"}"#
        case .linkMethodNotAllowed, .reportMethodNotAllowed:
            #"{"detail":"The method is not allowed here","code":"METHOD_NOT_ALLOWED"}"#
        case .requestTimeout:
            #"{"detail":"The request took too long to arrive","code":"REQUEST_TIMEOUT"}"#
        case .bodyTooLarge: #"{"detail":"The body is too large","code":"BODY_TOO_LARGE"}"#
        case .unsupportedMediaType:
            #"{"detail":"Send application/json or text/plain","code":"UNSUPPORTED_MEDIA_TYPE"}"#
        case .headTooLarge: #"{"detail":"The header is too large","code":"HEADER_TOO_LARGE"}"#
        case .prefetchRefused:
            #"{"detail":"This link is not served ahead of a visit","code":"PREFETCH_REFUSED"}"#
        case .unavailable: #"{"detail":"Try again in a moment","code":"UNAVAILABLE"}"#
        case .versionNotSupported:
            #"{"detail":"Only HTTP/1.0 and 1.1 are spoken","code":"VERSION_NOT_SUPPORTED"}"#
        }
    }
}
