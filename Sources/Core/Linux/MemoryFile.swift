import CLinux
import Glibc

/// A file that has no name and lives in memory (memfd_create(2)): bytes that another process is to
/// read or write as a file, and that go with their last owner however that ends.
///
/// Its pages are ordinary memory of whoever wrote them; nothing is swapped to a disk by it.
package final class MemoryFile: Sendable {
    private let descriptor: Descriptor

    /// - Parameter name: shown in /proc; need not be unique.
    /// - Throws: EMFILE and its like.
    package init(name: String) throws(SystemError) {
        let raw = clinux_memory_file(name)
        guard raw >= 0 else { throw SystemError("memfd_create", name) }
        descriptor = Descriptor(owning: raw)
    }

    /// At least 10 and close-on-exec; it lives as long as this object.
    package var raw: Int32 { descriptor.raw }

    /// A name by which this process can open it once more, with an offset of its own.
    package var path: String { "/proc/self/fd/\(raw)" }

    /// Adds bytes at the end. Copies them once; ENOSPC and ENOMEM are thrown.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try File.writeWhole(bytes, to: descriptor, path: path)
    }

    package func size() throws(SystemError) -> Int {
        try File.size(of: descriptor, path: path)
    }

    /// Sets the offset that the next reader of the same descriptor begins at, which a child shares.
    package func rewind() throws(SystemError) {
        guard lseek(raw, 0, SEEK_SET) == 0 else { throw SystemError("lseek", path) }
    }

    /// All of it, if it is no longer than `bytesMax` (EFBIG otherwise).
    package func contents(bytesMax: Int) throws(SystemError) -> [UInt8] {
        try File.contents(of: path, bytesMax: bytesMax)
    }
}
