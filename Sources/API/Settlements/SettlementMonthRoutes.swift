import Clicks
import Hummingbird
import Postgres

/// Which draft is to be closed.
struct CloseBody: Sendable {
    let manifest: String?

    static let schema = Schema<CloseBody>(
        "CloseBody",
        [
            .optional(
                "manifest_sha256",
                .formed(
                    64...64, pattern: "^[0-9a-f]{64}$",
                    example: String(repeating: "0123456789abcdef", count: 4),
                    accepts: { text in
                        text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
                    }),
                about: Wording(
                    "확인한 초안의 해시. 다르면 마감하지 않습니다",
                    "The hash of the draft that was looked at; another one is not closed"))
        ], read: { CloseBody(manifest: $0["manifest_sha256"]) })
}

/// When a month is paid.
struct PayBody: Sendable {
    let day: KoreanDay

    static let schema = Schema<PayBody>(
        "PayBody",
        [
            Field(
                "payment_date", .day,
                about: Wording("지급일. 세율은 이날을 따릅니다", "Tax rates are this day's"),
                example: "2026-12-10")
        ], read: { PayBody(day: $0["payment_date"]) })
}

/// The routes under /settlements/months/{month}: draft, close and pay.
package struct SettlementMonthRoutes: Sendable {
    let pool: ConnectionPool
    let minimumPayoutWon: Int

    static let month = Parameter.path("month", Schema.month)

    package init(pool: ConnectionPool, minimumPayoutWon: Int) {
        self.pool = pool
        self.minimumPayoutWon = minimumPayoutWon
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let path = "/api/v1/settlements/months/{month}"
        table.add(
            .get, path, id: "getSettlementMonth", tag: .settlements,
            Wording("정산월의 상태와 대사 합계", "A month and its control totals"),
            access: .role(.finance), inputs: [Self.month], answer: .ok(SettlementMonth.schema),
            handler: show)
        table.add(
            .post, path + "/draft", id: "draftSettlementMonth", tag: .settlements,
            Wording(
                "정산 초안 작성. 남은 날은 먼저 봉인합니다",
                "Draft a month, sealing days that are not sealed yet; or draft it again"),
            access: .role(.finance), inputs: [Self.month], answer: .ok(SettlementMonth.schema),
            errors: [
                .monthNotOver, .monthOutOfOrder, .monthClosed, .monthNotAdjudicated, .rateMissing,
            ], handler: draft)
        table.add(
            .post, path + "/close", id: "closeSettlementMonth", tag: .settlements,
            Wording(
                "정산 마감. 작성자와 다른 담당자만 할 수 있고 되돌릴 수 없습니다",
                "Close a drafted month, as somebody else than drafted it; for good"),
            access: .role(.finance), inputs: [Self.month], body: CloseBody.schema,
            answer: .ok(SettlementMonth.schema),
            errors: [
                .monthNotDrafted, .monthClosed, .monthNotOver, .monthOutOfOrder, .samePerson,
                .draftOutdated, .booksDisagree,
            ], handler: close)
        table.add(
            .post, path + "/pay", id: "paySettlementMonth", tag: .settlements,
            Wording(
                "지급 처리. 마감한 사람과 다른 담당자만 할 수 있습니다",
                "Pay what is closed and not held, as somebody else than closed it"),
            access: .role(.finance), inputs: [Self.month], body: PayBody.schema,
            answer: .ok(PaymentSummary.schema), errors: [.monthNotClosed, .samePerson],
            handler: pay)
    }

    /// A month without a draft has zeros.
    @Sendable func show(_ call: Call) async throws -> SettlementMonth {
        let month = call[Self.month]
        let known = try await pool.run { try SettlementMonthQueries.month(month, in: $0) }
        return known ?? SettlementMonth(open: month, minimumPayoutWon: minimumPayoutWon)
    }

    @Sendable func draft(_ call: Call) async throws -> SettlementMonth {
        let (month, account, minimum) = (call[Self.month], call.account.id, minimumPayoutWon)
        // Each day in a job of its own, so that none of them meets the statement's time limit and
        // others get a turn between.
        for day in try await pool.run({ try SettlementRun.daysToSeal(month, in: $0) }) {
            try await pool.run { try SettlementRun.seal(day, in: $0) }
        }
        return try await pool.run {
            try SettlementRun.draft(month, by: account, minimumPayoutWon: minimum, in: $0)
        }
    }

    @Sendable func close(_ call: Call, _ body: CloseBody) async throws -> SettlementMonth {
        let (month, account) = (call[Self.month], call.account.id)
        return try await pool.run {
            try SettlementRun.close(month, by: account, manifest: body.manifest, in: $0)
        }
    }

    @Sendable func pay(_ call: Call, _ body: PayBody) async throws -> PaymentSummary {
        let (month, account) = (call[Self.month], call.account.id)
        return try await pool.run {
            try SettlementPayment.pay(month, on: body.day, by: account, in: $0)
        }
    }
}

extension SettlementMonth {
    /// One that nobody has drafted.
    fileprivate init(open month: KoreanMonth, minimumPayoutWon: Int) {
        self.init(
            month: month, status: .open, draftedBy: nil, closedBy: nil, draftedAt: nil,
            closedAt: nil, minimumPayoutWon: minimumPayoutWon, ledger: LedgerTotals(),
            totals: SettledTotals(), books: nil, manifest: nil)
    }
}
