// Whole files to and from a bucket that speaks S3's protocol, by libcurl, signed by us (see
// S3Signature). Path style (endpoint/bucket/key), which every such server understands. The file's
// SHA-256 is part of what is signed, so a server refuses a body that was changed on its way. One
// PUT a file: S3 takes 5 GiB by that.

import CCurl
import Glibc
import Linux

/// What an object store, or the way to it, refused.
package struct ObjectStoreError: Error, Equatable, CustomStringConvertible {
    /// HTTP's; 0 where no answer came.
    package let status: Int
    package let operation: String
    /// libcurl's words, or the beginning of the server's.
    package let reason: String

    /// Whether there is nothing of that name.
    package var isMissing: Bool { status == 404 }

    package var description: String {
        status == 0 ? "\(operation): \(reason)" : "\(operation): status \(status), \(reason)"
    }
}

/// A bucket and the right to use it. Each call makes a connection of its own.
package struct S3Bucket: Sendable {
    private let endpoint: String
    private let region: String
    package let name: String
    private let accessKeyID: String
    private let secretAccessKey: String

    private static let connectSeconds = 10
    /// Less than a byte a second for so long is nobody at the other end.
    private static let silenceSeconds = 60
    private static let answerBytesMax = 300
    /// SHA-256 of nothing, for requests without a body.
    private static let emptySHA256 =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    /// - Parameter endpoint: scheme, host and port: `https://s3.ap-northeast-2.amazonaws.com`.
    package init(
        endpoint: String, region: String, name: String, accessKeyID: String,
        secretAccessKey: String
    ) {
        self.endpoint = endpoint.hasSuffix("/") ? String(endpoint.dropLast()) : endpoint
        self.region = region
        self.name = name
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
    }

    /// Stores a file under a key, in place of what was there.
    /// - Parameters:
    ///   - key: of letters, digits and `.-_/`; nothing is escaped.
    ///   - sha256: of the file, as 64 hexadecimal digits in lower case.
    ///   - cacheControl: what whoever fetches the object is told of keeping it.
    package func put(
        _ key: String, file: String, bytes: Int, sha256: String, contentType: String,
        cacheControl: String? = nil
    ) throws {
        guard let source = fopen(file, "rbe") else { throw SystemError("fopen", file) }
        defer { fclose(source) }
        guard let answer = tmpfile() else { throw SystemError("tmpfile", file) }
        defer { fclose(answer) }
        let lines = ["Content-Type: \(contentType)", "Expect:"]
        try perform(
            "PUT", key, sha256: sha256,
            lines: lines + [cacheControl.map { "Cache-Control: \($0)" }].compactMap(\.self),
            source: source, target: answer, bytes: bytes)
    }

    /// Writes an object to a file, in place of what was there.
    /// - Throws: ``ObjectStoreError``; then the file may hold the server's complaint.
    package func get(_ key: String, to file: String) throws {
        guard let target = fopen(file, "w+be") else { throw SystemError("fopen", file) }
        defer { fclose(target) }
        try perform(
            "GET", key, sha256: S3Bucket.emptySHA256, lines: [], source: nil, target: target,
            bytes: nil)
        guard fflush(target) == 0 else { throw SystemError("fflush", file) }
    }

    /// Removes an object. That there is none is no fault: servers do not agree on saying so.
    package func delete(_ key: String) throws {
        guard let answer = tmpfile() else { throw SystemError("tmpfile", key) }
        defer { fclose(answer) }
        do {
            try perform(
                "DELETE", key, sha256: S3Bucket.emptySHA256, lines: [], source: nil, target: answer,
                bytes: nil)
        } catch let error as ObjectStoreError where error.isMissing {}
    }

    /// The lines that say who asks, for what, and when.
    private func signedLines(_ method: String, _ key: String, sha256: String) -> [String] {
        let time = S3Bucket.timeText(Clock.now())
        var headers = [
            (name: "host", value: endpoint.split(separator: "/").last.map(String.init) ?? ""),
            (name: "x-amz-content-sha256", value: sha256), (name: "x-amz-date", value: time),
        ]
        headers.append(
            (
                name: "Authorization",
                value: S3Signature.authorization(
                    method: method, path: "/\(name)/\(key)", headers: headers, time: time,
                    region: region, payloadSHA256: sha256, accessKeyID: accessKeyID,
                    secretAccessKey: secretAccessKey)
            ))
        return headers.map { "\($0.name): \($0.value)" }
    }

    /// `20130524T000000Z`.
    private static func timeText(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1900)\(padded(parts.tm_mon + 1))\(padded(parts.tm_mday))T"
            + "\(padded(parts.tm_hour))\(padded(parts.tm_min))\(padded(parts.tm_sec))Z"
    }

    private func perform(
        _ method: String, _ key: String, sha256: String, lines: [String],
        source: UnsafeMutablePointer<FILE>?, target: UnsafeMutablePointer<FILE>, bytes: Int?
    ) throws {
        precondition(S3Bucket.isPlain(key), "keys are of characters that need no escape")
        let operation = "\(method) \(key)"
        guard let curl = curl_easy_init() else {
            throw ObjectStoreError(status: 0, operation: operation, reason: "libcurl has no memory")
        }
        defer { curl_easy_cleanup(curl) }
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        for line in signedLines(method, key, sha256: sha256) + lines {
            list = curl_slist_append(list, line)
        }
        let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))
        message.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        defer { message.deallocate() }
        var codes = [
            ccurl_set_message(curl, message),
            ccurl_set_text(curl, CURLOPT_URL, "\(endpoint)/\(name)/\(key)"),
            ccurl_set_text(curl, CURLOPT_PROTOCOLS_STR, "http,https"),
            ccurl_set_lines(curl, list), ccurl_set_files(curl, source, target),
            // No signals: they would end other threads' system calls.
            ccurl_set_number(curl, CURLOPT_NOSIGNAL, 1),
            ccurl_set_number(curl, CURLOPT_CONNECTTIMEOUT, S3Bucket.connectSeconds),
            ccurl_set_number(curl, CURLOPT_LOW_SPEED_LIMIT, 1),
            ccurl_set_number(curl, CURLOPT_LOW_SPEED_TIME, S3Bucket.silenceSeconds),
        ]
        if let bytes {
            codes += [
                ccurl_set_number(curl, CURLOPT_UPLOAD, 1),
                ccurl_set_size(curl, CURLOPT_INFILESIZE_LARGE, curl_off_t(bytes)),
            ]
        }
        if method == "DELETE" { codes.append(ccurl_set_text(curl, CURLOPT_CUSTOMREQUEST, method)) }
        precondition(codes.allSatisfy { $0 == CURLE_OK }, "libcurl knows these options since 7.85")
        let code = curl_easy_perform(curl)
        guard code == CURLE_OK else {
            let reason = message[0] == 0 ? curl_easy_strerror(code) : UnsafePointer(message)
            throw ObjectStoreError(
                status: 0, operation: operation,
                reason: reason.map { String(cString: $0) } ?? "libcurl says \(code.rawValue)")
        }
        let status = Int(ccurl_status(curl))
        guard 200...299 ~= status else {
            throw ObjectStoreError(
                status: status, operation: operation, reason: S3Bucket.beginning(of: target))
        }
    }

    /// Of what a server has answered: it is XML of a sentence and some ids.
    private static func beginning(of file: UnsafeMutablePointer<FILE>) -> String {
        fflush(file)
        var bytes = [UInt8](repeating: 0, count: answerBytesMax)
        let count = pread(fileno(file), &bytes, bytes.count, 0)
        return String(decoding: bytes[..<max(0, count)], as: UTF8.self)
            .split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    private static func isPlain(_ key: String) -> Bool {
        key.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._-/".utf8.contains(byte)
            }
        }
    }
}
