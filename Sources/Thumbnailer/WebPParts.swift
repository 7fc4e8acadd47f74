import Glibc

// libvips 8.14 adds EXIF of its own making to each WebP it writes, "strip" or not. A WebP file is a
// list of chunks, so what is no picture is left out on the way to the file.
//
//   "RIFF" | bytes after this, u32 | "WEBP" | chunks: name of 4, length u32, bytes, padded to even
//   VP8X, the first of several: its first byte has a bit each for ICC 0x20, EXIF 0x08, XMP 0x04

/// A WebP file as its encoder made it, cut into the chunks that stay.
struct WebPParts {
    private var kept: [UnsafeRawBufferPointer] = []
    private static let metadata: Set<[UInt8]> = [
        Array("EXIF".utf8), Array("XMP ".utf8), Array("ICCP".utf8),
    ]
    private static let metadataFlags: UInt8 = 0x20 | 0x08 | 0x04
    private static let headBytes = 12

    /// - Parameter file: lives as long as this value; nil if it is no whole WebP.
    init?(_ file: UnsafeRawBufferPointer) {
        guard file.count >= WebPParts.headBytes, file[0..<4].elementsEqual("RIFF".utf8) else {
            return nil
        }
        var position = WebPParts.headBytes
        while position < file.count {
            guard file.count - position >= 8 else { return nil }
            let length = Int(file.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
            let end = position + 8 + length + length & 1
            guard end <= file.count else { return nil }
            if !WebPParts.metadata.contains(Array(file[position..<position + 4])) {
                kept.append(UnsafeRawBufferPointer(rebasing: file[position..<end]))
            }
            position = end
        }
    }

    /// Writes the file anew. False if that fails, as on a file that may not grow so large.
    func write(to descriptor: Int32) -> Bool {
        let count = kept.reduce(0) { $0 + $1.count }
        var head = Array("RIFF".utf8)
        withUnsafeBytes(of: UInt32(count + 4).littleEndian) { head += $0 }
        head += "WEBP".utf8
        guard head.withUnsafeBytes({ WebPParts.writeWhole($0, to: descriptor) }) else {
            return false
        }
        return kept.allSatisfy { chunk in
            guard chunk.starts(with: "VP8X".utf8) else {
                return WebPParts.writeWhole(chunk, to: descriptor)
            }
            var bytes = Array(chunk)
            bytes[8] &= ~WebPParts.metadataFlags
            return bytes.withUnsafeBytes { WebPParts.writeWhole($0, to: descriptor) }
        }
    }

    private static func writeWhole(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            guard count > 0 else { return false }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        return true
    }
}
