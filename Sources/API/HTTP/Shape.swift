import Clicks
import Foundation

// What a JSON value must look like. The same description refuses a faulty body, reads a query
// parameter and is printed as JSON Schema, so the document cannot promise what is not checked.

/// The untyped half of a ``Schema``: enough to check a value and to describe it.
package struct Shape: Sendable {
    /// JSON's types, each with the bounds it has here.
    package indirect enum Kind: Sendable {
        case text(TextShape)
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case boolean
        case list(of: Shape, count: ClosedRange<Int>)
        case object(ObjectShape)
        /// An object that contains itself, such as a category; looked up when needed.
        case reference(String, @Sendable () -> Shape)
        /// Any JSON value, described in words only.
        case anything
        /// A part of a form: a file that is said to be of one of these media types. Read by its
        /// handler as it arrives, never a value of JSON.
        case file(mediaTypes: [String])
    }

    package var kind: Kind
    package var isNullable = false
    package var about: Wording?
    package var example: JSON

    package init(_ kind: Kind, example: JSON, about: Wording? = nil) {
        self.kind = kind
        self.example = example
        self.about = about
    }
}

/// The bounds of a text. Lengths count Unicode scalars after normalisation to NFC, which is also
/// what JSON Schema counts.
package struct TextShape: Sendable {
    package var lengths: ClosedRange<Int>
    /// Line breaks and tabs are allowed; all other control characters never are.
    package var hasLines = false
    /// Anything goes: text that somebody else made, such as a user agent, on its way out.
    package var isVerbatim = false
    /// The only values allowed, if there is such a list.
    package var values: [String]?
    /// A name of JSON Schema's registry (`uuid`, `date-time`, `email`, `uri`), or nil.
    package var format: String?
    /// For the document: what ``accepts`` means as an ECMA-262 pattern.
    package var pattern: String?
    /// Decides beyond the length; nil accepts all.
    package var accepts: (@Sendable (String) -> Bool)?
    /// Sent but never answered: a password.
    package var isSecret = false
}

/// A named object: its members in the order they are written.
package struct ObjectShape: Sendable {
    package let name: String
    package let members: [MemberShape]
    /// Refuses unknown members, as all bodies do: a misspelt member is a client's bug that is
    /// otherwise found in production.
    package let isClosed: Bool
}

/// One member of an object.
package struct MemberShape: Sendable {
    package let name: String
    package let shape: Shape
    /// May not be absent.
    package let isRequired: Bool
}

// MARK: Checking

extension Shape {
    /// A body with more faults than these is told the first ones only.
    package static let faultsMax = 100

    /// The value as handlers may rely on it: texts in NFC, whole numbers as integers. Adds every
    /// fault to `faults`; where it adds one, the result has no meaning.
    package func checked(_ json: JSON, at field: String, faults: inout [Fault]) -> JSON {
        guard faults.count < Shape.faultsMax else { return json }
        if case .null = json, isNullable { return json }
        switch (kind, json) {
        case (.text(let shape), .text(let text)):
            return .text(shape.checked(text, at: field, faults: &faults))
        case (.integer(let range), .integer(let value)):
            if !range.contains(value) { faults.append(.outOf(range, field)) }
            return json
        case (.integer, .number(let value)):
            guard let whole = Int(exactly: value) else { break }
            return checked(.integer(whole), at: field, faults: &faults)
        case (.number, .integer(let value)):
            return checked(.number(Double(value)), at: field, faults: &faults)
        case (.number(let range), .number(let value)):
            if !range.contains(value) { faults.append(.outOf(range, field)) }
            return json
        case (.boolean, .bool), (.anything, _), (.file, .text): return json
        case (.list(let element, let count), .list(let elements)):
            if !count.contains(elements.count) { faults.append(.count(count, field)) }
            return .list(
                elements.prefix(count.upperBound).enumerated().map { index, value in
                    element.checked(value, at: "\(field)[\(index)]", faults: &faults)
                })
        case (.object(let shape), .object(let members)):
            return shape.checked(members, at: field, faults: &faults)
        case (.reference(_, let resolve), _):
            var shape = resolve()
            shape.isNullable = isNullable
            return shape.checked(json, at: field, faults: &faults)
        default: break
        }
        faults.append(.wrongType(kind, field))
        return json
    }
}

extension TextShape {
    fileprivate func checked(_ raw: String, at field: String, faults: inout [Fault]) -> String {
        if isVerbatim { return raw }
        let text = raw.normalised
        if let values {
            if !values.contains(text) { faults.append(.notListed(values, field)) }
            return text
        }
        if text.hasControlCharacters(exceptLines: hasLines) {
            faults.append(.controlCharacters(field))
            return text
        }
        let count = text.unicodeScalars.count
        if count < lengths.lowerBound {
            faults.append(count == 0 ? .empty(field) : .tooShort(lengths.lowerBound, field))
        } else if count > lengths.upperBound {
            faults.append(.tooLong(lengths.upperBound, field))
        } else if let accepts, !accepts(text) {
            faults.append(.malformed(format ?? pattern ?? "", field))
        }
        return text
    }
}

extension ObjectShape {
    fileprivate func checked(_ members: [JSON.Member], at field: String, faults: inout [Fault])
        -> JSON
    {
        let path = { field.isEmpty ? $0 : "\(field).\($0)" }
        var given: [String: JSON] = [:]
        for member in members { given[member.name] = member.value }
        var kept: [JSON.Member] = []
        for member in self.members {
            guard let value = given.removeValue(forKey: member.name) else {
                if member.isRequired { faults.append(.missing(path(member.name))) }
                continue
            }
            let checked = member.shape.checked(value, at: path(member.name), faults: &faults)
            kept.append(.init(member.name, checked))
        }
        if isClosed {
            // In the order they were sent, so that the same body gets the same answer.
            for member in members where given[member.name] != nil {
                guard faults.count < Shape.faultsMax else { break }
                faults.append(.unknown(path(String(member.name.prefix(64)))))
            }
        }
        return .object(kept)
    }
}

extension String {
    /// In NFC, so that '가' typed on a Mac and on a phone is one text; as is when it is ASCII.
    package var normalised: String {
        utf8.allSatisfy { $0 < 0x80 } ? self : precomposedStringWithCanonicalMapping
    }

    /// NUL, the other control characters of C0 and C1, and DEL.
    package func hasControlCharacters(exceptLines: Bool) -> Bool {
        unicodeScalars.contains { scalar in
            switch scalar.value {
            case 0x09, 0x0A, 0x0D: !exceptLines
            case 0x00...0x1F, 0x7F...0x9F: true
            default: false
            }
        }
    }
}

// MARK: Faults of shape

extension Fault {
    /// A field that was not sent; for rules that make a field required by another.
    package static func missing(_ field: String) -> Fault {
        Fault(field, "REQUIRED", "필수 항목입니다", "This field is required")
    }

    static func unknown(_ field: String) -> Fault {
        Fault(field, "UNKNOWN_FIELD", "알 수 없는 항목입니다", "There is no such field")
    }

    static func repeated(_ field: String) -> Fault {
        Fault(field, "REPEATED", "한 번만 보낼 수 있습니다", "Send this only once")
    }

    static func empty(_ field: String) -> Fault {
        Fault(field, "EMPTY", "비워 둘 수 없습니다", "This must not be empty")
    }

    static func tooShort(_ count: Int, _ field: String) -> Fault {
        Fault(field, "TOO_SHORT", "\(count)자 이상이어야 합니다", "Use at least \(count) characters")
    }

    static func tooLong(_ count: Int, _ field: String) -> Fault {
        Fault(field, "TOO_LONG", "\(count)자 이하여야 합니다", "Use at most \(count) characters")
    }

    static func controlCharacters(_ field: String) -> Fault {
        Fault(
            field, "CONTROL_CHARACTER", "사용할 수 없는 제어 문자가 있습니다",
            "Control characters are not allowed")
    }

    /// A text that has not the form it needs, which is named.
    package static func malformed(_ format: String, _ field: String) -> Fault {
        Fault(
            field, "MALFORMED", "형식이 올바르지 않습니다 (\(format))",
            "This is not in the expected format (\(format))")
    }

    static func notListed(_ values: [String], _ field: String) -> Fault {
        let list = values.joined(separator: ", ")
        return Fault(field, "NOT_LISTED", "다음 중 하나여야 합니다: \(list)", "Use one of: \(list)")
    }

    /// A value outside its range, which is told.
    package static func outOf<Number>(_ range: ClosedRange<Number>, _ field: String) -> Fault {
        let (low, high) = (range.lowerBound, range.upperBound)
        return Fault(
            field, "OUT_OF_RANGE", "\(low) 이상 \(high) 이하여야 합니다",
            "Use a value from \(low) to \(high)")
    }

    static func count(_ range: ClosedRange<Int>, _ field: String) -> Fault {
        let (low, high) = (range.lowerBound, range.upperBound)
        return Fault(
            field, "WRONG_COUNT", "\(low)개 이상 \(high)개 이하여야 합니다", "Send \(low) to \(high) of these")
    }

    static func wrongType(_ kind: Shape.Kind, _ field: String) -> Fault {
        let name =
            switch kind {
            case .text: Wording("문자열", "text")
            case .integer: Wording("정수", "a whole number")
            case .number: Wording("숫자", "a number")
            case .boolean: Wording("true 또는 false", "true or false")
            case .list: Wording("배열", "a list")
            case .object, .reference: Wording("객체", "an object")
            case .anything: Wording("JSON", "JSON")
            case .file: Wording("파일", "a file")
            }
        return Fault(
            field, "WRONG_TYPE", "형식이 다릅니다: \(name.korean)이어야 합니다", "This must be \(name.english)")
    }
}
