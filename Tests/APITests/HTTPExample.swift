import Clicks
import HTTPTypes
import Hummingbird
import Logging

@testable import API

// A domain in small, as every real one is declared, for the tests of the room it stands on.

struct Jar: Sendable {
    let id: Identifier
    let title: String
    let price: Int
    let opensAt: Timestamp
    let note: String?
}

extension Jar {
    static let schema = Schema<Jar>(
        "Jar",
        [
            Field("id", .identifier, \.id),
            Field("title", .text(1...100), \.title, about: Wording("이름", "What it says")),
            Field("price", .won(), \.price),
            Field("open_at", .time, \.opensAt),
            .optional("note", .prose(0...500), \.note),
        ])
}

struct JarBody: Sendable {
    let title: String
    let price: Int
    let opensAt: Timestamp
    let note: String?
    let colours: [Colour]

    enum Colour: String, CaseIterable, Sendable {
        case red
        case green
    }
}

extension JarBody {
    static let schema = Schema<JarBody>(
        "JarBody",
        [
            Field("title", .text(1...100), about: Wording("이름", "What it says")),
            Field("price", .won(100...1_000_000)),
            Field("open_at", .time),
            .optional("note", .prose(0...500)),
            Field("colours", Schema.oneOf(Colour.self).list(0...2)),
        ],
        read: { body in
            JarBody(
                title: body["title"], price: body["price"], opensAt: body["open_at"],
                note: body["note"], colours: body["colours"])
        })
}

enum JarSort: String, CaseIterable, Sendable {
    case createdAt = "created_at"
    case price
}

extension ProblemCode {
    static let jarNotFound = ProblemCode(
        "JAR_NOT_FOUND", .notFound, "항아리를 찾을 수 없습니다", "There is no such jar")
    static let jarBroken = ProblemCode(
        "JAR_BROKEN", .conflict, "깨진 항아리입니다", "The jar is broken")
}

enum JarRefusal: Error {
    case notFound
    case broken
}

extension JarRefusal: Refusal {
    var problem: Problem {
        switch self {
        case .notFound: Problem(.jarNotFound)
        case .broken: Problem(.jarBroken, headers: [.retryAfter: "5"])
        }
    }
}

extension Tag {
    static let jars = Tag("jars", Wording("항아리", "Jars"))
}

/// The world outside: nothing here touches one.
struct Unforeseen: Error {}

struct JarRoutes {
    static let jarID = Parameter.path("jar_id", Schema.identifier)
    static let colour = Parameter.optional("colour", Schema.oneOf(JarBody.Colour.self))
    static let deep = Parameter.query("deep", Schema.boolean, default: false)
    static let pages = Pages(JarSort.self, default: .createdAt)

    let known = Jar(
        id: Identifier("0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10")!, title: "된장", price: 12_900,
        opensAt: Timestamp(microseconds: 1_795_251_600_000_000), note: nil)

    func add(to routes: inout RouteTable) {
        routes.add(
            .get, "/api/v1/jars", id: "listJars", tag: .jars, Wording("항아리 목록", "Lists jars"),
            access: .everyone, inputs: [Self.colour, Self.deep, Self.pages],
            answer: .ok(.page(of: Jar.schema)), handler: list)
        routes.add(
            .post, "/api/v1/jars", id: "createJar", tag: .jars, Wording("항아리를 만든다", "Makes a jar"),
            access: .role(.influencer), body: JarBody.schema,
            answer: .created(Jar.schema, location: { "/api/v1/jars/\($0.id)" }),
            errors: [.jarBroken], handler: create)
        routes.add(
            .get, "/api/v1/jars/{jar_id}", id: "getJar", tag: .jars, Wording("항아리 하나", "One jar"),
            access: .everyone, inputs: [Self.jarID], answer: .ok(Jar.schema),
            errors: [.jarNotFound], handler: get)
        routes.add(
            .get, "/api/v1/jars/best", id: "bestJar", tag: .jars, Wording("으뜸", "The best"),
            access: .signedIn, answer: .ok(Jar.schema), errors: [.jarBroken]
        ) { call in
            guard call.account.role == .admin else { throw Unforeseen() }
            throw JarRefusal.broken
        }
        routes.add(
            .delete, "/api/v1/jars/{jar_id}", id: "deleteJar", tag: .jars,
            Wording("항아리를 지운다", "Deletes a jar"), access: .role(.finance), inputs: [Self.jarID],
            answer: .noContent
        ) { _ in }
        routes.add(
            .put, "/api/v1/jars/{jar_id}/picture", id: "putPicture", tag: .jars,
            Wording("사진", "A picture"), access: .signedIn, inputs: [Self.jarID],
            stream: StreamedBody(["image/png"], bytesMax: 1000),
            answer: .raw(.bytes("text/plain"))
        ) { call in
            let bytes = try await call.request.body.collect(upTo: 1000)
            return Response(
                status: .ok, headers: [.contentType: "text/plain"],
                body: .init(byteBuffer: ByteBuffer(string: "\(bytes.readableBytes)")))
        }
    }

    @Sendable func list(_ call: Call) async throws -> Page<Jar> {
        let request = call[Self.pages]
        let isEmpty = call[Self.colour] == .red || call[Self.deep]
        return request.page(isEmpty ? [] : [known], total: isEmpty ? 0 : 41)
    }

    @Sendable func create(_ call: Call, _ body: JarBody) async throws -> Jar {
        if body.title == "깨진" { throw JarRefusal.broken }
        return Jar(
            id: call.account.id, title: body.title, price: body.price, opensAt: body.opensAt,
            note: body.note)
    }

    @Sendable func get(_ call: Call) async throws -> Jar {
        guard call[Self.jarID] == known.id else { throw JarRefusal.notFound }
        return known
    }
}
