import CPNG

// The picture as a PNG by libpng, of one bit a pixel: a code at 512 pixels has some 1.5 kB.

extension QRCode {
    /// Pixels on a side that any code has room in, and beyond which SVG is the better choice.
    package static let pngSizes = 200...1024

    /// A square picture in black on white of exactly that many pixels a side.
    ///
    /// A module is a whole number of pixels, so that no edge is grey; what is left over makes the
    /// quiet zone wider. Costs a byte a pixel while it runs.
    ///
    /// - Throws: ``QRCodeError`` if there is no memory.
    package func png(sizePixels: Int) throws(QRCodeError) -> [UInt8] {
        precondition(QRCode.pngSizes.contains(sizePixels), "a PNG is of a size that is offered")
        let pixels = pixels(sizePixels: sizePixels)
        // The library tells how much room it wants if this is too little.
        var capacity = 4096
        for _ in 0..<2 {
            var size = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
                size = gm_png_write_bilevel(
                    pixels, UInt32(sizePixels), target.baseAddress, capacity)
                count = size <= capacity ? size : 0
            }
            guard size > 0 else { break }
            if size <= capacity { return bytes }
            capacity = size
        }
        throw QRCodeError(description: "libpng could not write \(sizePixels) pixels")
    }

    /// A byte a pixel, 1 for light.
    private func pixels(sizePixels: Int) -> [UInt8] {
        let scale = sizePixels / (side + 2 * QRCode.quietModules)
        let margin = (sizePixels - scale * side) / 2
        var pixels = [UInt8](repeating: 1, count: sizePixels * sizePixels)
        for row in 0..<side {
            for column in 0..<side where isDark(column: column, row: row) {
                for y in 0..<scale {
                    let start = (margin + row * scale + y) * sizePixels + margin + column * scale
                    for x in start..<start + scale { pixels[x] = 0 }
                }
            }
        }
        return pixels
    }
}
