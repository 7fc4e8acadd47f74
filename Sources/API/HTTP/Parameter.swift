import Clicks

// Path and query parameters: declared once as typed values, listed in the route, read from the call
// by the declaration itself. A parameter that is not sent takes its default; one that is faulty is
// reported together with all other faults of the request.

/// Anything a route lists under `inputs`.
package protocol RouteInput: Sendable {
    var declarations: [ParameterDeclaration] { get }
}

/// What the table, the check and the document know of a parameter.
package struct ParameterDeclaration: Sendable {
    /// Where in the address it stands.
    package enum Location: String, Sendable {
        case path
        case query
    }

    package let name: String
    package let location: Location
    package let shape: Shape
    package let isRequired: Bool
    /// For the document; what happens is in `read`.
    package let fallback: JSON?
    /// A fault of this one parameter is this problem rather than a 422.
    package var refusal: ProblemCode?
    /// From a checked value, or nil where none was sent.
    let read: @Sendable (JSON?) -> any Sendable
}

/// A parameter with its Swift type.
package struct Parameter<Value: Sendable>: RouteInput {
    package let declaration: ParameterDeclaration

    package var declarations: [ParameterDeclaration] { [declaration] }

    private init(
        _ name: String, _ location: ParameterDeclaration.Location, _ shape: Shape, about: Wording?,
        isRequired: Bool, fallback: JSON? = nil, read: @escaping @Sendable (JSON?) -> Value
    ) {
        var shape = shape
        if let about { shape.about = about }
        declaration = ParameterDeclaration(
            name: name, location: location, shape: shape, isRequired: isRequired,
            fallback: fallback, read: { read($0) })
    }

    /// `{name}` in the path.
    package static func path(_ name: String, _ schema: Schema<Value>, about: Wording? = nil)
        -> Parameter
    {
        Parameter(name, .path, schema.shape, about: about, isRequired: true) {
            [read = schema.read] in read($0!)
        }
    }

    /// One that must be sent.
    package static func required(_ name: String, _ schema: Schema<Value>, about: Wording? = nil)
        -> Parameter
    {
        Parameter(name, .query, schema.shape, about: about, isRequired: true) {
            [read = schema.read] in read($0!)
        }
    }

    /// One that may be left out, nil then.
    package static func optional<Wrapped>(
        _ name: String, _ schema: Schema<Wrapped>, about: Wording? = nil
    ) -> Parameter where Value == Wrapped? {
        Parameter(name, .query, schema.shape, about: about, isRequired: false) {
            [read = schema.read] in $0.map(read)
        }
    }

    /// One that has a default.
    package static func query(
        _ name: String, _ schema: Schema<Value>, default fallback: Value, about: Wording? = nil
    ) -> Parameter {
        Parameter(
            name, .query, schema.shape, about: about, isRequired: false,
            fallback: schema.write(fallback)
        ) { [read = schema.read] in $0.map(read) ?? fallback }
    }
}

// MARK: Reading

/// The values of a request's parameters, by name, all checked.
struct ParameterValues: Sendable {
    let values: [String: any Sendable]

    /// Reads every declared parameter and adds every fault. Parameters that are not declared are
    /// ignored: links come back with things added to them by others.
    init(
        _ declarations: [ParameterDeclaration], path: [String: String], query: QueryText,
        faults: inout [Fault], refusal: inout ProblemCode?
    ) {
        var values: [String: any Sendable] = [:]
        for declaration in declarations {
            let sent =
                switch declaration.location {
                case .path: path[declaration.name].map { [QueryText.decode($0)] } ?? []
                case .query: query.values(of: declaration.name)
                }
            let before = faults.count
            let json = declaration.checked(sent, faults: &faults)
            guard faults.count == before else {
                refusal = refusal ?? declaration.refusal
                continue
            }
            values[declaration.name] = declaration.read(json)
        }
        self.values = values
    }
}

extension ParameterDeclaration {
    /// - Parameter sent: the values sent under this name, nil for one that is not UTF-8 text.
    fileprivate func checked(_ sent: [String?], faults: inout [Fault]) -> JSON? {
        guard let first = sent.first else {
            if isRequired { faults.append(.missing(name)) }
            return nil
        }
        guard sent.count == 1 else {
            faults.append(.repeated(name))
            return nil
        }
        guard let text = first else {
            faults.append(.malformed("percent-encoding, UTF-8", name))
            return nil
        }
        return shape.checked(shape.kind.json(of: text), at: name, faults: &faults)
    }
}

extension Shape.Kind {
    /// A parameter's text as the JSON that its kind expects; left a text where it cannot be one,
    /// which the check then reports.
    fileprivate func json(of text: String) -> JSON {
        switch self {
        case .integer:
            // Only the form that JSON has: no plus sign, no leading zeros.
            guard let value = Int(text), String(value) == text else { return .text(text) }
            return .integer(value)
        case .number:
            guard let json = try? JSON(reading: text.utf8) else { return .text(text) }
            return json
        case .boolean:
            return text == "true" ? true : text == "false" ? false : .text(text)
        case .list(let element, _):
            guard !text.isEmpty else { return .list([]) }
            let parts = text.split(separator: ",", omittingEmptySubsequences: false)
            return .list(parts.map { element.kind.json(of: String($0)) })
        case .text, .object, .reference, .anything, .file: return .text(text)
        }
    }
}

/// The query of a request, split and decoded as forms are: `+` is a blank.
struct QueryText {
    private let pairs: [(name: String, value: String?)]
    /// Pairs after these are not looked at.
    static let pairsMax = 200

    init(_ query: String?) {
        pairs = (query ?? "").split(separator: "&").prefix(QueryText.pairsMax).compactMap { pair in
            let parts = pair.split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = QueryText.decode(String(parts[0]), isForm: true) else { return nil }
            let value = parts.count == 2 ? String(parts[1]) : ""
            return (name, QueryText.decode(value, isForm: true))
        }
    }

    func values(of name: String) -> [String?] {
        pairs.filter { $0.name == name }.map(\.value)
    }

    /// Undoes percent-encoding; nil if that leaves an incomplete escape or bytes that are no UTF-8.
    static func decode(_ text: String, isForm: Bool = false) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+") where isForm: bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst().flatMap(hexadecimal),
                    let low = rest.popFirst().flatMap(hexadecimal)
                else { return nil }
                bytes.append(high << 4 | low)
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        Character(Unicode.Scalar(byte)).hexDigitValue.map { UInt8($0) }
    }
}
