/// A compressed file that cannot be written or read: which call, why, and of which file.
package struct GzipError: Error, Equatable, CustomStringConvertible {
    /// The call, as in zlib's manual.
    package let operation: String
    package let path: String
    package let reason: String

    package var description: String { "\(operation) \(path): \(reason)" }
}
