import Clicks
import Postgres

/// The route that shows the log of decisions.
package struct AuditRoutes: Sendable {
    let pool: ConnectionPool

    private static let object = Parameter<Identifier?>.optional("object_id", Schema.identifier)
    private static let by = Parameter<Identifier?>.optional(
        "by", Schema.identifier, about: Wording("실행한 계정", "Who did it"))
    private static let action = Parameter<String?>.optional(
        "action", Schema.text(3...64, example: "user.suspended"))
    private static let from = Parameter<Timestamp?>.optional("from", Schema.time)
    private static let to = Parameter<Timestamp?>.optional(
        "to", Schema.time, about: Wording("이 시각 전까지", "Before this moment"))
    private static let pages = Pages(AuditSort.self, default: .at)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares it.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/admin/audit", id: "listAudit",
            tag: Tag("admin", Wording("운영", "Administration")),
            Wording(
                "감사 기록: 누가 무엇을 왜 바꾸었는지. total은 10,000까지 셉니다",
                "Who changed what, and why; total counts up to 10,000"),
            access: .role(.admin),
            inputs: [Self.object, Self.by, Self.action, Self.from, Self.to, Self.pages],
            answer: .ok(Schema.page(of: AuditEntry.schema)),
            handler: { call in
                let filter = AuditFilter(
                    object: call[Self.object], by: call[Self.by], action: call[Self.action],
                    from: call[Self.from], to: call[Self.to])
                return try await list(filter, call[Self.pages])
            })
    }

    func list(
        _ filter: AuditFilter, _ request: PageRequest<AuditSort>
    ) async throws -> Page<AuditEntry> {
        let (items, total) = try await pool.transaction { connection in
            try AuditQueries.page(
                filter, order: request.order, limit: request.size, offset: request.offset,
                in: connection)
        }
        return request.page(items, total: total)
    }
}
