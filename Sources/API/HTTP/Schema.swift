import Clicks

// A schema is a shape that knows its Swift type: how the type is read from a checked value and how
// it is written. Every body and every answer has one, as a static of its own type, with each field
// on a line. Reading never fails: whatever could be wrong was found by the shape before.

/// How a Swift value looks as JSON: its shape, and both directions.
package struct Schema<Value: Sendable>: Sendable {
    package var shape: Shape
    /// From a value that `shape` has checked; anything else traps.
    let read: @Sendable (JSON) -> Value
    let write: @Sendable (Value) -> JSON
    /// False for an object declared without `read` or with a field that has no key path.
    var isReadable = true
    var isWritable = true

    init(
        _ shape: Shape, read: @escaping @Sendable (JSON) -> Value,
        write: @escaping @Sendable (Value) -> JSON
    ) {
        self.shape = shape
        self.read = read
        self.write = write
    }

    /// The same with other words and another example.
    package func described(_ about: Wording? = nil, example: JSON? = nil) -> Schema {
        var copy = self
        if let about { copy.shape.about = about }
        if let example { copy.shape.example = example }
        return copy
    }

    /// The same value or null, nil in Swift.
    package var orNull: Schema<Value?> {
        var shape = shape
        shape.isNullable = true
        var schema = Schema<Value?>(
            shape, read: { [read] in $0 == .null ? nil : read($0) },
            write: { [write] in $0.map(write) ?? .null })
        schema.isReadable = isReadable
        schema.isWritable = isWritable
        return schema
    }

    /// A list of these, of bounded length.
    package func list(_ count: ClosedRange<Int>) -> Schema<[Value]> {
        let shape = Shape(.list(of: shape, count: count), example: .list([shape.example]))
        var schema = Schema<[Value]>(
            shape, read: { [read] in $0.list!.map(read) },
            write: { [write] in .list($0.map(write)) })
        schema.isReadable = isReadable
        schema.isWritable = isWritable
        return schema
    }

    /// The value as Swift sees it, for a JSON that fits; its faults if it does not.
    package func value(of json: JSON, at field: String = "") -> Result<Value, Problem> {
        var faults: [Fault] = []
        let checked = shape.checked(json, at: field, faults: &faults)
        guard faults.isEmpty else { return .failure(Problem(.fieldsInvalid, faults: faults)) }
        return .success(read(checked))
    }
}

// MARK: Objects

/// One member of an object: its name, its schema, where it is in the Swift type, what it means.
package struct Field<Owner: Sendable>: Sendable {
    let member: MemberShape
    let read: @Sendable (JSON?) -> any Sendable
    let write: (@Sendable (Owner) -> JSON)?
    let isReadable: Bool
    let isWritable: Bool

    /// A member that is always there. `path` is needed where the object is answered.
    package init<Value>(
        _ name: String, _ schema: Schema<Value>,
        _ path: (@Sendable (Owner) -> Value)? = nil, about: Wording? = nil,
        example: JSON? = nil
    ) {
        member = MemberShape(
            name: name, shape: schema.described(about, example: example).shape, isRequired: true)
        read = { [read = schema.read] json in read(json!) }
        if let path {
            write = { [write = schema.write] in write(path($0)) }
        } else {
            write = nil
        }
        isReadable = schema.isReadable
        isWritable = schema.isWritable && path != nil
    }

    /// A member of a body that may be absent or null, both nil in Swift; written as null.
    package static func optional<Value>(
        _ name: String, _ schema: Schema<Value>,
        _ path: (@Sendable (Owner) -> Value?)? = nil, about: Wording? = nil,
        example: JSON? = nil
    ) -> Field {
        let full = Field(name, schema.orNull, path, about: about, example: example)
        return Field(
            member: MemberShape(name: name, shape: full.member.shape, isRequired: false),
            read: { [read = schema.read] json in
                let value: Value? = json.flatMap { $0 == .null ? nil : read($0) }
                return value
            }, write: full.write, isReadable: full.isReadable, isWritable: full.isWritable)
    }

    private init(
        member: MemberShape, read: @escaping @Sendable (JSON?) -> any Sendable,
        write: (@Sendable (Owner) -> JSON)?, isReadable: Bool, isWritable: Bool
    ) {
        self.member = member
        self.read = read
        self.write = write
        self.isReadable = isReadable
        self.isWritable = isWritable
    }
}

/// The members of a checked object, by name and as their Swift types.
package struct Members: Sendable {
    let object: String
    let values: [String: any Sendable]
    let given: Set<String>

    /// The value; its type is the one the field declares (an optional for `Field.optional`). Traps
    /// on a name or type that the schema does not have: ``RouteTable`` reads each example once at
    /// start, so such a slip never meets a client.
    package subscript<Value>(_ name: String) -> Value {
        guard let value = values[name] as? Value else {
            preconditionFailure("\(object) has no member \(name) of type \(Value.self)")
        }
        return value
    }

    /// Whether the client sent the member at all, also as null: what a PATCH needs to know.
    package func has(_ name: String) -> Bool { given.contains(name) }
}

extension Schema {
    /// An object of that name, unique in the document. With `read` it can be a body, and then
    /// refuses members it does not know; with a key path in every field it can be an answer.
    package init(
        _ name: String, _ fields: [Field<Value>], about: Wording? = nil,
        read: (@Sendable (Members) -> Value)? = nil
    ) {
        let names = fields.map(\.member.name)
        precondition(Set(names).count == names.count, "\(name) declares a member twice")
        let shape = ObjectShape(name: name, members: fields.map(\.member), isClosed: read != nil)
        let example = JSON.object(names.indices.map { .init(names[$0], fields[$0].example) })
        self.init(
            Shape(.object(shape), example: example, about: about),
            read: { json in
                guard let read else { preconditionFailure("\(name) was declared without read") }
                var values: [String: any Sendable] = [:]
                for field in fields {
                    values[field.member.name] = field.read(json[field.member.name])
                }
                let given = Set((json.members ?? []).map(\.name))
                return read(Members(object: name, values: values, given: given))
            },
            write: { value in
                .object(
                    fields.map { field in
                        guard let write = field.write else {
                            preconditionFailure("\(name).\(field.member.name) has no key path")
                        }
                        return .init(field.member.name, write(value))
                    })
            })
        isReadable = read != nil && fields.allSatisfy(\.isReadable)
        isWritable = fields.allSatisfy(\.isWritable)
    }

    /// An object inside itself: `.reference("Category") { Category.schema }`.
    package static func reference(_ name: String, _ schema: @escaping @Sendable () -> Schema)
        -> Schema
    {
        Schema(
            Shape(.reference(name, { schema().shape }), example: .object([])),
            read: { schema().read($0) }, write: { schema().write($0) })
    }
}

extension Field {
    fileprivate var example: JSON { member.shape.example }
}

// MARK: Plain values

extension Schema where Value == String {
    /// One line of text of so many Unicode scalars; refuses control characters.
    package static func text(_ lengths: ClosedRange<Int>, example: String = "봄나물") -> Schema {
        text(TextShape(lengths: lengths), example: example)
    }

    /// Text of several lines.
    package static func prose(_ lengths: ClosedRange<Int>, example: String = "여러 줄의 글") -> Schema {
        text(TextShape(lengths: lengths, hasLines: true), example: example)
    }

    /// Text as somebody else made it, such as a user agent: for answers only, since nothing of it
    /// is checked.
    package static func verbatim(example: String) -> Schema {
        text(TextShape(lengths: 0...0, isVerbatim: true), example: example)
    }

    /// Sent and never answered.
    package static func password(_ lengths: ClosedRange<Int>) -> Schema {
        text(
            TextShape(lengths: lengths, format: "password", isSecret: true),
            example: String(repeating: "password", count: lengths.lowerBound / 8 + 1))
    }

    /// Text in a form of its own: `pattern` tells it to the document, `accepts` decides.
    package static func formed(
        _ lengths: ClosedRange<Int>, pattern: String, example: String,
        accepts: @escaping @Sendable (String) -> Bool
    ) -> Schema {
        text(TextShape(lengths: lengths, pattern: pattern, accepts: accepts), example: example)
    }

    /// `local@domain`, see ``EmailText``.
    package static var email: Schema {
        text(
            TextShape(
                lengths: 3...254, format: "email", pattern: EmailText.pattern,
                accepts: EmailText.accepts), example: "hana@example.com")
    }

    /// The e-mail address that an account has, in answers: one that came before a rule, or from a
    /// provider, need not keep it.
    package static var heldEmail: Schema { text(3...254, example: "hana@example.com") }

    /// An `http` or `https` address with a host. What hosts are allowed is the domain's rule.
    package static func link(_ lengths: ClosedRange<Int> = 8...2000) -> Schema {
        text(
            TextShape(
                lengths: lengths, format: "uri", pattern: "^https?://[^\\s/?#]+[^\\s]*$",
                accepts: { text in
                    guard let scheme = ["http://", "https://"].first(where: text.hasPrefix) else {
                        return false
                    }
                    let rest = text.dropFirst(scheme.count)
                    return !rest.contains(where: \.isWhitespace)
                        && !(rest.first.map { "/?#".contains($0) } ?? true)
                }), example: "https://shop.example.com/items/1")
    }

    private static func text(_ shape: TextShape, example: String) -> Schema {
        precondition(shape.lengths.lowerBound >= 0, "a text cannot have a negative length")
        return Schema(
            Shape(.text(shape), example: .text(example)), read: { $0.text! }, write: { .text($0) })
    }
}

extension Schema where Value: RawRepresentable & CaseIterable, Value.RawValue == String {
    /// One of an enum's raw values.
    package static func oneOf(_ type: Value.Type) -> Schema {
        let values = type.allCases.map(\.rawValue)
        return Schema(
            Shape(.text(TextShape(lengths: 0...100, values: values)), example: .text(values[0])),
            read: { Value(rawValue: $0.text!)! }, write: { .text($0.rawValue) })
    }
}

extension Schema where Value == Int {
    /// A whole number; the bounds are the column's unless the rule is narrower.
    package static func integer(_ range: ClosedRange<Int>, example: Int? = nil) -> Schema {
        Schema(
            Shape(.integer(range), example: .integer(example ?? range.lowerBound)),
            read: { $0.integer! }, write: { .integer($0) })
    }

    /// Korean won, whole, as PostgreSQL's integer holds them.
    package static func won(_ range: ClosedRange<Int> = 0...2_147_483_647) -> Schema {
        integer(range, example: min(max(12_900, range.lowerBound), range.upperBound))
    }

    /// How many of something: 0 up to what 53 bits hold, so that every client reads it exactly.
    package static var count: Schema { integer(0...9_007_199_254_740_991, example: 128) }
}

extension Schema where Value == Double {
    /// A share or a rate; never money.
    package static func number(_ range: ClosedRange<Double>, example: Double) -> Schema {
        Schema(
            Shape(.number(range), example: .number(example)),
            read: {
                guard case .number(let value) = $0 else {
                    preconditionFailure("the shape lets only numbers through")
                }
                return value
            }, write: { .number($0) })
    }
}

extension Schema where Value == Bool {
    /// `true` or `false`, not 1 or "yes".
    package static var boolean: Schema {
        Schema(Shape(.boolean, example: true), read: { $0 == .bool(true) }, write: { .bool($0) })
    }
}

extension Schema where Value == JSON {
    /// Any JSON value at all.
    package static var anything: Schema {
        Schema(Shape(.anything, example: .object([])), read: { $0 }, write: { $0 })
    }
}

extension Schema where Value == Identifier {
    /// As ``Identifier`` writes itself, for forms that hold one.
    package static var pattern: String { "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}" }

    /// A UUID in its 36-character form.
    package static var identifier: Schema {
        Schema(
            Shape(
                .text(
                    TextShape(
                        lengths: 36...36, format: "uuid", accepts: { Identifier($0) != nil })),
                example: "0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10"),
            read: { Identifier($0.text!)! }, write: { .text($0.description) })
    }
}

extension Schema where Value == Timestamp {
    /// RFC 3339 with an offset; answered in Korean time.
    package static var time: Schema {
        Schema(
            Shape(
                .text(
                    TextShape(
                        lengths: 20...40, format: "date-time",
                        accepts: { Timestamp(rfc3339: $0) != nil })),
                example: "2026-11-21T18:00:00+09:00"),
            read: { Timestamp(rfc3339: $0.text!)! }, write: { .text($0.rfc3339()) })
    }
}

extension Schema where Value == KoreanDay {
    /// A day in Korea, `2026-11-21`.
    package static var day: Schema {
        Schema(
            Shape(
                .text(
                    TextShape(
                        lengths: 10...10, format: "date", accepts: { KoreanDay(text: $0) != nil })),
                example: "2026-11-21"),
            read: { KoreanDay(text: $0.text!)! }, write: { .text($0.text) })
    }
}
