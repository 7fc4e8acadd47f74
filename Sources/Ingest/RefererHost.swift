// Statistics by referer show where a click came from, not the page: the host. A referer is whatever
// the client sent, so everything that is no plain host becomes "". It is read byte by byte:
// characters would let a combining mark swallow a slash, and U+212A pass for a k.

/// The host of a Referer value.
enum RefererHost {
    /// RFC 1035's longest name.
    static let bytesMax = 253
    /// Others do not name a place. In-app browsers send `android-app://com.example/`: the name says
    /// the app.
    private static let schemes = ["http", "https", "android-app"].map { Array($0.utf8) }

    /// Lower case, without user and port; empty if there is none, if it is an IPv6 address, or if
    /// it has anything but `a-z 0-9 . - _`: a Korean name comes as `xn--…` from every browser.
    static func of(_ referer: String) -> String {
        let bytes = Array(referer.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            bytes[colon...].starts(with: "://".utf8),
            schemes.contains(bytes[..<colon].map(lowerCase))
        else { return "" }
        let authority = bytes[(colon + 3)...].prefix { !endsAuthority($0) }
        let hostAt = authority.lastIndex(of: UInt8(ascii: "@")).map { $0 + 1 }
        let host = authority[(hostAt ?? authority.startIndex)...]
            .prefix { $0 != UInt8(ascii: ":") }.map(lowerCase)
        guard host.count <= bytesMax, host.allSatisfy(isPlain) else { return "" }
        return String(decoding: host, as: UTF8.self)
    }

    /// A backslash is a slash to every browser (WHATWG URL, "authority state").
    private static func endsAuthority(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "\\"): true
        default: false
        }
    }

    private static func lowerCase(_ byte: UInt8) -> UInt8 {
        UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | 0x20 : byte
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
