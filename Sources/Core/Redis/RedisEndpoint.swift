/// Where a Redis is and how to sign in, read from its URL.
package struct RedisEndpoint: Equatable, Sendable {
    package enum Address: Equatable, Sendable {
        case tcp(host: String, port: Int32)
        case unix(path: String)
    }

    package var address: Address
    /// Empty for the default user.
    package var user: String
    /// Empty for none.
    package var password: String
    package var database: Int

    /// Reads `redis://[[user]:password@]host[:port][/database]`, or for a socket in the file system
    /// `unix:///path?db=0`, also spelled `redis+unix:///path`. User and password may be
    /// percent-encoded. Nil for anything else; `rediss://` too, since hiredis here has no TLS.
    package init?(url: String) {
        guard let scheme = url.firstRange(of: "://") else { return nil }
        let isUnix: Bool
        switch url[..<scheme.lowerBound] {
        case "redis": isUnix = false
        case "unix", "redis+unix": isUnix = true
        default: return nil
        }
        var rest = url[scheme.upperBound...]
        var databaseText: Substring = "0"
        if let mark = rest.firstIndex(of: "?") {
            let query = rest[rest.index(after: mark)...]
            guard query.hasPrefix("db=") else { return nil }
            databaseText = query.dropFirst(3)
            rest = rest[..<mark]
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<slash]
        let path = rest[slash...]
        (user, password) = ("", "")
        if let at = authority.lastIndex(of: "@") {
            let parts = authority[..<at].split(
                separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = RedisEndpoint.percentDecoded(parts[0]),
                let secret = RedisEndpoint.percentDecoded(parts.count == 2 ? parts[1] : "")
            else { return nil }
            (user, password) = (name, secret)
            authority = authority[authority.index(after: at)...]
        }
        if isUnix {
            guard authority.isEmpty, path.count > 1 else { return nil }
            address = .unix(path: String(path))
        } else {
            if path.count > 1 { databaseText = path.dropFirst() }
            guard let tcp = RedisEndpoint.hostAndPort(authority) else { return nil }
            address = tcp
        }
        guard let database = Int(databaseText), database >= 0 else { return nil }
        self.database = database
    }

    private static func hostAndPort(_ authority: Substring) -> Address? {
        var host = authority
        var port: Int32 = 6379
        let colon = authority.lastIndex(of: ":")
        // The colons of [::1] are not a port's.
        if let colon, authority[colon...].firstIndex(of: "]") == nil {
            guard let number = UInt16(authority[authority.index(after: colon)...]), number > 0
            else { return nil }
            port = Int32(number)
            host = authority[..<colon]
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        return host.isEmpty ? nil : .tcp(host: String(host), port: port)
    }

    private static func percentDecoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16)
            else { return nil }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
