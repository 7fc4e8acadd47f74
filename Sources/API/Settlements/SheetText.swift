// CSV as Korean spreadsheets open it by a double click: UTF-8 with a byte-order mark, RFC 4180's
// quotes and line ends. A text cell that a spreadsheet would take for a formula (it begins with
// = + - @, a tab or a line end) gets an apostrophe before it; numbers are ours and stay numbers.

/// A value of a cell.
package enum Cell: Equatable, Sendable {
    case text(String)
    case number(Int)
    case empty
}

/// Rows of cells as CSV.
package struct SheetText: Sendable {
    /// U+FEFF in UTF-8.
    package static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    package private(set) var bytes: [UInt8] = []

    package init(header: [String] = []) {
        guard !header.isEmpty else { return }
        bytes = SheetText.mark
        append(header.map { .text($0) })
    }

    /// Adds a row.
    package mutating func append(_ cells: [Cell]) {
        for (index, cell) in cells.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            switch cell {
            case .text(let text): append(text: text)
            case .number(let number): bytes.append(contentsOf: String(number).utf8)
            case .empty: break
            }
        }
        bytes.append(contentsOf: [0x0D, 0x0A])
    }

    /// A text that no spreadsheet takes for a formula. Also for workbooks.
    package static func harmless(_ text: String) -> String {
        switch text.utf8.first {
        case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), 0x09,
            0x0A, 0x0D:
            "'" + text
        default: text
        }
    }

    private mutating func append(text: String) {
        let text = SheetText.harmless(text)
        guard text.utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else {
            bytes.append(contentsOf: text.utf8)
            return
        }
        bytes.append(0x22)
        for byte in text.utf8 {
            if byte == 0x22 { bytes.append(0x22) }
            bytes.append(byte)
        }
        bytes.append(0x22)
    }

    /// What was written since the last time; for streaming.
    package mutating func take() -> [UInt8] {
        defer { bytes.removeAll(keepingCapacity: true) }
        return bytes
    }
}
