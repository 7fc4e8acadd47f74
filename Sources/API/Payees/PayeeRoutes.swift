import Clicks
import Hummingbird
import Postgres

/// A payee's details as they are shown: masked.
struct PayeeAnswer: Sendable {
    let type: PayeeType
    let holder: String
    let bankCode: String
    let accountNumber: String
    let businessNumber: String?
    let updatedAt: Timestamp

    init(_ payee: Payee, updatedAt: Timestamp) {
        type = payee.type
        holder = payee.maskedHolder
        bankCode = payee.bankCode
        accountNumber = payee.maskedAccount
        businessNumber = payee.type == .business ? payee.maskedBusinessNumber : nil
        self.updatedAt = updatedAt
    }

    static let schema = Schema<PayeeAnswer>(
        "Payee",
        [
            Field("payee_type", .oneOf(PayeeType.self), \.type),
            Field("holder", .text(1...60), \.holder, example: "김**"),
            Field("bank_code", .text(3...3), \.bankCode, example: "088"),
            Field("account_number", .text(7...20), \.accountNumber, example: "********6789"),
            Field(
                "business_number", Schema.text(10...10).orNull, \.businessNumber,
                example: "*****47521"),
            Field("updated_at", .time, \.updatedAt),
        ])
}

/// A payee's details as they are sent.
struct PayeeBody: Sendable {
    let payee: Payee

    private static func digits(
        _ lengths: ClosedRange<Int>, example: String,
        accepts: @escaping @Sendable (String) -> Bool = { _ in true }
    ) -> Schema<String> {
        .formed(
            lengths, pattern: "^[0-9]+$", example: example,
            accepts: { text in text.utf8.allSatisfy { (48...57).contains($0) } && accepts(text) })
    }

    static let schema = Schema<PayeeBody>(
        "PayeeBody",
        [
            Field("payee_type", .oneOf(PayeeType.self)),
            Field(
                "holder", .text(1...50), about: Wording("예금주", "As the bank has it"),
                example: "김하나"),
            Field(
                "bank_code", digits(3...3, example: "088"),
                about: Wording("은행 코드 세 자리", "The bank's three digits")),
            Field(
                "account_number", digits(7...20, example: "110123456789"),
                about: Wording("계좌번호, 숫자만", "Digits only")),
            .optional(
                "business_number",
                digits(10...10, example: "1208147521", accepts: Payee.isBusinessNumber),
                about: Wording("사업자등록번호, 사업자만", "A business's ten digits"), example: .null),
        ],
        read: { body in
            let number: String? = body["business_number"]
            return PayeeBody(
                payee: Payee(
                    type: body["payee_type"], holder: body["holder"],
                    bankCode: body["bank_code"], accountNumber: body["account_number"],
                    businessNumber: number ?? ""))
        })
}

extension ProblemCode {
    static let payeeNotFound = ProblemCode(
        "PAYEE_NOT_FOUND", .notFound, "등록된 지급 정보가 없습니다", "No payee details are stored")
    static let payeesNotConfigured = ProblemCode(
        "PAYEES_NOT_CONFIGURED", .serviceUnavailable, "지급 정보를 다룰 수 없습니다. 관리자에게 문의해 주세요",
        "This server has no key for payee details")
}

/// The routes under /payees.
package struct PayeeRoutes: Sendable {
    let pool: ConnectionPool
    /// Nil where the operator has set none.
    let keys: PayeeKeys?

    package init(pool: ConnectionPool, keys: PayeeKeys?) {
        self.pool = pool
        self.keys = keys
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("payees", Wording("지급 정보", "Payees"))
        table.add(
            .get, "/api/v1/payees/me", id: "myPayee", tag: tag,
            Wording("내 지급 정보. 가려서 보여 주고, 볼 때마다 기록합니다", "My details, masked; each look is noted"),
            access: .role(.influencer), answer: .ok(PayeeAnswer.schema),
            errors: [.payeeNotFound, .payeesNotConfigured], handler: show)
        table.add(
            .put, "/api/v1/payees/me", id: "setMyPayee", tag: tag,
            Wording("내 지급 정보 등록. 암호화해 보관합니다", "Set my details; they are sealed at rest"),
            access: .role(.influencer), body: PayeeBody.schema, answer: .ok(PayeeAnswer.schema),
            errors: [.payeesNotConfigured], handler: set)
    }

    private func requireKeys() throws(Problem) -> PayeeKeys {
        guard let keys else { throw Problem(.payeesNotConfigured) }
        return keys
    }

    @Sendable func show(_ call: Call) async throws -> PayeeAnswer {
        let (keys, caller) = (try requireKeys(), call.account.id)
        let found = try await pool.transaction {
            try PayeeQueries.payee(of: caller, for: caller, in: $0)
        }
        guard let found else { throw Problem(.payeeNotFound) }
        return PayeeAnswer(
            try keys.open(found.sealed, of: caller), updatedAt: found.updatedAt)
    }

    @Sendable func set(_ call: Call, _ body: PayeeBody) async throws -> PayeeAnswer {
        let (keys, caller, payee) = (try requireKeys(), call.account.id, body.payee)
        guard (payee.type == .business) == !payee.businessNumber.isEmpty else {
            throw Problem(
                .fieldsInvalid,
                faults: [
                    Fault(
                        "business_number", "BUSINESS_ONLY", "사업자만, 사업자는 반드시 입력해 주세요",
                        "A business has one, an individual has none")
                ])
        }
        let sealed = keys.seal(payee, of: caller)
        let updatedAt = try await pool.transaction {
            try PayeeQueries.set(sealed, of: caller, by: caller, in: $0)
        }
        return PayeeAnswer(payee, updatedAt: updatedAt)
    }
}
