// What is said about a part, and about the body as a whole: parameters after a semicolon, tokens or
// quoted (RFC 9110 section 5.6). Of a part only its name counts; a file's name is the sender's and
// is neither used nor kept.

/// The head of one part.
package struct PartHead: Equatable, Sendable {
    /// The field's, at most ``nameBytesMax`` bytes.
    package let name: String
    /// Whether it says a file's name, which tells a file from a field.
    package let isFile: Bool

    static let nameBytesMax = 64

    package init(name: String, isFile: Bool) {
        self.name = name
        self.isFile = isFile
    }

    /// - Parameter bytes: header lines without the CRLF of the last.
    /// - Returns: nil for anything but well-formed lines with one Content-Disposition of form-data
    ///   that has one name, or for an encoding that would have to be undone.
    init?(_ bytes: ArraySlice<UInt8>) {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var disposition: Substring?
        for line in text.unicodeScalars.split(onCRLF: ()) {
            // Bare CR or LF and every other control character: no two readers agree on them.
            guard line.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F || $0 == "\t" }),
                let colon = line.firstIndex(of: ":"), colon > line.startIndex,
                line[..<colon].allSatisfy(\.isTokenScalar)
            else { return nil }
            let value = Substring(line[line.index(after: colon)...])
            switch String(line[..<colon]).lowercased() {
            case "content-disposition":
                guard disposition == nil else { return nil }
                disposition = value
            case "content-transfer-encoding":
                guard ["binary", "8bit", "7bit"].contains(value.trimmed.lowercased()) else {
                    return nil
                }
            default: break
            }
        }
        guard let value = disposition.flatMap({ ParameterizedValue(String($0)) }),
            value.value == "form-data", let name = value.parameters["name"],
            name.utf8.count <= PartHead.nameBytesMax
        else { return nil }
        self.name = name
        isFile = value.parameters["filename"] != nil || value.parameters["filename*"] != nil
    }
}

extension MultipartParser {
    private static let boundaryLengthMax = 70

    /// The boundary that a Content-Type of multipart/form-data gives.
    package static func boundary(of contentType: String) throws(MultipartFault) -> String {
        guard let type = ParameterizedValue(contentType), type.value == "multipart/form-data",
            let boundary = type.parameters["boundary"],
            (1...boundaryLengthMax).contains(boundary.utf8.count), boundary.last != " ",
            boundary.utf8.allSatisfy({ $0.isBoundaryByte })
        else { throw .boundaryInvalid }
        return boundary
    }
}

/// `value; name=token; name="quoted"`: value and names in lower case.
struct ParameterizedValue {
    let value: String
    let parameters: [String: String]

    /// Nil if it is malformed or repeats a parameter.
    init?(_ text: String) {
        var rest = text.unicodeScalars[...]
        value = String(rest.take { $0 != ";" }).trimmed.lowercased()
        var parameters: [String: String] = [:]
        while rest.popFirst() != nil {
            rest.skipBlanks()
            if rest.isEmpty { break }
            let name = String(rest.take { $0.isTokenScalar }).lowercased()
            guard !name.isEmpty, rest.popFirst() == "=" else { return nil }
            let content: String?
            if rest.first == "\"" {
                content = rest.takeQuoted()
            } else {
                let token = String(rest.take { $0.isTokenScalar })
                content = token.isEmpty ? nil : token
            }
            guard let content, parameters.updateValue(content, forKey: name) == nil else {
                return nil
            }
            rest.skipBlanks()
            guard rest.isEmpty || rest.first == ";" else { return nil }
        }
        self.parameters = parameters
    }
}

extension Substring.UnicodeScalarView {
    fileprivate mutating func take(while holds: (Unicode.Scalar) -> Bool) -> Self {
        let taken = prefix(while: holds)
        self = self[taken.endIndex...]
        return taken
    }

    fileprivate mutating func skipBlanks() {
        self = drop { $0 == " " || $0 == "\t" }
    }

    /// From a quote to the next one. A backslash stands for itself unless a quote or another
    /// backslash follows: browsers do not escape those of Windows paths.
    fileprivate mutating func takeQuoted() -> String? {
        var content = String.UnicodeScalarView()
        removeFirst()
        while let scalar = popFirst() {
            if scalar == "\"" { return String(content) }
            if scalar == "\\", let next = first, next == "\"" || next == "\\" {
                content.append(next)
                removeFirst()
            } else {
                content.append(scalar)
            }
        }
        return nil
    }
}

extension String.UnicodeScalarView {
    /// Lines between CRLFs; a CR or LF alone stays where it is.
    fileprivate func split(onCRLF: Void) -> [Substring.UnicodeScalarView] {
        var lines: [Substring.UnicodeScalarView] = []
        var start = startIndex
        var position = startIndex
        while position < endIndex {
            let next = index(after: position)
            if self[position] == "\r", next < endIndex, self[next] == "\n" {
                lines.append(self[start..<position])
                position = index(after: next)
                start = position
            } else {
                position = next
            }
        }
        lines.append(self[start...])
        return lines
    }
}

extension Unicode.Scalar {
    /// RFC 9110's tchar.
    fileprivate var isTokenScalar: Bool {
        switch self {
        case "a"..."z", "A"..."Z", "0"..."9": true
        default: "!#$%&'*+-.^_`|~".unicodeScalars.contains(self)
        }
    }
}

extension UInt8 {
    /// RFC 2046's bchars.
    fileprivate var isBoundaryByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "'()+_,-./:=? ".utf8.contains(self)
        }
    }
}
