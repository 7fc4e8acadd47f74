import Clicks
import HTTPTypes
import Hummingbird
import Postgres
import Synchronization

/// A page of a line's clicks.
struct LineClicks: Sendable {
    let clicks: [LineClick]
    /// Nil on the last page.
    let next: String?

    static let schema = Schema<LineClicks>(
        "SettledClicks",
        [
            Field("items", LineClick.schema.list(0...100), \.clicks),
            Field(
                "next_cursor", Schema.text(1...100).orNull, \.next,
                about: Wording("다음 쪽의 cursor. 마지막이면 null", "The next page's cursor, or null")),
        ])
}

/// The routes that hand out files: a month's exports and a line's clicks.
package struct SettlementExportRoutes: Sendable {
    let pool: ConnectionPool
    let keys: PayeeKeys?

    private static let number = Parameter.path("line", Schema.integer(1...2_147_483_647))
    private static let cursor = Parameter<String?>.optional(
        "cursor",
        Schema<String>.formed(
            1...100,
            pattern: "^(valid|late|revised)-(0|[1-9][0-9]{0,15})-\(Schema<Identifier>.pattern)$",
            example: "valid-1790812800000000-0193a5c0-7c1e-7a51-8f00-5d2f4c3b2a10",
            accepts: { LineCursor($0) != nil }))
    private static let paymentDate = Parameter<KoreanDay?>.optional(
        "payment_date", Schema.day,
        about: Wording(
            "이 날 지급된 것만. 보류가 풀려 나중에 지급된 것을 따로 이체할 때",
            "Only what was paid on this day: held settlements are paid later than the others"))
    private static let clicksMax = 100
    private static let csvType = "text/csv; charset=utf-8"

    package init(pool: ConnectionPool, keys: PayeeKeys?) {
        self.pool = pool
        self.keys = keys
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let path = "/api/v1/settlements/{id}/lines/{line}/clicks"
        let errors: [ProblemCode] = [
            .settlementNotFound, .settlementNotOwner, .lineNotFound, .lineHasNoClicks,
        ]
        table.add(
            .get, path, id: "settlementLineClicks", tag: .settlements,
            Wording("내역에 해당하는 클릭", "The clicks of a line"),
            access: .role(.influencer, .finance),
            inputs: [SettlementRoutes.id, Self.number, Self.cursor],
            answer: .ok(LineClicks.schema), errors: errors, handler: clicks)
        table.add(
            .get, path + ".csv", id: "settlementLineClicksCSV", tag: .settlements,
            Wording("내역에 해당하는 클릭 전부(CSV)", "All clicks of a line as CSV"),
            access: .role(.influencer, .finance), inputs: [SettlementRoutes.id, Self.number],
            answer: .raw(.bytes("text/csv")), errors: errors, handler: clicksCSV)
        table.add(
            .get, "/api/v1/settlements/months/{month}/settlement.xlsx", id: "exportWorkbook",
            tag: .settlements,
            Wording("정산월 전체 엑셀", "All of a month's exports as one workbook"),
            access: .role(.finance), inputs: [SettlementMonthRoutes.month],
            answer: .raw(.bytes(Self.workbookType)),
            errors: [.monthNotDrafted, .payeesNotConfigured], handler: workbook)
        for sheet in SettlementSheet.allCases {
            table.add(
                .get, "/api/v1/settlements/months/{month}/\(sheet.rawValue).csv",
                id: "export\(sheet.operation)", tag: .settlements,
                Wording("\(sheet.title) CSV", "\(sheet.operation) as CSV"),
                access: .role(.finance),
                inputs: [SettlementMonthRoutes.month] + (sheet == .bank ? [Self.paymentDate] : []),
                answer: .raw(.bytes("text/csv")),
                errors: [.monthNotDrafted, .payeesNotConfigured],
                handler: { call in try await export(sheet, call) })
        }
    }

    // MARK: A month

    private static let workbookType =
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

    @Sendable func workbook(_ call: Call) async throws -> Response {
        guard let keys else { throw Problem(.payeesNotConfigured) }
        let (month, account) = (call[SettlementMonthRoutes.month], call.account.id)
        try await begin(month, "settlement.xlsx", by: account)
        let file = try await SettlementWorkbook.make(
            month, pool: pool, keys: keys, account: account)
        return .streamed(
            Self.workbookType, name: "settlement-\(month.text).xlsx", first: file,
            next: { [] })
    }

    func export(_ sheet: SettlementSheet, _ call: Call) async throws -> Response {
        let (month, account) = (call[SettlementMonthRoutes.month], call.account.id)
        let day = sheet == .bank ? call[Self.paymentDate] : nil
        let name = "\(sheet.rawValue)-\(day?.text ?? month.text).csv"
        try await begin(month, name, by: account)
        let reader = Mutex(
            SheetReader(
                pool: pool, month: month, sheet: sheet, paymentDay: day, keys: keys,
                account: account))
        let next: @Sendable () async throws -> [UInt8] = {
            // One caller, the answer's writer, page after page.
            var own = reader.withLock { $0 }
            let rows = try await own.next()
            reader.withLock { $0 = own }
            var csv = SheetText()
            for row in rows { csv.append(row) }
            return csv.take()
        }
        let first = SheetText(header: sheet.header).bytes + (try await next())
        return .streamed(
            Self.csvType, name: name, first: first, next: next)
    }

    /// Refuses a month that has nothing to export, and notes who exports.
    func begin(_ month: KoreanMonth, _ file: String, by account: Identifier) async throws {
        try await pool.transaction { connection in
            guard try SettlementMonthQueries.month(month, in: connection) != nil else {
                throw SettlementRefusal.monthNotDrafted
            }
            try SettlementMonthQueries.note(
                "exported", by: account, month, detail: file, in: connection)
        }
    }

    // MARK: A line

    private func line(_ call: Call) async throws -> (KoreanMonth, SettlementLine) {
        let (id, number, caller) = (call[SettlementRoutes.id], call[Self.number], call.account)
        return try await pool.run { connection in
            let settlement = try SettlementRoutes.readable(id, by: caller, in: connection)
            guard let line = try SettlementQueries.line(number, of: id, in: connection) else {
                throw SettlementRefusal.lineNotFound
            }
            guard line.kind != .manual else { throw SettlementRefusal.lineWithoutClicks }
            return (settlement.month, line)
        }
    }

    @Sendable func clicks(_ call: Call) async throws -> LineClicks {
        let last = call[Self.cursor].flatMap { LineCursor($0) }?.click
        let (month, line) = try await line(call)
        let found = try await pool.run {
            try SettlementExportQueries.clicks(
                of: line, in: month, after: last, limit: Self.clicksMax, $0)
        }
        let isLast = found.count < Self.clicksMax
        return LineClicks(
            clicks: found, next: isLast ? nil : found.last.map { LineCursor(click: $0).text })
    }

    @Sendable func clicksCSV(_ call: Call) async throws -> Response {
        let (month, line) = try await line(call)
        let last = Mutex<LineClick?>(nil)
        let isDone = Mutex(false)
        let pool = pool
        let next: @Sendable () async throws -> [UInt8] = {
            guard !isDone.withLock({ $0 }) else { return [] }
            let after = last.withLock { $0 }
            let found = try await pool.run {
                try SettlementExportQueries.clicks(
                    of: line, in: month, after: after, limit: SheetReader.pageRows, $0)
            }
            isDone.withLock { $0 = found.count < SheetReader.pageRows }
            last.withLock { $0 = found.last }
            var csv = SheetText()
            for click in found {
                csv.append([
                    .text(click.clickedAt.rfc3339()), .text(click.id.description),
                    .text(line.gonggu?.description ?? ""), .text(click.cause.label),
                    .number(click.clicks), .number(line.rateWon ?? 0), .number(click.amountWon),
                ])
            }
            return csv.take()
        }
        let header = SheetText(header: ["클릭일시", "클릭ID", "공구ID", "사유", "클릭수", "단가(원)", "금액(원)"])
        let first = header.bytes + (try await next())
        return .streamed(
            Self.csvType, name: "clicks-\(month.text)-\(line.number).csv", first: first,
            next: next)
    }
}

/// Where a page of clicks ended: `valid-<µs since 1970>-<click id>`.
struct LineCursor: Sendable {
    let click: LineClick

    init(click: LineClick) {
        self.click = click
    }

    /// Nil for what ``text`` never writes.
    init?(_ text: String) {
        let parts = text.split(separator: "-", maxSplits: 2)
        guard parts.count == 3, let cause = LineClick.Cause(rawValue: String(parts[0])),
            let micros = Int64(parts[1]), (0...9_999_999_999_999_999).contains(micros),
            let id = Identifier(String(parts[2]))
        else { return nil }
        click = LineClick(
            id: id, clickedAt: Timestamp(microseconds: micros), clicks: 0, cause: cause,
            amountWon: 0)
        // A sign, a leading zero, capitals: another spelling of it is not in the document.
        guard self.text == text else { return nil }
    }

    var text: String { "\(click.cause.rawValue)-\(click.clickedAt.microseconds)-\(click.id)" }
}

extension LineClick.Cause {
    fileprivate var label: String {
        switch self {
        case .valid: "유효"
        case .late: "늦은 도착"
        case .revised: "판정 변경"
        }
    }
}

extension SettlementSheet {
    fileprivate var operation: String {
        switch self {
        case .ledger: "Ledger"
        case .bank: "BankTransfers"
        case .withholding: "Withholding"
        case .taxInvoices: "TaxInvoices"
        }
    }
}
