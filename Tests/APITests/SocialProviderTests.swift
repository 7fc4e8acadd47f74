import Foundation
import HTTPTypes
import Hummingbird
import Testing
import TestSupport

@testable import API

/// Google's login against an OpenID provider that others have written, as a process of its own. Its
/// id_tokens name no key.
@Suite struct SocialProviderTests {
    private static let back = "https://shop.example/login/google"

    private struct Site: Sendable {
        let base: String
        let browser: OutboundClient
        let clientID: String
        let caller: Caller

        /// What a browser brings back from the provider's page.
        func code(for person: String, nonce: String) async throws -> String {
            let query =
                "client_id=\(clientID)&redirect_uri=\(back)&response_type=code"
                + "&scope=openid%20email%20profile&nonce=\(nonce)&state=s"
            let page = try await browser.send(
                .form("\(base)/oauth2/authorize?\(query)", [("sub", person)]), to: "provider")
            let location = try #require(page.headers["location"], "\(page.status)")
            let items = URLComponents(string: location)?.queryItems
            return try #require(items?.first { $0.name == "code" }?.value)
        }

        func logIn(code: String, nonce: String?) async throws -> Caller.Answer {
            let body: JSON = ["code": .text(code), "redirect_uri": .text(back)]
            return try await caller.send(
                .post, "/api/v1/auth/social/google",
                body.with(["nonce": nonce.map { .text($0) } ?? .null]))
        }
    }

    private func withProvider(
        wrongSecret: Bool = false, _ test: @escaping @Sendable (Site) async throws -> Void
    ) async throws {
        let folder = try TestFolder()
        let port = try freePort()
        let provider = try ChildProcess(
            try TestServers.oidcProvider(), ["-p", "\(port)", "-r", "True", "-n", "True"],
            logPath: folder.path + "/log")
        let base = "http://127.0.0.1:\(port)"
        let browser = OutboundClient(logger: LogRecorder().logger)
        try await eventuallyTrue("the provider answers: \(provider.log)", within: 30) {
            let request = OutboundRequest(.get, base + "/jwks")
            // try?: until it listens there is no answer.
            return (try? await browser.send(request, to: "start"))?.status == 200
        }
        let registered = try await browser.send(
            OutboundRequest(
                .post, base + "/oauth2/clients", headers: [("Content-Type", "application/json")],
                body: JSON.object([
                    .init("redirect_uris", [.text(SocialProviderTests.back)]),
                    .init("token_endpoint_auth_method", "client_secret_post"),
                ]).bytes), to: "provider")
        let clientID = try #require(registered.json?["client_id"]?.text)
        let secret = try #require(registered.json?["client_secret"]?.text)
        let person: JSON = [
            "email": "hana@example.com", "email_verified": true, "name": "김하나",
            "picture": "https://lh3.googleusercontent.example/a/hana",
        ]
        for name in ["hana", "unverified"] {
            let body = name == "hana" ? person : person.with(["email_verified": false])
            let put = OutboundRequest(
                .put, base + "/users/" + name, headers: [("Content-Type", "application/json")],
                body: body.bytes)
            #expect(try await browser.send(put, to: "provider").status == 204)
        }
        let api = try await TestAPI(environment: [
            "SOCIAL_REDIRECT_URIS": SocialProviderTests.back, "GOOGLE_CLIENT_ID": clientID,
            "GOOGLE_CLIENT_SECRET": wrongSecret ? "wrong" : secret, "GOOGLE_BASE_URL": base,
        ])
        try await api.call { caller in
            try await test(
                Site(base: base, browser: browser, clientID: clientID, caller: caller))
        }
        provider.killNow()
    }

    @Test func `a person signs up and in, and a code is good for once`() async throws {
        try await withProvider { site async throws in
            let code = try await site.code(for: "hana", nonce: "n1")
            let session = try await site.logIn(code: code, nonce: "n1")
            #expect(session.status == 200, "\(session.json)")
            let token = session.json["access_token"]?.text
            let me = try await Caller(client: site.caller.client, token: token).send(
                .get, "/api/v1/users/me")
            #expect(me.json["email"]?.text == "hana@example.com")
            #expect(me.json["nickname"]?.text == "김하나")
            let spent = try await site.logIn(code: code, nonce: "n1")
            #expect(spent.status == 401 && spent.code == "SOCIAL_LOGIN_REFUSED")
            let next = try await site.code(for: "hana", nonce: "n2")
            #expect(try await site.logIn(code: next, nonce: "n2").status == 200)
            let other = try await site.code(for: "unverified", nonce: "n3")
            #expect(try await site.logIn(code: other, nonce: "n3").status == 200)
        }
    }

    @Test func `a code of another login is refused`() async throws {
        try await withProvider { site async throws in
            for nonce in ["ours", nil] {
                let theirs = UInt64.random(in: .min ... .max).description
                let code = try await site.code(for: "hana", nonce: theirs)
                let answer = try await site.logIn(code: code, nonce: nonce)
                #expect(answer.status == 401 && answer.code == "SOCIAL_LOGIN_REFUSED")
            }
        }
    }

    @Test func `a wrong secret of ours is told as a fault on our side of the login`() async throws {
        try await withProvider(wrongSecret: true) { site async throws in
            let code = try await site.code(for: "hana", nonce: "n1")
            let answer = try await site.logIn(code: code, nonce: "n1")
            #expect(answer.status == 502 && answer.code == "SOCIAL_PROVIDER_FAILED")
        }
    }
}
