// Decoders of PNG and GIF paint what is missing and say nothing, so a file that was cut off on its
// way would become a picture that is half black. Both formats end with a mark that is found by
// walking over lengths. JPEG's and WebP's decoders tell by themselves.

/// Whether a file goes on to its own end.
enum FileEnd {
    /// True for formats that are not looked at here.
    static func isReached(in bytes: UnsafeRawBufferPointer) -> Bool {
        if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return reachesIEND(bytes) }
        if bytes.starts(with: "GIF8".utf8) { return reachesTrailer(bytes) }
        return true
    }

    /// PNG: chunks of length, name, bytes and checksum, up to the one called IEND.
    private static func reachesIEND(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 8
        while position + 12 <= bytes.count {
            let length = Int(
                UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
            let name = bytes[position + 4..<position + 8]
            if name.elementsEqual("IEND".utf8) { return true }
            position += 12 + length
        }
        return false
    }

    /// GIF: a head, then blocks: 0x21 kind and sub-blocks, 0x2C a frame, 0x3B the end. Sub-blocks
    /// have a length of one byte each, 0 after the last.
    private static func reachesTrailer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= 13 else { return false }
        var position = 13 + tableBytes(bytes[10])
        while position < bytes.count {
            switch bytes[position] {
            case 0x3B: return true
            case 0x21: position += 2
            case 0x2C:
                guard position + 10 < bytes.count else { return false }
                // Past the frame's head, its colours and the size of its codes.
                position += 11 + tableBytes(bytes[position + 9])
            default: return false
            }
            while position < bytes.count, bytes[position] != 0 {
                position += 1 + Int(bytes[position])
            }
            position += 1
        }
        return false
    }

    /// Of a table of colours, by the flags that announce it.
    private static func tableBytes(_ flags: UInt8) -> Int {
        flags & 0x80 == 0 ? 0 : 3 << (Int(flags & 7) + 1)
    }
}
