import Clicks
import Postgres

// SQL on payees. Every function that hands out sealed details writes down who looked, in the same
// transaction.

/// Why somebody looks at a payee's details.
package enum PayeePurpose: String, Sendable {
    case shown
    case changed
    case paid
    case bankExport = "bank_export"
    case withholdingExport = "withholding_export"
    case taxInvoiceExport = "tax_invoice_export"
    case workbookExport = "workbook_export"
}

/// SQL on payees and payee_access_log.
package enum PayeeQueries {
    /// All of them, for the test that has the server prepare each.
    package static let statements = [select, upsert, addLooks]

    static let select = Statement(
        "payees_select",
        "select payee_type, key_id, sealed, updated_at from payees where user_id = $1")

    /// A person's sealed details, and when they last changed; noted as a look.
    static func payee(
        of user: Identifier, for account: Identifier, in connection: Connection
    ) throws(PostgresError) -> (sealed: SealedPayee, updatedAt: Timestamp)? {
        guard let row = try connection.query(select, [user]).first else { return nil }
        try noteLooks(at: [user], by: account, .shown, in: connection)
        let type = PayeeType(rawValue: try row.get("payee_type")) ?? .individual
        let sealed = SealedPayee(
            type: type, keyID: try row.get("key_id"), sealed: try row.get("sealed"))
        return (sealed, try row.get("updated_at"))
    }

    static let upsert = Statement(
        "payees_upsert",
        """
        insert into payees (user_id, payee_type, key_id, sealed)
        values ($1, $2, $3, $4)
        on conflict on constraint payees_pkey do update
        set payee_type = excluded.payee_type, key_id = excluded.key_id, sealed = excluded.sealed
        returning updated_at
        """)

    static func set(
        _ sealed: SealedPayee, of user: Identifier, by account: Identifier,
        in connection: Connection
    ) throws(PostgresError) -> Timestamp {
        let row = try connection.query(
            upsert, [user, sealed.type.rawValue, sealed.keyID, sealed.sealed])[0]
        try noteLooks(at: [user], by: account, .changed, in: connection)
        return try row.get("updated_at")
    }

    static let addLooks = Statement(
        "payee_access_log_add",
        """
        insert into payee_access_log (user_id, by_user, purpose)
        select looked_at, $2, $3
        from unnest($1::uuid[]) as looked_at
        """)

    /// Writes down that details of these people were looked at.
    static func noteLooks(
        at users: [Identifier], by account: Identifier, _ purpose: PayeePurpose,
        in connection: Connection
    ) throws(PostgresError) {
        guard !users.isEmpty else { return }
        try connection.execute(addLooks, [users, account, purpose.rawValue])
    }
}
