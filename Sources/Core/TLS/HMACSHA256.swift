// HOT: at most one code a click, of those that bring a token the worker has not seen.
//
// HMAC-SHA-256 (RFC 2104) by libcrypto. The key's two blocks are hashed once and copied for each
// code, so that a code costs its own bytes and two blocks more, and nothing is allocated. Rejected:
// EVP_MAC and HMAC_CTX, which in OpenSSL 3.0 allocate for each code.

import COpenSSL

/// A key made ready to authenticate with. Thread-safe: codes only read it.
package struct HMACSHA256: Sendable {
    package static var codeBytes: Int { 32 }

    private let key: copenssl_hmac_key

    /// - Parameter key: any bytes; more than 64 are hashed first, as the RFC says.
    package init(key: UnsafeRawBufferPointer) {
        self.key = copenssl_hmac_prepare(key.baseAddress, key.count)
    }

    /// Writes the code of `message` to the first ``codeBytes`` of `code`.
    package func authenticate(
        _ message: UnsafeRawBufferPointer, into code: UnsafeMutableRawBufferPointer
    ) {
        precondition(code.count >= HMACSHA256.codeBytes, "a code needs 32 bytes of room")
        withUnsafePointer(to: key) {
            copenssl_hmac(
                $0, message.baseAddress, message.count,
                code.baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
    }

    /// Whether `code` is the code of `message`, in time that does not tell where they differ.
    package func isValid(
        _ code: UnsafeRawBufferPointer, of message: UnsafeRawBufferPointer
    ) -> Bool {
        guard code.count == HMACSHA256.codeBytes else { return false }
        var expected: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        return withUnsafeMutableBytes(of: &expected) {
            authenticate(message, into: $0)
            return CRYPTO_memcmp($0.baseAddress, code.baseAddress, HMACSHA256.codeBytes) == 0
        }
    }
}
