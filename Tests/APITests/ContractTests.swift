import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Linux
import TestSupport
import Testing

@testable import API

/// The service's own document, held against its router and read by programs that are not ours.
@Suite struct ContractTests {
    let test: TestAPI

    init() async throws { test = try await TestAPI() }

    private struct Served: Hashable {
        let method: String
        let path: String
    }

    /// Every route, those of the document as well.
    private var routes: [Route] { test.server.routes().table.withDocument().routes }

    private func document(_ language: Language) -> JSON {
        test.server.routes().table.withDocument().document(in: language)
    }

    @Test func `the document has every route of the router and nothing else`() {
        let registered = test.server.router().routes.filter { $0.method != .head }
            .map { Served(method: $0.method.rawValue, path: $0.path.description) }
        #expect(Set(registered).count == registered.count)
        let described = (document(.korean)["paths"]?.members ?? []).flatMap { path in
            (path.value.members ?? []).map {
                Served(method: $0.name.uppercased(), path: path.name)
            }
        }
        #expect(described.count == Set(described).count)
        #expect(Set(described) == Set(registered))
        #expect(registered.count > 50)
    }

    @Test func `each operation tells every error that can come of it, with an example`() {
        let paths = document(.english)["paths"]
        for route in routes {
            let responses = paths?[route.path]?[route.method.rawValue.lowercased()]?["responses"]
            // /ready answers 503 by itself, with what is away.
            let own = Set(route.outcomes.map(\.status))
            for code in route.possibleErrors where !own.contains(code.status) {
                let media = responses?["\(code.status.code)"]?["content"]?["application/json"]
                let example = media?["examples"]?[code.name]?["value"]
                #expect(example?["code"]?.text == code.name, "\(route.id) \(code.name)")
                #expect(example?["detail"]?.text == code.detail.english)
            }
            // What the room itself gives follows from what the route declares.
            let codes = Set(route.possibleErrors)
            #expect(codes.isSuperset(of: [.hostInvalid, .unexpected, .unavailable]))
            #expect(codes.contains(.notSignedIn) == (route.access != .everyone), "\(route.id)")
            #expect(codes.contains(.bodyTooLarge) == (route.body != nil), "\(route.id)")
            #expect(codes.contains(.idempotencyKeyBusy) == route.keepsAnswers, "\(route.id)")
        }
    }

    /// openapi-spec-validator and jsonschema, by scripts/lib/check_document.py.
    @Test(arguments: Language.allCases)
    func `others find the document valid, and every example in it`(language: Language) throws {
        let folder = try TestFolder()
        let file = folder.path + "/openapi.json"
        try Data(document(language).bytes).write(to: URL(filePath: file))
        let python = try #require(
            ProcessInfo.processInfo.environment["TEST_OPENAPI_PYTHON"],
            "TEST_OPENAPI_PYTHON is not set: run the tests by scripts/test")
        let checkout = URL(filePath: #filePath).appending(path: "../../..").standardizedFileURL
        let run = try ShellRun.run(
            "\(python) \(checkout.path)/scripts/lib/check_document.py \(file)")
        #expect(run.code == 0, "\(run.output)")
        let counted = try #require(run.output.firstMatch(of: /(\d+) operations, (\d+) examples/))
        #expect(Int(counted.1) == routes.count)
        #expect(try #require(Int(counted.2)) > 300)
    }

    @Test func `an answer leads to what can be done with the thing it shows`() {
        let paths = document(.english)["paths"]
        let made = paths?["/api/v1/gonggus"]?["post"]?["responses"]?["201"]?["links"]
        for id in ["getGonggu", "replaceGonggu", "deleteGonggu"] {
            #expect(made?[id]?["operationId"]?.text == id)
            #expect(made?[id]?["parameters"]?["id"] == "$response.body#/id")
        }
        let seen = paths?["/api/v1/gonggus/{id}"]?["get"]?["responses"]?["200"]?["links"]
        #expect(seen?["deleteGonggu"]?["parameters"]?["id"] == "$request.path.id")
        #expect(seen?["getGonggu"] == nil)
        let listed = paths?["/api/v1/gonggus"]?["get"]?["responses"]?["200"]?["links"]
        #expect(listed?["getGonggu"]?["parameters"]?["id"] == "$response.body#/items/0/id")
        // Every link names an operation that there is, and a parameter that it has.
        var links = 0
        document(.english)["paths"]?.visit { member in
            guard let operation = member.value["operationId"]?.text,
                let parameters = member.value["parameters"]?.members, member.name == operation
            else { return }
            links += 1
            let route = routes.first { $0.id == operation }
            for parameter in parameters {
                #expect(route?.parameters.contains { $0.name == parameter.name } == true)
            }
        }
        #expect(links > 20)
    }
}

/// What the page of the document loads.
@Suite struct DocumentPageTests {
    private func serve(
        _ assets: DocumentAssets?, _ body: @escaping @Sendable (JarClient) async throws -> Void
    ) async throws {
        try await withJars(settings: HTTPSettings(assets: assets), body)
    }

    private func folder(_ names: [String]) throws -> TestFolder {
        let folder = try TestFolder()
        for name in names {
            try Data("/* \(name) */".utf8).write(to: URL(filePath: folder.path + "/" + name))
        }
        return folder
    }

    @Test func `without the assets it is a list, and says that a file is not installed`()
        async throws
    {
        let lacking = try folder(["swagger-ui-bundle.js", "swagger-ui.css"])
        #expect(DocumentAssets(folder: lacking.path) == nil)
        #expect(DocumentAssets(folder: "/nowhere") == nil)
        try await serve(nil) { jars async throws in
            let page = try await jars.client.execute(uri: "/docs", method: .get)
            #expect(!String(buffer: page.body).contains("<script"))
            #expect(page.headers[.contentSecurityPolicy]?.contains("script-src") == false)
            let missing = try await jars.send(.get, "/docs/assets/start.js")
            #expect(missing.status == 404 && missing.json["code"] == "ASSET_NOT_INSTALLED")
        }
    }

    @Test func `with them scripts come from here alone, and only this page may run any`()
        async throws
    {
        let names = ["swagger-ui-bundle.js", "swagger-ui.css", "LICENSE"]
        let full = try folder(names)
        let assets = try #require(DocumentAssets(folder: full.path))
        try await serve(assets) { jars async throws in
            let page = try await jars.client.execute(uri: "/docs?lang=en", method: .get)
            let html = String(buffer: page.body)
            let policy = try #require(page.headers[.contentSecurityPolicy])
            #expect(page.headers[values: .contentSecurityPolicy].count == 1)
            #expect(policy.contains("default-src 'none'; script-src 'self';"))
            #expect(!policy.contains("unsafe-eval") && html.contains("<html lang=\"en\">"))
            for script in html.matches(of: /<script[^>]*>/) {
                #expect(script.0.contains("src=\"/docs/assets/"), "\(script.0)")
            }
            // The list is there as well, for readers without scripts.
            #expect(html.contains("<section id=\"getJar\">"))
            for name in DocumentAssets.Name.allCases {
                let file = try await jars.client.execute(
                    uri: "/docs/assets/\(name.rawValue)", method: .get)
                #expect(file.status == .ok)
                #expect(file.headers[.contentType] == name.mediaType)
                #expect(file.headers[.contentSecurityPolicy]?.contains("script-src") == false)
                #expect(file.headers[.xContentTypeOptions] == "nosniff")
                #expect(file.body.readableBytes > 0)
            }
            for other in ["..%2f..%2fetc%2fpasswd", "start.js.map", "%00", "LICENSE%20"] {
                let answer = try await jars.send(.get, "/docs/assets/" + other)
                #expect(answer.status == 422, "\(other)")
            }
        }
    }
}
