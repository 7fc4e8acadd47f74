// AWS Signature Version 4, for requests without a query. libcurl has it as well, and in the
// versions that distributions have it signs headers that it then does not send (`Expect`), so that
// no server accepts an upload.
//
//   canonical = method \n path \n \n (name:value \n for each, by name) \n names \n hex(body's hash)
//   text      = AWS4-HMAC-SHA256 \n time \n scope \n hex(SHA-256(canonical))
//   key       = HMAC(HMAC(HMAC(HMAC("AWS4" + secret, day), region), "s3"), "aws4_request")
//   signature = hex(HMAC(key, text))

import TLS

enum S3Signature {
    /// The value of the Authorization header.
    ///
    /// - Parameters:
    ///   - headers: all that are signed, names in lower case, values without space around them.
    ///   - time: `20130524T000000Z`, as in `x-amz-date`.
    ///   - payloadSHA256: as in `x-amz-content-sha256`.
    static func authorization(
        method: String, path: String, headers: [(name: String, value: String)], time: String,
        region: String, payloadSHA256: String, accessKeyID: String, secretAccessKey: String
    ) -> String {
        let sorted = headers.sorted { $0.name < $1.name }
        let names = sorted.map(\.name).joined(separator: ";")
        let lines = sorted.map { "\($0.name):\($0.value)\n" }.joined()
        let canonical = "\(method)\n\(path)\n\n\(lines)\n\(names)\n\(payloadSHA256)"
        let scope = "\(time.prefix(8))/\(region)/s3/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(hexadecimal(sha256(canonical)))"
        var key = Array("AWS4\(secretAccessKey)".utf8)
        for part in [String(time.prefix(8)), region, "s3", "aws4_request"] {
            key = code(key, part)
        }
        let signature = hexadecimal(code(key, text))
        return "AWS4-HMAC-SHA256 Credential=\(accessKeyID)/\(scope),SignedHeaders=\(names),"
            + "Signature=\(signature)"
    }

    private static func sha256(_ text: String) -> [UInt8] {
        var digest = SHA256Digest()
        Array(text.utf8).withUnsafeBytes { digest.update($0) }
        return digest.value()
    }

    private static func code(_ key: [UInt8], _ message: String) -> [UInt8] {
        let hmac = key.withUnsafeBytes { HMACSHA256(key: $0) }
        var code = [UInt8](repeating: 0, count: HMACSHA256.codeBytes)
        Array(message.utf8).withUnsafeBytes { message in
            code.withUnsafeMutableBytes { hmac.authenticate(message, into: $0) }
        }
        return code
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
