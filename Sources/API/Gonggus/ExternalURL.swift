// The shop's address behind a gonggu. A shopper's browser is sent there by the edge, which copies
// the bytes into a Location header and never looks at them again, so everything that could make
// that header or that visit dangerous is refused here, once.
//
// What is judged is the URL as written. A public name whose DNS answer is a private address passes:
// no part of the platform fetches the URL, and a name's answer may change a second after any look.

/// An absolute http or https URL in ASCII, fit for a Location header, that names a public host.
///
/// Invariant: at most ``bytesMax`` bytes, all of them printable ASCII; scheme and host in lower
/// case; no user information; a path that begins with "/".
package struct ExternalURL: Hashable, Sendable {
    /// The column's bound.
    package static let bytesMax = 1000

    /// What goes into a Location header.
    package let text: String
    /// In lower case, without brackets, port or trailing dot.
    package let host: String

    /// Why a text is not such a URL.
    package enum Fault: Error, Equatable, Sendable, CaseIterable {
        /// Longer than ``ExternalURL/bytesMax`` once non-ASCII characters are percent-encoded.
        case tooLong
        /// A blank, a control character or a backslash, which browsers drop or read as a slash.
        case characterForbidden
        /// Neither `http://` nor `https://`.
        case schemeNotHTTP
        /// `user:password@`, which phishing links use to show another host than they lead to.
        case credentials
        case hostMissing
        /// Not letters, digits, hyphens and dots; an IDN in anything but its `xn--` form.
        case hostMalformed
        case portInvalid
        /// A literal address that is not globally reachable, however it is spelled.
        case addressNotPublic
        /// localhost, a single label, or a name that only a private network resolves.
        case nameNotPublic
        /// The platform's own link host: a click would redirect to a click.
        case leadsBack
    }

    /// - Parameters:
    ///   - text: as a person pasted it; non-ASCII in path, query and fragment is percent-encoded.
    ///   - ownHost: where the platform's own links are served, in lower case.
    package init(_ text: String, ownHost: String? = nil) throws(Fault) {
        guard text.utf8.count <= ExternalURL.bytesMax else { throw .tooLong }
        let bytes = Array(text.utf8)
        guard bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }) else {
            throw .characterForbidden
        }
        let (scheme, afterScheme) = try ExternalURL.scheme(of: bytes)
        let authorityEnd =
            bytes[afterScheme...].firstIndex(where: { "/?#".utf8.contains($0) }) ?? bytes.endIndex
        let authority = bytes[afterScheme..<authorityEnd]
        guard !authority.contains(UInt8(ascii: "@")) else { throw .credentials }
        let (hostBytes, port) = try ExternalURL.split(authority: authority)
        let host = try PublicHost(hostBytes)
        guard host.name != ownHost else { throw .leadsBack }

        var result = scheme + "://" + (host.isIPv6 ? "[\(host.name)]" : host.name)
        if let port { result += ":\(port)" }
        let rest = bytes[authorityEnd...]
        if rest.first != UInt8(ascii: "/") { result += "/" }
        result += ExternalURL.percentEncoded(rest)
        guard result.utf8.count <= ExternalURL.bytesMax else { throw .tooLong }
        self.text = result
        self.host = host.name
    }

    /// The scheme in lower case, and where the authority begins.
    private static func scheme(of bytes: [UInt8]) throws(Fault) -> (String, Int) {
        for scheme in ["https", "http"] {
            let prefix = Array((scheme + "://").utf8)
            if bytes.count >= prefix.count,
                zip(bytes, prefix).allSatisfy({ asciiLowercased($0) == $1 })
            {
                return (scheme, prefix.count)
            }
        }
        throw .schemeNotHTTP
    }

    private static func split(
        authority: ArraySlice<UInt8>
    ) throws(Fault) -> (host: ArraySlice<UInt8>, port: UInt16?) {
        let colon: Int?
        if authority.first == UInt8(ascii: "[") {
            guard let close = authority.firstIndex(of: UInt8(ascii: "]")) else {
                throw .hostMalformed
            }
            let after = close + 1
            guard after == authority.endIndex || authority[after] == UInt8(ascii: ":") else {
                throw .hostMalformed
            }
            colon = after == authority.endIndex ? nil : after
        } else {
            colon = authority.firstIndex(of: UInt8(ascii: ":"))
        }
        guard let colon else { return (authority, nil) }
        let digits = authority[(colon + 1)...]
        guard (1...5).contains(digits.count), digits.allSatisfy(isASCIIDigit),
            let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0
        else { throw .portInvalid }
        return (authority[..<colon], port)
    }

    /// Non-ASCII bytes, and the printable ones that RFC 3986 leaves out, as `%XX`; a "%" stays, as
    /// what is encoded already must not be encoded twice.
    private static func percentEncoded(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        let forbidden = Set("\"<>^`{|}".utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        for byte in bytes {
            if byte >= 0x80 || forbidden.contains(byte) {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

func asciiLowercased(_ byte: UInt8) -> UInt8 {
    (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
}

func isASCIIDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}
