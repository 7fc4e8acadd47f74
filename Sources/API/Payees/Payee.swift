import Clicks

// Whom money goes to. What identifies a person or an account is sealed before it reaches the
// database, and shown masked; the type is not, since it decides how tax is reckoned.

/// How a payee is taxed.
package enum PayeeType: String, CaseIterable, Sendable {
    /// 3.3 % are withheld.
    case individual
    /// VAT-registered: gross and VAT against a tax invoice.
    case business
}

/// A payee's details in the clear: in memory for as long as they are used, never in a log.
package struct Payee: Equatable, Sendable {
    package let type: PayeeType
    /// As the bank has it.
    package let holder: String
    /// The bank's three digits.
    package let bankCode: String
    /// 7 to 20 digits.
    package let accountNumber: String
    /// A business's ten digits; empty for individuals.
    package let businessNumber: String

    /// All but the last four digits as stars.
    package var maskedAccount: String { Payee.masked(accountNumber, keeping: 4) }
    /// All but the last five digits as stars; empty for individuals.
    package var maskedBusinessNumber: String { Payee.masked(businessNumber, keeping: 5) }
    /// The first letter and stars.
    package var maskedHolder: String {
        holder.prefix(1) + String(repeating: "*", count: max(holder.count - 1, 1))
    }

    private static func masked(_ text: String, keeping count: Int) -> String {
        String(repeating: "*", count: max(text.count - count, 0)) + text.suffix(count)
    }

    /// Whether the ten digits are a business registration number: the last is a check digit.
    package static func isBusinessNumber(_ text: String) -> Bool {
        let digits = text.utf8.map { Int($0) - 48 }
        guard digits.count == 10, digits.allSatisfy({ (0...9).contains($0) }) else { return false }
        let weights = [1, 3, 7, 1, 3, 7, 1, 3, 5]
        let sum = zip(digits, weights).reduce(0) { $0 + $1.0 * $1.1 } + digits[8] * 5 / 10
        return (10 - sum % 10) % 10 == digits[9]
    }
}
