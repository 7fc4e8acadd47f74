import CQRencode
import Glibc

// QR codes (ISO/IEC 18004) by libqrencode, which chooses the smallest version that a text fits into
// and the mask; how the squares become a picture is ours.

/// A text does not fit into a QR code, or there is no memory.
package struct QRCodeError: Error, Equatable, CustomStringConvertible {
    package let description: String
}

/// The dark and light squares ("modules") of a QR code.
///
/// Invariant: 21 to 177 modules a side, four more for each of the versions 1 to 40.
package struct QRCode: Sendable {
    /// Light modules that the standard wants on each side, so that readers find the edge.
    package static let quietModules = 4
    /// Of the largest code, quiet zone included.
    package static let sideModulesMax = 177 + 2 * quietModules

    /// Modules on a side, without the quiet zone.
    package let side: Int
    /// Row by row.
    private let dark: [Bool]

    /// Encodes the text's UTF-8 at error correction level M: a seventh of the code may be dirty.
    ///
    /// - Throws: ``QRCodeError`` for an empty text and beyond 2331 bytes, which version 40 holds.
    package init(_ text: String) throws(QRCodeError) {
        guard !text.isEmpty, !text.utf8.contains(0) else {
            throw QRCodeError(description: "a QR code holds a text without NUL")
        }
        guard let code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1) else {
            let reason = errno == ERANGE ? "it is too long" : String(cString: strerror(errno))
            throw QRCodeError(
                description: "no QR code of \(text.utf8.count) bytes: \(reason)")
        }
        defer { QRcode_free(code) }
        side = Int(code.pointee.width)
        guard let data = code.pointee.data else {
            throw QRCodeError(description: "libqrencode gave a code without modules")
        }
        // The lowest bit of each byte is the colour; the others say what the module is for.
        dark = UnsafeBufferPointer(start: data, count: side * side).map { $0 & 1 == 1 }
    }

    /// The module in that column and row, from the upper left; light outside of the code.
    package func isDark(column: Int, row: Int) -> Bool {
        guard (0..<side).contains(column), (0..<side).contains(row) else { return false }
        return dark[row * side + column]
    }

    /// A square picture in black on white, as wide and high as told; it stays sharp at any size.
    ///
    /// Each run of dark modules in a row is one rectangle of one path: readers that smooth edges
    /// would otherwise show hairlines between neighbours.
    package func svg(sizePixels: Int) -> String {
        let whole = side + 2 * QRCode.quietModules
        var path = ""
        for row in 0..<side {
            var column = 0
            while column < side {
                let start = column
                while isDark(column: column, row: row) { column += 1 }
                if column > start {
                    let (x, y) = (start + QRCode.quietModules, row + QRCode.quietModules)
                    path += "M\(x) \(y)h\(column - start)v1h-\(column - start)z"
                }
                column += 1
            }
        }
        return """
            <?xml version="1.0" encoding="UTF-8"?>
            <svg xmlns="http://www.w3.org/2000/svg" version="1.1" width="\(sizePixels)" \
            height="\(sizePixels)" viewBox="0 0 \(whole) \(whole)" shape-rendering="crispEdges">\
            <rect width="\(whole)" height="\(whole)" fill="#fff"/>\
            <path fill="#000" d="\(path)"/></svg>

            """
    }
}
