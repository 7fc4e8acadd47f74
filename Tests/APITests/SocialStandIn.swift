import Crypto
import Foundation
import HTTPTypes
import Hummingbird
import JWTKit
import Synchronization
import Testing
import TestSupport

@testable import API

// Kakao, Naver and Apple on the loopback, speaking what they document, and whatever else a test
// tells them to.

final class SocialStandIn: Sendable {
    /// A request as it came.
    struct Seen: Sendable {
        let path: String
        let form: [String: String]
        let authorization: String?
    }

    private struct State {
        var base = ""
        /// What each code is worth, once.
        var codes: [String: JSON] = [:]
        /// What each access token shows.
        var tokens: [String: JSON] = [:]
        var keys: [JSON] = []
        var faults: [String: (status: Int, body: String)] = [:]
        var hanging: Set<String> = []
        var seen: [Seen] = []
    }

    private let state = Mutex(State())

    var seen: [Seen] { state.withLock { $0.seen } }
    var base: String { state.withLock { $0.base } }

    func hits(_ path: String) -> Int { seen.count { $0.path == path } }

    /// - Parameter worth: the profile, or Apple's id_token as a text.
    func give(_ code: String, worth: JSON) { state.withLock { $0.codes[code] = worth } }

    func publish(_ keys: TestIssuerKey...) {
        state.withLock { $0.keys = keys.map(\.jwk) }
    }

    /// Answers a path so from now on; nil for as it should.
    func fail(_ path: String, status: Int = 200, _ body: String?) {
        state.withLock { $0.faults[path] = body.map { (status, $0) } }
    }

    func hang(_ path: String) { state.withLock { _ = $0.hanging.insert(path) } }

    func serve(_ test: @escaping @Sendable () async throws -> Void) async throws {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: Everything(standIn: self))
        try await withLoopbackServer(router) { base in
            self.state.withLock { $0.base = base }
            try await test()
        }
    }

    private struct Everything: RouterMiddleware {
        let standIn: SocialStandIn

        func handle(
            _ request: Request, context: BasicRequestContext,
            next _: (Request, BasicRequestContext) async throws -> Response
        ) async throws -> Response {
            let body = try await request.body.collect(upTo: 65_536)
            let seen = Seen(
                path: request.uri.path, form: parsed(String(buffer: body)),
                authorization: request.headers[.authorization])
            let isHanging = standIn.state.withLock { state in
                state.seen.append(seen)
                return state.hanging.contains(seen.path)
            }
            if isHanging { try await Task.sleep(for: .seconds(60)) }
            let (status, text) = standIn.state.withLock { state in
                state.faults[seen.path] ?? SocialStandIn.answer(to: seen, &state)
            }
            return Response(
                status: .init(code: status), headers: [.contentType: "application/json"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }

        private func parsed(_ text: String) -> [String: String] {
            var form: [String: String] = [:]
            for pair in text.split(separator: "&") {
                let sides = pair.split(separator: "=", maxSplits: 1).map {
                    String($0).removingPercentEncoding ?? ""
                }
                form[sides[0]] = sides.count == 2 ? sides[1] : ""
            }
            return form
        }
    }

    private static func answer(to seen: Seen, _ state: inout State) -> (Int, String) {
        let (status, json) = json(for: seen, &state)
        return (status, String(decoding: json.bytes, as: UTF8.self))
    }

    private static func json(for seen: Seen, _ state: inout State) -> (Int, JSON) {
        switch seen.path {
        case "/oauth/token", "/oauth2.0/token", "/auth/token":
            let isNaver = seen.path == "/oauth2.0/token"
            guard seen.form["grant_type"] == "authorization_code",
                let worth = state.codes.removeValue(forKey: seen.form["code"] ?? "")
            else {
                // Naver says so with a 200.
                return (
                    isNaver ? 200 : 400,
                    [
                        "error": isNaver ? "invalid_request" : "invalid_grant",
                        "error_description": "no valid data in session",
                    ]
                )
            }
            if seen.path == "/auth/token" {
                return (200, ["access_token": "a", "token_type": "Bearer", "id_token": worth])
            }
            let token = "token-\(state.tokens.count)"
            state.tokens[token] = worth
            return (
                200,
                [
                    "access_token": .text(token), "token_type": "bearer", "refresh_token": "r",
                    "expires_in": isNaver ? "3600" : 21_599,
                ]
            )
        case "/v2/user/me", "/v1/nid/me":
            guard let token = seen.authorization?.dropFirst("Bearer ".count),
                let person = state.tokens[String(token)]
            else {
                return seen.path == "/v2/user/me"
                    ? (401, ["code": -401, "msg": "this access token does not exist"])
                    : (401, ["resultcode": "024", "message": "Authentication failed"])
            }
            return seen.path == "/v2/user/me"
                ? (200, person)
                : (200, ["resultcode": "00", "message": "success", "response": person])
        case "/.well-known/openid-configuration":
            return (
                200,
                [
                    "issuer": .text(state.base),
                    "token_endpoint": .text(state.base + "/auth/token"),
                    "jwks_uri": .text(state.base + "/auth/keys"),
                ]
            )
        case "/auth/keys": return (200, ["keys": .list(state.keys)])
        default: return (404, ["error": "not_found"])
        }
    }
}

/// An RSA key of a test's own, which signs whatever it is told to.
struct TestIssuerKey: Sendable {
    let id: String?
    let jwk: JSON
    private let algorithm: any JWTAlgorithm

    /// Two for all tests, since making one takes a while.
    private static let made = Result {
        try (0..<2).map { _ in try ShellRun.run("openssl genrsa 2048 2>/dev/null").output }
    }

    /// - Parameter isOther: the second of two different keys.
    init(id: String?, isOther: Bool = false) async throws {
        self.id = id
        let pem = try TestIssuerKey.made.get()[isOther ? 1 : 0]
        let key = try Insecure.RSA.PrivateKey(pem: pem)
        let (modulus, exponent) = try key.publicKey.getKeyPrimitives()
        var members: [JSON.Member] = [
            .init("kty", "RSA"), .init("use", "sig"), .init("alg", "RS256"),
            .init("n", .text(modulus.urlText)), .init("e", .text(exponent.urlText)),
        ]
        if let id { members.append(.init("kid", .text(id))) }
        jwk = .object(members)
        algorithm = try await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256).getKey()
    }

    /// A token with this header (by default the right one) and these claims.
    func token(_ claims: JSON, header: JSON? = nil) throws -> String {
        var usual: [JSON.Member] = [.init("alg", "RS256"), .init("typ", "JWT")]
        if let id { usual.append(.init("kid", .text(id))) }
        let signed = TestIssuerKey.unsigned(claims, header: header ?? .object(usual))
        return "\(signed).\(Data(try algorithm.sign(Data(signed.utf8))).urlText)"
    }

    /// Header and claims, without the last part.
    static func unsigned(_ claims: JSON, header: JSON) -> String {
        "\(Data(header.bytes).urlText).\(Data(claims.bytes).urlText)"
    }
}

extension Data {
    var urlText: String {
        base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }
}

extension JSON {
    /// The object with some members replaced; null takes one out.
    func with(_ changes: KeyValuePairs<String, JSON>) -> JSON {
        var members = self.members ?? []
        for (name, value) in changes {
            members.removeAll { $0.name == name }
            if value != .null { members.append(.init(name, value)) }
        }
        return .object(members)
    }
}
