import Clicks
import Hummingbird
import Postgres

// An admin takes a gonggu off and puts it back. The edge hears of it by the table's own trigger;
// the influencer hears why.

/// Why a gonggu is not taken off or put back.
package enum ModerationRefusal: Error, Equatable, Sendable {
    case notFound
    case alreadySuspended
    case notSuspended
}

/// The routes that take a gonggu off and put it back.
package struct ModerationRoutes: Sendable {
    let pool: ConnectionPool
    let edgeURL: String

    private static let id = Parameter.path("id", Schema.identifier)

    /// - Parameter edgeURL: where the edge serves `/go/…`; a slash at its end does not count.
    package init(pool: ConnectionPool, edgeURL: String) {
        self.pool = pool
        self.edgeURL = edgeURL.withoutTrailingSlashes
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("gonggus", Wording("공구", "Group buys"))
        table.add(
            .post, "/api/v1/admin/gonggus/{id}/suspend", id: "suspendGonggu", tag: tag,
            Wording("공구 중지. 링크도 멈춥니다", "Suspend a gonggu, and its link with it"),
            access: .role(.admin), inputs: [Self.id], body: Reason.schema,
            answer: .ok(GongguCard.schema), errors: [.gongguNotFound, .gongguSuspended],
            handler: { try await set($0, isSuspended: true, $1) })
        table.add(
            .post, "/api/v1/admin/gonggus/{id}/restore", id: "restoreGonggu", tag: tag,
            Wording("공구 중지 해제", "Restore a suspended gonggu"), access: .role(.admin),
            inputs: [Self.id], body: Reason.schema, answer: .ok(GongguCard.schema),
            errors: [.gongguNotFound, .gongguNotSuspended],
            handler: { try await set($0, isSuspended: false, $1) })
    }

    /// 409 where it is so already, also by somebody at the same moment.
    func set(_ call: Call, isSuspended: Bool, _ reason: Reason) async throws -> GongguCard {
        let (id, admin) = (call[Self.id], call.account.id)
        let gonggu = try await pool.transaction { connection -> Gonggu? in
            let (owner, title) = try ModerationQueries.set(
                id, isSuspended: isSuspended, in: connection)
            // Each time is an event of its own, so its subject is not the gonggu.
            try InboxQueries.post(
                InboxEvent(
                    to: owner, isSuspended ? .gongguSuspended : .gongguRestored, about: .new(),
                    params: [
                        "title": title, "reason": reason.text, "gonggu_id": id.description,
                    ]), in: connection)
            try AuditLog.write(
                isSuspended ? .gongguSuspended : .gongguRestored, on: id,
                before: ["is_suspended": .bool(!isSuspended)],
                after: ["is_suspended": .bool(isSuspended)], reason: reason.text, by: admin,
                in: connection)
            return try GongguQueries.gonggu(id, in: connection)
        }
        guard let gonggu else { throw ModerationRefusal.notFound }
        return GongguCard(gonggu: gonggu, edgeURL: edgeURL)
    }
}

extension AuditAction {
    static let gongguSuspended = AuditAction("gonggu.suspended")
    static let gongguRestored = AuditAction("gonggu.restored")
}

// MARK: Refusals

extension ProblemCode {
    static let gongguSuspended = ProblemCode(
        "GONGGU_SUSPENDED", .conflict, "이미 중지된 공구입니다", "The gonggu is suspended already")
    static let gongguNotSuspended = ProblemCode(
        "GONGGU_NOT_SUSPENDED", .conflict, "중지된 공구가 아닙니다", "The gonggu is not suspended")
}

extension ModerationRefusal: Refusal {
    package var problem: Problem {
        switch self {
        case .notFound: Problem(.gongguNotFound)
        case .alreadySuspended: Problem(.gongguSuspended)
        case .notSuspended: Problem(.gongguNotSuspended)
        }
    }
}
