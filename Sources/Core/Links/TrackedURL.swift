// The address a shopper is sent to: the shop's, with our two parameters, as bytes that are safe in
// an HTTP header. Made once when a link is published, so that the edge only copies.
import Clicks

/// Why an address cannot be redirected to. The influencer's mistake, an ordinary value.
package enum TrackedURLRefusal: Error, Equatable, Sendable {
    /// Not `http://` or `https://` with something behind it.
    case notWeb
    /// No host, or a host or port that is none.
    case host
    /// `user@host`: no shop needs it, and `https://naver.com@elsewhere/` deceives.
    case userInformation
    /// More than 2,000 bytes, our parameters included.
    case tooLong
}

/// Makes `Location` values.
package enum TrackedURL {
    package static let bytesMax = LinksFormat.locationBytesMax
    private static let source = Array("utm_source".utf8)
    private static let campaign = Array("utm_campaign".utf8)

    /// The external address with `utm_source=gonggumoa` and `utm_campaign=<gonggu id>`.
    ///
    /// Parameters of these names, however spelled (`%75tm_source`), are removed and ours appended.
    /// All else stays as it is, also order, empty parameters and the fragment; but bytes that
    /// RFC 3986 has no place for (not ASCII, controls, space, `"<>\^` and backquote, `{|}`) are
    /// percent-encoded, so that nothing can end the header's line. Applied to its own result it
    /// changes nothing.
    package static func location(
        externalURL: String, gonggu: Identifier
    ) throws(TrackedURLRefusal) -> [UInt8] {
        let url = Array(externalURL.utf8)
        guard url.count <= bytesMax else { throw .tooLong }
        let authorityAt = try authorityStart(url)
        let pathAt = url[authorityAt...].firstIndex { isOneOf($0, "/?#") } ?? url.endIndex
        try check(authority: url[authorityAt..<pathAt])
        let fragmentAt = url[pathAt...].firstIndex(of: UInt8(ascii: "#")) ?? url.endIndex
        let queryAt = url[pathAt..<fragmentAt].firstIndex(of: UInt8(ascii: "?")) ?? fragmentAt

        var result: [UInt8] = []
        result.reserveCapacity(url.count + 80)
        append(url[..<queryAt], to: &result)
        result.append(UInt8(ascii: "?"))
        let parametersAt = result.count
        let parameters = url[queryAt..<fragmentAt].dropFirst()
            .split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
            .filter { !isOurs($0) }
        for (index, parameter) in parameters.enumerated() {
            if index > 0 { result.append(UInt8(ascii: "&")) }
            append(parameter, to: &result)
        }
        if result.count > parametersAt { result.append(UInt8(ascii: "&")) }
        result += "utm_source=gonggumoa&utm_campaign=\(gonggu)".utf8
        append(url[fragmentAt...], to: &result)
        guard result.count <= bytesMax else { throw .tooLong }
        return result
    }

    /// Where the authority begins, behind `http://` or `https://` in either case.
    private static func authorityStart(_ url: [UInt8]) throws(TrackedURLRefusal) -> Int {
        for scheme in ["http://", "https://"] {
            let begin = url.prefix(scheme.utf8.count).map { byte in
                0x41...0x5A ~= byte ? byte | 0x20 : byte
            }
            if begin.elementsEqual(scheme.utf8) { return begin.count }
        }
        throw .notWeb
    }

    /// `host` or `host:port`, the host a name or address; a Korean name passes, also encoded.
    private static func check(authority: ArraySlice<UInt8>) throws(TrackedURLRefusal) {
        if authority.contains(UInt8(ascii: "@")) { throw .userInformation }
        var rest = authority
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { throw .host }
            let address = rest[..<end].dropFirst()
            guard !address.isEmpty,
                address.allSatisfy({ hexadecimal($0) != nil || isOneOf($0, ":.") })
            else { throw .host }
            rest = rest[(end + 1)...]
            guard rest.isEmpty || rest.first == UInt8(ascii: ":") else { throw .host }
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
            guard isHostName(rest[..<end]) else { throw .host }
            rest = rest[end...]
        }
        let port = rest.dropFirst()
        guard port.count <= 5, port.allSatisfy({ 0x30...0x39 ~= $0 }) else { throw .host }
    }

    /// Encoded ASCII is no part of a name: `naver.com%40elsewhere` would read as two things.
    private static func isHostName(_ name: ArraySlice<UInt8>) -> Bool {
        for (index, byte) in zip(name.indices, name) where byte < 0x80 {
            if byte == UInt8(ascii: "%") {
                guard index + 2 < name.endIndex, let high = hexadecimal(name[index + 1]),
                    high >= 8, hexadecimal(name[index + 2]) != nil
                else { return false }
            } else if !isLetterOrDigit(byte) && !isOneOf(byte, "-._~") {
                return false
            }
        }
        return !name.isEmpty
    }

    /// Whether a parameter's name, once decoded as servers do, is one that we set.
    private static func isOurs(_ parameter: ArraySlice<UInt8>) -> Bool {
        var name: [UInt8] = []
        var rest = parameter.prefix { $0 != UInt8(ascii: "=") }
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2,
                let high = hexadecimal(rest[rest.startIndex]),
                let low = hexadecimal(rest[rest.startIndex + 1])
            {
                name.append(high << 4 | low)
                rest.removeFirst(2)
            } else {
                name.append(byte)
            }
        }
        return name == source || name == campaign
    }

    /// Appends bytes, percent-encoding those that may not stand in an address.
    private static func append(_ bytes: ArraySlice<UInt8>, to result: inout [UInt8]) {
        let digits = Array("0123456789ABCDEF".utf8)
        for byte in bytes {
            if byte <= 0x20 || byte >= 0x7F || isOneOf(byte, "\"<>\\^`{|}") {
                result.append(UInt8(ascii: "%"))
                result.append(digits[Int(byte >> 4)])
                result.append(digits[Int(byte & 0xF)])
            } else {
                result.append(byte)
            }
        }
    }

    private static func isOneOf(_ byte: UInt8, _ set: StaticString) -> Bool {
        set.withUTF8Buffer { $0.contains(byte) }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        0x30...0x39 ~= byte || 0x41...0x5A ~= byte || 0x61...0x7A ~= byte
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x41 + 10
        case 0x61...0x66: byte - 0x61 + 10
        default: nil
        }
    }
}
