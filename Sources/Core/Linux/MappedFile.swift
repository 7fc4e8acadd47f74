import Glibc

/// A whole file mapped for reading, shared with the page cache, unmapped with its last reference.
///
/// Invariant: `bytes` stays valid while this object lives, also after the file is renamed over or
/// removed. It does not if somebody truncates the file in place: writers replace, never shrink.
package final class MappedFile: Sendable {
    package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    /// - Parameter populate: reads the file in now, so that no later access waits for the disk.
    package init(path: String, populate: Bool = false) throws(SystemError) {
        let descriptor = try File.open(path, .read)
        let size = try File.size(of: descriptor, path: path)
        // mmap(2) refuses a length of zero.
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor.raw, 0)
        guard address != MAP_FAILED, let address else { throw SystemError("mmap", path) }
        if populate { MappedPages.populate(address, bytes: size, .read) }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
    }

    deinit {
        if let address = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
        }
    }
}
