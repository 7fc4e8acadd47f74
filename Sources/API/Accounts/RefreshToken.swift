import Crypto
import Foundation

/// The secret that gets a client its next access token: 256 random bits, used once.
///
/// Only its SHA-256 is stored. A slow hash is not needed, since what it hides cannot be guessed.
package struct RefreshToken: Sendable {
    /// Bytes of the text form, base64url without padding.
    package static let textBytes = 43

    /// What the client holds.
    package let text: String

    /// A new one, from the system's generator.
    package init() {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        text = Data(bytes).base64EncodedString()
            .replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_")
            .replacingOccurrences(of: "=", with: "")
    }

    /// One that a client sent. Nil where it cannot be one.
    package init?(_ text: String) {
        guard text.utf8.count == RefreshToken.textBytes,
            text.utf8.allSatisfy({ byte in
                isASCIIDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                    || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(asciiLowercased(byte))
            })
        else { return nil }
        self.text = text
    }

    /// What the database holds, 32 bytes.
    package var hash: [UInt8] { Array(SHA256.hash(data: Data(text.utf8))) }
}
