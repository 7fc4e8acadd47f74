import Clicks
import Postgres

// SQL on payments. That a settlement is paid once is the primary key of settlement_payments; that
// two people had part in it is a constraint.

/// A closed settlement that could be paid.
package struct DueSettlement: Sendable {
    package let settlement: Identifier
    package let influencer: Identifier
    package let grossWon: Int
    /// Nil where nobody has said whom to pay.
    package let payee: SealedPayee?
    package let hasInvoice: Bool
    /// What was paid to the same person on the same day before.
    package let earlierThatDay: PaymentParts
}

/// SQL on settlement_payments and tax_rates.
package enum SettlementPaymentQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [taxRates, due, insert, markPaid]

    static let taxRates = Statement(
        "payments_tax_rates",
        """
        select distinct on (kind) kind, basis_points, rounding_won
        from tax_rates
        where effective_from <= $1
        order by kind, effective_from desc
        """)

    /// The rates in force on that day, whenever the money was earned.
    static func taxRates(
        on day: KoreanDay, in connection: Connection
    ) throws(PostgresError) -> TaxRates {
        var rates: [String: TaxRate] = [:]
        for row in try connection.query(taxRates, [day.date]) {
            rates[try row.get("kind")] = TaxRate(
                basisPoints: try row.get("basis_points"), roundingWon: try row.get("rounding_won"))
        }
        guard let income = rates["income"], let local = rates["local"], let vat = rates["vat"]
        else {
            throw PostgresError(
                kind: .decoding, message: "tax_rates lacks a rate in force on \(day.text)")
        }
        return TaxRates(income: income, local: local, vat: vat)
    }

    static let due = Statement(
        "payments_due",
        """
        select s.id, s.influencer_id, s.payable_won,
            s.tax_invoice_number is not null as has_invoice, p.payee_type, p.key_id, p.sealed,
            coalesce(paid.gross_won, 0)::bigint as earlier_gross,
            coalesce(paid.income_tax_won, 0)::bigint as earlier_income,
            coalesce(paid.local_tax_won, 0)::bigint as earlier_local
        from settlements s
        left join payees p on p.user_id = s.influencer_id
        left join lateral (
            select sum(gross_won) as gross_won, sum(income_tax_won) as income_tax_won,
                sum(local_tax_won) as local_tax_won
            from settlement_payments
            where influencer_id = s.influencer_id and payment_day = $2
                and payee_type = 'individual'
        ) paid on true
        where s.month = $1 and s.status = 'closed' and s.payable_won > 0
        order by s.influencer_id
        """)

    /// Closed and not held, in the order of influencers.
    static func due(
        _ month: KoreanMonth, on day: KoreanDay, in connection: Connection
    ) throws(PostgresError) -> [DueSettlement] {
        try connection.query(due, [month.date, day.date]).map { row throws(PostgresError) in
            let type = try row.get("payee_type", as: String?.self).flatMap(
                PayeeType.init(rawValue:))
            var payee: SealedPayee?
            if let type {
                payee = SealedPayee(
                    type: type, keyID: try row.get("key_id"), sealed: try row.get("sealed"))
            }
            return DueSettlement(
                settlement: try row.get("id"), influencer: try row.get("influencer_id"),
                grossWon: try row.get("payable_won"), payee: payee,
                hasInvoice: try row.get("has_invoice"),
                earlierThatDay: PaymentParts(
                    gross: try row.get("earlier_gross"), incomeTax: try row.get("earlier_income"),
                    localTax: try row.get("earlier_local")))
        }
    }

    static let insert = Statement(
        "payments_insert",
        """
        insert into settlement_payments (
            settlement_id, month, influencer_id, paid_by, closed_by, payment_day, payee_type,
            gross_won, income_tax_won, local_tax_won, vat_won, paid_won, payee_key_id, payee_sealed
        )
        select $1, m.month, $3, $4, m.closed_by, $5, $6, $7, $8, $9, $10, $11, $12, $13
        from settlement_months m
        where m.month = $2
        """)

    static let markPaid = Statement(
        "payments_mark_paid", "update settlements set status = 'paid' where id = $1")

    static func pay(
        _ due: DueSettlement, _ payee: SealedPayee, _ parts: PaymentParts, month: KoreanMonth,
        on day: KoreanDay, by payer: Identifier, in connection: Connection
    ) throws(PostgresError) {
        try connection.execute(
            insert,
            [
                due.settlement, month.date, due.influencer, payer, day.date, payee.type.rawValue,
                parts.gross, parts.incomeTax, parts.localTax, parts.vat, parts.paid, payee.keyID,
                payee.sealed,
            ])
        try connection.execute(markPaid, [due.settlement])
    }
}
