import Clicks
import Hummingbird
import Postgres

/// Why something is held, released or adjusted.
struct ReasonBody: Sendable {
    let reason: String

    static let schema = Schema<ReasonBody>(
        "SettlementReasonBody",
        [Field("reason", .text(1...500), example: "계좌 확인 중")],
        read: { ReasonBody(reason: $0["reason"]) })
}

/// An amount that no click explains.
struct AdjustmentBody: Sendable {
    let won: Int
    let reason: String

    static let schema = Schema<AdjustmentBody>(
        "AdjustmentBody",
        [
            Field(
                "amount_won", Schema.integer(-10_000_000_000...10_000_000_000, example: -3000),
                about: Wording("0이 아닌 금액", "Not 0; below 0 takes back")),
            Field("reason", .text(1...500), example: "합의에 따른 조정"),
        ], read: { AdjustmentBody(won: $0["amount_won"], reason: $0["reason"]) })
}

/// An adjustment that waits for the next draft.
struct Adjustment: Sendable {
    let id: Identifier
    let influencer: Identifier
    let correctsMonth: KoreanMonth
    let won: Int
    let reason: String

    static let schema = Schema<Adjustment>(
        "Adjustment",
        [
            Field("id", .identifier, \.id), Field("influencer_id", .identifier, \.influencer),
            Field("corrects_month", .month, \.correctsMonth),
            Field("amount_won", .money, \.won, example: -3000),
            Field("reason", .text(1...500), \.reason),
        ])
}

/// A business's tax invoice, as it was received.
struct TaxInvoiceBody: Sendable {
    let number: String
    let day: KoreanDay

    static let schema = Schema<TaxInvoiceBody>(
        "TaxInvoiceBody",
        [
            Field(
                "number",
                .formed(
                    8...40, pattern: "^[0-9A-Za-z-]+$", example: "20261201-41000012-12345678",
                    accepts: { text in
                        text.utf8.allSatisfy {
                            $0 == 45 || (48...57).contains($0) || (65...90).contains($0)
                                || (97...122).contains($0)
                        }
                    }), about: Wording("승인번호", "The approval number")),
            Field("issued_on", .day, about: Wording("작성일자", "Its date"), example: "2026-12-01"),
        ], read: { TaxInvoiceBody(number: $0["number"], day: $0["issued_on"]) })
}

/// What an influencer is paid, and what is to be expected.
struct MySettlements: Sendable {
    let expected: [Settlement]
    let settled: Page<Settlement>

    static let schema = Schema<MySettlements>(
        "MySettlements",
        [
            Field(
                "expected", Settlement.schema.list(0...3), \.expected,
                about: Wording("예상 수익: 마감 전 최근 달", "Months that are not closed yet")),
            // Closed months.
            Field("settled", .page(of: Settlement.schema), \.settled),
        ])
}

/// What lines are sorted by: their number.
enum LineSort: String, CaseIterable, Sendable {
    case number
}

/// The routes under /settlements that are about one influencer's month.
package struct SettlementRoutes: Sendable {
    let pool: ConnectionPool

    static let id = Parameter.path("id", Schema.identifier)
    private static let month = Parameter<KoreanMonth?>.optional("month", Schema.month)
    private static let status = Parameter<SettlementStatus?>.optional(
        "status", Schema.oneOf(SettlementStatus.self))
    private static let pages = Pages(SettlementSort.self, default: .month)
    private static let linePages = Pages(LineSort.self, default: .number, .ascending)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        addReading(to: &table)
        let path = "/api/v1/settlements/{id}"
        table.add(
            .post, path + "/hold", id: "holdSettlement", tag: .settlements,
            Wording("지급 보류", "Hold a settlement"), access: .role(.finance), inputs: [Self.id],
            body: ReasonBody.schema, answer: .ok(Settlement.schema),
            errors: [.settlementNotFound, .notHoldable], handler: hold)
        table.add(
            .post, path + "/release", id: "releaseSettlement", tag: .settlements,
            Wording("보류 해제", "Release a held settlement"), access: .role(.finance),
            inputs: [Self.id], body: ReasonBody.schema, answer: .ok(Settlement.schema),
            errors: [.settlementNotFound, .notHeld], handler: release)
        table.add(
            .post, path + "/adjustments", id: "adjustSettlement", tag: .settlements,
            Wording(
                "금액 조정. 다음 초안에 이 달을 정정하는 내역으로 들어갑니다",
                "Adjust by an amount: the next draft has it as a line that corrects this month"),
            access: .role(.finance), inputs: [Self.id], body: AdjustmentBody.schema,
            answer: .created(Adjustment.schema), errors: [.settlementNotFound], handler: adjust)
        table.add(
            .post, path + "/tax-invoice", id: "noteTaxInvoice", tag: .settlements,
            Wording(
                "사업자의 세금계산서 등록. 등록해야 지급됩니다",
                "Note a business's tax invoice, without which it is not paid"),
            access: .role(.finance), inputs: [Self.id], body: TaxInvoiceBody.schema,
            answer: .ok(Settlement.schema), errors: [.settlementNotFound, .invoiceNotDue],
            handler: invoice)
    }

    private func addReading(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/settlements", id: "listSettlements", tag: .settlements,
            Wording(
                "정산 목록. 초안이 없는 달은 예상 금액", "List settlements; a month without a draft is expected"),
            access: .role(.finance), inputs: [Self.month, Self.status, Self.pages],
            answer: .ok(.page(of: Settlement.schema)), handler: list)
        table.add(
            .get, "/api/v1/settlements/me", id: "mySettlements", tag: .settlements,
            Wording("내 예상 수익과 확정 수익", "My expected and settled months"),
            access: .role(.influencer), inputs: [Self.pages], answer: .ok(MySettlements.schema),
            handler: mine)
        table.add(
            .get, "/api/v1/settlements/{id}", id: "getSettlement", tag: .settlements,
            Wording("정산 상세", "One settlement"), access: .role(.influencer, .finance),
            inputs: [Self.id], answer: .ok(Settlement.schema),
            errors: [.settlementNotFound, .settlementNotOwner], handler: show)
        table.add(
            .get, "/api/v1/settlements/{id}/lines", id: "settlementLines", tag: .settlements,
            Wording("정산 내역", "The lines of a settlement"), access: .role(.influencer, .finance),
            inputs: [Self.id, Self.linePages], answer: .ok(.page(of: SettlementLine.schema)),
            errors: [.settlementNotFound, .settlementNotOwner], handler: lines)
    }

    /// Finance sees all, influencers what is theirs and no draft any more.
    static func readable(
        _ id: Identifier, by caller: Account, in connection: Connection
    ) throws -> Settlement {
        guard let settlement = try SettlementQueries.settlement(id, in: connection) else {
            throw SettlementRefusal.settlementNotFound
        }
        switch caller.role {
        case .finance, .admin: return settlement
        case .buyer, .influencer:
            guard settlement.influencer == caller.id else { throw SettlementRefusal.notOwner }
            guard settlement.status != .draft else { throw SettlementRefusal.settlementNotFound }
            return settlement
        }
    }

    // MARK: Reading

    @Sendable func list(_ call: Call) async throws -> Page<Settlement> {
        let (month, status, wish) = (call[Self.month], call[Self.status], call[Self.pages])
        return try await pool.run { connection in
            let isOpen = try month.map {
                try SettlementMonthQueries.month($0, in: connection) == nil
            }
            if status == .expected || isOpen == true && status == nil {
                let (_, now) = try SettlementMonthQueries.frontier(in: connection)
                let month = month ?? KoreanMonth(containing: now)
                let items = try SettlementQueries.expected(
                    month, influencer: nil, limit: wish.size, offset: wish.offset, in: connection)
                let total = try SettlementQueries.expectedCount(month, in: connection)
                return wish.page(items, total: total)
            }
            return try SettlementQueries.page(
                .init(month: month, status: status), wish, in: connection)
        }
    }

    @Sendable func mine(_ call: Call) async throws -> MySettlements {
        let (caller, wish) = (call.account.id, call[Self.pages])
        return try await pool.run { connection in
            let months = try SettlementQueries.openMonths(in: connection)
            let expected = try months.flatMap {
                try SettlementQueries.expected($0, influencer: caller, in: connection)
            }
            let settled = try SettlementQueries.page(
                .init(influencer: caller, hasDrafts: false), wish, in: connection)
            return MySettlements(expected: expected, settled: settled)
        }
    }

    @Sendable func show(_ call: Call) async throws -> Settlement {
        let (id, caller) = (call[Self.id], call.account)
        return try await pool.run { try Self.readable(id, by: caller, in: $0) }
    }

    @Sendable func lines(_ call: Call) async throws -> Page<SettlementLine> {
        let (id, caller, wish) = (call[Self.id], call.account, call[Self.linePages])
        return try await pool.run { connection in
            _ = try Self.readable(id, by: caller, in: connection)
            let (lines, total) = try SettlementQueries.lines(
                of: id, limit: wish.size, offset: wish.offset, in: connection)
            return wish.page(lines, total: total)
        }
    }

    // MARK: Changes

    @Sendable func hold(_ call: Call, _ body: ReasonBody) async throws -> Settlement {
        let account = call.account.id
        return try await change(call[Self.id], "held", body.reason, by: account) {
            standing, id, connection in
            guard !standing.isHeld, standing.status == .draft || standing.status == .closed else {
                throw SettlementRefusal.notHoldable
            }
            try SettlementQueries.hold(id, by: account, reason: body.reason, in: connection)
        }
    }

    @Sendable func release(_ call: Call, _ body: ReasonBody) async throws -> Settlement {
        try await change(call[Self.id], "released", body.reason, by: call.account.id) {
            standing, id, connection in
            guard standing.isHeld, standing.status == .draft || standing.status == .held else {
                throw SettlementRefusal.notHeld
            }
            try SettlementQueries.release(id, in: connection)
        }
    }

    @Sendable func invoice(_ call: Call, _ body: TaxInvoiceBody) async throws -> Settlement {
        try await change(call[Self.id], "invoiced", body.number, by: call.account.id) {
            standing, id, connection in
            guard standing.status == .closed || standing.status == .held else {
                throw SettlementRefusal.invoiceNotDue
            }
            try SettlementQueries.invoice(
                id, number: body.number, day: body.day, in: connection)
        }
    }

    @Sendable func adjust(_ call: Call, _ body: AdjustmentBody) async throws -> Adjustment {
        guard body.won != 0 else {
            throw Problem(
                .fieldsInvalid,
                faults: [Fault("amount_won", "ZERO", "0이 아니어야 합니다", "This must not be 0")])
        }
        let (id, account) = (call[Self.id], call.account.id)
        return try await pool.transaction { connection in
            try SettlementMonthQueries.lock(in: connection)
            let standing = try SettlementQueries.lock(id, in: connection)
            let made = try SettlementQueries.adjust(
                standing, won: body.won, by: account, reason: body.reason, in: connection)
            try SettlementMonthQueries.note(
                "adjusted", by: account, standing.month, settlement: id,
                detail: "\(body.won) \(body.reason)", in: connection)
            return Adjustment(
                id: made, influencer: standing.influencer, correctsMonth: standing.month,
                won: body.won, reason: body.reason)
        }
    }

    /// One change of one settlement, after the others, with its event.
    private func change(
        _ id: Identifier, _ event: String, _ detail: String, by account: Identifier,
        _ body:
            @escaping @Sendable (SettlementQueries.Standing, Identifier, Connection) throws ->
            Void
    ) async throws -> Settlement {
        try await pool.transaction { connection in
            try SettlementMonthQueries.lock(in: connection)
            let standing = try SettlementQueries.lock(id, in: connection)
            try body(standing, id, connection)
            try SettlementMonthQueries.note(
                event, by: account, standing.month, settlement: id, detail: detail, in: connection)
            guard let settlement = try SettlementQueries.settlement(id, in: connection) else {
                throw SettlementRefusal.settlementNotFound
            }
            return settlement
        }
    }
}
