import Clicks
import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Postgres

// A POST may be sent twice by a client that did not see the answer. With an `Idempotency-Key` the
// second one gets the first one's answer, and nothing is done again.
//
// The key is taken, committed, before the handler runs, and the answer is stored after it. So:
//
// - Two at once: one works, the other is answered 409 and comes back.
// - The process dies before the handler commits: nothing was done, and once the lease is over the
//   key is taken again and the work is done, once.
// - It dies between the handler's commit and the storing of the answer: the work is done and nobody
//   knows. Once the lease is over a repeat does it again, as it would without a key; then the
//   domain's own constraints decide. Nothing here can tell this from the case before. A handler
//   of one transaction could close the gap by storing the answer in it; none does yet.
// - The handler takes longer than the lease: a repeat may run beside it, and the answer of whoever
//   took the key last is kept.
//
// What is kept: 2xx, and refusals that the handler itself gave (404, 409, 422 …). What is not: 5xx,
// whatever says `Retry-After`, refusals from before the handler, and answers over the bound. All of
// these leave the key free. A route whose body or answer holds a secret keeps nothing, and neither
// does one that anyone may call: see ``Route/keepsAnswers``.

/// Bounds of what is kept.
package struct KeptAnswerBounds: Sendable {
    /// How long a key stays taken without an answer; beyond what any handler lasts.
    package var leaseSeconds = 300
    package var keptSeconds = 86_400
    /// More are answered with 429 until some expire.
    package var keysOfAccountMax = 10_000
    /// Longer answers are not kept. The column has the same bound.
    package static let bodyBytesMax = 262_144
    package static let keyBytesMax = 255

    package init() {}
}

/// Who asked what under which key.
struct KeptQuestion: Sendable {
    let account: Identifier
    let operation: String
    let key: String
    let hash: [UInt8]

    /// SHA-256 of path, query and body. The body is the checked one, so that blanks and the order
    /// of its members do not make it another.
    static func hash(of request: Request, body: JSON?) -> [UInt8] {
        var bytes = Array("\(request.uri.path)\n\(request.uri.query ?? "")\n".utf8)
        body?.write(to: &bytes)
        return Array(SHA256.hash(data: bytes))
    }
}

/// The answers that are kept, and the rule by which they are given again.
package struct KeptAnswers: Sendable {
    let pool: ConnectionPool
    let bounds: KeptAnswerBounds

    package init(pool: ConnectionPool, bounds: KeptAnswerBounds = KeptAnswerBounds()) {
        self.pool = pool
        self.bounds = bounds
    }

    /// The first answer to the question, from the handler or from before.
    func answer(
        _ question: KeptQuestion, context: APIContext, handler: () async throws -> Response
    ) async throws -> Response {
        let (holder, bounds) = (Identifier.new(), bounds)
        let outcome = try await pool.transaction { connection in
            try KeptAnswerQueries.take(question, holder: holder, bounds: bounds, in: connection)
        }
        switch outcome {
        case .taken: break
        case .answered(let kept): return kept.response
        case .underWay: throw Problem(.idempotencyKeyBusy, headers: [.retryAfter: "1"])
        case .usedOtherwise: throw Problem(.idempotencyKeyReused, faults: [.reused])
        case .full: throw Problem(.idempotencyKeysFull, headers: [.retryAfter: "3600"])
        }
        do {
            let (response, kept) = try await KeptAnswer.of(try await handler())
            await settle(question, holder, kept, context)
            return response
        } catch let refusal as any Refusal {
            // The boundary makes the same answer of it for this client.
            let (_, kept) = try await KeptAnswer.of(Response(refusal.problem, context))
            await settle(question, holder, kept, context)
            throw refusal
        } catch {
            await settle(question, holder, nil, context)
            throw error
        }
    }

    /// A failure here is not the client's: its work is done, and it gets its answer. The key stays
    /// taken until the lease is over.
    private func settle(
        _ question: KeptQuestion, _ holder: Identifier, _ kept: KeptAnswer?, _ context: APIContext
    ) async {
        do {
            try await pool.run { connection in
                try KeptAnswerQueries.settle(question, holder: holder, with: kept, in: connection)
            }
        } catch {
            context.logger.error(
                "an answer could not be kept",
                metadata: ["operation": "\(question.operation)", "reason": "\(error)"])
        }
    }
}

/// An answer as it is stored.
struct KeptAnswer: Sendable {
    let status: Int
    /// A JSON object.
    let headers: String
    let body: [UInt8]

    /// Headers that belong to the answer; all others are made anew for each.
    private static let names: [HTTPField.Name] = [
        .contentType, .contentLanguage, .location, .eTag, .vary,
    ]

    init(status: Int, headers: String, body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// The response, to be sent, and what is kept of it; nil where nothing is.
    static func of(_ response: Response) async throws -> (Response, KeptAnswer?) {
        guard (200..<500).contains(response.status.code), response.headers[.retryAfter] == nil,
            let length = response.body.contentLength, length <= KeptAnswerBounds.bodyBytesMax
        else { return (response, nil) }
        var response = response
        let collected = BodyCollector.Bytes()
        try await response.body.write(BodyCollector(bytes: collected))
        response.body = ResponseBody(byteBuffer: collected.buffer)
        let headers = names.compactMap { name in
            response.headers[name].map { JSON.Member(name.rawName, .text($0)) }
        }
        let kept = KeptAnswer(
            status: response.status.code,
            headers: String(decoding: JSON.object(headers).bytes, as: UTF8.self),
            body: Array(collected.buffer.readableBytesView))
        return (response, kept)
    }

    /// The answer once more, marked as such.
    var response: Response {
        var fields: HTTPFields = [.idempotencyReplayed: "true"]
        // try?: what is not JSON was not written by us, and an answer without its headers is still
        // better than none.
        for member in (try? JSON(reading: headers.utf8))?.members ?? [] {
            guard let name = HTTPField.Name(member.name) else { continue }
            fields[name] = member.value.text
        }
        var response = Response(
            status: HTTPResponse.Status(code: status), headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
        if status == HTTPResponse.Status.noContent.code { response.headers[.contentLength] = nil }
        return response
    }
}

/// Takes a body where it would go to the socket.
private struct BodyCollector: ResponseBodyWriter {
    /// Unchecked: one task writes, and reads when it has written.
    final class Bytes: @unchecked Sendable {
        var buffer = ByteBuffer()
    }

    let bytes: Bytes

    mutating func write(_ buffer: ByteBuffer) async throws {
        bytes.buffer.writeImmutableBuffer(buffer)
    }

    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

// MARK: The header

extension HTTPField.Name {
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let idempotencyReplayed = HTTPField.Name("Idempotency-Replayed")!
}

extension Route {
    /// Whether an `Idempotency-Key` counts here. Not for what anyone may call, since a key belongs
    /// to an account; nor for a body with a secret, whose hash would be one more thing to guess it
    /// by; nor for files and streams, which are neither hashed nor stored; nor where the
    /// declaration says that the answer holds a secret.
    package var keepsAnswers: Bool {
        guard method == .post, access != .everyone, !hasSecretAnswer else { return false }
        if let body {
            guard let shape = body.shape, !shape.holdsSecret() else { return false }
        }
        return outcomes.allSatisfy { $0.mediaType == nil || $0.mediaType == "application/json" }
    }

    /// The key that came with a request, nil if none did.
    func idempotencyKey(of request: Request, faults: inout [Fault]) -> String? {
        let sent = request.headers[values: .idempotencyKey]
        guard let key = sent.first else { return nil }
        let name = HTTPField.Name.idempotencyKey.rawName
        guard sent.count == 1 else {
            faults.append(.repeated(name))
            return nil
        }
        guard (1...KeptAnswerBounds.keyBytesMax).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
        else {
            faults.append(
                .malformed("1–\(KeptAnswerBounds.keyBytesMax) printable ASCII characters", name))
            return nil
        }
        return key
    }
}

extension Shape {
    /// Whether a text that is never answered is anywhere in it.
    fileprivate func holdsSecret(within seen: Set<String> = []) -> Bool {
        switch kind {
        case .text(let text): text.isSecret
        case .list(let element, _): element.holdsSecret(within: seen)
        case .object(let object):
            !seen.contains(object.name)
                && object.members.contains {
                    $0.shape.holdsSecret(within: seen.union([object.name]))
                }
        case .reference(let name, let resolve):
            !seen.contains(name) && resolve().holdsSecret(within: seen)
        case .integer, .number, .boolean, .anything, .file: false
        }
    }
}

extension ProblemCode {
    /// The first request with this key is still at work.
    package static let idempotencyKeyBusy = ProblemCode(
        "IDEMPOTENCY_KEY_BUSY", .conflict, "같은 Idempotency-Key의 요청을 처리하고 있습니다",
        "A request with this Idempotency-Key is still under way")
    package static let idempotencyKeyReused = ProblemCode(
        "IDEMPOTENCY_KEY_REUSED", .unprocessableContent, "이미 다른 요청에 쓴 Idempotency-Key입니다",
        "This Idempotency-Key was used for another request")
    package static let idempotencyKeysFull = ProblemCode(
        "IDEMPOTENCY_KEYS_FULL", .tooManyRequests, "Idempotency-Key가 너무 많습니다. 나중에 다시 시도해 주세요",
        "There are too many Idempotency-Keys of yours; try again later")
}

extension Fault {
    fileprivate static let reused = Fault(
        HTTPField.Name.idempotencyKey.rawName, "REUSED", "새 요청에는 새 키를 쓰세요",
        "Use a new key for a new request")
}

// MARK: What has expired

extension RowSweep {
    /// Of answers whose day is over, so that the table holds the keys of a day and no more.
    package static func ofKeptAnswers(pool: ConnectionPool, logger: Logger) -> RowSweep {
        RowSweep(pool: pool, logger: logger, failure: "kept answers are not swept") {
            try KeptAnswerQueries.deleteExpired(limit: $0, in: $1)
        }
    }
}
