import Clicks
import Postgres

// Months and settlements as they are answered. Invariants, held by the tables' constraints:
// carried in + lines = payable + carried out, for each settlement and for the month; and a line's
// amount is its clicks × its rate.

/// Where a month stands.
package enum MonthStatus: String, CaseIterable, Sendable {
    /// No draft yet.
    case open
    case draft
    case closed
    /// Closed, and nothing is left to pay.
    case paid
}

/// Where an influencer's month stands.
package enum SettlementStatus: String, CaseIterable, Sendable {
    /// The month has no draft: what statistics say now, at the rates in force.
    case expected
    case draft
    case closed
    /// Not paid until released.
    case held
    case paid
    /// Nothing to pay: the balance goes to the next month.
    case carried
}

/// An influencer's month.
package struct Settlement: Equatable, Sendable {
    /// Nil while expected.
    package let id: Identifier?
    package let month: KoreanMonth
    package let influencer: Identifier
    package let nickname: String
    package let status: SettlementStatus
    package let clicks: Int
    package let linesWon: Int
    package let carriedInWon: Int
    package let payableWon: Int
    package let carriedOutWon: Int
    package let holdReason: String?
    package let taxInvoiceNumber: String?
    package let payment: Payment?

    /// What left.
    package struct Payment: Equatable, Sendable {
        package let day: KoreanDay
        package let type: PayeeType
        package let parts: PaymentParts

        static let schema = Schema<Payment>(
            "SettlementPayment",
            [
                Field(
                    "payment_date", .day, \.day, about: Wording("지급일", "The day of payment")),
                Field("payee_type", .oneOf(PayeeType.self), \.type),
                Field("gross_won", .money, \.parts.gross, example: 1_000_000),
                Field(
                    "income_tax_won", .money, \.parts.incomeTax,
                    about: Wording("소득세", "Income tax withheld"), example: 30_000),
                Field(
                    "local_tax_won", .money, \.parts.localTax,
                    about: Wording("지방소득세", "Local income tax withheld"), example: 3000),
                Field(
                    "vat_won", .money, \.parts.vat, about: Wording("부가가치세", "VAT"), example: 0),
                Field(
                    "paid_won", .money, \.parts.paid,
                    about: Wording("실지급액", "What is transferred"), example: 967_000),
            ])
    }

    static let schema = Schema<Settlement>(
        "Settlement",
        [
            Field(
                "id", Schema.identifier.orNull, \.id,
                about: Wording("예상 상태에서는 null", "Null while expected")),
            Field("month", .month, \.month),
            Field("influencer_id", .identifier, \.influencer),
            Field("influencer_nickname", .text(1...50), \.nickname, example: "하나"),
            Field("status", .oneOf(SettlementStatus.self), \.status, example: "closed"),
            Field(
                "clicks", Schema.integer(-1_000_000_000_000...1_000_000_000_000), \.clicks,
                about: Wording("지급 대상 클릭", "Clicks that are paid for"), example: 4000),
            Field(
                "lines_won", .money, \.linesWon,
                about: Wording("내역 합계(세전)", "The sum of the lines"), example: 1_000_000),
            Field(
                "carried_in_won", .money, \.carriedInWon,
                about: Wording("전월 이월액", "What earlier months left"), example: 0),
            Field(
                "payable_won", .money, \.payableWon,
                about: Wording("지급 대상 금액(세전)", "Paid, before tax"), example: 1_000_000),
            Field(
                "carried_out_won", .money, \.carriedOutWon,
                about: Wording("다음 달 이월액", "What the next month gets"), example: 0),
            Field("hold_reason", Schema.text(1...500).orNull, \.holdReason),
            Field(
                "tax_invoice_number", Schema.text(8...40).orNull, \.taxInvoiceNumber,
                example: "20261201-12345678"),
            Field("payment", Payment.schema.orNull, \.payment),
        ])
}

extension Schema where Value == Int {
    /// Won below zero as well: corrections and balances.
    static var money: Schema {
        integer(-100_000_000_000_000...100_000_000_000_000, example: 12_900)
    }
}

/// What a line is paid for.
package enum LineKind: String, CaseIterable, Sendable {
    /// Clicks of the month itself.
    case clicks
    /// Clicks of an earlier month: late, or judged anew.
    case correction
    /// An amount that somebody gave a reason for.
    case manual
}

/// One line of a settlement.
package struct SettlementLine: Equatable, Sendable {
    package let number: Int
    package let kind: LineKind
    package let gonggu: Identifier?
    /// Empty where the line is of no gonggu.
    package let title: String
    package let correctsMonth: KoreanMonth
    package let clicks: Int
    package let rateWon: Int?
    package let amountWon: Int
    package let note: String

    static let schema = Schema<SettlementLine>(
        "SettlementLine",
        [
            Field("number", .integer(1...2_147_483_647), \.number),
            Field("kind", .oneOf(LineKind.self), \.kind),
            Field("gonggu_id", Schema.identifier.orNull, \.gonggu),
            Field("gonggu_title", .text(0...200), \.title),
            Field(
                "corrects_month", .month, \.correctsMonth,
                about: Wording("클릭이 발생한 달", "The month the clicks are of")),
            Field(
                "clicks", Schema.integer(-1_000_000_000_000...1_000_000_000_000), \.clicks,
                example: 4000),
            Field("rate_won", Schema.won(0...1_000_000).orNull, \.rateWon, example: 250),
            Field("amount_won", .money, \.amountWon, example: 1_000_000),
            Field("note", .text(0...500), \.note, example: ""),
        ])
}

/// A month with its control totals.
package struct SettlementMonth: Equatable, Sendable {
    package let month: KoreanMonth
    package let status: MonthStatus
    package let draftedBy: Identifier?
    package let closedBy: Identifier?
    package let draftedAt: Timestamp?
    package let closedAt: Timestamp?
    package let minimumPayoutWon: Int
    package let ledger: LedgerTotals
    package let totals: SettledTotals
    package let books: Books?
    /// 64 hexadecimal digits; nil while open.
    package let manifest: String?

    /// The month as statistics count it.
    package struct LedgerTotals: Equatable, Sendable {
        package var gross = 0
        package var valid = 0
        package var held = 0
        package var rejected = 0
        package var pending = 0
        package var unexplained = 0

        static let schema = Schema<LedgerTotals>(
            "SettlementLedgerTotals",
            [
                Field("gross_clicks", .count, \.gross), Field("valid_clicks", .count, \.valid),
                Field("held_clicks", .count, \.held), Field("rejected_clicks", .count, \.rejected),
                Field(
                    "pending_clicks", .count, \.pending,
                    about: Wording(
                        "늦게 도착해 아직 확정 판정이 없는 클릭", "Late, and not adjudicated yet")),
                Field(
                    "unexplained_clicks",
                    Schema.integer(-1_000_000_000_000...1_000_000_000_000), \.unexplained,
                    about: Wording(
                        "통계와 정산의 차이. 0이어야 마감할 수 있음",
                        "Statistics less settled and pending; a month closes at 0 only"),
                    example: 0),
            ])
    }

    /// What is settled.
    package struct SettledTotals: Equatable, Sendable {
        package var settlements = 0
        package var lines = 0
        package var sealedClicks = 0
        package var correctedClicks = 0
        package var settledClicks = 0
        package var linesWon = 0
        package var carriedInWon = 0
        package var payableWon = 0
        package var carriedOutWon = 0

        static let schema = Schema<SettledTotals>(
            "SettlementTotals",
            [
                Field("settlements", .count, \.settlements), Field("lines", .count, \.lines),
                Field("sealed_clicks", .count, \.sealedClicks),
                Field(
                    "corrected_clicks",
                    Schema.integer(-1_000_000_000_000...1_000_000_000_000), \.correctedClicks,
                    example: 0),
                Field(
                    "settled_clicks",
                    Schema.integer(-1_000_000_000_000...1_000_000_000_000), \.settledClicks,
                    example: 128),
                Field("lines_won", .money, \.linesWon),
                Field("carried_in_won", .money, \.carriedInWon),
                Field("payable_won", .money, \.payableWon),
                Field("carried_out_won", .money, \.carriedOutWon),
            ])
    }

    /// Where each won of a closed month is.
    package struct Books: Equatable, Sendable {
        package let paidWon: Int
        package let taxWon: Int
        package let vatWon: Int
        package let heldWon: Int
        package let unpaidWon: Int
        package let differenceWon: Int

        static let schema = Schema<Books>(
            "SettlementBooks",
            [
                Field("paid_won", .money, \.paidWon), Field("tax_won", .money, \.taxWon),
                Field("vat_won", .money, \.vatWon), Field("held_won", .money, \.heldWon),
                Field("unpaid_won", .money, \.unpaidWon),
                Field("difference_won", .money, \.differenceWon, example: 0),
            ])
    }

    static let schema = Schema<SettlementMonth>(
        "SettlementMonth",
        [
            Field("month", .month, \.month), Field("status", .oneOf(MonthStatus.self), \.status),
            Field("drafted_by", Schema.identifier.orNull, \.draftedBy),
            Field("closed_by", Schema.identifier.orNull, \.closedBy),
            Field("drafted_at", Schema.time.orNull, \.draftedAt),
            Field("closed_at", Schema.time.orNull, \.closedAt),
            Field("minimum_payout_won", .money, \.minimumPayoutWon, example: 50_000),
            Field("ledger", LedgerTotals.schema, \.ledger),
            Field("totals", SettledTotals.schema, \.totals),
            Field("books", Books.schema.orNull, \.books),
            Field(
                "manifest_sha256", Schema.text(64...64).orNull, \.manifest,
                example: .text(String(repeating: "0123456789abcdef", count: 4))),
        ])
}
