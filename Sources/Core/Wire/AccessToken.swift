// HOT for a token that the worker has not seen, see TokenCache.
//
// An access token is a compact JWS (RFC 7515, 7.1) signed with HS256 whose payload is a JWT claims
// set (RFC 7519). There is no choice of algorithm and no key in the token: what does not say HS256
// is not looked at. Everything is read strictly: base64url without padding and without stray bits,
// so that one token has one spelling; one JSON object and nothing behind it; no member twice. A
// header with `crit` asks for rules that are not known here and is refused (RFC 7515, 4.1.11).

import Clicks

/// What a valid token says.
public struct AccessClaims: Equatable, Sendable, BitwiseCopyable {
    public let userID: Identifier
    public let role: AccessRole
    /// Seconds since 1970; the token counts before, not at it.
    public let expiresAt: Int64

    public init(userID: Identifier, role: AccessRole, expiresAt: Int64) {
        self.userID = userID
        self.role = role
        self.expiresAt = expiresAt
    }
}

/// Who the API says the user is.
public enum AccessRole: UInt8, Sendable, BitwiseCopyable {
    /// The token has no role.
    case unstated
    case buyer
    case influencer
    case admin
    case finance
}

public enum AccessToken {
    /// A longer token is refused. Ours have about 300 bytes.
    public static var bytesMax: Int { 2048 }
    /// Room for a decoded segment, the signature, and a member's name and text.
    public static var scratchBytes: Int { 2048 }
    private static var decodedBytesMax: Int { bytesMax / 4 * 3 }
    private static var signatureBytes: Int { 32 }

    /// Reads a token and has its signature checked.
    ///
    /// - Parameters:
    ///   - nowSeconds: since 1970, by the same clock as the signer's.
    ///   - scratch: at least ``scratchBytes``; overwritten.
    ///   - isValid: whether the second is the HMAC-SHA-256 of the first; to be compared in constant
    ///     time. Asked at most once, and before anything in the payload is looked at.
    /// - Returns: nil for whatever is not a valid token now. Why is of no use to an honest client.
    /// - Complexity: linear in the token, without allocation.
    public static func claims(
        _ token: UnsafeRawBufferPointer, nowSeconds: Int64,
        scratch: UnsafeMutableRawBufferPointer,
        isValid: (_ signed: UnsafeRawBufferPointer, _ code: UnsafeRawBufferPointer) -> Bool
    ) -> AccessClaims? {
        precondition(scratch.count >= scratchBytes, "a token needs more scratch")
        guard token.count <= bytesMax, let start = token.baseAddress else { return nil }
        let window = ByteWindow(start, end: token.count)
        let firstDot = window.endOfSegment(from: 0)
        guard firstDot < window.end else { return nil }
        let secondDot = window.endOfSegment(from: firstDot &+ 1)
        guard secondDot < window.end else { return nil }

        let decoded = UnsafeMutableRawBufferPointer(rebasing: scratch[..<decodedBytesMax])
        let rest = UnsafeMutableRawBufferPointer(rebasing: scratch[decodedBytesMax...])
        let code = UnsafeMutableRawBufferPointer(rebasing: rest[..<signatureBytes])
        let room = UnsafeMutableRawBufferPointer(rebasing: rest[signatureBytes...])

        guard let headerBytes = window.decodeBase64URL(from: 0, to: firstDot, into: decoded),
            window.decodeBase64URL(from: secondDot &+ 1, to: window.end, into: code)
                == signatureBytes
        else { return nil }
        var header = TokenObject(decoded, count: headerBytes, room: room)
        guard header.readHeader() else { return nil }
        let signed = UnsafeRawBufferPointer(rebasing: token[..<secondDot])
        guard isValid(signed, UnsafeRawBufferPointer(code)) else { return nil }

        guard
            let payloadBytes = window.decodeBase64URL(
                from: firstDot &+ 1, to: secondDot, into: decoded)
        else { return nil }
        var payload = TokenObject(decoded, count: payloadBytes, room: room)
        guard let claims = payload.readClaims(), claims.expiresAt > nowSeconds else { return nil }
        return claims
    }
}

// MARK: Segments

extension ByteWindow {
    /// The first dot at or after `start`, or ``end``.
    fileprivate func endOfSegment(from start: Int) -> Int {
        var index = start
        while index < end, byte(index) != UInt8(ascii: ".") { index &+= 1 }
        return index
    }

    /// Writes the bytes that the text from `start` to `limit` stands for (RFC 4648, section 5).
    /// - Returns: how many; nil for other characters, an impossible length, bits that stand for
    ///   nothing, or more than there is room for.
    fileprivate func decodeBase64URL(
        from start: Int, to limit: Int, into room: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let left = (limit &- start) & 3
        let count = (limit &- start) / 4 &* 3 &+ (left == 0 ? 0 : left &- 1)
        guard left != 1, count <= room.count else { return nil }
        var bits: UInt32 = 0
        var bitCount = 0
        var written = 0
        var index = start
        while index < limit {
            let value = ByteWindow.base64URLValue(byte(index))
            guard value < 64 else { return nil }
            bits = bits &<< 6 | UInt32(value)
            bitCount &+= 6
            if bitCount >= 8 {
                bitCount &-= 8
                room.storeBytes(
                    of: UInt8(truncatingIfNeeded: bits &>> UInt32(bitCount)),
                    toByteOffset: written, as: UInt8.self)
                written &+= 1
            }
            index &+= 1
        }
        let stray = bits & (1 &<< UInt32(bitCount) &- 1)
        return stray == 0 ? written : nil
    }

    private static func base64URLValue(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte &- UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): byte &- UInt8(ascii: "a") &+ 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0") &+ 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: 255
        }
    }
}

// MARK: Objects

/// One JSON object of a token being read.
private struct TokenObject {
    private var json: JSONReader
    private let nameRoom: UnsafeMutableRawBufferPointer
    private let textRoom: UnsafeMutableRawBufferPointer

    init(_ bytes: UnsafeMutableRawBufferPointer, count: Int, room: UnsafeMutableRawBufferPointer) {
        json = JSONReader(ByteWindow(UnsafeRawPointer(bytes.baseAddress!), end: count))
        nameRoom = UnsafeMutableRawBufferPointer(rebasing: room[..<16])
        textRoom = UnsafeMutableRawBufferPointer(rebasing: room[16..<80])
    }

    /// Whether it is a header that we sign with.
    mutating func readHeader() -> Bool {
        var sawAlgorithm = false
        var sawType = false
        guard var isMore = begin() else { return false }
        while isMore {
            guard let name = readName() else { return false }
            if isName(name, "alg") {
                guard !sawAlgorithm, let text = readText(), holds(text, "HS256") else {
                    return false
                }
                sawAlgorithm = true
            } else if isName(name, "typ") {
                guard !sawType, let text = readText(), holds(text, "JWT") || holds(text, "jwt")
                else { return false }
                sawType = true
            } else if isName(name, "crit") || !json.skipValue() {
                return false
            }
            guard let next = continues() else { return false }
            isMore = next
        }
        return sawAlgorithm
    }

    /// `sub` and `exp` are required. `iss` has to be ours where it is, and `role` one of ours.
    mutating func readClaims() -> AccessClaims? {
        var userID: Identifier?
        var expiresAt: Int64?
        var role: AccessRole?
        var sawIssuer = false
        guard var isMore = begin() else { return nil }
        while isMore {
            guard let name = readName() else { return nil }
            if isName(name, "sub") {
                guard userID == nil, let text = readText(), text <= textRoom.count else {
                    return nil
                }
                let digits = UnsafeRawBufferPointer(rebasing: textRoom[..<text])
                userID = Identifier(text: digits)
                guard userID != nil else { return nil }
            } else if isName(name, "exp") {
                guard expiresAt == nil, let seconds = readSeconds() else { return nil }
                expiresAt = seconds
            } else if isName(name, "role") {
                guard role == nil, let text = readText(), let named = roleNamed(text) else {
                    return nil
                }
                role = named
            } else if isName(name, "iss") {
                guard !sawIssuer, let text = readText(), holds(text, "gonggumoa") else {
                    return nil
                }
                sawIssuer = true
            } else if !json.skipValue() {
                return nil
            }
            guard let next = continues() else { return nil }
            isMore = next
        }
        guard let userID, let expiresAt else { return nil }
        return AccessClaims(userID: userID, role: role ?? .unstated, expiresAt: expiresAt)
    }

    // MARK: Members

    /// Steps into the object. - Returns: whether there is a member; nil where there is no object.
    private mutating func begin() -> Bool? {
        json.skipBlanks()
        guard json.take(UInt8(ascii: "{")) else { return nil }
        json.skipBlanks()
        return json.next == UInt8(ascii: "}") ? continues() : true
    }

    /// Whether another member follows; nil where neither that nor the end of the token does.
    private mutating func continues() -> Bool? {
        json.skipBlanks()
        if json.take(UInt8(ascii: ",")) { return true }
        guard json.take(UInt8(ascii: "}")) else { return nil }
        json.skipBlanks()
        return json.isAtEnd ? false : nil
    }

    /// - Returns: how many bytes the name has, of which as many as fit are in the room.
    private mutating func readName() -> Int? {
        json.skipBlanks()
        guard let count = json.readText(into: nameRoom) else { return nil }
        json.skipBlanks()
        guard json.take(UInt8(ascii: ":")) else { return nil }
        json.skipBlanks()
        return count
    }

    private mutating func readText() -> Int? {
        json.readText(into: textRoom)
    }

    /// Whole seconds, as our API writes them.
    private mutating func readSeconds() -> Int64? {
        var value: Int64 = 0
        var digits = 0
        while Ascii.isDigit(json.next) {
            guard digits < 15, digits == 0 || value > 0 else { return nil }
            let digit = json.next
            value = value &* 10 &+ Int64(digit &- UInt8(ascii: "0"))
            digits &+= 1
            guard json.take(digit) else { return nil }
        }
        return digits > 0 ? value : nil
    }

    private func roleNamed(_ count: Int) -> AccessRole? {
        if holds(count, "buyer") { return .buyer }
        if holds(count, "influencer") { return .influencer }
        if holds(count, "admin") { return .admin }
        return holds(count, "finance") ? .finance : nil
    }

    private func isName(_ count: Int, _ name: StaticString) -> Bool {
        TokenObject.holds(nameRoom, count, name)
    }

    private func holds(_ count: Int, _ text: StaticString) -> Bool {
        TokenObject.holds(textRoom, count, text)
    }

    private static func holds(
        _ room: UnsafeMutableRawBufferPointer, _ count: Int, _ text: StaticString
    ) -> Bool {
        guard count <= room.count, let base = room.baseAddress else { return false }
        return ByteWindow(base, end: count).holds(text, from: 0, to: count)
    }
}
