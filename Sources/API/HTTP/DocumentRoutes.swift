import HTTPTypes
import Hummingbird

// The document and the list of routes as routes of their own, described in themselves.

extension Tag {
    static let document = Tag("document", Wording("이 문서", "This document"))
}

extension RouteTable {
    private static let language = Parameter.query(
        "lang", Schema.oneOf(Language.self), default: .korean, about: Wording("언어", "The language"))

    private static let asset = Parameter.path(
        "file", Schema.oneOf(DocumentAssets.Name.self))

    /// The table with `/openapi.json` and `/docs`, both made once, here.
    ///
    /// - Parameter assets: with them the page becomes Swagger UI where scripts run.
    func withDocument(_ assets: DocumentAssets? = nil) -> RouteTable {
        // First with nothing to serve, since the document describes its own routes too.
        let described = withDocument(assets) { _ in
            []
        } page: { _ in
            ""
        }
        var documents: [Language: [UInt8]] = [:]
        var pages: [Language: String] = [:]
        for language in Language.allCases {
            documents[language] = described.document(in: language).bytes
            pages[language] = described.page(in: language, isScripted: assets != nil)
        }
        return withDocument(assets) { [documents] in
            documents[$0] ?? []
        } page: {
            [pages] in
            pages[$0] ?? ""
        }
    }

    private func withDocument(
        _ assets: DocumentAssets?,
        _ document: @escaping @Sendable (Language) -> [UInt8],
        page: @escaping @Sendable (Language) -> String
    ) -> RouteTable {
        var table = self
        table.add(
            .get, "/openapi.json", id: "getDocument", tag: .document,
            Wording("OpenAPI 3.1 문서", "The OpenAPI 3.1 document"), access: .everyone,
            inputs: [RouteTable.language], answer: .raw(.bytes("application/json"))
        ) { call in
            Response(
                status: .ok, headers: [.contentType: "application/json; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(bytes: document(call[RouteTable.language]))))
        }
        table.add(
            .get, "/docs", id: "getDocumentPage", tag: .document,
            Wording("사람이 읽는 API 목록", "The routes as a page"), access: .everyone,
            inputs: [RouteTable.language], answer: .raw(.bytes("text/html"))
        ) { call in
            Response(
                status: .ok,
                headers: [
                    .contentType: "text/html; charset=utf-8",
                    .contentSecurityPolicy: assets == nil
                        ? "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
                        : DocumentAssets.policy,
                ],
                body: .init(byteBuffer: ByteBuffer(string: page(call[RouteTable.language]))))
        }
        table.add(
            .get, "/docs/assets/{file}", id: "getDocumentAsset", tag: .document,
            Wording("목록 페이지의 파일", "A file of that page"), access: .everyone,
            inputs: [RouteTable.asset],
            answer: .raw(
                .bytes("text/javascript"), .bytes("text/css"), .bytes("text/plain")),
            errors: [.assetMissing]
        ) { call in
            guard let assets else { throw Problem(.assetMissing) }
            return assets.response(call[RouteTable.asset])
        }
        return table
    }

    /// The routes as one page of HTML. Where scripts run and the assets are there, Swagger UI takes
    /// the list's place.
    func page(in language: Language, isScripted: Bool = false) -> String {
        let title = Wording("공구모아 API", "The Gonggumoa API")[language]
        let other = language == .korean ? Language.english : .korean
        let switchText = Wording("English", "한국어")[language]
        var html = """
            <!doctype html>
            <html lang="\(language.rawValue)"><head><meta charset="utf-8"><title>\(title)</title>
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <style>\(RouteTable.style)</style>\(isScripted ? RouteTable.styleSheet : "")
            </head><body><main>
            <h1>\(title)</h1>
            <p><a href="/docs?lang=\(other.rawValue)" lang="\(other.rawValue)">\(switchText)</a>
            · <a href="/openapi.json?lang=\(language.rawValue)">openapi.json</a></p>
            <div id="document">

            """
        var tags: [Tag] = []
        for route in routes where route.isListed && !tags.contains(route.tag) {
            tags.append(route.tag)
        }
        for tag in tags {
            html += "<h2>\(tag.about[language].escapedForHTML)</h2>\n"
            for route in routes where route.isListed && route.tag == tag {
                html += route.section(in: language)
            }
        }
        html += "</div></main>"
        if isScripted { html += RouteTable.scripts }
        return html + "</body></html>\n"
    }

    private static let styleSheet =
        "<link rel=\"stylesheet\" href=\"/docs/assets/swagger-ui.css\">"
    private static let scripts = """
        <script src="/docs/assets/swagger-ui-bundle.js"></script>
        <script src="/docs/assets/start.js"></script>
        """

    private static let style = """
        body{font:16px/1.6 system-ui,sans-serif;margin:0;color:#1a1a1a;background:#fff}
        main{max-width:60rem;margin:0 auto;padding:1rem}
        section{border-top:1px solid #ccc;padding:.5rem 0}
        code{background:#f2f2f2;padding:0 .25rem;overflow-wrap:anywhere}
        dt{font-weight:600}
        """
}

extension Route {
    fileprivate func section(in language: Language) -> String {
        var html = "<section id=\"\(id)\"><h3><code>\(method.rawValue) "
        html += "\(path.escapedForHTML)</code> \(summary[language].escapedForHTML)</h3><dl>\n"
        let entry = { (name: Wording, values: [String]) in
            guard !values.isEmpty else { return }
            let list = values.map { "<code>\($0.escapedForHTML)</code>" }.joined(separator: " ")
            html += "<dt>\(name[language])</dt><dd>\(list)</dd>\n"
        }
        switch access {
        case .everyone: entry(Wording("대상", "Open to"), [Wording("모두", "everyone")[language]])
        case .signedIn: entry(Wording("대상", "Open to"), [Wording("로그인", "any account")[language]])
        case .roles(let roles):
            let allowed = Role.allCases.filter { role in roles.contains { role.covers($0) } }
            entry(Wording("역할", "Roles"), allowed.map(\.rawValue))
        }
        entry(Wording("입력", "Inputs"), parameters.map { $0.name + ($0.isRequired ? "*" : "") })
        if let body {
            let members = body.shape?.memberNames ?? body.mediaTypes
            entry(Wording("본문", "Body"), members)
        }
        entry(Wording("응답", "Answers"), outcomes.map { "\($0.status.code)" })
        entry(Wording("오류", "Errors"), possibleErrors.map(\.name))
        return html + "</dl></section>\n"
    }
}

extension Shape {
    fileprivate var memberNames: [String]? {
        guard case .object(let object) = kind else { return nil }
        return object.members.map { $0.name + ($0.isRequired ? "*" : "") }
    }
}

extension String {
    /// Safe between tags and in quoted attributes.
    package var escapedForHTML: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
