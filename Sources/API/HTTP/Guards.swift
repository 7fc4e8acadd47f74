import Clicks
import HTTPTypes
import Hummingbird
import Logging
import Postgres

// What stands between the socket and the routes, outermost first: HEAD without a body, the
// request's id and log line, the security headers, CORS, errors made into answers, the Host check,
// and 404 or 405. Errors are answered inside the first four, so that an error has an id, the
// headers and CORS as well.

/// Takes the body out of every answer to HEAD, errors included: a client does not read one, so that
/// on a connection that is kept it would be taken for the beginning of the next answer.
struct HeadGuard: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        guard request.method == .head else { return response }
        let length = response.headers[.contentLength]
        response.body = ResponseBody()
        // Without a length NIO would announce chunks, and write the one that ends them: a body
        // again. So a stream, whose length nobody knows, is said to have none.
        response.headers[.contentLength] = length ?? "0"
        return response
    }
}

/// Gives the request its id and language and writes its one log line.
struct RequestLog: RouterMiddleware {
    let proxies: TrustedProxies

    static let requestIDName = HTTPField.Name("X-Request-ID")!
    static let requestIDBytesMax = 64

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        var context = context
        context.requestID = RequestLog.requestID(of: request)
        context.language = Language(acceptLanguage: request.headers[.acceptLanguage])
        context.clientAddress = proxies.client(
            peer: context.clientAddress, forwarded: request.headers[values: .xForwardedFor])
        // Ours takes the place of Hummingbird's own number, under one name.
        context.logger[metadataKey: "hb.request.id"] = nil
        context.logger[metadataKey: "request_id"] = .string(context.requestID)
        var response = try await next(request, context)
        response.headers[RequestLog.requestIDName] = context.requestID
        let elapsed = (ContinuousClock.now - start).components
        // The route's template, never the address: that has ids, and its query may have tokens.
        context.logger.info(
            "request",
            metadata: [
                "method": .string(RequestLog.method(of: request)),
                "route": .string(context.endpointPath ?? "none"),
                "status": .stringConvertible(response.status.code),
                "microseconds": .stringConvertible(
                    elapsed.seconds * 1_000_000 + elapsed.attoseconds / 1_000_000_000_000),
            ])
        return response
    }

    /// The client's id if it is one, so that its logs and ours can be laid side by side.
    private static func requestID(of request: Request) -> String {
        let sent = request.headers[values: requestIDName]
        if sent.count == 1, let id = sent.first, (1...requestIDBytesMax).contains(id.utf8.count),
            id.utf8.allSatisfy(\.isIdentifierByte)
        {
            return id
        }
        return Identifier(
            high: UInt64.random(in: .min ... .max), low: UInt64.random(in: .min ... .max)
        ).description
    }

    /// Methods are the client's text: only its beginning goes into a log.
    private static func method(of request: Request) -> String {
        String(request.method.rawValue.prefix(16))
    }
}

extension UInt8 {
    /// `[A-Za-z0-9_-]`.
    fileprivate var isIdentifierByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

/// What browsers are told of every answer. A page that needs another policy sets its own first.
struct SecurityHeaders: RouterMiddleware {
    /// Whether clients reach us by https; HSTS over plain http is ignored at best.
    let isHTTPS: Bool

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        let set = { (name: HTTPField.Name, value: String) in
            if !response.headers.contains(name) { response.headers[name] = value }
        }
        set(.xContentTypeOptions, "nosniff")
        set(HTTPField.Name("X-Frame-Options")!, "DENY")
        set(HTTPField.Name("Referrer-Policy")!, "strict-origin-when-cross-origin")
        set(.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
        if isHTTPS { set(.strictTransportSecurity, "max-age=31536000") }
        // What an account may see is not for shared caches; a route that may be kept says so.
        set(.cacheControl, "no-store")
        return response
    }
}

/// Makes every error an answer in our format, in the client's language, and logs what is our fault:
/// the only place that does.
struct ProblemBoundary: RouterMiddleware {
    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let refusal as any Refusal {
            return Response(refusal.problem, context)
        } catch let error as any HTTPResponseError {
            // Hummingbird's own: its words are English and about Swift, so only the status counts.
            return Response(Problem(ProblemBoundary.code(for: error.status)), context)
        } catch {
            context.logger.error(
                "unexpected error",
                metadata: [
                    "route": .string(context.endpointPath ?? "none"), "error": .string("\(error)"),
                ])
            return Response(ProblemBoundary.problem(of: error), context)
        }
    }

    /// A database that is away or has no connection free is worth another try; all else is not.
    private static func problem(of error: any Error) -> Problem {
        guard let error = error as? PostgresError, error.kind == .connection || error.kind == .pool
        else { return Problem(.unexpected) }
        return Problem(.unavailable, headers: [.retryAfter: "5"])
    }

    private static func code(for status: HTTPResponse.Status) -> ProblemCode {
        switch status {
        case .notFound: .routeNotFound
        case .contentTooLarge: .bodyTooLarge
        case .unsupportedMediaType: .mediaTypeUnsupported
        case .methodNotAllowed: .methodNotAllowed
        case .badRequest: .jsonMalformed
        default: .unexpected
        }
    }
}

extension Response {
    /// A problem as its client reads it.
    init(_ problem: Problem, _ context: APIContext) {
        let isOurs = problem.code.status.code >= 500
        self.init(
            status: problem.code.status,
            json: problem.body(
                in: context.language, requestID: isOurs ? context.requestID : nil),
            headers: problem.headers)
        headers[.contentLanguage] = context.language.rawValue
        headers.append(HTTPField(name: .vary, value: "Accept-Language"))
    }
}

/// 404 for an address nobody declared, 405 with `Allow` for a method nobody declared at an address
/// that is known, whatever the method is called.
struct MethodGuard: RouterMiddleware {
    let paths: PathTable

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let methods = paths.methods(at: request.uri.path) else {
            // Hummingbird sets the endpoint only where it routes; the log line wants one here too.
            context.coreContext.endpointPath.value = "none"
            throw Problem(.routeNotFound)
        }
        if methods.contains(request.method) { return try await next(request, context) }
        let allow = (methods.map(\.rawValue) + ["OPTIONS"]).joined(separator: ", ")
        guard request.method == .options else {
            throw Problem(.methodNotAllowed, headers: [.allow: allow])
        }
        var response = Response(status: .noContent, headers: [.allow: allow])
        response.headers[.contentLength] = nil
        return response
    }
}

/// Which methods each declared path has; built once from the table.
struct PathTable: Sendable {
    private struct Entry {
        let segments: [Substring]
        var methods: [HTTPRequest.Method]
        /// Literal segments from the left, since the router prefers them.
        var rank: [Bool] { segments.map { !$0.hasPrefix("{") } }
    }

    private let entries: [Entry]

    init(_ routes: [Route]) {
        var entries: [String: Entry] = [:]
        for route in routes {
            var entry =
                entries[route.path]
                ?? Entry(segments: route.path.split(separator: "/"), methods: [])
            entry.methods.append(route.method)
            if route.method == .get { entry.methods.append(.head) }
            entry.methods.sort { $0.rawValue < $1.rawValue }
            entries[route.path] = entry
        }
        // The most literal first: what matches first is what the router chooses.
        self.entries = entries.values.sorted { left, right in
            left.rank.lexicographicallyPrecedes(right.rank) { $0 && !$1 }
        }
    }

    /// Nil for a path that no route has. Linear in the routes: they are some fifty.
    func methods(at path: String) -> [HTTPRequest.Method]? {
        let segments = path.split(separator: "/")
        return entries.first { entry in
            entry.segments.count == segments.count
                && zip(entry.segments, segments).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }?.methods
    }
}
