import Glibc

/// A system call that failed: which, why, and on what.
package struct SystemError: Error, CustomStringConvertible {
    /// The call, as in the manual: `open`, `fdatasync`.
    package let operation: StaticString
    /// `errno` as the call left it.
    package let code: Int32
    /// The path, address or descriptor it was about.
    package let object: String

    package init(_ operation: StaticString, _ object: String, code: Int32 = errno) {
        self.operation = operation
        self.object = object
        self.code = code
    }

    /// Whether there is nothing of that name.
    package var isMissing: Bool { code == ENOENT }

    package var description: String {
        "\(operation) \(object): \(String(cString: strerror(code)))"
    }
}
