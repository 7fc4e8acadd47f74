import Hummingbird

// What the client did wrong, as a value. A code is declared once, with its status and its sentence
// in both languages; a route lists the codes it can give; the body is made in one place. So no
// handler writes a status, and no text of PostgreSQL or of a decoder can reach a client.

/// One thing that can be wrong with a request: its stable name, its status, its sentence.
///
/// Each domain adds its own as `static let` in an extension beside its routes. Names are unique in
/// the service; ``RouteTable`` traps where two declarations of one name differ.
package struct ProblemCode: Hashable, Sendable {
    /// `GONGGU_NOT_FOUND`: upper-case words and underscores; never renamed, since clients branch
    /// on it.
    package let name: String
    package let status: HTTPResponse.Status
    /// Whole sentences for a person, without data of the request in them.
    package let detail: Wording

    package init(_ name: String, _ status: HTTPResponse.Status, _ korean: String, _ english: String)
    {
        self.name = name
        self.status = status
        detail = Wording(korean, english)
    }
}

/// One faulty field of a path, a query or a body.
package struct Fault: Hashable, Sendable {
    /// Where: a parameter's name, or a body member such as `images[0].url`; empty for the body
    /// as a whole.
    package let field: String
    /// `TOO_LONG`: stable, for clients to branch on.
    package let code: String
    package let detail: Wording

    package init(_ field: String, _ code: String, _ korean: String, _ english: String) {
        self.field = field
        self.code = code
        detail = Wording(korean, english)
    }
}

/// A domain's error enum that the client caused: each maps itself, in its Routes file, by one
/// `switch` without `default`. Whatever is thrown and is not a refusal is answered with a 500.
package protocol Refusal: Error, Sendable {
    var problem: Problem { get }
}

/// A refusal ready to be answered; thrown where no domain enum is needed.
package struct Problem: Refusal, Equatable {
    package let code: ProblemCode
    /// Every faulty field; empty unless fields are to blame.
    package let faults: [Fault]
    /// Sent along, such as `Retry-After`.
    package let headers: HTTPFields

    package init(_ code: ProblemCode, faults: [Fault] = [], headers: HTTPFields = [:]) {
        self.code = code
        self.faults = faults
        self.headers = headers
    }

    package var problem: Problem { self }

    /// Throws a 422 with all of the faults; does nothing where there are none.
    package static func refuse(_ faults: [Fault]) throws(Problem) {
        if !faults.isEmpty { throw Problem(.fieldsInvalid, faults: faults) }
    }

    /// The JSON body: `{"detail":…,"code":…}`, and `errors` where fields are to blame.
    package func body(in language: Language, requestID: String? = nil) -> JSON {
        var members: [JSON.Member] = [
            .init("detail", .text(code.detail[language])), .init("code", .text(code.name)),
        ]
        if !faults.isEmpty {
            members.append(.init("errors", .list(faults.map { $0.body(in: language) })))
        }
        if let requestID { members.append(.init("request_id", .text(requestID))) }
        return .object(members)
    }
}

extension Fault {
    fileprivate func body(in language: Language) -> JSON {
        .object([
            .init("field", .text(field)), .init("code", .text(code)),
            .init("detail", .text(detail[language])),
        ])
    }
}

// MARK: The codes that any route can give

extension ProblemCode {
    /// Given by the Host check, before any route.
    package static let hostInvalid = ProblemCode(
        "HOST_INVALID", .badRequest, "Host 헤더가 올바르지 않습니다",
        "The Host header is missing, repeated, malformed or not served here")
    package static let jsonMalformed = ProblemCode(
        "JSON_MALFORMED", .badRequest, "요청 본문이 올바른 JSON이 아닙니다",
        "The request body is not well-formed JSON")
    package static let sortUnknown = ProblemCode(
        "SORT_UNKNOWN", .badRequest, "지원하지 않는 정렬 기준입니다", "The list cannot be sorted by this key")
    /// Given where the declaration asks for an account and no token came.
    package static let notSignedIn = ProblemCode(
        "NOT_SIGNED_IN", .unauthorized, "로그인이 필요합니다", "Sign in first")
    package static let tokenInvalid = ProblemCode(
        "TOKEN_INVALID", .unauthorized, "로그인이 만료되었거나 올바르지 않습니다",
        "The access token is expired or not valid")
    package static let roleMissing = ProblemCode(
        "ROLE_MISSING", .forbidden, "이 작업을 할 권한이 없습니다", "Your role does not allow this")
    /// Given to a page of an unknown origin that rides on our cookie.
    package static let originRefused = ProblemCode(
        "ORIGIN_REFUSED", .forbidden, "허용되지 않은 출처의 요청입니다",
        "Requests from this origin are not accepted")
    package static let routeNotFound = ProblemCode(
        "ROUTE_NOT_FOUND", .notFound, "요청하신 주소를 찾을 수 없습니다", "There is nothing at this address")
    package static let methodNotAllowed = ProblemCode(
        "METHOD_NOT_ALLOWED", .methodNotAllowed, "이 주소에서 지원하지 않는 메서드입니다",
        "This address does not support the method")
    package static let bodyTooLarge = ProblemCode(
        "BODY_TOO_LARGE", .contentTooLarge, "요청 본문이 너무 큽니다", "The request body is too large")
    package static let mediaTypeUnsupported = ProblemCode(
        "MEDIA_TYPE_UNSUPPORTED", .unsupportedMediaType, "지원하지 않는 Content-Type입니다",
        "The Content-Type is not supported here")
    /// Names each faulty field besides.
    package static let fieldsInvalid = ProblemCode(
        "FIELDS_INVALID", .unprocessableContent, "입력값을 확인해 주세요", "Some fields are not valid")
    /// Our fault, with no more than the request id for the client.
    package static let unexpected = ProblemCode(
        "INTERNAL_ERROR", .internalServerError, "일시적인 오류가 발생했습니다. 잠시 후 다시 시도해 주세요",
        "Something went wrong on our side. Please try again later")
    /// Worth another try: sent with `Retry-After`.
    package static let unavailable = ProblemCode(
        "TEMPORARILY_UNAVAILABLE", .serviceUnavailable, "잠시 이용할 수 없습니다. 잠시 후 다시 시도해 주세요",
        "The service is busy or a dependency is down. Please try again later")

    /// The codes that this room gives by itself, whatever the route.
    package static let common: [ProblemCode] = [
        .hostInvalid, .jsonMalformed, .sortUnknown, .notSignedIn, .tokenInvalid, .roleMissing,
        .originRefused, .routeNotFound, .methodNotAllowed, .bodyTooLarge, .mediaTypeUnsupported,
        .fieldsInvalid, .unexpected, .unavailable, .idempotencyKeyBusy, .idempotencyKeyReused,
        .idempotencyKeysFull,
    ]
}
