// Shapes as JSON Schema (draft 2020-12, which OpenAPI 3.1 uses as it is). Objects are named and
// referred to; everything else stands where it is used.

/// Turns shapes into JSON Schema and remembers the named ones.
struct SchemaDocument {
    let language: Language
    private(set) var components: [String: JSON] = [:]
    /// Names being described right now, so that a schema inside itself ends.
    private var open: Set<String> = []

    init(language: Language) {
        self.language = language
    }

    /// The schema of one value, with its words and its example.
    mutating func schema(of shape: Shape) -> JSON {
        var members = self.members(of: shape)
        if let about = shape.about {
            members.append(.init("description", .text(about[language])))
        }
        if !shape.isObject, !members.contains(where: { $0.name == "enum" }) {
            members.append(.init("examples", .list([shape.example])))
        }
        return .object(members)
    }

    private mutating func members(of shape: Shape) -> [JSON.Member] {
        switch shape.kind {
        case .text(let text): return SchemaDocument.members(of: text, isNullable: shape.isNullable)
        case .integer(let range):
            return [
                .type("integer", shape), .init("minimum", .integer(range.lowerBound)),
                .init("maximum", .integer(range.upperBound)),
            ]
        case .number(let range):
            return [
                .type("number", shape), .init("minimum", .number(range.lowerBound)),
                .init("maximum", .number(range.upperBound)),
            ]
        case .boolean: return [.type("boolean", shape)]
        case .list(let element, let count):
            return [
                .type("array", shape), .init("items", schema(of: element)),
                .init("minItems", .integer(count.lowerBound)),
                .init("maxItems", .integer(count.upperBound)),
            ]
        case .object(let object):
            describe(object, as: shape)
            return SchemaDocument.reference(object.name, isNullable: shape.isNullable)
        case .reference(let name, let resolve):
            if !open.contains(name), components[name] == nil {
                _ = schema(of: resolve())
                precondition(components[name] != nil, "\(name) refers to a schema of another name")
            }
            return SchemaDocument.reference(name, isNullable: shape.isNullable)
        case .anything: return []
        case .file: return [.type("string", shape), .init("format", "binary")]
        }
    }

    private static func members(of text: TextShape, isNullable: Bool) -> [JSON.Member] {
        let type: JSON = isNullable ? ["string", "null"] : "string"
        if let values = text.values {
            let all = values.map { JSON.text($0) } + (isNullable ? [.null] : [])
            return [.init("type", type), .init("enum", .list(all))]
        }
        if text.isVerbatim { return [.init("type", type)] }
        var members: [JSON.Member] = [
            .init("type", type), .init("minLength", .integer(text.lengths.lowerBound)),
            .init("maxLength", .integer(text.lengths.upperBound)),
        ]
        if let format = text.format { members.append(.init("format", .text(format))) }
        members.append(.init("pattern", .text(text.pattern ?? text.characters)))
        if text.isSecret { members.append(.init("writeOnly", true)) }
        return members
    }

    private mutating func describe(_ object: ObjectShape, as shape: Shape) {
        guard open.insert(object.name).inserted else { return }
        defer { open.remove(object.name) }
        var properties: [JSON.Member] = []
        for member in object.members {
            properties.append(.init(member.name, schema(of: member.shape)))
        }
        var members: [JSON.Member] = [.init("type", "object")]
        if let about = shape.about {
            members.append(.init("description", .text(about[language])))
        }
        members.append(.init("properties", .object(properties)))
        let required = object.members.filter(\.isRequired).map { JSON.text($0.name) }
        if !required.isEmpty { members.append(.init("required", .list(required))) }
        if object.isClosed { members.append(.init("additionalProperties", false)) }
        // One that is null shows where it stands, not what the schema is.
        if shape.example != .null {
            members.append(.init("examples", .list([shape.example])))
        }
        let schema = JSON.object(members)
        let known = components.updateValue(schema, forKey: object.name)
        precondition(
            known == nil || known == schema, "two different schemas are called \(object.name)")
    }

    private static func reference(_ name: String, isNullable: Bool) -> [JSON.Member] {
        let reference = JSON.Member("$ref", .text("#/components/schemas/\(name)"))
        guard isNullable else { return [reference] }
        return [.init("anyOf", [.object([reference]), ["type": "null"]])]
    }
}

extension TextShape {
    /// What every text refuses, as a pattern: control characters, but for tabs and line breaks
    /// where there may be lines.
    fileprivate var characters: String {
        hasLines
            ? "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]*$"
            : "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
    }
}

extension Shape {
    fileprivate var isObject: Bool {
        switch kind {
        case .object, .reference: true
        default: false
        }
    }
}

extension JSON.Member {
    fileprivate static func type(_ name: String, _ shape: Shape) -> JSON.Member {
        .init("type", shape.isNullable ? [.text(name), "null"] : .text(name))
    }
}
