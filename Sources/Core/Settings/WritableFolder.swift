import Glibc

/// Whether a folder can be written to, found out by writing.
enum WritableFolder {
    /// Makes the folder and those above it that are missing, then creates a file in it and removes
    /// it again. access(2) would not do: it lets root pass where a write then fails, and says
    /// nothing of a full disk.
    /// - Returns: what went wrong, as the end of "where …"; nil if the folder is fit for use.
    static func problem(at path: String) -> String? {
        if let problem = make(path) { return problem }
        let probe = "\(path)/.writable-\(getpid())"
        let descriptor = open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return reason("a file cannot be made") }
        defer {
            close(descriptor)
            unlink(probe)
        }
        var byte: UInt8 = 0
        return write(descriptor, &byte, 1) == 1 ? nil : reason("a file cannot be written")
    }

    private static func make(_ path: String) -> String? {
        if mkdir(path, 0o750) == 0 || errno == EEXIST { return nil }
        if errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            if let problem = make(String(path[..<slash])) { return problem }
            if mkdir(path, 0o750) == 0 || errno == EEXIST { return nil }
        }
        return reason("the folder cannot be made")
    }

    private static func reason(_ what: String) -> String {
        "\(what) (\(String(cString: strerror(errno))))"
    }
}
