import Glibc

/// Where a process accepts connections: a numeric address and a port. Names are not resolved, since
/// an answer from DNS is no place to bind to.
package struct ListenAddress: Sendable, Equatable {
    /// An IPv4 or IPv6 literal, IPv6 without brackets.
    package let host: String
    /// 0 lets the kernel choose.
    package let port: UInt16

    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `0.0.0.0:8080` or `[::1]:8080`; nil for anything else.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits) else {
            return nil
        }
        let head = text[..<colon]
        let bracketed = head.hasPrefix("[") && head.hasSuffix("]")
        let host = bracketed ? String(head.dropFirst().dropLast()) : String(head)
        guard ListenAddress.isLiteral(host, family: bracketed ? AF_INET6 : AF_INET) else {
            return nil
        }
        self.init(host: host, port: port)
    }

    static func isLiteral(_ host: String, family: Int32) -> Bool {
        var storage = in6_addr()
        return inet_pton(family, host, &storage) == 1
    }
}

extension ListenAddress: CustomStringConvertible {
    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
