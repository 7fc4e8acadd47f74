import Checksum
import Glibc

/// The little-endian numbers of a file, read and written byte by byte.
struct FileNumbers {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    func word(_ offset: Int) -> UInt64 { number(offset, bytes: 8) }
    func half(_ offset: Int) -> UInt16 { UInt16(number(offset, bytes: 2)) }
    func quad(_ offset: Int) -> UInt32 { UInt32(number(offset, bytes: 4)) }

    private func number(_ offset: Int, bytes count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
    }

    mutating func set<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
        for place in 0..<Number.bitWidth / 8 {
            bytes[offset + place] = UInt8(truncatingIfNeeded: number >> Number(8 * place))
        }
    }
}

extension CRC32C {
    static func of(_ file: FileNumbers, from start: Int, to end: Int) -> UInt32 {
        file.bytes[start..<end].withUnsafeBytes { of($0) }
    }
}

/// A file that is written anew for each input.
enum FuzzFile {
    /// Leaves exactly these bytes in the file. Traps where it cannot: the folder is ours.
    static func write(_ bytes: [UInt8], to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        precondition(file >= 0, "an input's file cannot be made")
        append(bytes[...], to: file)
        close(file)
    }

    static func append(_ bytes: ArraySlice<UInt8>, to file: Int32) {
        let written = bytes.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
        precondition(written == bytes.count, "an input's file cannot be written")
    }
}
