import Foundation
import HTTPTypes
import Hummingbird
import Settings

// Swagger UI for the document's page. Its files are not ours and not in the sources: scripts/run
// fetches them, and where they are missing the page stays the list that the server writes. They
// are read once at start and served from memory.

/// Where the files are.
package struct DocumentSettings: Sendable {
    package let assets: DocumentAssets?

    init(reading reader: inout SettingsReader) {
        let folder = reader.optionalText(
            "API_DOCS_ASSETS", bytesMax: 4096,
            "A folder with Swagger UI's swagger-ui-bundle.js, swagger-ui.css and LICENSE. Without "
                + "them /docs is a plain list.")
        assets = folder.flatMap { DocumentAssets(folder: $0) }
    }
}

/// The files, in memory.
package struct DocumentAssets: Sendable {
    /// What is served under /docs/assets/; the last is ours.
    package enum Name: String, CaseIterable, Sendable {
        case bundle = "swagger-ui-bundle.js"
        case style = "swagger-ui.css"
        case licence = "LICENSE"
        case start = "start.js"

        var mediaType: String {
            switch self {
            case .bundle, .start: "text/javascript; charset=utf-8"
            case .style: "text/css; charset=utf-8"
            case .licence: "text/plain; charset=utf-8"
            }
        }
    }

    private let files: [Name: ByteBuffer]

    /// A larger file is not what it should be.
    static let fileBytesMax = 8 << 20

    /// The page's script, since its policy allows none inside the page. Requests of "Try it out" go
    /// to this origin alone; a token that is typed in stays in the page.
    private static let start = """
        SwaggerUIBundle({
          url: "/openapi.json?lang=" + document.documentElement.lang,
          dom_id: "#document",
          deepLinking: true,
          displayOperationId: true,
          displayRequestDuration: true,
          docExpansion: "none",
          filter: true,
          persistAuthorization: false,
          validatorUrl: null
        });

        """

    /// Nil where a file is missing, empty or larger than the bound.
    package init?(folder: String) {
        var files: [Name: ByteBuffer] = [.start: ByteBuffer(string: DocumentAssets.start)]
        for name in [Name.bundle, .style, .licence] {
            guard let bytes = FileManager.default.contents(atPath: "\(folder)/\(name.rawValue)"),
                (1...DocumentAssets.fileBytesMax).contains(bytes.count)
            else { return nil }
            files[name] = ByteBuffer(bytes: bytes)
        }
        self.files = files
    }

    func response(_ name: Name) -> Response {
        let body = files[name] ?? ByteBuffer()
        return Response(
            status: .ok,
            headers: [.contentType: name.mediaType, .cacheControl: "public, max-age=3600"],
            body: ResponseBody(byteBuffer: body))
    }

    /// For the page alone: scripts from here, none in it; Swagger UI writes styles and images into
    /// the page itself.
    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        + "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'"
}

extension ProblemCode {
    static let assetMissing = ProblemCode(
        "ASSET_NOT_INSTALLED", .notFound, "이 파일이 설치되어 있지 않습니다",
        "This file is not installed here")
}
