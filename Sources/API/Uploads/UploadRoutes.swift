import Clicks
import HTTPTypes
import Hummingbird
import Postgres

/// An image that was taken.
struct TakenImage: Sendable {
    let url: String
    let thumbnailURL: String
    let width: Int
    let height: Int

    private static let name = "0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10"

    static let schema = Schema<TakenImage>(
        "UploadedImage",
        [
            Field(
                "url", .link(8...3000), \.url,
                example:
                    .text("https://cdn.example/images/2026/11/\(name).webp")
            ),
            Field(
                "thumbnail_url", .link(8...3000), \.thumbnailURL,
                about: Wording("가로세로 480px 안에 맞춘 이미지", "The same within 480 by 480 pixels"),
                example: .text("https://cdn.example/images/2026/11/\(name)_thumb.webp")
            ),
            Field("width", .integer(1...16_383, example: 1200), \.width),
            Field("height", .integer(1...16_383, example: 900), \.height),
        ])
}

/// Taking images, and handing them out where a folder keeps them.
package struct UploadRoutes: Sendable {
    let pool: ConnectionPool
    let desk: UploadDesk

    package init(pool: ConnectionPool, desk: UploadDesk) {
        self.pool = pool
        self.desk = desk
    }

    private static let segment = Schema<String>.verbatim(example: "2026")
    private static let year = Parameter.path("year", segment)
    private static let month = Parameter.path("month", segment.described(example: "11"))
    private static let file = Parameter.path(
        "file", segment.described(example: "0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10.webp"))

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("uploads", Wording("이미지", "Images"))
        table.add(
            .post, "/api/v1/upload/image", id: "uploadImage", tag: tag,
            Wording("이미지 올리기", "Uploads an image"), access: .signedIn,
            stream: StreamedBody(
                ["multipart/form-data"], bytesMax: UploadForm.bodyBytesMax,
                form: UploadForm.shape),
            answer: .created(TakenImage.schema, location: \.url), errors: ProblemCode.uploads,
            handler: upload)
        table.add(
            .get, "/images/{year}/{month}/{file}", id: "getImage", tag: tag,
            Wording("올린 이미지", "An uploaded image"), access: .everyone,
            inputs: [UploadRoutes.year, UploadRoutes.month, UploadRoutes.file],
            answer: .raw(
                .bytes(ImageStore.mediaType),
                Outcome(status: .notModified, mediaType: nil, shape: nil)),
            errors: [.imageNotFound], handler: image)
    }

    @Sendable func upload(_ call: Call) async throws -> TakenImage {
        let (account, id) = (call.account.id, Identifier.new())
        return try await desk.admitted(account) {
            let time = try await pool.transaction { [perHour = desk.perHour] in
                try UploadQueries.begin(id, by: account, perHour: perHour, in: $0)
            }
            do {
                return try await take(call, id, time)
            } catch let outage as UploadOutage {
                try await pool.run { try UploadQueries.forget(id, in: $0) }
                throw outage
            }
        }
    }

    private func take(
        _ call: Call, _ id: Identifier, _ time: Timestamp
    ) async throws -> TakenImage {
        let received = try await desk.receive(call.request)
        let made = try await desk.make(received, logger: call.logger)
        try await desk.put(made, id: id, at: time, logger: call.logger)
        try await pool.run {
            try UploadQueries.keep(
                id, purpose: received.purpose, width: made.width, height: made.height,
                sentBytes: received.bytes, in: $0)
        }
        return TakenImage(
            url: desk.address(of: ImageName(id: id, at: time, isThumbnail: false)),
            thumbnailURL: desk.address(of: ImageName(id: id, at: time, isThumbnail: true)),
            width: made.width, height: made.height)
    }

    @Sendable func image(_ call: Call) async throws -> Response {
        let (year, month, file) = (
            call[UploadRoutes.year], call[UploadRoutes.month], call[UploadRoutes.file]
        )
        guard case .folder(let root) = desk.store,
            let name = ImageName(year: year, month: month, file: file)
        else { throw Problem(.imageNotFound) }
        let body: ResponseBody
        do {
            body = try await FileIO().loadFile(path: "\(root)/\(name.path)", context: call.context)
        } catch is HTTPError {
            throw Problem(.imageNotFound)
        }
        let headers: HTTPFields = [
            .contentType: ImageStore.mediaType, .cacheControl: ImageStore.cacheControl,
            .eTag: name.entityTag,
        ]
        guard !name.isKnown(by: call.request.headers[values: .ifNoneMatch]) else {
            var response = Response(status: .notModified, headers: headers)
            response.headers[.contentLength] = nil
            return response
        }
        return Response(status: .ok, headers: headers, body: body)
    }
}

extension ImageName {
    /// Whether If-None-Match names it; weak tags count as well (RFC 9110 section 13.1.2).
    fileprivate func isKnown(by conditions: [String]) -> Bool {
        conditions.flatMap { $0.split(separator: ",") }.map(\.trimmed).contains { tag in
            tag == "*" || tag == entityTag || tag == "W/\(entityTag)"
        }
    }
}
