import Clicks
import Postgres

// Paying a month: each settlement that is closed, not held, and whose payee is known, at the tax
// rates of the payment's day. What cannot be paid yet stays closed; the same call pays it later.

/// What a payment run did.
package struct PaymentSummary: Equatable, Sendable {
    package let month: KoreanMonth
    package let day: KoreanDay
    package var payments = 0
    package var grossWon = 0
    package var incomeTaxWon = 0
    package var localTaxWon = 0
    package var vatWon = 0
    package var paidWon = 0
    /// Left unpaid since nobody has said whom to pay.
    package var withoutPayee = 0
    /// Businesses, left unpaid until their tax invoice is noted.
    package var withoutInvoice = 0

    static let schema = Schema<PaymentSummary>(
        "PaymentSummary",
        [
            Field("month", .month, \.month), Field("payment_date", .day, \.day),
            Field("payments", .count, \.payments), Field("gross_won", .money, \.grossWon),
            Field("income_tax_won", .money, \.incomeTaxWon),
            Field("local_tax_won", .money, \.localTaxWon), Field("vat_won", .money, \.vatWon),
            Field("paid_won", .money, \.paidWon),
            Field(
                "without_payee", .count, \.withoutPayee,
                about: Wording("지급 정보가 없어 남은 정산", "Left, since no payee is known")),
            Field(
                "without_invoice", .count, \.withoutInvoice,
                about: Wording(
                    "세금계산서를 기다리는 정산", "Left, waiting for a tax invoice")),
        ])
}

/// Pays months.
package enum SettlementPayment {
    /// - Throws: ``SettlementRefusal``: the month is not closed, the payer closed it, or the day is
    ///   out of range.
    package static func pay(
        _ month: KoreanMonth, on day: KoreanDay, by payer: Identifier, in connection: Connection
    ) throws -> PaymentSummary {
        try connection.transaction { connection in
            try SettlementMonthQueries.lock(in: connection)
            guard let closed = try SettlementMonthQueries.month(month, in: connection),
                closed.status == .closed || closed.status == .paid
            else { throw SettlementRefusal.monthNotClosed }
            guard closed.closedBy != payer else { throw SettlementRefusal.samePerson }
            let (_, now) = try SettlementMonthQueries.frontier(in: connection)
            try SettlementRules.requirePaymentDay(day, of: month, today: now.koreanDay)
            let rates = try SettlementPaymentQueries.taxRates(on: day, in: connection)
            var summary = PaymentSummary(month: month, day: day)
            for due in try SettlementPaymentQueries.due(month, on: day, in: connection) {
                guard let payee = due.payee else {
                    summary.withoutPayee += 1
                    continue
                }
                guard payee.type == .individual || due.hasInvoice else {
                    summary.withoutInvoice += 1
                    continue
                }
                let parts = SettlementRules.parts(
                    of: due.grossWon, to: payee.type, rates: rates,
                    earlierThatDay: due.earlierThatDay)
                try SettlementPaymentQueries.pay(
                    due, payee, parts, month: month, on: day, by: payer, in: connection)
                try InboxQueries.post(
                    InboxEvent(
                        to: due.influencer, .settlementPaid, about: due.settlement,
                        params: ["month": month.text, "day": day.text, "won": "\(parts.paid)"]),
                    in: connection)
                summary.add(parts)
            }
            if summary.payments > 0 {
                try SettlementMonthQueries.note(
                    "paid", by: payer, month,
                    detail: "\(summary.payments) payments of \(summary.paidWon) won on \(day.text)",
                    in: connection)
            }
            return summary
        }
    }
}

extension PaymentSummary {
    fileprivate mutating func add(_ parts: PaymentParts) {
        payments += 1
        grossWon += parts.gross
        incomeTaxWon += parts.incomeTax
        localTaxWon += parts.localTax
        vatWon += parts.vat
        paidWon += parts.paid
    }
}
