import Clicks
import Hummingbird
import Postgres

/// The admin's routes of verifications.
package struct VerificationRoutes: Sendable {
    let pool: ConnectionPool

    private static let id = Parameter.path("id", Schema.identifier)
    private static let status = Parameter.query(
        "status", Schema.oneOf(VerificationStatus.self), default: .pending)
    private static let pages = Pages(VerificationSort.self, default: .requestedAt, .ascending)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let path = "/api/v1/admin/verifications"
        table.add(
            .get, path, id: "listVerifications", tag: InfluencerRoutes.tag,
            Wording("심사 신청 목록, 오래된 것부터", "Requests to be verified, oldest first"),
            access: .role(.admin), inputs: [Self.status, Self.pages],
            answer: .ok(Schema.page(of: VerificationCase.schema)),
            handler: { try await list($0[Self.status], $0[Self.pages]) })
        let errors: [ProblemCode] = [.verificationNotFound, .verificationDecided]
        table.add(
            .post, path + "/{id}/approve", id: "approveVerification", tag: InfluencerRoutes.tag,
            Wording("심사 승인", "Approve a request"), access: .role(.admin), inputs: [Self.id],
            body: Reason.schema, answer: .ok(VerificationCase.schema), errors: errors,
            handler: { try await decide($0, .approved, $1) })
        table.add(
            .post, path + "/{id}/reject", id: "rejectVerification", tag: InfluencerRoutes.tag,
            Wording("심사 반려", "Reject a request"), access: .role(.admin), inputs: [Self.id],
            body: Reason.schema, answer: .ok(VerificationCase.schema), errors: errors,
            handler: { try await decide($0, .rejected, $1) })
    }

    func list(
        _ status: VerificationStatus, _ request: PageRequest<VerificationSort>
    ) async throws -> Page<VerificationCase> {
        let (items, total) = try await pool.run {
            try VerificationQueries.page(status, request, in: $0)
        }
        return request.page(items, total: total)
    }

    /// The decision, what the influencer is told and the audit's line, all or none. 409 for a
    /// second decision, also one at the same moment.
    func decide(
        _ call: Call, _ status: VerificationStatus, _ reason: Reason
    ) async throws -> VerificationCase {
        let (id, admin) = (call[Self.id], call.account.id)
        let decided = try await pool.transaction { connection -> VerificationCase? in
            let user = try VerificationQueries.decide(
                id, status, reason: reason.text, by: admin, in: connection)
            let kind: InboxKind =
                status == .approved ? .verificationApproved : .verificationRejected
            try InboxQueries.post(
                InboxEvent(to: user, kind, about: id, params: ["reason": reason.text]),
                in: connection)
            try AuditLog.write(
                status == .approved ? .verificationApproved : .verificationRejected, on: id,
                before: ["status": "pending"], after: ["status": .text(status.rawValue)],
                reason: reason.text, by: admin, in: connection)
            return try VerificationQueries.verificationCase(id, in: connection)
        }
        guard let decided else { throw VerificationRefusal.notFound }
        return decided
    }
}

extension AuditAction {
    static let verificationApproved = AuditAction("verification.approved")
    static let verificationRejected = AuditAction("verification.rejected")
}
