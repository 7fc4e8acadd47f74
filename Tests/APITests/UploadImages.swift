// Images of every format, made byte by byte, so that tests know what is in them.

/// A way to write single bits, from the lowest of each byte, as deflate wants them.
private struct BitWriter {
    private(set) var bytes: [UInt8] = []
    private var pending: UInt8 = 0
    private var count = 0

    mutating func add(_ bit: Int) {
        pending |= UInt8(bit & 1) << UInt8(count)
        count += 1
        if count == 8 { flush() }
    }

    /// Huffman codes go out from their highest bit.
    mutating func add(code: Int, bits: Int) {
        for shift in stride(from: bits - 1, through: 0, by: -1) { add(code >> shift) }
    }

    mutating func flush() {
        guard count > 0 else { return }
        bytes.append(pending)
        (pending, count) = (0, 0)
    }
}

extension UInt32 {
    fileprivate var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian) { Array($0) } }
}

enum TestPNG {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
            value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1
        }
    }

    private static func chunk(_ name: String, _ bytes: [UInt8]) -> [UInt8] {
        let named = Array(name.utf8) + bytes
        let sum = named.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ $0 >> 8 }
        return UInt32(bytes.count).bigEndianBytes + named + (~sum).bigEndianBytes
    }

    private static func file(
        _ width: Int, _ height: Int, depth: UInt8, colour: UInt8, data: [UInt8]
    ) -> [UInt8] {
        let size = UInt32(width).bigEndianBytes + UInt32(height).bigEndianBytes
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
            + chunk("IHDR", size + [depth, colour, 0, 0, 0])
            + chunk("tEXt", Array("Comment\0the author's street".utf8))
            + chunk("IDAT", data) + chunk("IEND", [])
    }

    /// One bit a pixel, all black: 13 bits of deflate for 258 bytes of it.
    static func black(_ width: Int, _ height: Int) -> [UInt8] {
        let count = ((width + 7) / 8 + 1) * height
        var bits = BitWriter()
        for bit in [1, 1, 0] { bits.add(bit) }
        bits.add(code: 0x30, bits: 8)
        for _ in 0..<(count - 1) / 258 {
            bits.add(code: 0b1100_0101, bits: 8)
            bits.add(code: 0, bits: 5)
        }
        for _ in 0..<(count - 1) % 258 { bits.add(code: 0x30, bits: 8) }
        bits.add(code: 0, bits: 7)
        bits.flush()
        let sum = UInt32(count % 65_521) << 16 | 1
        let data = [0x78, 0x01] + bits.bytes + sum.bigEndianBytes
        return file(width, height, depth: 1, colour: 0, data: data)
    }

    /// 24 bits a pixel, stored as they are; at most 65,535 bytes.
    static func coloured(
        _ width: Int, _ height: Int, _ pixel: (Int, Int) -> (UInt8, UInt8, UInt8)
    ) -> [UInt8] {
        var raw: [UInt8] = []
        for y in 0..<height {
            raw.append(0)
            for x in 0..<width {
                let (red, green, blue) = pixel(x, y)
                raw += [red, green, blue]
            }
        }
        var (low, high) = (UInt32(1), UInt32(0))
        for byte in raw {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        let length = withUnsafeBytes(of: UInt16(raw.count).littleEndian) { Array($0) }
        let data =
            [0x78, 0x01, 0x01] + length + length.map { ~$0 } + raw
            + (high << 16 | low).bigEndianBytes
        return file(width, height, depth: 8, colour: 2, data: data)
    }
}

enum TestJPEG {
    private static func segment(_ marker: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        let count = bytes.count + 2
        return [0xFF, marker, UInt8(count >> 8), UInt8(count & 0xFF)] + bytes
    }

    /// One grey a block of 8 by 8: no coefficient but the first, each of its sizes a code of 4
    /// bits, "no more" a code of 1.
    ///
    /// - Parameters:
    ///   - columns: blocks; so many times 8 pixels.
    ///   - exif: of a TIFF, see ``exif(orientation:note:)``.
    static func grey(
        _ columns: Int, _ rows: Int, exif: [UInt8]? = nil, _ block: (Int, Int) -> Int
    ) -> [UInt8] {
        let (width, height) = (columns * 8, rows * 8)
        var bytes: [UInt8] = [0xFF, 0xD8]
        if let exif { bytes += segment(0xE1, Array("Exif\0\0".utf8) + exif) }
        bytes += segment(0xDB, [0] + [UInt8](repeating: 8, count: 64))
        let size = [height >> 8, height & 0xFF, width >> 8, width & 0xFF].map { UInt8($0) }
        bytes += segment(0xC0, [8] + size + [1, 1, 0x11, 0])
        bytes += segment(0xC4, [0x00] + (1...16).map { $0 == 4 ? 12 : 0 } + (0..<12))
        bytes += segment(0xC4, [0x10] + (1...16).map { $0 == 1 ? 1 : 0 } + [0])
        bytes += segment(0xDA, [1, 1, 0, 0, 63, 0])
        var (pending, count, last) = (0, 0, 0)
        func add(_ value: Int, _ bits: Int) {
            for shift in stride(from: bits - 1, through: 0, by: -1) {
                pending = pending << 1 | (value >> shift & 1)
                count += 1
                guard count == 8 else { continue }
                bytes.append(UInt8(pending))
                if pending == 0xFF { bytes.append(0) }
                (pending, count) = (0, 0)
            }
        }
        for row in 0..<rows {
            for column in 0..<columns {
                let value = block(column, row) - 128
                let difference = value - last
                last = value
                let category = Int.bitWidth - abs(difference).leadingZeroBitCount
                add(category, 4)
                add(difference < 0 ? difference + (1 << category) - 1 : difference, category)
                add(0, 1)
            }
        }
        while count > 0 { add(1, 1) }
        return bytes + [0xFF, 0xD9]
    }

    /// A TIFF with an orientation, a description, and a place on earth.
    static func exif(orientation: UInt16, note: String) -> [UInt8] {
        func two(_ value: Int) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
        func entry(_ tag: Int, _ kind: Int, _ count: Int, _ value: [UInt8]) -> [UInt8] {
            two(tag) + two(kind) + UInt32(count).bigEndianBytes + value
        }
        let text = Array(note.utf8) + [0]
        let (textAt, placeAt) = (
            UInt32(8 + 2 + 3 * 12 + 4), UInt32(8 + 2 + 3 * 12 + 4 + text.count)
        )
        var bytes = Array("MM\0*".utf8) + UInt32(8).bigEndianBytes + two(3)
        bytes += entry(0x010E, 2, text.count, textAt.bigEndianBytes)
        bytes += entry(0x0112, 3, 1, two(Int(orientation)) + [0, 0])
        bytes += entry(0x8825, 4, 1, placeAt.bigEndianBytes)
        bytes += UInt32(0).bigEndianBytes + text
        let degreesAt = placeAt + 2 + 2 * 12 + 4
        bytes += two(2) + entry(1, 2, 2, [UInt8(ascii: "N"), 0, 0, 0])
        bytes += entry(2, 5, 3, degreesAt.bigEndianBytes) + UInt32(0).bigEndianBytes
        for value in [37, 1, 33, 1, 59, 1] { bytes += UInt32(value).bigEndianBytes }
        return bytes
    }
}

enum TestGIF {
    /// Grey pictures one after the other. Each pixel is a code of its own, and the dictionary is
    /// cleared before codes would grow.
    static func frames(
        _ width: Int, _ height: Int, count: Int, _ pixel: (Int, Int, Int) -> UInt8
    ) -> [UInt8] {
        func two(_ value: Int) -> [UInt8] { [UInt8(value & 0xFF), UInt8(value >> 8)] }
        var bytes = Array("GIF89a".utf8) + two(width) + two(height) + [0xF6, 0, 0]
        for level in 0..<128 { bytes += [UInt8](repeating: UInt8(level * 2), count: 3) }
        bytes += [0x21, 0xFF, 11] + Array("NETSCAPE2.0".utf8) + [3, 1, 0, 0, 0]
        for frame in 0..<count {
            bytes += [0x21, 0xF9, 4, 0, 10, 0, 0, 0]
            bytes += [0x2C] + two(0) + two(0) + two(width) + two(height) + [0, 7]
            var codes: [UInt8] = []
            for index in 0..<width * height {
                if index % 100 == 0 { codes.append(128) }
                codes.append(pixel(frame, index % width, index / width) & 0x7F)
            }
            codes.append(129)
            for start in stride(from: 0, to: codes.count, by: 255) {
                let block = codes[start..<min(start + 255, codes.count)]
                bytes += [UInt8(block.count)] + block
            }
            bytes.append(0)
        }
        return bytes + [0x3B]
    }
}

/// What a WebP file says of itself: the names of its chunks.
func webPChunks(_ file: [UInt8]) -> [String] {
    guard file.starts(with: "RIFF".utf8), file.dropFirst(8).starts(with: "WEBP".utf8) else {
        return []
    }
    var (names, position) = ([String](), 12)
    while position + 8 <= file.count {
        names.append(String(decoding: file[position..<position + 4], as: UTF8.self))
        let length = file[position + 4..<position + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
        position += 8 + length + length & 1
    }
    return position == file.count ? names : []
}
