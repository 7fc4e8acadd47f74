import HTTPTypes
import Hummingbird

// The OpenAPI 3.1 document, made from the same declarations that register the routes. It is built
// once at start, in each language; the same table gives the same bytes.

extension RouteTable {
    /// The document of the listed routes, in the order of their declaration.
    package func document(in language: Language) -> JSON {
        var schemas = SchemaDocument(language: language)
        let listed = routes.filter(\.isListed)
        var paths: [(path: String, operations: [JSON.Member])] = []
        for route in listed {
            let operation = JSON.Member(
                route.method.rawValue.lowercased(),
                route.operation(in: language, linkedTo: listed, &schemas))
            if let index = paths.firstIndex(where: { $0.path == route.path }) {
                paths[index].operations.append(operation)
            } else {
                paths.append((route.path, [operation]))
            }
        }
        _ = schemas.schema(of: RouteTable.problem.shape)
        _ = schemas.schema(of: RouteTable.fieldsProblem.shape)
        var tags: [Tag] = []
        for route in listed where !tags.contains(route.tag) { tags.append(route.tag) }
        let components = schemas.components.sorted { $0.key < $1.key }.map {
            JSON.Member($0.key, $0.value)
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Gonggumoa", "version": "1",
                "description": .text(RouteTable.introduction[language]),
            ],
            "tags": .list(
                tags.map { ["name": .text($0.name), "description": .text($0.about[language])] }),
            "paths": .object(paths.map { .init($0.path, .object($0.operations)) }),
            "components": [
                "schemas": .object(components),
                "securitySchemes": [
                    "bearer": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
                    "cookie": [
                        "type": "apiKey", "in": "cookie",
                        "name": .text(PresentedToken.cookieName),
                    ],
                ],
                "headers": [
                    "X-Request-ID": RouteTable.requestIDHeader(in: language),
                    "Idempotency-Replayed": RouteTable.replayedHeader(in: language),
                ],
                "parameters": [
                    "Idempotency-Key": RouteTable.idempotencyKeyParameter(in: language)
                ],
            ],
        ]
    }

    private static let introduction = Wording(
        """
        시각은 오프셋이 있는 RFC 3339, 금액은 원 단위 정수입니다. 오류는 모두 `detail`과 `code`를 가지며, \
        `detail`은 Accept-Language에 따라 한국어 또는 영어입니다. GET 주소는 HEAD도 받고, 선언되지 않은 \
        메서드는 `Allow`와 함께 405로 답합니다.
        """,
        """
        Times are RFC 3339 with an offset, money is whole won. Every error has `detail` and \
        `code`; `detail` is Korean or English by Accept-Language. What has GET has HEAD too, and \
        a method that is not declared is answered with 405 and `Allow`.
        """)

    private static func requestIDHeader(in language: Language) -> JSON {
        let about = Wording("로그와 대조할 요청 번호", "The request's number in our logs")
        return [
            "description": .text(about[language]),
            "schema": ["type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"],
        ]
    }

    private static func replayedHeader(in language: Language) -> JSON {
        let about = Wording(
            "같은 키의 첫 응답을 다시 보낸 것", "There where this is the first answer to the key once more")
        return [
            "description": .text(about[language]),
            "schema": ["type": "string", "enum": ["true"]],
        ]
    }

    private static func idempotencyKeyParameter(in language: Language) -> JSON {
        let about = Wording(
            "같은 키와 같은 요청을 24시간 안에 다시 보내면 처음의 응답을 그대로 받고, "
                + "아무 일도 다시 하지 않습니다. "
                + "키는 계정과 주소마다 따로이며, 5xx와 Retry-After가 있는 응답은 보관하지 않습니다.",
            "The same request with the same key within 24 hours gets the first answer, and nothing "
                + "is done again. Keys are an account's and an operation's own; answers of 5xx and "
                + "with Retry-After are not kept.")
        let bytesMax = KeptAnswerBounds.keyBytesMax
        return [
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": .text(about[language]),
            "schema": [
                "type": "string", "minLength": 1, "maxLength": .integer(bytesMax),
                "pattern": "^[!-~]+$",
            ],
            "example": "0b9f4e8e-3f0a-4b1e-9d55-1c2a7c1f6a10",
        ]
    }

    /// The body of every error but a 422.
    static let problem = Schema<ProblemText>("Problem", ProblemText.fields)
    /// The body of an error that names fields.
    static let fieldsProblem = Schema<ProblemText>(
        "FieldsProblem",
        ProblemText.fields + [
            Field(
                "errors", FaultText.schema.list(1...Shape.faultsMax),
                about: Wording("잘못된 항목 전부", "Every faulty field"))
        ])
}

/// An error's body, described only: ``Problem`` writes itself.
struct ProblemText: Sendable {
    static let fields: [Field<ProblemText>] = [
        Field(
            "detail", .text(1...1000), about: Wording("사람이 읽는 설명", "For a person to read"),
            example: "공구를 찾을 수 없습니다"),
        Field(
            "code",
            .formed(
                1...100, pattern: "^[A-Z][A-Z0-9_]*$", example: "GONGGU_NOT_FOUND",
                accepts: { _ in true }), about: Wording("변하지 않는 이름", "A name that never changes")),
    ]
}

/// One fault of a 422, described only.
struct FaultText: Sendable {
    static let schema = Schema<FaultText>(
        "Fault",
        [
            // As the client wrote it, where it is a member we do not know.
            Field("field", .verbatim(example: "open_at")),
            Field("code", .text(1...100), example: "REQUIRED"),
            Field("detail", .text(1...1000), example: "필수 항목입니다"),
        ])
}

// MARK: One operation

extension Route {
    /// The codes that can come of this route: its own, and what the guards and checks before its
    /// handler give, by what the route declares.
    package var possibleErrors: [ProblemCode] {
        var codes: [ProblemCode] = [.hostInvalid]
        if body?.shape != nil { codes.append(.jsonMalformed) }
        codes += parameters.compactMap(\.refusal)
        if access != .everyone {
            codes += [.notSignedIn, .tokenInvalid]
            if method != .get { codes.append(.originRefused) }
        }
        if case .roles = access { codes.append(.roleMissing) }
        if body != nil { codes += [.bodyTooLarge, .mediaTypeUnsupported] }
        if body?.shape != nil || !parameters.isEmpty || keepsAnswers {
            codes.append(.fieldsInvalid)
        }
        if keepsAnswers {
            codes += [.idempotencyKeyBusy, .idempotencyKeyReused, .idempotencyKeysFull]
        }
        codes += [.unexpected, .unavailable]
        return codes + errors.filter { !codes.contains($0) }
    }

    fileprivate func operation(
        in language: Language, linkedTo routes: [Route], _ schemas: inout SchemaDocument
    ) -> JSON {
        var members: [JSON.Member] = [
            .init("operationId", .text(id)), .init("tags", [.text(tag.name)]),
            .init("summary", .text(summary[language])),
        ]
        if case .roles(let roles) = access {
            let allowed = Role.allCases.filter { role in roles.contains { role.covers($0) } }
            members.append(.init("x-roles", .list(allowed.map { .text($0.rawValue) })))
        }
        members.append(
            .init("security", access == .everyone ? [] : [["bearer": []], ["cookie": []]]))
        var all = parameters.map { $0.document(&schemas) }
        if keepsAnswers { all.append(["$ref": "#/components/parameters/Idempotency-Key"]) }
        if !all.isEmpty { members.append(.init("parameters", .list(all))) }
        if let body { members.append(.init("requestBody", body.document(&schemas))) }
        members.append(
            .init("responses", .object(responses(in: language, linkedTo: routes, &schemas))))
        return .object(members)
    }

    private func responses(
        in language: Language, linkedTo routes: [Route], _ schemas: inout SchemaDocument
    ) -> [JSON.Member] {
        var responses: [JSON.Member] = []
        for status in ordered(outcomes.map(\.status)) {
            let same = outcomes.filter { $0.status == status }
            var headers: [JSON.Member] = [
                .init("X-Request-ID", ["$ref": "#/components/headers/X-Request-ID"])
            ]
            if keepsAnswers {
                headers.append(
                    .init(
                        "Idempotency-Replayed",
                        ["$ref": "#/components/headers/Idempotency-Replayed"]))
            }
            for header in same.flatMap(\.headers) {
                let text: JSON = [
                    "description": .text(header.about[language]), "schema": ["type": "string"],
                ]
                headers.append(.init(header.name, text))
            }
            var content: [JSON.Member] = []
            for outcome in same {
                guard let mediaType = outcome.mediaType else { continue }
                content.append(
                    .init(mediaType, outcome.shape.map { $0.media(&schemas) } ?? [:]))
            }
            var response: [JSON.Member] = [
                .init("description", .text(status.reasonPhrase)),
                .init("headers", .object(headers)),
            ]
            if !content.isEmpty { response.append(.init("content", .object(content))) }
            let links = links(from: same, to: routes)
            if !links.isEmpty { response.append(.init("links", .object(links))) }
            responses.append(.init("\(status.code)", .object(response)))
        }
        for status in ordered(possibleErrors.map(\.status)) {
            guard !outcomes.contains(where: { $0.status == status }) else { continue }
            let codes = possibleErrors.filter { $0.status == status }
            responses.append(.init("\(status.code)", codes.document(in: language)))
        }
        return responses
    }

    private func ordered(_ statuses: [HTTPResponse.Status]) -> [HTTPResponse.Status] {
        Set(statuses).sorted { $0.code < $1.code }
    }
}

extension [ProblemCode] {
    /// One response for all codes of a status, with an example of each.
    fileprivate func document(in language: Language) -> JSON {
        let hasFields = contains(.fieldsInvalid)
        let faults = hasFields ? [Fault.missing("title")] : []
        let examples = map { code in
            JSON.Member(
                code.name,
                [
                    "summary": .text(code.detail[language]),
                    "value": Problem(code, faults: hasFields ? faults : []).body(in: language),
                ])
        }
        let name = hasFields ? "FieldsProblem" : "Problem"
        return [
            "description": .text(map(\.name).joined(separator: ", ")),
            "headers": ["X-Request-ID": ["$ref": "#/components/headers/X-Request-ID"]],
            "content": [
                "application/json": [
                    "schema": ["$ref": .text("#/components/schemas/\(name)")],
                    "examples": .object(examples),
                ]
            ],
        ]
    }
}

extension ParameterDeclaration {
    fileprivate func document(_ schemas: inout SchemaDocument) -> JSON {
        var schema = schemas.schema(of: shape).members ?? []
        if let fallback { schema.append(.init("default", fallback)) }
        var members: [JSON.Member] = [
            .init("name", .text(name)), .init("in", .text(location.rawValue)),
            .init("required", .bool(isRequired)),
        ]
        if case .list = shape.kind {
            members += [.init("style", "form"), .init("explode", false)]
        }
        members.append(.init("schema", .object(schema)))
        return .object(members)
    }
}

extension Route.Body {
    fileprivate func document(_ schemas: inout SchemaDocument) -> JSON {
        var media = (shape ?? form).map { $0.media(&schemas) } ?? [:]
        if let encoding = form?.encoding, case .object(let members) = media {
            media = .object(members + [.init("encoding", encoding)])
        }
        return [
            "required": true, "content": .object(mediaTypes.map { .init($0, media) }),
        ]
    }
}

extension Shape {
    /// A body of this shape, with its example.
    fileprivate func media(_ schemas: inout SchemaDocument) -> JSON {
        ["schema": schemas.schema(of: self), "example": example]
    }

    /// What a form's files may be; nil where it has none.
    fileprivate var encoding: JSON? {
        guard case .object(let object) = kind else { return nil }
        let files = object.members.compactMap { member -> JSON.Member? in
            guard case .file(let mediaTypes) = member.shape.kind else { return nil }
            return .init(
                member.name, ["contentType": .text(mediaTypes.joined(separator: ", "))])
        }
        return files.isEmpty ? nil : .object(files)
    }
}
