import CLinux
import Glibc

/// Tells when a name in a folder was completed or replaced (inotify(7)): on close after writing and
/// on rename into the folder, which is how a finished file appears.
package struct FolderWatch: ~Copyable, Sendable {
    private let descriptor: Descriptor

    package init(folder: String) throws(SystemError) {
        let raw = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
        guard raw >= 0 else { throw SystemError("inotify_init1", folder) }
        let descriptor = Descriptor(owning: raw)
        let mask = UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO)
        guard inotify_add_watch(raw, folder, mask) >= 0 else {
            throw SystemError("inotify_add_watch", folder)
        }
        self.descriptor = descriptor
    }

    package var raw: Int32 { descriptor.raw }

    /// Forgets what was reported so far.
    package func clear() {
        withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
            while read(descriptor.raw, buffer.baseAddress, buffer.count) > 0 {}
        }
    }
}
