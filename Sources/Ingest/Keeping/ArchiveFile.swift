// A day's clicks as a file that stands alone: for auditors who have a spreadsheet and no database,
// and to be restored from to the last byte.
//
// Format gonggumoa-clicks-1: CSV as PostgreSQL writes it (RFC 4180, lines end with LF, UTF-8), a
// header, then a row a stored record in the order of (clicked_at, id), compressed by gzip:
//
//   clicked_at    2025-10-01 03:00:00.123456+00, always UTC; the day itself is Korean
//   id            UUIDv7 of the click
//   gonggu_id     UUID
//   user_id       UUID of who was signed in; empty for nobody
//   visitor_key   64 bits as a signed number
//   click_count   requests that the row stands for
//   verdict, rule_set, reason, device, path   the ledger's numbers
//   country       ISO 3166, ZZ unknown
//   channel       "" for none
//   referer       the text; empty (not "") for none
//   referer_host  its host, likewise
//
// No address and no User-Agent: a day becomes a file only after both were erased. A manifest of the
// same name (.json) says how many rows and bytes there are, and their SHA-256, of the text and of
// the file. Without quotes empty means none, with quotes it is an empty text.

import Clicks
import Gzip
import Linux
import TLS

enum ArchiveFile {
    static let format = "gonggumoa-clicks-1"

    /// What is in the file, whatever compressed it.
    struct Content: Equatable {
        /// Without the header.
        var rows: Int
        var bytes: Int
        var sha256: [UInt8]
    }

    /// What is written down of a file.
    struct Record: Equatable {
        var content: Content
        var fileBytes: Int
        var fileSHA256: [UInt8]
        /// Where it is: its path, or an `s3://` URL.
        var location: String
    }

    static func name(_ part: WaitingPart) -> String { "clicks-\(part.day)-\(part.part)" }

    /// Writes a file beside its final name, of the parts that `fill` sends; synced, not renamed.
    /// - Parameter fill: returns the number of rows.
    static func write(
        to path: String, _ fill: ((UnsafeRawBufferPointer) throws -> Void) throws -> Int
    ) throws -> Content {
        let descriptor = try File.open(path, .createOrTruncate)
        var writer = try GzipWriter(descriptor, path: path)
        var sum = ContentSum()
        let rows = try fill { bytes in
            sum.add(bytes)
            try writer.write(bytes)
        }
        try writer.finish()
        try File.sync(descriptor, path: path)
        return Content(rows: rows, bytes: sum.bytes, sha256: sum.digest.value())
    }

    /// Reads a file whole and says what is in it; `body` gets the text as well.
    static func read(
        _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void = { _ in }
    ) throws -> Content {
        var sum = ContentSum()
        try GzipReader.read(path) { bytes in
            sum.add(bytes)
            try body(bytes)
        }
        return Content(
            rows: max(0, sum.lines - 1), bytes: sum.bytes, sha256: sum.digest.value())
    }

    /// Reads the file whole and compares it with what was written down.
    /// - Parameter path: of the file itself, or of a copy that was fetched.
    /// - Throws: ``MaintainError/changed(path:)``, or what reading it comes to.
    static func requireUnchanged(_ record: Record, _ path: String) throws {
        let file = try sum(ofFile: path)
        guard file == (record.fileBytes, record.fileSHA256), try read(path) == record.content
        else { throw MaintainError.changed(path: record.location) }
    }

    /// Length and SHA-256 of a file as it is on the disk.
    static func sum(ofFile path: String) throws -> (bytes: Int, sha256: [UInt8]) {
        let descriptor = try File.open(path, .read)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { buffer.deallocate() }
        var digest = SHA256Digest()
        var offset = 0
        while true {
            let count = try File.read(descriptor, into: buffer, at: offset, path: path)
            digest.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += count
            if count < buffer.count { return (offset, digest.value()) }
        }
    }

    /// The manifest's text: JSON, the same for the same file.
    static func manifest(_ part: WaitingPart, _ record: Record) -> String {
        let columns = MaintainQueries.columns.map { "\"\($0)\"" }.joined(separator: ", ")
        return """
            {
              "format": "\(format)",
              "day": "\(part.day)",
              "timezone": "Asia/Seoul",
              "part": \(part.part),
              "file": "\(name(part)).csv.gz",
              "file_bytes": \(record.fileBytes),
              "file_sha256": "\(hexadecimal(record.fileSHA256))",
              "rows": \(record.content.rows),
              "content_bytes": \(record.content.bytes),
              "content_sha256": "\(hexadecimal(record.content.sha256))",
              "columns": [\(columns)]
            }

            """
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined()
    }

    /// Puts a whole file of `text` in the place of `path`, safe from a power loss.
    static func replace(_ path: String, with text: String) throws {
        let temporary = path + ".partial"
        let descriptor = try File.open(temporary, .createOrTruncate)
        var text = text
        try text.withUTF8 {
            try File.writeWhole(UnsafeRawBufferPointer($0), to: descriptor, path: temporary)
        }
        try File.sync(descriptor, path: temporary)
        try File.rename(temporary, to: path)
    }
}

/// Counts and hashes CSV on its way. A line end within quotes is part of a text.
struct ContentSum {
    private(set) var digest = SHA256Digest()
    private(set) var bytes = 0
    private(set) var lines = 0
    private var isQuoted = false

    mutating func add(_ part: UnsafeRawBufferPointer) {
        digest.update(part)
        bytes += part.count
        for byte in part {
            // A quote within quotes is doubled, so that two switch back.
            if byte == UInt8(ascii: "\"") {
                isQuoted.toggle()
            } else if byte == UInt8(ascii: "\n"), !isQuoted {
                lines += 1
            }
        }
    }
}
