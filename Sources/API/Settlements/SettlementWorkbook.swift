import Clicks
import Foundation
import Hummingbird
import Postgres
import Workbook

// All of a month's sheets in one file. A workbook's index comes last, so it is written to a
// temporary file and then sent; the file goes with the answer.

/// A month's four exports as one workbook.
enum SettlementWorkbook {
    /// Bytes of the finished file; memory holds them once, as the answer.
    ///
    /// The file's time is the month's end, so that a closed and paid month's workbook is the same
    /// each time.
    static func make(
        _ month: KoreanMonth, pool: ConnectionPool, keys: PayeeKeys, account: Identifier
    ) async throws -> [UInt8] {
        let file = FileManager.default.temporaryDirectory
            .appending(path: "settlement-\(UUID().uuidString).xlsx")
        // Nobody but this process has business with bank accounts in the clear.
        guard
            FileManager.default.createFile(
                atPath: file.path, contents: nil, attributes: [.posixPermissions: 0o600])
        else { throw WorkbookError(description: "no file can be made in \(file.path)") }
        defer { try? FileManager.default.removeItem(at: file) }
        let writer = try WorkbookWriter(
            path: file.path, createdSeconds: Int(month.end.microseconds / 1_000_000))
        for sheet in SettlementSheet.allCases {
            var reader = SheetReader(
                pool: pool, month: month, sheet: sheet, keys: keys, purpose: .workbookExport,
                account: account)
            try writer.beginSheet(sheet.title, header: sheet.header)
            var rows = try await reader.next()
            while !rows.isEmpty {
                for row in rows { try writer.append(row.map(\.value)) }
                rows = try await reader.next()
            }
        }
        try writer.finish()
        return try Array(Data(contentsOf: file))
    }
}

extension Cell {
    fileprivate var value: WorkbookWriter.Value {
        switch self {
        case .text(let text): .text(SheetText.harmless(text))
        case .number(let number): .number(number)
        case .empty: .empty
        }
    }
}
