// The address a shopper is sent to: the shop's, with our two parameters, as bytes that are safe in
// an HTTP header. Made once when a link is published, so that the edge only copies.
import Clicks
import Glibc

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
    private typealias Part = Slice<UnsafeRawBufferPointer>
    private static let ours = Campaign.parameters.withUTF8Buffer { Array($0) }
    private static let source = Array("utm_source".utf8)
    private static let campaign = Array("utm_campaign".utf8)

    /// The external address with `utm_source=gonggumoa` and `utm_campaign=<id>`, the id being the
    /// gonggu's or the banner's.
    ///
    /// Parameters of these names, however spelled (`%75tm_source`), are removed and ours appended.
    /// All else stays as it is, also order, empty parameters and the fragment; but bytes that
    /// RFC 3986 has no place for (not ASCII, controls, space, `"<>\^` and backquote, `{|}`) are
    /// percent-encoded, so that nothing can end the header's line. Applied to its own result it
    /// changes nothing.
    package static func location(
        externalURL: String, gonggu: Identifier
    ) throws(TrackedURLRefusal) -> [UInt8] {
        var url = externalURL
        let result = url.withUTF8 { url -> Result<[UInt8], TrackedURLRefusal> in
            do throws(TrackedURLRefusal) {
                return .success(try location(of: UnsafeRawBufferPointer(url), id: gonggu))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// The same of an address's bytes.
    package static func location(
        of url: UnsafeRawBufferPointer, id: Identifier
    ) throws(TrackedURLRefusal) -> [UInt8] {
        guard url.count <= bytesMax else { throw .tooLong }
        let authorityAt = try authorityStart(url)
        let pathAt = url[authorityAt...].firstIndex(where: endsAuthority) ?? url.endIndex
        try check(authority: url[authorityAt..<pathAt])
        let fragmentAt = url[pathAt...].firstIndex(of: UInt8(ascii: "#")) ?? url.endIndex
        let queryAt = url[pathAt..<fragmentAt].firstIndex(of: UInt8(ascii: "?")) ?? fragmentAt

        var result: [UInt8] = []
        result.reserveCapacity(url.count + 80)
        append(url[..<queryAt], to: &result)
        result.append(UInt8(ascii: "?"))
        let parametersAt = result.count
        if queryAt < fragmentAt {
            appendOthers(url[(queryAt + 1)..<fragmentAt], to: &result)
        }
        if result.count > parametersAt { result.append(UInt8(ascii: "&")) }
        result += ours
        withUnsafeTemporaryAllocation(byteCount: Identifier.textBytes, alignment: 1) { text in
            id.writeText(to: text.baseAddress!)
            result += text
        }
        append(url[fragmentAt...], to: &result)
        guard result.count <= bytesMax else { throw .tooLong }
        return result
    }

    /// The bytes of a location in front of our parameters and what parts them from the rest, if it
    /// ends with these and the id.
    static func bytesBeforeParameters(of location: [UInt8], id: Identifier) -> Int? {
        let bytes = location.count - 1 - ours.count - Identifier.textBytes
        guard bytes > 0, isOneOf(location[bytes], "?&") else { return nil }
        return location.withUnsafeBytes { location in
            let start = location.baseAddress! + bytes + 1
            guard memcmp(start, ours, ours.count) == 0 else { return nil }
            return withUnsafeTemporaryAllocation(byteCount: Identifier.textBytes, alignment: 1) {
                id.writeText(to: $0.baseAddress!)
                let end = memcmp(start + ours.count, $0.baseAddress!, Identifier.textBytes)
                return end == 0 ? bytes : nil
            }
        }
    }

    /// The parameters that are not ours, as they are, with all their separators.
    private static func appendOthers(_ parameters: Part, to result: inout [UInt8]) {
        var rest = parameters
        var isFirst = true
        while true {
            let end = rest.firstIndex(of: UInt8(ascii: "&")) ?? rest.endIndex
            if !isOurs(rest[..<end]) {
                if !isFirst { result.append(UInt8(ascii: "&")) }
                append(rest[..<end], to: &result)
                isFirst = false
            }
            if end == rest.endIndex { return }
            rest = rest[(end + 1)...]
        }
    }

    /// Where the authority begins, behind `http://` or `https://` in either case.
    private static func authorityStart(_ url: UnsafeRawBufferPointer) throws(TrackedURLRefusal)
        -> Int
    {
        if begins(url, with: "https://") { return 8 }
        if begins(url, with: "http://") { return 7 }
        throw .notWeb
    }

    /// Whether it does, in either case, with lower-case letters.
    private static func begins(_ url: UnsafeRawBufferPointer, with scheme: StaticString) -> Bool {
        scheme.withUTF8Buffer { scheme in
            url.count >= scheme.count
                && scheme.indices.allSatisfy {
                    (0x41...0x5A ~= url[$0] ? url[$0] | 0x20 : url[$0]) == scheme[$0]
                }
        }
    }

    /// `host` or `host:port`, the host a name or address; a Korean name passes, also encoded.
    private static func check(authority: Part) throws(TrackedURLRefusal) {
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
    private static func isHostName(_ name: Part) -> Bool {
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
    private static func isOurs(_ parameter: Part) -> Bool {
        isName(of: parameter, source) || isName(of: parameter, campaign)
    }

    private static func isName(of parameter: Part, _ name: [UInt8]) -> Bool {
        var at = parameter.startIndex
        var matched = 0
        while at < parameter.endIndex, parameter[at] != UInt8(ascii: "=") {
            var byte = parameter[at]
            var next = at + 1
            if byte == UInt8(ascii: "%"), at + 2 < parameter.endIndex,
                let high = hexadecimal(parameter[at + 1]), let low = hexadecimal(parameter[at + 2])
            {
                byte = high << 4 | low
                next = at + 3
            }
            guard matched < name.count, byte == name[matched] else { return false }
            matched += 1
            at = next
        }
        return matched == name.count
    }

    /// Appends bytes, percent-encoding those that may not stand in an address.
    private static func append(_ bytes: Part, to result: inout [UInt8]) {
        var rest = bytes
        while let odd = rest.firstIndex(where: { !mayStand($0) }) {
            result += rest[..<odd]
            result.append(UInt8(ascii: "%"))
            result.append(digits[Int(rest[odd] >> 4)])
            result.append(digits[Int(rest[odd] & 0xF)])
            rest = rest[(odd + 1)...]
        }
        result += rest
    }

    private static let digits = Array("0123456789ABCDEF".utf8)

    /// Visible ASCII but for `"<>\^` and backquote, `{|}`: a bit for each.
    @inline(always)
    private static func mayStand(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x00...0x3F: 0xAFFF_FFFA_0000_0000 as UInt64 >> UInt64(byte) & 1 != 0
        case 0x40...0x7F: 0x47FF_FFFE_AFFF_FFFF as UInt64 >> UInt64(byte & 0x3F) & 1 != 0
        default: false
        }
    }

    private static func endsAuthority(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "/") || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "#")
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
