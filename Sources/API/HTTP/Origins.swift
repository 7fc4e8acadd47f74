import HTTPTypes
import Hummingbird

// Which web pages of other origins may call us: CORS as the Fetch standard has it, and the check of
// `Origin` for requests that a browser signs with its cookie.

/// The origins of `CORS_ORIGINS`, each exact: scheme, host and port.
package struct Origins: Sendable {
    private let exact: Set<String>
    /// `*`: pages of any origin may read what needs no cookie. Never together with credentials.
    private let isOpen: Bool
    /// Clients reach us by https: then a page that came by http is not ours, whoever made it.
    var isHTTPS = false

    /// No page of another origin may read an answer.
    package static let none = Origins(exact: [], isOpen: false)

    private init(exact: Set<String>, isOpen: Bool) {
        self.exact = exact
        self.isOpen = isOpen
    }

    /// Reads `["https://a.kr","https://b.kr"]` or `https://a.kr, https://b.kr`, or `*`. Nil if an
    /// entry is no origin, such as one with a path.
    package init?(_ setting: String) {
        let text = setting.trimmed
        var entries: [String]
        if text.hasPrefix("[") {
            guard let list = (try? JSON(reading: text.utf8))?.list else { return nil }
            entries = list.compactMap(\.text)
            guard entries.count == list.count else { return nil }
        } else {
            entries = text.split(separator: ",").map(\.trimmed).filter { !$0.isEmpty }
        }
        isOpen = entries.contains("*")
        entries.removeAll { $0 == "*" }
        // A trailing slash is the usual slip, and can mean one thing only.
        entries = entries.map { $0.hasSuffix("/") ? String($0.dropLast()) : $0 }
        guard entries.allSatisfy(Origins.isOrigin) else { return nil }
        exact = Set(entries.map { $0.lowercased() })
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else {
            return false
        }
        return HostName(text.dropFirst(scheme.count)) != nil
    }

    /// What a page of that origin gets; nil if nothing.
    fileprivate func grant(to origin: String) -> (allowed: String, withCredentials: Bool)? {
        if exact.contains(origin.lowercased()) { return (origin, true) }
        return isOpen ? ("*", false) : nil
    }

    /// Whether a request that carries our cookie was meant by a page of ours. Only unsafe methods
    /// are asked, and only where the browser says where it comes from.
    func allowsUnsafe(_ request: Request) -> Bool {
        let safe: [HTTPRequest.Method] = [.get, .head, .options]
        guard !safe.contains(request.method), let origin = request.headers[.origin] else {
            return true
        }
        if exact.contains(origin.lowercased()) { return true }
        guard let host = request.head.authority?.lowercased() else { return false }
        let own = isHTTPS ? ["https://" + host] : ["https://" + host, "http://" + host]
        return own.contains(origin.lowercased())
    }
}

/// Answers preflights and adds CORS headers to every answer, also to errors, without which a page
/// could not read why it was refused.
struct CORSGuard: RouterMiddleware {
    let origins: Origins
    let paths: PathTable
    /// A preflight for a host that is not ours goes on to be refused.
    let host: HostGuard

    private static let headers =
        "accept-language, authorization, content-type, idempotency-key, x-request-id"
    private static let exposed = "idempotency-replayed, location, retry-after, x-request-id"
    private static let maxAgeSeconds = 600

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard let origin = request.headers[.origin] else {
            var response = try await next(request, context)
            response.headers.append(HTTPField(name: .vary, value: "Origin"))
            return response
        }
        let grant = origins.grant(to: origin)
        var response: Response
        if let wanted = request.headers[.accessControlRequestMethod], request.method == .options,
            host.accepts(request), let methods = paths.methods(at: request.uri.path)
        {
            response = Response(status: .noContent)
            response.headers[.contentLength] = nil
            if grant != nil {
                let listed = methods.contains { $0.rawValue == wanted } ? methods : []
                response.headers[.accessControlAllowMethods] =
                    listed.map(\.rawValue).joined(separator: ", ")
                response.headers[.accessControlAllowHeaders] = CORSGuard.headers
                response.headers[.accessControlMaxAge] = "\(CORSGuard.maxAgeSeconds)"
            }
        } else {
            response = try await next(request, context)
            if grant != nil { response.headers[.accessControlExposeHeaders] = CORSGuard.exposed }
        }
        response.headers.append(HTTPField(name: .vary, value: "Origin"))
        if let grant {
            response.headers[.accessControlAllowOrigin] = grant.allowed
            if grant.withCredentials { response.headers[.accessControlAllowCredentials] = "true" }
        }
        return response
    }
}
