import Clicks
import HTTPTypes
import Hummingbird
import NIOCore
import Postgres

/// The route of clicks as they happen, as Server-Sent Events.
package struct LiveRoutes: Sendable {
    let pool: ConnectionPool
    let live: LiveClicks

    private static let gonggu = Parameter<Identifier>.required("gonggu_id", Schema.identifier)

    package init(pool: ConnectionPool, live: LiveClicks) {
        self.pool = pool
        self.live = live
    }

    /// Declares it.
    package func add(to table: inout RouteTable) {
        table.add(
            .get, "/api/v1/tracking/live", id: "watchClicks", tag: .tracking,
            Wording(
                "클릭을 일어나는 대로 받는다(SSE). Last-Event-ID로 이어 받는다",
                "Clicks as they happen, as Server-Sent Events; resumes by Last-Event-ID"),
            access: .role(.influencer, .finance), inputs: [Self.gonggu],
            answer: .raw(.bytes("text/event-stream")), errors: [.gongguNotFound, .notOwner],
            handler: { try await watch($0) })
    }

    /// 404 unknown, 403 somebody else's, 503 too many watchers.
    func watch(_ call: Call) async throws -> Response {
        let (caller, gonggu) = (call.account, call[Self.gonggu])
        try await pool.run { connection in
            guard let subject = try StatsQueries.subject(gonggu, in: connection) else {
                throw StatsRefusal.gongguNotFound
            }
            try StatsRules.requireReader(of: subject.owner, caller)
        }
        guard await live.hasRoom else { throw Problem(.unavailable) }
        let last = call.request.headers[.lastEventID].flatMap { LiveEventID($0) }
        return Response(
            status: .ok,
            headers: [
                .contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store",
                // Says to nginx that it must not gather what we send.
                .xAccelBuffering: "no",
            ],
            body: body(gonggu, since: last))
    }

    /// Watches only while the body is written, so that HEAD watches nothing.
    private func body(_ gonggu: Identifier, since last: LiveEventID?) -> ResponseBody {
        ResponseBody { [live] writer in
            guard let watch = try await live.watch(gonggu, since: last) else {
                // The last place went between the head and now: the browser comes back by itself.
                return try await writer.finish(nil)
            }
            do {
                try await writer.write(ByteBuffer(string: "retry: 2000\n: watching\n\n"))
                var sent: Set<Identifier> = []
                for event in watch.missed {
                    if case .click(let click, _) = event { sent.insert(click.id) }
                    try await writer.write(LiveRoutes.text(of: event))
                }
                for await event in watch.events {
                    if case .click(let click, _) = event, sent.remove(click.id) != nil {
                        continue
                    }
                    try await writer.write(LiveRoutes.text(of: event))
                }
                await live.leave(watch.number)
                try await writer.finish(nil)
            } catch {
                await live.leave(watch.number)
                throw error
            }
        }
    }

    private static func text(of event: LiveEvent) -> ByteBuffer {
        switch event {
        case .click(let click, let id):
            let json = String(decoding: click.json.bytes, as: UTF8.self)
            return ByteBuffer(string: "id: \(id.text)\nevent: click\ndata: \(json)\n\n")
        case .more: return ByteBuffer(string: "event: more\ndata: {}\n\n")
        case .beat: return ByteBuffer(string: ": beat\n\n")
        }
    }
}

extension HTTPField.Name {
    static let lastEventID = HTTPField.Name("Last-Event-ID")!
    static let xAccelBuffering = HTTPField.Name("X-Accel-Buffering")!
}
