import CXLSXWriter
import Glibc

// Spreadsheets by libxlsxwriter, written to a file row by row: what is held is a row. The same
// cells and the same `createdSeconds` make the same bytes, since the library stamps the entries of
// its archive with one fixed time.

/// A workbook could not be written: the disk is full, or the path cannot be.
package struct WorkbookError: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

/// Writes one `.xlsx`. One thread; without ``finish()`` the file is no workbook.
package final class WorkbookWriter {
    /// A value of a cell.
    package enum Value: Sendable {
        case text(String)
        /// Exact up to 2^53, as spreadsheets are.
        case number(Int)
        case empty
    }

    /// Rows of a sheet, header included: Excel's limit. A sheet that is full goes on in another of
    /// the same name and a number.
    package static let rowsMax: UInt32 = 1_048_576

    private var workbook: UnsafeMutablePointer<lxw_workbook>?
    private var sheet: UnsafeMutablePointer<lxw_worksheet>?
    private var numberFormat: UnsafeMutablePointer<lxw_format>?
    private var headerFormat: UnsafeMutablePointer<lxw_format>?
    private var name = ""
    private var header: [String] = []
    private var row: UInt32 = 0
    private var part = 1

    /// - Parameters:
    ///   - path: of the file; replaced if it is there.
    ///   - createdSeconds: what the file says about when it was made, in Unix seconds.
    package init(path: String, createdSeconds: Int) throws(WorkbookError) {
        var options = lxw_workbook_options()
        options.constant_memory = 1
        workbook = workbook_new_opt(path, &options)
        guard let workbook else { throw WorkbookError(description: "no workbook at \(path)") }
        var properties = lxw_doc_properties()
        properties.created = time_t(createdSeconds)
        workbook_set_properties(workbook, &properties)
        numberFormat = workbook_add_format(workbook)
        format_set_num_format(numberFormat, "#,##0")
        headerFormat = workbook_add_format(workbook)
        format_set_bold(headerFormat)
    }

    deinit {
        // Frees it; what is written of a workbook that nobody finished is the caller's to delete.
        if let workbook { workbook_close(workbook) }
    }

    /// Begins a sheet; rows go to it until the next.
    ///
    /// - Parameter name: at most 28 characters, without `[]:*?/\`.
    package func beginSheet(_ name: String, header: [String]) throws(WorkbookError) {
        (self.name, self.header, part) = (name, header, 1)
        try addSheet(name)
    }

    private func addSheet(_ name: String) throws(WorkbookError) {
        sheet = workbook_add_worksheet(workbook, name)
        guard sheet != nil else { throw WorkbookError(description: "no sheet \(name)") }
        row = 0
        for (column, text) in header.enumerated() {
            worksheet_write_string(sheet, 0, UInt16(column), text, headerFormat)
        }
        row = 1
    }

    /// Adds a row.
    package func append(_ values: [Value]) throws(WorkbookError) {
        precondition(sheet != nil, "rows go to a sheet")
        if row == WorkbookWriter.rowsMax {
            part += 1
            try addSheet("\(name) \(part)")
        }
        for (column, value) in values.enumerated() {
            let code: lxw_error
            switch value {
            case .text(let text):
                code = worksheet_write_string(sheet, row, UInt16(column), text, nil)
            case .number(let number):
                code = worksheet_write_number(
                    sheet, row, UInt16(column), Double(number), numberFormat)
            case .empty: continue
            }
            guard code.rawValue == 0 else {
                throw WorkbookError(description: String(cString: lxw_strerror(code)))
            }
        }
        row += 1
    }

    /// Writes the file. Nothing can be added afterwards.
    package func finish() throws(WorkbookError) {
        let code = workbook_close(workbook)
        workbook = nil
        guard code.rawValue == 0 else {
            throw WorkbookError(description: String(cString: lxw_strerror(code)))
        }
    }
}
