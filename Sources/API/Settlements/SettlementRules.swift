import Clicks

// What is decided of money without the database: who may, when, and how much tax. Everything is
// whole won, and everything that could round says how.

/// Why something about rates, months or settlements is refused.
package enum SettlementRefusal: Error, Equatable, Sendable {
    case settlementNotFound
    case lineNotFound
    case notOwner
    /// The month goes on.
    case monthNotOver
    /// An earlier month is not closed, or a later one is.
    case monthOutOfOrder
    case monthNotDrafted
    case monthClosed
    case monthNotClosed
    /// The first day with clicks that no finished adjudication has read.
    case notAdjudicated(day: KoreanDay)
    case rateMissing(gonggu: Identifier)
    /// Two different people: one drafts and another closes, one closes and another pays.
    case samePerson
    /// The draft is not the one that was looked at, or things have changed since it was made.
    case draftOutdated
    /// What statistics count as valid and what is settled differ.
    case booksDisagree(clicks: Int)
    case notHoldable
    case notHeld
    case lineWithoutClicks
    case invoiceNotDue
    case paymentDayOut
    case scopeUnknown
    case scopeTwice
    case rateRetroactive
}

/// A tax's rate from a day on. tax = ⌊base × basisPoints / (10000 × roundingWon)⌋ × roundingWon.
package struct TaxRate: Equatable, Sendable {
    package let basisPoints: Int
    /// 10 drops the last digit, as the law on treasury funds has it; 1 drops fractions of a won.
    package let roundingWon: Int

    package init(basisPoints: Int, roundingWon: Int) {
        self.basisPoints = basisPoints
        self.roundingWon = roundingWon
    }

    /// Of a base of 0 to 10^14 won.
    package func tax(on base: Int) -> Int {
        precondition((0...100_000_000_000_000).contains(base), "a tax has a base that fits")
        return base * basisPoints / (10_000 * roundingWon) * roundingWon
    }
}

/// The rates in force on a payment's day.
package struct TaxRates: Equatable, Sendable {
    package let income: TaxRate
    /// Of the income tax.
    package let local: TaxRate
    package let vat: TaxRate

    package init(income: TaxRate, local: TaxRate, vat: TaxRate) {
        self.income = income
        self.local = local
        self.vat = vat
    }
}

/// What becomes of a gross amount when it is paid.
package struct PaymentParts: Equatable, Sendable {
    package let gross: Int
    package var incomeTax = 0
    package var localTax = 0
    package var vat = 0
    /// What is transferred.
    package var paid: Int { gross - incomeTax - localTax + vat }
}

/// Decisions about months and payments.
package enum SettlementRules {
    /// Tax is taken on all that a person is paid on one day: of a second payment that day only what
    /// the day's total owes beyond what was withheld already. Truncating each by itself would leak
    /// won. A VAT-registered business gets its VAT on top, each payment against its own invoice.
    package static func parts(
        of gross: Int, to type: PayeeType, rates: TaxRates,
        earlierThatDay: PaymentParts? = nil
    ) -> PaymentParts {
        switch type {
        case .individual:
            let earlier = earlierThatDay ?? PaymentParts(gross: 0)
            let income = rates.income.tax(on: earlier.gross + gross)
            let local = rates.local.tax(on: income)
            return PaymentParts(
                gross: gross, incomeTax: income - earlier.incomeTax,
                localTax: local - earlier.localTax)
        case .business:
            return PaymentParts(gross: gross, vat: rates.vat.tax(on: gross))
        }
    }

    /// Months are drafted and closed one after the other, when they are over.
    package static func requireNext(
        _ month: KoreanMonth, lastClosed: KoreanMonth?, now: Timestamp
    ) throws(SettlementRefusal) {
        guard month.end <= now else { throw .monthNotOver }
        guard let lastClosed else { return }
        guard month > lastClosed else { throw .monthClosed }
        guard month == lastClosed.next else { throw .monthOutOfOrder }
    }

    /// A payment is dated after its month and not far ahead.
    package static func requirePaymentDay(
        _ day: KoreanDay, of month: KoreanMonth, today: KoreanDay
    ) throws(SettlementRefusal) {
        guard day >= month.next.firstDay, day <= today.advanced(byDays: 31) else {
            throw .paymentDayOut
        }
    }
}
