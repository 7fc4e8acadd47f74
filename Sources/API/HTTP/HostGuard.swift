import HTTPTypes
import Hummingbird

// The Host header, as RFC 9112, 3.2 wants it: exactly one, well-formed. Links in answers and the
// check of `Origin` are made from it, so a forged or doubled one is refused before anything else.

/// A host with an optional port, as a header or an origin carries it.
struct HostName: Equatable, Sendable {
    /// In lower case; an IPv6 address keeps its brackets.
    let name: String
    let port: Int?

    /// A name of DNS (RFC 1035 lengths), an IPv4 address, or an IPv6 address in brackets.
    init?(_ text: some StringProtocol) {
        let lower = text.lowercased()
        let end: String.Index
        if lower.hasPrefix("[") {
            guard let bracket = lower.firstIndex(of: "]") else { return nil }
            let address = lower[lower.index(after: lower.startIndex)..<bracket]
            guard address.contains(":"),
                address.allSatisfy({ $0.isHexDigit && $0.isASCII || $0 == ":" || $0 == "." })
            else { return nil }
            end = lower.index(after: bracket)
        } else {
            end = lower.firstIndex(of: ":") ?? lower.endIndex
            guard HostName.isName(lower[..<end]) else { return nil }
        }
        name = String(lower[..<end])
        let rest = lower[end...]
        guard !rest.isEmpty else {
            port = nil
            return
        }
        let digits = rest.dropFirst()
        guard rest.first == ":", (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }),
            let number = Int(digits), (1...65_535).contains(number)
        else { return nil }
        port = number
    }

    private static func isName(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                        UInt8(ascii: "_"):
                        true
                    default: false
                    }
                }
        }
    }
}

/// Refuses a request whose Host is missing, repeated, empty, malformed, or not one of ours.
struct HostGuard: RouterMiddleware {
    /// Names served, in lower case and without ports; nil serves all.
    let allowed: Set<String>?

    func handle(
        _ request: Request, context: APIContext,
        next: (Request, APIContext) async throws -> Response
    ) async throws -> Response {
        guard accepts(request) else { throw Problem(.hostInvalid) }
        return try await next(request, context)
    }

    func accepts(_ request: Request) -> Bool {
        // The codec takes the first Host away as the authority; what is left is a second one.
        guard request.headers[values: HTTPField.Name("Host")!].isEmpty,
            let authority = request.head.authority, let host = HostName(authority)
        else { return false }
        return allowed?.contains(host.name) ?? true
    }
}
