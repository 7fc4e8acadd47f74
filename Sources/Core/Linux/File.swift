import Glibc

/// Files and folders, by the calls of the same names. Every function blocks; none retries but for
/// EINTR. Paths are UTF-8.
package enum File {
    package struct Access: Sendable {
        let flags: Int32
        package static let read = Access(flags: O_RDONLY)
        /// A new file; an existing one of that name is an error (EEXIST).
        package static let createNew = Access(flags: O_WRONLY | O_CREAT | O_EXCL | O_APPEND)
        /// A new file, or an existing one emptied.
        package static let createOrTruncate = Access(flags: O_WRONLY | O_CREAT | O_TRUNC)
        package static let createOrAppend = Access(flags: O_WRONLY | O_CREAT | O_APPEND)
        package static let createOrUpdate = Access(flags: O_RDWR | O_CREAT)
        package static let directory = Access(flags: O_RDONLY | O_DIRECTORY)
    }

    package static func open(
        _ path: String, _ access: Access, mode: mode_t = 0o640
    ) throws(SystemError) -> Descriptor {
        while true {
            let raw = Glibc.open(path, access.flags | O_CLOEXEC, mode)
            if raw >= 0 { return Descriptor(owning: raw) }
            if errno != EINTR { throw SystemError("open", path) }
        }
    }

    /// Writes all bytes, in several calls if the kernel takes them so. After an error any prefix of
    /// them may be in the file.
    package static func writeWhole(
        _ bytes: UnsafeRawBufferPointer, to descriptor: borrowing Descriptor, path: String
    ) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let written = Glibc.write(descriptor.raw, rest.baseAddress, rest.count)
            if written >= 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest[written...])
            } else if errno != EINTR {
                throw SystemError("write", path)
            }
        }
    }

    /// Reads at an offset until the buffer is full or the file ends.
    /// - Returns: the bytes read; fewer than the buffer holds only at the end of the file.
    package static func read(
        _ descriptor: borrowing Descriptor, into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int, path: String
    ) throws(SystemError) -> Int {
        var count = 0
        while count < buffer.count {
            let got = pread(
                descriptor.raw, buffer.baseAddress! + count, buffer.count - count, offset + count)
            if got > 0 {
                count += got
            } else if got == 0 {
                break
            } else if errno != EINTR {
                throw SystemError("pread", path)
            }
        }
        return count
    }

    /// The whole file, if it is no longer than `bytesMax` (EFBIG otherwise).
    package static func contents(
        of path: String, bytesMax: Int
    ) throws(SystemError) -> [UInt8] {
        let descriptor = try open(path, .read)
        let size = try size(of: descriptor, path: path)
        guard size <= bytesMax else { throw SystemError("read", path, code: EFBIG) }
        var bytes = [UInt8](repeating: 0, count: size)
        var failure: SystemError?
        let count = bytes.withUnsafeMutableBytes { buffer -> Int in
            do throws(SystemError) {
                return try read(descriptor, into: buffer, at: 0, path: path)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        bytes.removeLast(size - count)
        return bytes
    }

    package static func size(
        of descriptor: borrowing Descriptor, path: String
    ) throws(SystemError) -> Int {
        var status = stat()
        guard fstat(descriptor.raw, &status) == 0 else { throw SystemError("fstat", path) }
        return Int(status.st_size)
    }

    package static func truncate(
        _ descriptor: borrowing Descriptor, to bytes: Int, path: String
    ) throws(SystemError) {
        guard ftruncate(descriptor.raw, bytes) == 0 else { throw SystemError("ftruncate", path) }
    }

    /// fdatasync(2): the bytes and what is needed to read them back are on the device.
    package static func syncData(
        _ descriptor: borrowing Descriptor, path: String
    ) throws(SystemError) {
        guard fdatasync(descriptor.raw) == 0 else { throw SystemError("fdatasync", path) }
    }

    package static func sync(
        _ descriptor: borrowing Descriptor, path: String
    ) throws(SystemError) {
        guard fsync(descriptor.raw) == 0 else { throw SystemError("fsync", path) }
    }

    /// Makes names created, renamed or removed in a folder survive a power loss.
    package static func syncDirectory(_ path: String) throws(SystemError) {
        let directory = try open(path, .directory)
        try sync(directory, path: path)
    }

    /// Replaces `target` in one step; readers see the old file or the new one, never neither.
    package static func rename(_ source: String, to target: String) throws(SystemError) {
        guard Glibc.rename(source, target) == 0 else { throw SystemError("rename", source) }
    }

    package static func remove(_ path: String) throws(SystemError) {
        guard unlink(path) == 0 else { throw SystemError("unlink", path) }
    }

    /// What tells one file from another that later has its name.
    package struct Identity: Equatable, Sendable {
        let device: UInt
        let inode: UInt
        package let bytes: Int
        /// Since 1970. The kernel's clock for it is up to a tick behind.
        package let modifiedNanoseconds: Int

        /// The same in microseconds.
        package var modifiedMicros: Int64 { Int64(modifiedNanoseconds / 1000) }
    }

    /// What a process without privileges may still write to the file system that holds a path; nil
    /// if that cannot be told.
    package static func freeBytes(at path: String) -> Int? {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return nil }
        return Int(status.f_bavail) * Int(status.f_frsize)
    }

    /// Nil if there is no such file, or none that may be looked at.
    package static func identity(of path: String) -> Identity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return Identity(
            device: UInt(status.st_dev), inode: UInt(status.st_ino), bytes: Int(status.st_size),
            modifiedNanoseconds: status.st_mtim.tv_sec * 1_000_000_000 + status.st_mtim.tv_nsec)
    }

    /// The part before the last slash: `/` for a name in the root, `.` for a bare name.
    package static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    package static func exists(_ path: String) -> Bool {
        access(path, F_OK) == 0
    }

    /// The names in a folder, but for `.` and `..`, in no order.
    package static func list(_ directory: String) throws(SystemError) -> [String] {
        guard let stream = opendir(directory) else { throw SystemError("opendir", directory) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw SystemError("readdir", directory) }
                return names
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    /// Makes the folder and those above it that are missing.
    package static func makeDirectories(
        _ path: String, mode: mode_t = 0o750
    ) throws(SystemError) {
        if mkdir(path, mode) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw SystemError("mkdir", path)
        }
        try makeDirectories(String(path[..<slash]), mode: mode)
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw SystemError("mkdir", path) }
    }

    /// Takes the lock of a file (flock(2)), which the kernel gives back however the process ends.
    /// - Returns: the lock, held while the descriptor lives. EWOULDBLOCK if somebody else has it.
    package static func lock(_ path: String) throws(SystemError) -> Descriptor {
        let descriptor = try open(path, .createOrUpdate)
        guard flock(descriptor.raw, LOCK_EX | LOCK_NB) == 0 else {
            throw SystemError("flock", path)
        }
        return descriptor
    }
}
