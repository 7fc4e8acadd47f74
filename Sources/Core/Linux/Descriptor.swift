import Glibc

/// An open file descriptor and the duty to close it.
package struct Descriptor: ~Copyable, Sendable {
    package let raw: Int32

    /// - Parameter raw: open, and owned by nobody else.
    package init(owning raw: Int32) {
        precondition(raw >= 0, "a descriptor is made from a call that succeeded")
        self.raw = raw
    }

    /// Errors of close(2) are not reported: whoever needs the bytes on disk has called fdatasync.
    deinit {
        _ = Glibc.close(raw)
    }

    /// Hands the descriptor to someone who will close it otherwise.
    package consuming func release() -> Int32 {
        let raw = self.raw
        discard self
        return raw
    }
}
