import Glibc

/// A whole file read into memory of our own, freed with the last reference.
///
/// Read rather than mapped, for two reasons. Look-ups all over a file of hundreds of megabytes need
/// a translation of their page each, which the processor keeps for some thousands of small pages or
/// as many huge ones, and a mapped file has no huge ones. And what is ours cannot be shortened under
/// us by somebody who writes in place.
package final class LoadedFile: Sendable {
    package nonisolated(unsafe) let bytes: UnsafeRawBufferPointer

    /// - Throws: what the system says, also where there is no memory for it; EIO if the file is
    ///   shorter than it said.
    package init(path: String) throws(SystemError) {
        let descriptor = try File.open(path, .read)
        let size = try File.size(of: descriptor, path: path)
        // mmap(2) refuses a length of zero.
        guard size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let map = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard map != MAP_FAILED, let map else { throw SystemError("mmap", path) }
        bytes = UnsafeRawBufferPointer(start: map, count: size)
        // Where the kernel has no huge pages to give, small ones serve.
        _ = madvise(map, size, MADV_HUGEPAGE)
        let room = UnsafeMutableRawBufferPointer(start: map, count: size)
        let got = try File.read(descriptor, into: room, at: 0, path: path)
        guard got == size else { throw SystemError("pread", path, code: EIO) }
        _ = mprotect(map, size, PROT_READ)
    }

    deinit {
        if let address = bytes.baseAddress {
            munmap(UnsafeMutableRawPointer(mutating: address), bytes.count)
        }
    }
}
