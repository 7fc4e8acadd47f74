import Foundation
import HTTPTypes
import Hummingbird
import Testing

@testable import API

@Suite struct HTTPDocumentTests {
    private struct Served: Hashable {
        let method: String
        let path: String
    }

    private let router = jarTable().router(settings: HTTPSettings(), tokens: testTokens)

    private func document(_ query: String = "") async throws -> JSON {
        try await withJars { jars async throws in
            let answer = try await jars.send(.get, "/openapi.json" + query)
            #expect(answer.status == 200)
            return answer.json
        }
    }

    /// Every operation of a document, as the router would list it.
    private func operations(of document: JSON) -> [(served: Served, operation: JSON)] {
        (document["paths"]?.members ?? []).flatMap { path in
            (path.value.members ?? []).map {
                (Served(method: $0.name.uppercased(), path: path.name), $0.value)
            }
        }
    }

    @Test func `the document has every registered route and nothing else`() async throws {
        // HEAD comes with each GET, which the document says once in its introduction.
        let registered = router.routes.filter { $0.method != .head }
            .map { Served(method: $0.method.rawValue, path: $0.path.description) }
        let described = operations(of: try await document()).map(\.served)
        #expect(described.count == Set(described).count)
        #expect(Set(described) == Set(registered))
        #expect(registered.count == JarRoutes.count + 3)
    }

    @Test func `every GET has its HEAD in the router`() {
        let paths = { (method: HTTPRequest.Method) in
            Set(router.routes.filter { $0.method == method }.map(\.path.description))
        }
        #expect(paths(.get) == paths(.head))
    }

    @Test func `the same table gives the same bytes, each language its own`() async throws {
        let first = jarTable().withDocument()
        let second = jarTable().withDocument()
        for language in Language.allCases {
            let bytes = first.document(in: language).bytes
            #expect(bytes == second.document(in: language).bytes)
            #expect(try await document("?lang=\(language.rawValue)").bytes == bytes)
        }
        #expect(first.document(in: .korean) != first.document(in: .english))
        #expect(try await document().bytes == first.document(in: .korean).bytes)
    }

    @Test func `every reference leads somewhere, every component is referred to`() async throws {
        let document = try await document()
        var references: Set<String> = []
        document.visit {
            if $0.name == "$ref", let text = $0.value.text { references.insert(text) }
        }
        for reference in references {
            var target: JSON? = document
            for step in reference.split(separator: "/").dropFirst() {
                target = target?[String(step)]
            }
            #expect(target != nil, "\(reference)")
        }
        let names = document["components"]?["schemas"]?.members?.map(\.name) ?? []
        #expect(names == names.sorted())
        #expect(Set(names).isSuperset(of: ["Fault", "FieldsProblem", "Jar", "JarBody", "JarPage"]))
        for name in names {
            #expect(references.contains("#/components/schemas/\(name)"), "\(name)")
        }
    }

    @Test func `every operation tells its errors with an example of each`() async throws {
        let operations = operations(of: try await document("?lang=en"))
        for route in jarTable().withDocument().routes {
            let served = Served(method: route.method.rawValue, path: route.path)
            let operation = try #require(operations.first { $0.served == served }?.operation)
            #expect(operation["operationId"]?.text == route.id)
            for code in route.possibleErrors {
                let media = operation["responses"]?["\(code.status.code)"]?["content"]?[
                    "application/json"]
                let example = try #require(media?["examples"]?[code.name]?["value"])
                #expect(example["code"]?.text == code.name)
                #expect(example["detail"]?.text == code.detail.english)
                let isFields = media?["schema"]?["$ref"] == "#/components/schemas/FieldsProblem"
                let schema = isFields ? RouteTable.fieldsProblem : RouteTable.problem
                #expect(schema.shape.faults(in: example).isEmpty, "\(route.id) \(code.name)")
            }
        }
    }

    @Test func `every example fits the schema that the document shows beside it`() async throws {
        let document = try await document()
        var checked = 0
        document.visitSchemas { schema in
            for example in schema["examples"]?.list ?? [] {
                checked += 1
                let faults = SchemaReader(document: document).faults(of: example, by: schema)
                #expect(faults.isEmpty, "\(faults)")
            }
        }
        #expect(checked > 20)
    }

    @Test func `roles, parameters and bounds are said as they are checked`() async throws {
        let document = try await document("?lang=en")
        let create = document["paths"]?["/api/v1/jars"]?["post"]
        #expect(create?["x-roles"] == ["influencer", "admin"])
        #expect(create?["security"] == [["bearer": []], ["cookie": []]])
        let list = document["paths"]?["/api/v1/jars"]?["get"]
        #expect(list?["security"] == [])
        let size = list?["parameters"]?.list?.first { $0["name"] == "size" }
        #expect(size?["in"] == "query" && size?["required"] == false)
        #expect(size?["schema"]?["default"] == 20 && size?["schema"]?["maximum"] == 100)
        let body = document["components"]?["schemas"]?["JarBody"]
        #expect(body?["required"] == ["title", "price", "open_at", "colours"])
        #expect(body?["additionalProperties"] == false)
        #expect(body?["properties"]?["note"]?["type"] == ["string", "null"])
    }

    @Test func `the page lists every route, safely, in both languages`() async throws {
        try await withJars { jars async throws in
            for (query, word) in [("", "항아리 목록"), ("?lang=en", "Lists jars")] {
                let response = try await jars.client.execute(uri: "/docs" + query, method: .get)
                let html = String(buffer: response.body)
                #expect(html.contains(word))
                for route in jarTable().routes {
                    #expect(html.contains("<section id=\"\(route.id)\">"))
                }
                #expect(!html.contains("<script"))
            }
        }
        #expect(#"<a b="c" d='&'>"#.escapedForHTML == "&lt;a b=&quot;c&quot; d=&#39;&amp;&#39;&gt;")
    }
}

extension JarRoutes {
    /// Routes declared above, counted by hand: a route lost on the way to the router shows.
    static let count = 6
}

extension JSON {
    func visit(_ body: (Member) -> Void) {
        for member in members ?? [] {
            body(member)
            member.value.visit(body)
        }
        for element in list ?? [] { element.visit(body) }
    }

    /// Every object that has `examples` as a list: only schemas do.
    func visitSchemas(_ body: (JSON) -> Void) {
        if self["examples"]?.list != nil { body(self) }
        for member in members ?? [] where member.name != "examples" {
            member.value.visitSchemas(body)
        }
        for element in list ?? [] { element.visitSchemas(body) }
    }
}

/// Reads JSON Schema as it is written in the document, without any of the code that wrote it: as
/// much of it as the document uses, and a fault for a word it does not know.
private struct SchemaReader {
    let document: JSON

    func faults(of value: JSON, by schema: JSON) -> [String] {
        (schema.members ?? []).flatMap { word in
            fault(of: value, by: word, in: schema).map { ["\(word.name): \($0)"] } ?? []
        }
    }

    private func fault(of value: JSON, by word: JSON.Member, in schema: JSON) -> String? {
        let fails = { (isFine: Bool) in isFine ? nil : "\(value) is not \(word.value)" }
        switch word.name {
        case "description", "examples", "default", "format", "writeOnly": return nil
        case "$ref":
            let name = word.value.text?.split(separator: "/").last.map { String($0) } ?? ""
            guard let target = document["components"]?["schemas"]?[name] else {
                return "no \(name)"
            }
            return faults(of: value, by: target).first
        case "anyOf":
            let choices = word.value.list ?? []
            return fails(choices.contains { faults(of: value, by: $0).isEmpty })
        case "type":
            let names = word.value.list?.compactMap(\.text) ?? [word.value.text ?? ""]
            return fails(names.contains { value.isOf(type: $0) })
        case "enum": return fails(word.value.list?.contains(value) == true)
        case "minLength", "maxLength":
            guard let count = value.text?.unicodeScalars.count, let bound = word.value.integer
            else { return nil }
            return fails(word.name == "minLength" ? count >= bound : count <= bound)
        case "minItems", "maxItems":
            guard let count = value.list?.count, let bound = word.value.integer else { return nil }
            return fails(word.name == "minItems" ? count >= bound : count <= bound)
        case "minimum", "maximum":
            guard let number = value.asNumber, let bound = word.value.asNumber else { return nil }
            return fails(word.name == "minimum" ? number >= bound : number <= bound)
        case "pattern":
            guard let text = value.text, let pattern = word.value.text else { return nil }
            guard let regex = try? NSRegularExpression(pattern: pattern) else {
                return "no pattern"
            }
            let range = NSRange(text.startIndex..., in: text)
            return fails(regex.firstMatch(in: text, range: range) != nil)
        case "items":
            return (value.list ?? []).lazy.compactMap { faults(of: $0, by: word.value).first }.first
        case "properties":
            return (value.members ?? []).lazy.compactMap { member in
                word.value[member.name].flatMap { faults(of: member.value, by: $0).first }
            }.first
        case "required":
            return fails((word.value.list ?? []).allSatisfy { value[$0.text ?? ""] != nil })
        case "additionalProperties":
            return fails(
                (value.members ?? []).allSatisfy { schema["properties"]?[$0.name] != nil })
        default: return "an unknown word"
        }
    }
}

extension JSON {
    fileprivate var asNumber: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    fileprivate func isOf(type: String) -> Bool {
        switch self {
        case .null: type == "null"
        case .bool: type == "boolean"
        case .integer: type == "integer" || type == "number"
        case .number: type == "number"
        case .text: type == "string"
        case .list: type == "array"
        case .object: type == "object"
        }
    }
}
