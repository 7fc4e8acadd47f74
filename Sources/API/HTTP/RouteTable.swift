import Clicks
import HTTPTypes
import Hummingbird

// The one place where routes are declared. A declaration is checked as far as possible when it is
// made, so that a slip stops the process at start, in every test, and not a client in production;
// from it come Hummingbird's route, the 405 of the path, the OpenAPI document and the list of
// routes.

/// A heading of the document.
package struct Tag: Hashable, Sendable {
    package let name: String
    package let about: Wording

    package init(_ name: String, _ about: Wording) {
        self.name = name
        self.about = about
    }
}

/// A body that is not JSON, read by the handler from ``Call/request`` as it arrives.
package struct StreamedBody: Sendable {
    let mediaTypes: [String]
    /// By `Content-Length` here; a handler that reads without one counts for itself.
    let bytesMax: Int
    /// An object with a member for each part, where the body is a form; for the document.
    let form: Shape?

    package init(_ mediaTypes: [String], bytesMax: Int, form: Shape? = nil) {
        self.mediaTypes = mediaTypes
        self.bytesMax = bytesMax
        self.form = form
    }
}

/// One declared route, without its Swift types.
package struct Route: Sendable {
    /// What a route takes besides its address.
    package struct Body: Sendable {
        let mediaTypes: [String]
        let bytesMax: Int
        /// Nil for a streamed body.
        let shape: Shape?
        /// What a streamed form's parts are; its handler reads and checks them.
        var form: Shape?
    }

    package let method: HTTPRequest.Method
    /// As OpenAPI writes it: `/api/v1/gonggus/{gonggu_id}`.
    package let path: String
    package let id: String
    package let tag: Tag
    package let summary: Wording
    package let access: Access
    package let parameters: [ParameterDeclaration]
    package let body: Body?
    /// Its successes; its refusals are ``possibleErrors``.
    package let outcomes: [Outcome]
    package let errors: [ProblemCode]
    /// Whether its answer is not to be stored anywhere, see ``keepsAnswers``.
    package let hasSecretAnswer: Bool
    /// Whether the document and the page show it.
    package let isListed: Bool
    /// From values and body, both checked.
    let respond: @Sendable (Call, JSON?) async throws -> Response
}

/// All routes of the service.
package struct RouteTable: Sendable {
    /// In the order of their declaration.
    package private(set) var routes: [Route] = []
    private var codes: [String: ProblemCode] = [:]
    private var ids: Set<String> = []
    /// Bodies over this are refused with 413 unless the route says otherwise.
    package static let bodyBytesMax = 64 * 1024

    package init() {
        for code in ProblemCode.common { register(code) }
    }

    /// Every code that some route can give, by name.
    package var problemCodes: [ProblemCode] {
        codes.values.sorted { $0.name < $1.name }
    }

    /// Declares a route without a JSON body.
    ///
    /// - Parameters:
    ///   - path: with a `{name}` for each path parameter in `inputs`, and no other.
    ///   - id: the operation's name in the document, unique, in camel case.
    ///   - inputs: path and query parameters and ``Pages``.
    ///   - stream: what the body may be, where there is one and it is not JSON.
    ///   - errors: codes the handler can give, besides what this room gives by itself.
    ///   - hasSecretAnswer: it holds a token or the like, so that no `Idempotency-Key` keeps it.
    package mutating func add<Result>(
        _ method: HTTPRequest.Method, _ path: String, id: String, tag: Tag, _ summary: Wording,
        access: Access, inputs: [any RouteInput] = [], stream: StreamedBody? = nil,
        answer: Answer<Result>, errors: [ProblemCode] = [], hasSecretAnswer: Bool = false,
        isListed: Bool = true, handler: @escaping @Sendable (Call) async throws -> Result
    ) {
        let body = stream.map {
            Route.Body(
                mediaTypes: $0.mediaTypes, bytesMax: $0.bytesMax, shape: nil, form: $0.form)
        }
        let faults = stream?.form.map { $0.faults(in: $0.example) } ?? []
        precondition(faults.isEmpty, "the example of \(id)'s form does not fit it: \(faults)")
        precondition(answer.isWritable, "\(id) answers with a schema that lacks key paths")
        add(
            Route(
                method: method, path: path, id: id, tag: tag, summary: summary, access: access,
                parameters: inputs.flatMap(\.declarations), body: body, outcomes: answer.outcomes,
                errors: errors, hasSecretAnswer: hasSecretAnswer, isListed: isListed,
                respond: { call, _ in answer.response(try await handler(call)) }))
    }

    /// Declares a route with a JSON body, checked and read before the handler runs.
    package mutating func add<Body, Result>(
        _ method: HTTPRequest.Method, _ path: String, id: String, tag: Tag, _ summary: Wording,
        access: Access, inputs: [any RouteInput] = [], body: Schema<Body>,
        bodyBytesMax: Int = RouteTable.bodyBytesMax, answer: Answer<Result>,
        errors: [ProblemCode] = [], hasSecretAnswer: Bool = false, isListed: Bool = true,
        handler: @escaping @Sendable (Call, Body) async throws -> Result
    ) {
        precondition(body.isReadable, "\(id) takes a body whose schema has no read")
        precondition(answer.isWritable, "\(id) answers with a schema that lacks key paths")
        let faults = body.shape.faults(in: body.shape.example)
        precondition(faults.isEmpty, "the example of \(id)'s body does not fit it: \(faults)")
        _ = body.value(of: body.shape.example)
        add(
            Route(
                method: method, path: path, id: id, tag: tag, summary: summary, access: access,
                parameters: inputs.flatMap(\.declarations),
                body: Route.Body(
                    mediaTypes: ["application/json"], bytesMax: bodyBytesMax, shape: body.shape),
                outcomes: answer.outcomes, errors: errors, hasSecretAnswer: hasSecretAnswer,
                isListed: isListed,
                respond: { call, json in
                    guard let json else { preconditionFailure("a body was declared and not read") }
                    return answer.response(try await handler(call, body.read(json)))
                }))
    }

    private mutating func add(_ route: Route) {
        precondition(ids.insert(route.id).inserted, "two routes are called \(route.id)")
        let inPath = route.path.split(separator: "/").filter { $0.hasPrefix("{") }
            .map { String($0.dropFirst().dropLast()) }
        let declared = route.parameters.filter { $0.location == .path }.map(\.name)
        precondition(
            inPath.sorted() == declared.sorted(),
            "\(route.id): the path has \(inPath), the inputs declare \(declared)")
        let names = route.parameters.map(\.name)
        precondition(Set(names).count == names.count, "\(route.id) lists a parameter twice")
        for parameter in route.parameters {
            let faults = parameter.shape.faults(in: parameter.shape.example)
            precondition(faults.isEmpty, "the example of \(parameter.name) does not fit it")
            // Read once, so that a default of the wrong type stops the start.
            if !parameter.isRequired { _ = parameter.read(nil) }
        }
        for outcome in route.outcomes {
            guard let shape = outcome.shape else { continue }
            let faults = shape.faults(in: shape.example)
            precondition(
                faults.isEmpty, "the example of \(route.id)'s answer does not fit it: \(faults)")
        }
        for code in route.errors { register(code) }
        routes.append(route)
    }

    private mutating func register(_ code: ProblemCode) {
        let known = codes.updateValue(code, forKey: code.name)
        precondition(known == nil || known == code, "two problems are called \(code.name)")
    }
}
