import Clicks
import Hummingbird
import Postgres
import QRCode

/// What a QR code is drawn as.
package enum QRFormat: String, CaseIterable, Sendable {
    case svg
    case png
}

/// The route of a gonggu's QR code: its short link, so that scans are clicks of the channel `qr`.
package struct QRRoutes: Sendable {
    let pool: ConnectionPool
    let edgeURL: String

    private static let id = Parameter.path("id", Schema.identifier)
    private static let format = Parameter.query(
        "format", Schema.oneOf(QRFormat.self), default: .svg)
    private static let size = Parameter.query(
        "size", Schema.integer(QRCode.pngSizes, example: 512), default: 512,
        about: Wording(
            "가로세로 픽셀. SVG는 어떤 크기로도 선명합니다", "Pixels a side; an SVG stays sharp at any size"))
    /// The channel of ``GongguLink``.
    private static let channel = "qr"
    /// The link never changes; only that the gonggu is gone has to be seen one day.
    private static let caching = "public, max-age=86400"

    /// - Parameter edgeURL: where the edge serves `/go/…`; a slash at its end does not count.
    package init(pool: ConnectionPool, edgeURL: String) {
        self.pool = pool
        self.edgeURL = edgeURL.withoutTrailingSlashes
    }

    /// Declares it.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/gonggus/{id}/qr", id: "gongguQR",
            tag: Tag("gonggus", Wording("공구", "Group buys")),
            Wording("공유 링크의 QR 코드 (채널 qr)", "A QR code of the link, for the channel qr"),
            access: .everyone, inputs: [Self.id, Self.format, Self.size],
            answer: .raw(ConditionalBody.outcomes("image/svg+xml", "image/png")),
            errors: [.gongguNotFound], handler: { try await draw($0) })
    }

    func draw(_ call: Call) async throws -> Response {
        let (id, size) = (call[Self.id], call[Self.size])
        let found = try await pool.run { try QRQueries.shortCode(of: id, in: $0) }
        guard let found else { throw GongguRefusal.notFound }
        let code = try QRCode(
            GongguLink.text(of: found, edgeURL: edgeURL, channel: Self.channel))
        let (bytes, type) =
            switch call[Self.format] {
            case .svg: (Array(code.svg(sizePixels: size).utf8), "image/svg+xml")
            case .png: (try code.png(sizePixels: size), "image/png")
            }
        return ConditionalBody(
            bytes: bytes, mediaType: type, caching: Self.caching,
            disposition: "inline; filename=\"gonggu-\(found).\(call[Self.format].rawValue)\""
        ).response(to: call.request)
    }
}
