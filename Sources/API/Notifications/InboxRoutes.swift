import Clicks
import Hummingbird
import Postgres

/// How many notifications were marked as read.
struct ReadCount: Sendable {
    let count: Int

    static let schema = Schema<ReadCount>("ReadCount", [Field("count", .count, \.count)])
}

/// The routes of a person's own notifications.
package struct InboxRoutes: Sendable {
    let pool: ConnectionPool

    private static let id = Parameter.path("id", Schema.identifier)
    private static let unread = Parameter.query(
        "unread", Schema.boolean, default: false,
        about: Wording("읽지 않은 것만", "Only what was not read"))
    private static let pages = Pages(InboxSort.self, default: .createdAt)

    package init(pool: ConnectionPool) {
        self.pool = pool
    }

    /// Declares them.
    package func add(to table: inout RouteTable) {
        let tag = Tag("notifications", Wording("알림", "Notifications"))
        table.add(
            .get, "/api/v1/notifications", id: "listNotifications", tag: tag,
            Wording("내 알림", "One's own notifications"), access: .signedIn,
            inputs: [Self.unread, Self.pages],
            answer: .ok(Schema.page(of: ShownInboxItem.schema)),
            handler: { try await list($0) })
        table.add(
            .patch, "/api/v1/notifications/{id}/read", id: "readNotification", tag: tag,
            Wording("알림을 읽음으로 표시", "Mark a notification as read"), access: .signedIn,
            inputs: [Self.id], answer: .ok(ShownInboxItem.schema),
            errors: [.notificationNotFound], handler: { try await read($0) })
        table.add(
            .post, "/api/v1/notifications/read-all", id: "readAllNotifications", tag: tag,
            Wording("모든 알림을 읽음으로 표시", "Mark all notifications as read"), access: .signedIn,
            answer: .ok(ReadCount.schema),
            handler: { call in
                let user = call.account.id
                return ReadCount(
                    count: try await pool.run { try InboxQueries.markAllRead(of: user, in: $0) })
            })
    }

    func list(_ call: Call) async throws -> Page<ShownInboxItem> {
        let (user, onlyUnread, request) = (call.account.id, call[Self.unread], call[Self.pages])
        let (items, total) = try await pool.run { connection in
            try InboxQueries.page(of: user, onlyUnread: onlyUnread, request, in: connection)
        }
        return request.page(
            items.map { ShownInboxItem(item: $0, language: call.language) }, total: total)
    }

    /// 404 also for somebody else's, whose existence is nobody's business.
    func read(_ call: Call) async throws -> ShownInboxItem {
        let (user, id) = (call.account.id, call[Self.id])
        let item = try await pool.run { try InboxQueries.markRead(id, of: user, in: $0) }
        guard let item else { throw Problem(.notificationNotFound) }
        return ShownInboxItem(item: item, language: call.language)
    }
}

extension ProblemCode {
    static let notificationNotFound = ProblemCode(
        "NOTIFICATION_NOT_FOUND", .notFound, "알림을 찾을 수 없습니다",
        "There is no such notification")
}
