import Clicks
import Hummingbird
import NIOCore
import Postgres

// A month's files. Columns never change their order; new ones come at the end. Text is what it was
// when the month was drafted or paid, so a closed and paid month's files are the same each time.

/// The columns of each export, and how a row fills them.
enum SettlementSheet: String, CaseIterable, Sendable {
    case ledger
    case bank
    case withholding
    case taxInvoices = "tax-invoices"

    /// The name in a workbook.
    var title: String {
        switch self {
        case .ledger: "정산내역"
        case .bank: "이체"
        case .withholding: "원천징수"
        case .taxInvoices: "세금계산서"
        }
    }

    var header: [String] {
        switch self {
        case .ledger:
            [
                "정산월", "인플루언서ID", "인플루언서", "내역번호", "구분", "공구ID", "공구명", "클릭발생월",
                "클릭수", "단가(원)", "금액(원)", "비고",
            ]
        case .bank: ["지급일", "인플루언서ID", "은행코드", "계좌번호", "예금주", "이체금액(원)", "적요"]
        case .withholding:
            ["지급일", "인플루언서ID", "성명", "지급총액(원)", "소득세(원)", "지방소득세(원)", "차인지급액(원)"]
        case .taxInvoices:
            [
                "지급일", "인플루언서ID", "상호", "사업자등록번호", "공급가액(원)", "세액(원)", "합계(원)",
                "승인번호", "작성일자",
            ]
        }
    }

    /// Whose payments it lists; nil for all.
    var payeeType: PayeeType? {
        switch self {
        case .ledger, .bank: nil
        case .withholding: .individual
        case .taxInvoices: .business
        }
    }

    var purpose: PayeePurpose {
        switch self {
        case .ledger, .bank: .bankExport
        case .withholding: .withholdingExport
        case .taxInvoices: .taxInvoiceExport
        }
    }

    static func cells(_ row: LedgerRow, _ month: KoreanMonth) -> [Cell] {
        let kind =
            switch row.kind {
            case .clicks: "클릭"
            case .correction: "정정"
            case .manual: "조정"
            case .carriedIn: "전월이월"
            case .carriedOut: "차월이월"
            }
        let isLine = row.kind != .carriedIn && row.kind != .carriedOut
        return [
            .text(month.text), .text(row.influencer.description), .text(row.nickname),
            isLine ? .number(row.number) : .empty, .text(kind),
            row.gonggu.map { .text($0.description) } ?? .empty, .text(row.title),
            .text(row.correctsMonth.text), .number(row.clicks),
            row.rateWon.map { .number($0) } ?? .empty, .number(row.amountWon), .text(row.note),
        ]
    }

    func cells(_ row: PaymentRow, _ payee: Payee, _ month: KoreanMonth) -> [Cell] {
        let who: [Cell] = [.text(row.day.text), .text(row.influencer.description)]
        let parts = row.parts
        switch self {
        case .ledger: preconditionFailure("the ledger is of lines")
        case .bank:
            return who + [
                .text(payee.bankCode), .text(payee.accountNumber), .text(payee.holder),
                .number(parts.paid), .text("공구모아 \(month.text)"),
            ]
        case .withholding:
            return who + [
                .text(payee.holder), .number(parts.gross), .number(parts.incomeTax),
                .number(parts.localTax), .number(parts.paid),
            ]
        case .taxInvoices:
            return who + [
                .text(payee.holder), .text(payee.businessNumber), .number(parts.gross),
                .number(parts.vat), .number(parts.paid), .text(row.invoiceNumber ?? ""),
                row.invoiceDay.map { .text($0.text) } ?? .empty,
            ]
        }
    }
}

/// Reads a sheet page by page; each page is a short transaction of its own.
struct SheetReader: Sendable {
    /// Rows read at a time.
    static let pageRows = 2000

    let pool: ConnectionPool
    let month: KoreanMonth
    let sheet: SettlementSheet
    /// Only what was paid on this day; nil for all of the month's payments.
    let paymentDay: KoreanDay?
    /// Nil where the sheet has no payees.
    let keys: PayeeKeys?
    let purpose: PayeePurpose
    let account: Identifier
    private var lastLine: LedgerRow?
    private var lastPayment: Identifier?
    private var isDone = false

    init(
        pool: ConnectionPool, month: KoreanMonth, sheet: SettlementSheet,
        paymentDay: KoreanDay? = nil, keys: PayeeKeys?, purpose: PayeePurpose? = nil,
        account: Identifier
    ) {
        self.pool = pool
        self.month = month
        self.sheet = sheet
        self.paymentDay = paymentDay
        self.keys = keys
        self.purpose = purpose ?? sheet.purpose
        self.account = account
    }

    /// Rows after those it gave before; none at the end. Looks at payees are noted with them.
    mutating func next() async throws -> [[Cell]] {
        guard !isDone else { return [] }
        let rows = sheet == .ledger ? try await nextLines() : try await nextPayments()
        isDone = rows.count < SheetReader.pageRows
        return rows
    }

    private mutating func nextLines() async throws -> [[Cell]] {
        let (month, last) = (month, lastLine)
        let rows = try await pool.run {
            try SettlementExportQueries.ledger(
                month, after: last, limit: SheetReader.pageRows, in: $0)
        }
        lastLine = rows.last ?? last
        return rows.map { SettlementSheet.cells($0, month) }
    }

    private mutating func nextPayments() async throws -> [[Cell]] {
        guard let keys else { throw Problem(.payeesNotConfigured) }
        let (month, last, sheet) = (month, lastPayment, sheet)
        let (account, purpose, day) = (account, purpose, paymentDay)
        let rows = try await pool.transaction { connection in
            let rows = try SettlementExportQueries.payments(
                month, sheet.payeeType, on: day, after: last, limit: SheetReader.pageRows,
                in: connection)
            try PayeeQueries.noteLooks(
                at: rows.map(\.influencer), by: account, purpose, in: connection)
            return rows
        }
        lastPayment = rows.last?.influencer ?? last
        return try rows.map {
            try sheet.cells($0, keys.open($0.payee, of: $0.influencer), month)
        }
    }
}

extension Response {
    /// A file of pages that are made while it is sent, in constant memory. `first` is made before
    /// the status, so that what is wrong at the beginning is still an answer.
    static func streamed(
        _ mediaType: String, name: String, first: [UInt8],
        next: @escaping @Sendable () async throws -> [UInt8]
    ) -> Response {
        Response(
            status: .ok,
            headers: [
                .contentType: mediaType,
                .contentDisposition: "attachment; filename=\"\(name)\"",
                .cacheControl: "no-store",
            ],
            body: ResponseBody { writer in
                var page = first
                while !page.isEmpty {
                    try await writer.write(ByteBuffer(bytes: page))
                    page = try await next()
                }
                try await writer.finish(nil)
            })
    }
}
