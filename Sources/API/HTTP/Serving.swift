import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

// From a table of routes to something that serves: Hummingbird's router behind the guards, and the
// server's own limits.

/// What the guards need to know of this installation.
package struct HTTPSettings: Sendable {
    /// Host names served, without ports; nil serves any. Set it wherever the API faces the world.
    package var allowedHosts: Set<String>?
    package var origins: Origins
    /// Whether clients reach the API by https: turns HSTS on.
    package var isHTTPS: Bool

    /// Proxies in front of the API, whose word on the client's address counts.
    package var proxies: TrustedProxies

    /// What makes the document's page more than a list; nil where it is not installed.
    package var assets: DocumentAssets?

    package init(
        allowedHosts: Set<String>? = nil, origins: Origins = .none, isHTTPS: Bool = false,
        proxies: TrustedProxies = .none, assets: DocumentAssets? = nil
    ) {
        self.allowedHosts = allowedHosts.map { Set($0.map { $0.lowercased() }) }
        self.origins = origins
        self.isHTTPS = isHTTPS
        self.proxies = proxies
        self.assets = assets
    }
}

/// Bounds of the server itself.
package struct ServerLimits: Sendable {
    /// A connection without a request, or whose request does not come in, is closed after this.
    package var idleTimeoutSeconds: Double = 30
    /// More connections wait in the kernel's backlog.
    package var connectionsMax = 4096
    /// Names and values of all header fields of a request.
    package var headerBytesMax = 16 * 1024

    package init() {}
}

extension RouteTable {
    /// The router: guards, then every route, then the document and the list of the routes.
    ///
    /// - Parameter kept: where answers are kept for an `Idempotency-Key`; nil keeps none.
    package func router(
        settings: HTTPSettings, tokens: AccessTokens, kept: KeptAnswers? = nil
    ) -> Router<APIContext> {
        let table = withDocument(settings.assets)
        let paths = PathTable(table.routes)
        var origins = settings.origins
        origins.isHTTPS = settings.isHTTPS
        let router = Router(context: APIContext.self)
        router.add(middleware: HeadGuard())
        router.add(middleware: RequestLog(proxies: settings.proxies))
        router.add(middleware: SecurityHeaders(isHTTPS: settings.isHTTPS))
        let host = HostGuard(allowed: settings.allowedHosts)
        router.add(middleware: CORSGuard(origins: origins, paths: paths, host: host))
        router.add(middleware: ProblemBoundary())
        router.add(middleware: host)
        router.add(middleware: MethodGuard(paths: paths))
        for route in table.routes {
            let responder = RouteResponder(
                route: route, tokens: tokens, origins: origins,
                kept: route.keepsAnswers ? kept : nil)
            let path = RouterPath(route.path)
            router.on(path, method: route.method) { request, context in
                try await responder.respond(to: request, context: context)
            }
            guard route.method == .get else { continue }
            // HeadGuard takes the body away, before anything of it is made.
            router.on(path, method: .head) { request, context in
                try await responder.respond(to: request, context: context)
            }
        }
        return router
    }
}

/// A server with our limits, not yet running; run it with `runService()`.
package func makeServer(
    router: Router<APIContext>, address: BindAddress, limits: ServerLimits = ServerLimits(),
    logger: Logger, onServerRunning: @escaping @Sendable (any Channel) async -> Void = { _ in }
) -> Application<RouterResponder<APIContext>> {
    let server = HTTPServerBuilder.http1(
        configuration: .init(
            idleTimeout: .milliseconds(Int64(limits.idleTimeoutSeconds * 1000)),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytesMax,
                maxHeaderListSize: limits.headerBytesMax, maxHeaderFieldCount: 100)))
    return Application(
        router: router, server: server,
        configuration: ApplicationConfiguration(
            address: address,
            availableConnectionsDelegate: MaximumAvailableConnections(
                limits.connectionsMax, logger: logger)),
        onServerRunning: onServerRunning, logger: logger)
}

/// One route at work: who asks, what they ask, then the handler.
struct RouteResponder: Sendable {
    let route: Route
    let tokens: AccessTokens
    let origins: Origins
    /// Nil where the route keeps none.
    let kept: KeptAnswers?

    func respond(to request: Request, context: APIContext) async throws -> Response {
        let account = try await tokens.admit(request, to: route.access, origins: origins)
        var faults: [Fault] = []
        var refusal: ProblemCode?
        let path = Dictionary(
            context.parameters.map { (String($0.key), String($0.value)) },
            uniquingKeysWith: { first, _ in first })
        let values = ParameterValues(
            route.parameters, path: path, query: QueryText(request.uri.query), faults: &faults,
            refusal: &refusal)
        let key =
            kept == nil ? nil : route.idempotencyKey(of: request, faults: &faults)
        let body = try await self.body(of: request, faults: &faults)
        guard faults.isEmpty else { throw Problem(refusal ?? .fieldsInvalid, faults: faults) }
        let call = Call(
            request: request, context: context, values: values,
            identity: .init(
                account: account, isPublic: route.access == .everyone, tokens: tokens,
                origins: origins))
        guard let kept, let key, let account else { return try await handle(call, body) }
        let question = KeptQuestion(
            account: account.id, operation: route.id, key: key,
            hash: KeptQuestion.hash(of: request, body: body))
        return try await kept.answer(question, context: context) { try await handle(call, body) }
    }

    private func handle(_ call: Call, _ body: JSON?) async throws -> Response {
        do {
            return try await route.respond(call, body)
        } catch let refusal as any Refusal {
            report(refusal.problem.code, call.context)
            throw refusal
        }
    }

    /// The checked JSON body; nil where the route takes none or reads it itself.
    private func body(of request: Request, faults: inout [Fault]) async throws -> JSON? {
        guard let body = route.body else { return nil }
        let type = (request.headers[.contentType] ?? "").prefix { $0 != ";" }.trimmed.lowercased()
        guard body.mediaTypes.contains(type) else { throw Problem(.mediaTypeUnsupported) }
        // A bound on what comes in is none on what it unpacks to, so nothing is unpacked.
        let coding = request.headers[.contentEncoding]?.trimmed.lowercased() ?? "identity"
        guard coding == "identity" else { throw Problem(.mediaTypeUnsupported) }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }),
            length > body.bytesMax
        {
            throw Problem(.bodyTooLarge)
        }
        guard let shape = body.shape else { return nil }
        let bytes: ByteBuffer
        do {
            bytes = try await request.body.collect(upTo: body.bytesMax)
        } catch is NIOTooManyBytesError {
            throw Problem(.bodyTooLarge)
        }
        do {
            let json = try JSON(reading: bytes.readableBytesView)
            return shape.checked(json, at: "", faults: &faults)
        } catch {
            throw Problem(.jsonMalformed)
        }
    }

    /// A code that the declaration does not list is a gap in the document: our bug, found in
    /// tests; in production the client still gets its answer.
    private func report(_ code: ProblemCode, _ context: APIContext) {
        guard !route.errors.contains(code), !ProblemCode.common.contains(code) else { return }
        assertionFailure("\(route.id) answers \(code.name) without declaring it")
        context.logger.error("\(route.id) answers \(code.name) without declaring it")
    }
}
