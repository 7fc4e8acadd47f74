import Wire

/// The obvious parser: lines, arrays and strings, one byte at a time. It decides over whole lines
/// only; a line that has not ended says nothing yet.
package struct RequestOracle {
    package enum Outcome: Equatable {
        case complete(Int)
        case undecided
        case malformed(RequestFault)
    }

    package private(set) var method = RequestMethod.other
    package private(set) var minorVersion = 1
    package private(set) var path: [UInt8] = []
    package private(set) var query: [UInt8]?
    package private(set) var authority: [UInt8]?
    private var usualPort = ""
    package private(set) var fields: [(name: String, value: [UInt8])] = []

    package init() {}

    package mutating func parse(_ all: [UInt8], limit: Int) -> Outcome {
        let bytes = Array(all.prefix(limit))
        var index = 0
        if bytes.first == 13 {
            guard bytes.count > 1 else { return .undecided }
            guard bytes[1] == 10 else { return .malformed(.lineEnd) }
            index = 2
        }
        var isFirst = true
        while let feed = bytes[index...].firstIndex(of: 10) {
            let line = Array(bytes[index...feed])
            index = feed + 1
            if !isFirst, line == [13, 10] {
                if let fault = finish() { return .malformed(fault) }
                return .complete(index)
            }
            let fault = isFirst ? readRequestLine(line) : readField(line)
            if let fault { return .malformed(fault) }
            isFirst = false
        }
        return all.count >= limit ? .malformed(.headTooLarge) : .undecided
    }

    // MARK: Request line

    /// - Parameter line: ends with LF.
    private mutating func readRequestLine(_ line: [UInt8]) -> RequestFault? {
        let name = line.prefix { RequestOracle.token.contains($0) }
        let stop = line[name.count]
        guard stop == 32, !name.isEmpty else { return stop == 10 ? .lineEnd : .method }
        switch String(decoding: name, as: UTF8.self) {
        case "GET": method = .get
        case "HEAD": method = .head
        case "POST": method = .post
        case "OPTIONS": method = .options
        default: method = .other
        }
        var rest = line[(name.count + 1)...]
        if rest.first == UInt8(ascii: "*") {
            guard rest.dropFirst().first == 32 else { return .target }
            let fault = readVersion(Array(rest.dropFirst(2)))
            path = [UInt8(ascii: "*")]
            return method == .options ? fault : fault ?? .target
        }
        if rest.first != UInt8(ascii: "/") {
            let start = RequestOracle.lowercased(Array(rest.prefix(8)))
            let scheme =
                start.starts(with: "http://".utf8)
                ? 7 : start.elementsEqual("https://".utf8) ? 8 : 0
            guard scheme > 0 else { return .target }
            rest = rest.dropFirst(scheme)
            let host = rest.prefix { $0 > 32 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            guard RequestOracle.isAuthority(Array(host)) else { return .target }
            authority = Array(host)
            usualPort = scheme == 7 ? "80" : "443"
            rest = rest.dropFirst(host.count)
        }
        let target = rest.prefix { $0 > 32 && $0 < 127 && !"\"#<>".utf8.contains($0) }
        let end = rest.dropFirst(target.count).first!
        guard end == 32 else { return end == 10 ? .lineEnd : .target }
        let parts = target.split(
            separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        path = Array(parts[0])
        query = parts.count == 2 ? Array(parts[1]) : nil
        return readVersion(Array(rest.dropFirst(target.count + 1)))
    }

    /// - Parameter text: what is left of the line, ends with LF.
    private mutating func readVersion(_ text: [UInt8]) -> RequestFault? {
        var digits: [UInt8] = []
        for (offset, expected) in "HTTP/d.d\r\n".utf8.enumerated() {
            let byte = text[offset]
            if expected == UInt8(ascii: "d") {
                guard (0x30...0x39).contains(byte) else { return .version }
                digits.append(byte - 0x30)
            } else if byte != expected {
                return byte == 10 || offset == 9 ? .lineEnd : .version
            }
        }
        guard digits[0] == 1, digits[1] <= 1 else { return .versionNotSupported }
        minorVersion = Int(digits[1])
        return nil
    }

    // MARK: Fields

    /// - Parameter line: ends with LF, and is not the blank line.
    private mutating func readField(_ line: [UInt8]) -> RequestFault? {
        if line[0] == 13 { return .lineEnd }
        let nameBytes = line.prefix { RequestOracle.token.contains($0) }
        let stop = line[nameBytes.count]
        guard stop == UInt8(ascii: ":"), !nameBytes.isEmpty else {
            return stop == 10 ? .lineEnd : .fieldName
        }
        var value = Array(line[(nameBytes.count + 1)...])
        for (offset, byte) in value.enumerated() where byte < 32 && byte != 9 || byte == 127 {
            if byte == 10 { return .lineEnd }
            guard byte == 13 else { return .fieldValue }
            guard value[offset + 1] == 10 else { return .lineEnd }
            break
        }
        value.removeLast(2)
        value = RequestOracle.trimmed(value)
        guard fields.count < RequestParser.fieldsMax else { return .tooManyFields }
        let name = String(
            decoding: RequestOracle.lowercased(Array(nameBytes)), as: UTF8.self)
        let earlier = fields.contains { $0.name == name }
        switch name {
        case "host":
            if earlier || !RequestOracle.isAuthority(value) { return .host }
        case "content-length":
            let digits = value.allSatisfy { (0x30...0x39).contains($0) }
            let isPlain = digits && !value.isEmpty && (value.count == 1 || value[0] != 0x30)
            if earlier || !isPlain || value.count > 18 { return .contentLength }
        case "transfer-encoding": return .transferEncoding
        case "authorization", "content-type":
            if earlier { return .repeatedField }
        default: break
        }
        fields.append((name, value))
        return nil
    }

    private func finish() -> RequestFault? {
        guard let host = first("host") else { return minorVersion == 1 ? .host : nil }
        guard let authority else { return nil }
        return server(host) == server(authority) ? nil : .host
    }

    /// Name and port of an authority, the port that goes without saying said.
    private func server(_ authority: [UInt8]) -> String {
        let text = String(decoding: RequestOracle.lowercased(authority), as: UTF8.self)
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        let hasPort =
            parts.count > 1 && parts.last!.allSatisfy { "0"..."9" ~= $0 }
            && !text.hasSuffix("]")
        guard hasPort else { return text + ":" + usualPort }
        let port = parts.last!.drop { $0 == "0" }
        let name = parts.dropLast().joined(separator: ":")
        return name + ":" + (parts.last! == "" ? usualPort : String(port))
    }

    private static func isAuthority(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        if rest.first == UInt8(ascii: "[") {
            guard let close = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let inside = rest[1..<close]
            let colons = inside.count { $0 == UInt8(ascii: ":") }
            let isAddress = inside.allSatisfy { hexadecimal.contains($0) || $0 == 46 || $0 == 58 }
            guard isAddress, (2...8).contains(colons), inside.count <= 45 else { return false }
            rest = rest[(close + 1)...]
        } else {
            let before = rest.count
            while let byte = rest.first {
                if "-._~!$&'()*+,;=".utf8.contains(byte) || alphanumeric.contains(byte) {
                    rest = rest.dropFirst()
                } else if byte == UInt8(ascii: "%"), rest.count >= 3,
                    rest.dropFirst().prefix(2).allSatisfy({ hexadecimal.contains($0) })
                {
                    rest = rest.dropFirst(3)
                } else {
                    break
                }
            }
            guard rest.count < before else { return false }
        }
        guard let colon = rest.first else { return true }
        let port = rest.dropFirst()
        guard colon == UInt8(ascii: ":"), port.count <= 5 else { return false }
        guard port.allSatisfy({ (0x30...0x39).contains($0) }) else { return false }
        return (Int(String(decoding: port, as: UTF8.self)) ?? 0) <= 65_535
    }

    // MARK: What it says

    package func first(_ name: String) -> [UInt8]? { fields.first { $0.name == name }?.value }

    /// Whether that may be all of X-Forwarded-For: from the first value to the last one's end.
    package func hasForwardedFor(_ found: [UInt8]?) -> Bool {
        let lines = fields.filter { $0.name == "x-forwarded-for" }.map(\.value)
        guard let first = lines.first, let last = lines.last else { return found == nil }
        guard let found else { return false }
        if lines.count == 1 { return found == first }
        return found.count > first.count + last.count && found.starts(with: first)
            && found.suffix(last.count) == last[...]
    }

    package var keepAlive: Bool {
        let options = fields.filter { $0.name == "connection" }
            .flatMap { $0.value.split(separator: UInt8(ascii: ",")) }
            .map { RequestOracle.lowercased(RequestOracle.trimmed(Array($0))) }
        if options.contains(Array("close".utf8)) { return false }
        return minorVersion == 1 || options.contains(Array("keep-alive".utf8))
    }

    package var expectsContinue: Bool {
        let wish = Array("100-continue".utf8)
        return minorVersion == 1
            && fields.contains {
                $0.name == "expect" && RequestOracle.lowercased($0.value) == wish
            }
    }

    package var isPrefetch: Bool {
        let hints = ["sec-purpose", "purpose", "x-purpose", "x-moz"]
        return fields.filter { hints.contains($0.name) }.contains { field in
            let value = RequestOracle.lowercased(field.value)
            return value.indices.contains { start in
                ["prefetch", "prerender", "preview"].contains {
                    value[start...].starts(with: $0.utf8)
                }
            }
        }
    }

    // MARK: Bytes

    package static let alphanumeric = Set(UInt8(ascii: "0")...UInt8(ascii: "9"))
        .union(UInt8(ascii: "a")...UInt8(ascii: "z"))
        .union(UInt8(ascii: "A")...UInt8(ascii: "Z"))
    static let token = alphanumeric.union("!#$%&'*+-.^_`|~".utf8)
    static let hexadecimal = Set("0123456789abcdefABCDEF".utf8)

    static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let isBlank = { (byte: UInt8) in byte == 32 || byte == 9 }
        return Array(Array(bytes.drop(while: isBlank)).reversed().drop(while: isBlank).reversed())
    }

    /// ASCII alone: Unicode has more letters that become a `k`.
    static func lowercased(_ bytes: [UInt8]) -> [UInt8] {
        bytes.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    }
}
