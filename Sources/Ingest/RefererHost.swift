// Statistics by referer show where a click came from, not the page: the host. A referer is whatever
// the client sent, so everything that is no plain host becomes "".

/// The host of a Referer value.
enum RefererHost {
    /// RFC 1035's longest name.
    static let bytesMax = 253

    /// Lower case, without port; empty if there is none.
    static func of(_ referer: String) -> String {
        guard let scheme = referer.firstRange(of: "://") else { return "" }
        let name = referer[..<scheme.lowerBound].lowercased()
        // In-app browsers send android-app://com.example/ and the like: the name says the app.
        guard name == "http" || name == "https" || name == "android-app" else { return "" }
        var authority = referer[scheme.upperBound...].prefix { !"/?#".contains($0) }
        if let at = authority.lastIndex(of: "@") {
            authority = authority[authority.index(after: at)...]
        }
        let host = authority.prefix { $0 != ":" }.lowercased()
        let isPlain = host.utf8.allSatisfy {
            ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z"))
                || ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
                || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
        }
        return isPlain && host.utf8.count <= bytesMax ? host : ""
    }
}
