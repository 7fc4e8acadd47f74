// Files compressed as gzip (RFC 1952), which every system can read without us, by zlib. zlib's own
// file functions buffer, compress and check the CRC; what they are lenient about is refused here: a
// file that is not compressed at all, and one that ends too early.

import CZlib
import Glibc
import Linux

/// Writes one compressed file. Confined to one thread.
package struct GzipWriter: ~Copyable {
    private let file: gzFile
    private let path: String
    private var isOpen = true
    /// zlib's default: a twentieth larger than the best, at a third of its time.
    private static let mode = "wb6"
    private static let bufferBytes: UInt32 = 1 << 18

    /// Writes from the descriptor's position on; the descriptor stays the caller's, for syncing.
    package init(_ descriptor: borrowing Descriptor, path: String) throws {
        let copy = dup(descriptor.raw)
        guard copy >= 0 else { throw SystemError("dup", path) }
        guard let file = gzdopen(copy, GzipWriter.mode) else {
            close(copy)
            throw GzipError(operation: "gzdopen", path: path, reason: "no memory")
        }
        gzbuffer(file, GzipWriter.bufferBytes)
        self.file = file
        self.path = path
    }

    deinit {
        if isOpen { gzclose_w(file) }
    }

    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws(GzipError) {
        guard bytes.count > 0 else { return }
        precondition(bytes.count <= Int32.max, "a part of a file is smaller than 2 GiB")
        guard gzwrite(file, bytes.baseAddress, UInt32(bytes.count)) == bytes.count else {
            throw GzipError(operation: "gzwrite", path: path, reason: Gzip.reason(file))
        }
    }

    /// Writes what is buffered and the end of the file. Not synced. The last call.
    package mutating func finish() throws(GzipError) {
        precondition(isOpen, "a file is finished once")
        isOpen = false
        let code = gzclose_w(file)
        guard code == Z_OK else {
            let reason = code == Z_ERRNO ? String(cString: strerror(errno)) : "zlib says \(code)"
            throw GzipError(operation: "gzclose", path: path, reason: reason)
        }
    }
}

/// Reads compressed files.
package enum GzipReader {
    private static let chunkBytes = 1 << 18

    /// Hands over the content, part by part, each at most 256 KiB.
    /// - Throws: ``GzipError`` for a file that is not compressed, damaged or cut off; what was
    ///   handed over by then may be wrong.
    package static func read(
        _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
    ) throws {
        errno = 0
        guard let file = gzopen(path, "rb") else { throw SystemError("open", path) }
        var isClosed = false
        defer { if !isClosed { gzclose_r(file) } }
        gzbuffer(file, UInt32(chunkBytes))
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: chunkBytes, alignment: 16)
        defer { chunk.deallocate() }
        while true {
            let count = gzread(file, chunk.baseAddress, UInt32(chunk.count))
            guard count >= 0 else {
                throw GzipError(operation: "gzread", path: path, reason: Gzip.reason(file))
            }
            // zlib hands on what is not compressed as it is.
            guard gzdirect(file) == 0 else {
                throw GzipError(operation: "gzread", path: path, reason: "it is not compressed")
            }
            if count == 0 { break }
            try body(UnsafeRawBufferPointer(rebasing: chunk[..<Int(count)]))
        }
        isClosed = true
        guard gzclose_r(file) == Z_OK else {
            throw GzipError(operation: "gzread", path: path, reason: "it ends too early")
        }
    }
}

private enum Gzip {
    static func reason(_ file: gzFile) -> String {
        var code: Int32 = 0
        guard let text = gzerror(file, &code) else { return "unknown" }
        return code == Z_ERRNO ? String(cString: strerror(errno)) : String(cString: text)
    }
}
