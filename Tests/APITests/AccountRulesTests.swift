import Clicks
import Crypto
import Foundation
import JWTKit
import Testing

@testable import API

@Suite struct AccountRulesTests {
    @Test(arguments: [
        ("1234567", Password.Fault.tooShort), ("", .tooShort), ("가나", .tooShort),
        (String(repeating: "a", count: 73), .tooLong),
        (String(repeating: "가", count: 25), .tooLong),
        (String(repeating: "a", count: 100_000), .tooLong), ("12345678\u{0}", .characterForbidden),
    ])
    func `a password that bcrypt would cut is refused`(text: String, fault: Password.Fault) {
        #expect(throws: fault) { try Password(text) }
    }

    @Test func `a password counts the same however its syllables are composed`() async throws {
        let hasher = PasswordHasher(cost: 4, lanes: 1, queueMax: 4)
        let hash = try await hasher.hash(Password("비밀번호1234"))
        let decomposed = "비밀번호1234".decomposedStringWithCanonicalMapping
        #expect(decomposed.utf8.count > "비밀번호1234".utf8.count)
        #expect(try await hasher.matches(Password(decomposed), hash: hash))
        #expect(try await !hasher.matches(Password("비밀번호1235"), hash: hash))
    }

    /// Vectors of other implementations, so that hashes can come from and go to them.
    @Test(arguments: [
        ("U*U*U*U*", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.", false),
        ("correct horse", "$2b$04$abcdefghijklmnopqrstuu", false),
    ])
    func `a hash that is cut off matches nothing`(
        text: String, hash: String, isMatch: Bool
    ) async throws {
        let hasher = PasswordHasher(cost: 4, lanes: 1, queueMax: 4)
        #expect(try await hasher.matches(Password(text), hash: hash) == isMatch)
    }

    @Test func `a hash says how it was made and every salt is new`() async throws {
        let hasher = PasswordHasher(cost: 4, lanes: 1, queueMax: 4)
        let (first, second) = (
            try await hasher.hash(Password("correct horse")),
            try await hasher.hash(Password("correct horse"))
        )
        #expect(first.hasPrefix("$2b$04$") && first.utf8.count == 60)
        #expect(first != second)
        #expect(hasher.isCurrent(first))
        #expect(!PasswordHasher(cost: 5, lanes: 1, queueMax: 1).isCurrent(first))
    }

    @Test func `where there is no account no password matches, not even the decoy's`() async throws
    {
        let hasher = PasswordHasher(cost: 4, lanes: 1, queueMax: 4)
        #expect(try await !hasher.matches(Password("a password nobody has"), hash: nil))
    }

    @Test func `a full queue refuses at once and empties again`() async throws {
        let hasher = PasswordHasher(cost: 8, lanes: 1, queueMax: 2)
        let password = try Password("correct horse")
        let outcomes = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do {
                        _ = try await hasher.hash(password)
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.contains(true) && outcomes.contains(false))
        _ = try await hasher.hash(password)
    }

    @Test func `new accounts fill half of the queue, and who has one still signs in`() async throws
    {
        let hasher = PasswordHasher(cost: 10, lanes: 1, queueMax: 4)
        let password = try Password("correct horse")
        let hash = try await hasher.hash(password)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask { (try? await hasher.hash(password, isForSignUp: true)) != nil }
            }
            // The first to end is one of the refused: the queue has what it takes of them.
            #expect(await group.next() == false)
            let signsIn = try? await hasher.matches(password, hash: hash)
            #expect(signsIn == true)
            let refused = await group.reduce(into: 1) { $0 += $1 ? 0 : 1 }
            #expect(refused >= 17, "\(refused)")
        }
        _ = try await PasswordHasher(cost: 4, lanes: 1, queueMax: 1)
            .hash(password, isForSignUp: true)
    }

    @Test func `a sign-up is told all that is wrong with it`() {
        let body = SignUp(
            email: "hana@example.com", password: "short", nickname: " \t ", role: .buyer)
        #expect(
            throws: AccountRefusal.fieldsInvalid([
                .nicknameBlank, .password(.tooShort),
            ])
        ) { try AccountRules.accept(body) }
    }
}

@Suite struct AccessTokenTests {
    private let secret = TestAPI.secret
    private let id = Identifier(high: 0x0193_A5C0_7C1E_7A51, low: 0x8F00_5D2F_4C3B_2A10)
    private let now = Timestamp(microseconds: 1_795_000_000_000_000)

    private func key() async -> AccessTokenKey {
        await AccessTokenKey(secret: secret, lifetimeSeconds: 1800)
    }

    @Test func `a token speaks for its account until it expires`() async throws {
        let key = await key()
        let token = try await key.sign(for: id, role: .influencer, now: now)
        #expect(await key.account(in: token, now: now) == id)
        #expect(await key.account(in: token, now: now.advanced(bySeconds: 1799)) == id)
        #expect(await key.account(in: token, now: now.advanced(bySeconds: 1800)) == nil)
        #expect(await key.account(in: token, now: now.advanced(bySeconds: -61)) == nil)
    }

    @Test func `the claims are what the edge reads`() async throws {
        let token = try await key().sign(for: id, role: .influencer, now: now)
        let parts = token.split(separator: ".")
        let header = try JSON(reading: try #require(Data(base64URL: parts[0])))
        #expect(header["alg"]?.text == "HS256")
        let claims = try JSON(reading: try #require(Data(base64URL: parts[1])))
        #expect(claims["iss"]?.text == "gonggumoa")
        #expect(claims["sub"]?.text == id.description)
        #expect(claims["role"]?.text == "influencer")
        #expect(claims["iat"]?.integer == 1_795_000_000)
        #expect(claims["exp"]?.integer == 1_795_001_800)
    }

    @Test func `no token but ours is believed`() async throws {
        let key = await key()
        let token = try await key.sign(for: id, role: .admin, now: now)
        let parts = token.split(separator: ".").map(String.init)
        let other = await AccessTokenKey(
            secret: "another secret of 32 bytes or more", lifetimeSeconds: 1800)
        let none = Data(#"{"alg":"none","typ":"JWT"}"#.utf8).base64URL
        let claims = try #require(Data(base64URL: parts[1]))
        let promoted = String(decoding: claims, as: UTF8.self)
            .replacingOccurrences(of: "2a10", with: "2a11")
        let forged = [
            "", ".", "..", "a.b.c", "\(none).\(parts[1]).", "\(none).\(parts[1]).\(parts[2])",
            "\(parts[0]).\(parts[1])", "\(parts[0]).\(parts[1]).",
            "\(parts[0]).\(Data(promoted.utf8).base64URL).\(parts[2])",
            try await other.sign(for: id, role: .admin, now: now),
            String(token.dropLast(4)) + "AAAA", token + ".x", String(repeating: "a", count: 5000),
        ]
        for text in forged { #expect(await key.account(in: text, now: now) == nil, "\(text)") }
    }

    /// Signed with our key, but not by our rules: one claim changed, or left out.
    @Test(
        arguments: [
            ("iss", "someone"), ("sub", "me"), ("role", "god"), ("iat", 1_795_000_600),
            ("exp", 1_794_999_999), ("exp", "1795001800"), ("iss", nil), ("sub", nil),
            ("role", nil),
            ("iat", nil), ("exp", nil),
        ] as [(String, JSON?)])
    func `every claim has to be there and right`(name: String, value: JSON?) async throws {
        let claims = good.compactMap { member in
            member.name == name ? value.map { JSON.Member(name, $0) } : member
        }
        #expect(await key().account(in: try await sign(.object(claims)), now: now) == nil)
    }

    @Test func `the hand-made signature is one`() async throws {
        #expect(await key().account(in: try await sign(.object(good)), now: now) == id)
    }

    private var good: [JSON.Member] {
        [
            .init("iss", "gonggumoa"), .init("sub", .text(id.description)),
            .init("role", "buyer"), .init("iat", 1_795_000_000), .init("exp", 1_795_001_800),
        ]
    }

    private func sign(_ claims: JSON) async throws -> String {
        let head = Data(#"{"alg":"HS256","typ":"JWT"}"#.utf8).base64URL
        let signed = "\(head).\(Data(claims.bytes).base64URL)"
        let code = HMAC<SHA256>.authenticationCode(
            for: Data(signed.utf8), using: SymmetricKey(data: Data(secret.utf8)))
        return "\(signed).\(Data(code).base64URL)"
    }
}

extension Data {
    fileprivate var base64URL: String {
        base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }

    fileprivate init?(base64URL text: some StringProtocol) {
        let plain = text.replacingOccurrences(of: "-", with: "+")
            .replacingOccurrences(of: "_", with: "/")
        self.init(
            base64Encoded: plain + String(repeating: "=", count: (4 - plain.utf8.count % 4) % 4))
    }
}
