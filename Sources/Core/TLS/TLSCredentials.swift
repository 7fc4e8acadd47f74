// Who the server says it is, and under which rules it talks: TLS 1.2 or 1.3, HTTP/1.1 alone,
// forward secrecy, no compression, no renegotiation, no early data (a request that can be replayed
// is a click that can). Sessions are resumed by tickets, whose keys are made at random with the
// first credentials and handed on at each reload; they are in no file.

import COpenSSL

/// A certificate that cannot be used, or its key.
package struct TLSFault: Error, Equatable, CustomStringConvertible {
    package enum Part: Equatable, Sendable {
        case certificate
        case key
        /// OpenSSL itself: no memory, or a library that lacks what every 3.0 has.
        case library
    }

    package let part: Part
    /// Follows "is" and the path: `no start line`, in OpenSSL's words.
    package let reason: String

    package var description: String { reason }

    init(_ part: Part, _ reason: String) {
        self.part = part
        self.reason = reason
    }

    /// What OpenSSL has just complained of.
    init(_ part: Part) {
        var number: Int32 = 0
        let text = String(cString: copenssl_reason(&number))
        let isForeign =
            part == .key
            && (number == X509_R_KEY_VALUES_MISMATCH || number == X509_R_KEY_TYPE_MISMATCH
                || number == SSL_R_NO_CERTIFICATE_ASSIGNED)
        self.init(part, isForeign ? "not the key of the certificate" : text)
    }
}

/// A certificate with its key, ready to serve.
///
/// Unchecked: a context is not changed once it is made; OpenSSL counts its references atomically.
package final class TLSCredentials: @unchecked Sendable {
    let context: OpaquePointer
    /// When the certificate ends, in Unix seconds; 0 if that could not be told.
    package let expiresAt: Int64

    /// Reads both files.
    ///
    /// - Parameters:
    ///   - certificate: path of a PEM file: the server's certificate first, then its chain.
    ///   - key: path of a PEM file without a passphrase.
    ///   - older: those these replace; whoever holds a ticket of theirs resumes under these.
    package init(
        certificate: String, key: String, replacing older: TLSCredentials? = nil
    ) throws(TLSFault) {
        ERR_clear_error()
        guard let context = copenssl_context_new() else { throw TLSFault(.library) }
        self.context = context
        expiresAt = try TLSCredentials.load(context, certificate, key)
        if let older, copenssl_take_ticket_keys(context, older.context) != 1 {
            throw TLSFault(.library)
        }
    }

    deinit {
        SSL_CTX_free(context)
    }

    /// - Returns: when the certificate ends.
    private static func load(
        _ context: OpaquePointer, _ certificate: String, _ key: String
    ) throws(TLSFault) -> Int64 {
        guard SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw TLSFault(.certificate)
        }
        guard SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1,
            SSL_CTX_check_private_key(context) == 1
        else { throw TLSFault(.key) }
        return Int64(copenssl_expiry(context))
    }
}
