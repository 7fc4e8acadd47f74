import Clicks
import Judging
import Logging
import Postgres
import ServiceLifecycle

// Clicks as they happen. One poller asks the ledger a few times a second for the latest clicks of
// the gonggus that somebody watches, and hands each on to their watchers once; without watchers it
// asks nothing. Commits are not in the order of clicks, so it looks some seconds back each time and
// remembers what it has handed on.
//
// An event's id says what this process had handed on by then, and a time: `epoch-number-µs`. Who
// comes back to the same process with it gets exactly what was missed; who comes to another one
// gets the clicks since a little before that time, some of them again, each with its click's id.
//
// Bounds: so many watchers, so many events that wait for a slow one (its stream then ends, and it
// comes back with the last id), so many clicks a question (beyond them the oldest are passed over,
// and an event says that there were more).

/// What a watcher is sent.
enum LiveEvent: Sendable {
    case click(LiveClick, id: LiveEventID)
    /// More were clicked than are shown one by one.
    case more
    case beat
}

/// A click as watchers see it: provisional, as the edge has judged it.
struct LiveClick: Sendable {
    let id: Identifier
    let gonggu: Identifier
    let time: Timestamp
    let verdict: Verdict
    let count: Int
    let country: String
    let device: String
    let channel: String

    var json: JSON {
        [
            "id": .text("\(id)"), "gonggu_id": .text("\(gonggu)"),
            "clicked_at": .text(time.rfc3339()), "verdict": .text("\(verdict.name)"),
            "count": .integer(count), "country": .text(country), "device": .text(device),
            "channel": .text(channel),
        ]
    }
}

/// Where in the stream of one process an event stands, and when its click was.
struct LiveEventID: Equatable, Sendable {
    let epoch: Int64
    let number: Int
    let time: Timestamp

    init(epoch: Int64, number: Int, time: Timestamp) {
        self.epoch = epoch
        self.number = number
        self.time = time
    }

    /// Nil for what we never wrote: the watcher then begins anew.
    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, let epoch = Int64(parts[0]), let number = Int(parts[1]),
            let micros = Int64(parts[2]), epoch >= 0, number >= 0,
            (0...9_999_999_999_999_999).contains(micros)
        else { return nil }
        self.init(epoch: epoch, number: number, time: Timestamp(microseconds: micros))
    }

    var text: String { "\(epoch)-\(number)-\(time.microseconds)" }
}

/// How often, how long, how many.
package struct LiveLimits: Sendable {
    package var pollMilliseconds = 400
    package var beatSeconds: Int64 = 15
    package var watchersMax = 500
    /// Events that wait for one watcher.
    package var waitingMax = 4000
    /// A stream ends then, and its watcher shows a token again.
    package var streamSeconds: Int64 = 1800

    package init() {}
}

/// The one poller, and who watches.
package actor LiveClicks: Service {
    private struct Watcher {
        let gonggu: Identifier
        /// Clicks from before are not new to it.
        let since: Timestamp
        let endsAt: Timestamp
        let events: AsyncStream<LiveEvent>.Continuation
    }

    private let pool: ConnectionPool
    private let logger: Logger
    package nonisolated let limits: LiveLimits
    private let epoch = Timestamp.now.microseconds
    private var watchers: [Int: Watcher] = [:]
    private var nextWatcher = 0
    private var number = 0
    /// What was handed on, and when it was clicked.
    private var known: [Identifier: (number: Int, time: Timestamp)] = [:]
    private var lastBeat = Timestamp.now
    private var isClosed = false

    /// How late a click may come to the ledger and still be news.
    private static let latenessSeconds: Int64 = 30
    /// How long ago a watcher may have left and be sent all that was missed.
    static let resumeSeconds: Int64 = 3600

    package init(pool: ConnectionPool, logger: Logger, limits: LiveLimits = LiveLimits()) {
        self.pool = pool
        self.logger = logger
        self.limits = limits
    }

    /// Polls until the service stops; then ends every stream, so that nobody has to be waited for.
    package func run() async throws {
        await withGracefulShutdownHandler {
            while !isClosed && !Task.isCancelled {
                do {
                    try await runOnce()
                } catch {
                    // The database is away; watchers see no clicks, and lose none.
                    logger.debug("live clicks wait", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: .milliseconds(limits.pollMilliseconds))
            }
        } onGracefulShutdown: {
            Task { await self.close() }
        }
    }

    private func close() {
        isClosed = true
        for watcher in watchers.values { watcher.events.finish() }
        watchers = [:]
    }

    /// Whether there is room for one more.
    var hasRoom: Bool { !isClosed && watchers.count < limits.watchersMax }

    /// Events of a gonggu's clicks from now on, after those missed since `last`; nil when there is
    /// no room.
    func watch(
        _ gonggu: Identifier, since last: LiveEventID?
    ) async throws -> (number: Int, missed: [LiveEvent], events: AsyncStream<LiveEvent>)? {
        guard hasRoom else { return nil }
        let now = Timestamp.now
        let (stream, continuation) = AsyncStream.makeStream(
            of: LiveEvent.self, bufferingPolicy: .bufferingOldest(limits.waitingMax))
        nextWatcher += 1
        let place = nextWatcher
        // Registered before the missed are read, so that nothing falls between the two.
        watchers[place] = Watcher(
            gonggu: gonggu,
            since: last == nil ? now.advanced(bySeconds: -2) : .init(microseconds: 0),
            endsAt: now.advanced(bySeconds: limits.streamSeconds), events: continuation)
        guard let last else { return (place, [], stream) }
        do {
            return (place, try await missed(of: gonggu, since: last, now: now), stream)
        } catch {
            leave(place)
            throw error
        }
    }

    func leave(_ place: Int) {
        watchers.removeValue(forKey: place)?.events.finish()
    }

    /// What was clicked since, but for what this process had handed on by then.
    private func missed(
        of gonggu: Identifier, since last: LiveEventID, now: Timestamp
    ) async throws -> [LiveEvent] {
        let from = max(
            last.time.advanced(bySeconds: -LiveClicks.latenessSeconds),
            now.advanced(bySeconds: -LiveClicks.resumeSeconds))
        let clicks = try await pool.transaction { connection in
            try LiveQueries.clicks(of: [gonggu], since: from, in: connection)
        }
        var missed: [LiveEvent] = clicks.count == LiveQueries.clicksMax ? [.more] : []
        for click in clicks.reversed() {
            if last.epoch == epoch, let known = known[click.id], known.number <= last.number {
                continue
            }
            // The old id: who breaks off in the middle of these begins them again.
            missed.append(.click(click, id: last))
        }
        return missed
    }

    /// Asks once and hands on what is new; how many clicks that were.
    @discardableResult
    package func runOnce() async throws -> Int {
        let now = Timestamp.now
        beat(now)
        let gonggus = Set(watchers.values.map(\.gonggu))
        guard !gonggus.isEmpty else { return 0 }
        let from = now.advanced(bySeconds: -LiveClicks.latenessSeconds)
        let clicks = try await pool.transaction { connection in
            try LiveQueries.clicks(of: Array(gonggus), since: from, in: connection)
        }
        let fresh = clicks.reversed().filter { known[$0.id] == nil }
        let mayLack = clicks.count == LiveQueries.clicksMax && fresh.count == clicks.count
        for click in fresh {
            number += 1
            known[click.id] = (number, click.time)
            let event = LiveEvent.click(
                click, id: LiveEventID(epoch: epoch, number: number, time: click.time))
            for (place, watcher) in watchers
            where watcher.gonggu == click.gonggu && watcher.since <= click.time {
                hand(event, to: place)
            }
        }
        if mayLack { for place in watchers.keys { hand(.more, to: place) } }
        let forgotten = now.advanced(bySeconds: -4 * LiveClicks.latenessSeconds)
        known = known.filter { $0.value.time >= forgotten }
        return fresh.count
    }

    private func beat(_ now: Timestamp) {
        for (place, watcher) in watchers where watcher.endsAt <= now { leave(place) }
        guard now >= lastBeat.advanced(bySeconds: limits.beatSeconds) else { return }
        lastBeat = now
        for place in watchers.keys { hand(.beat, to: place) }
    }

    /// One that does not keep up is let go: it comes back with the last id that it has.
    private func hand(_ event: LiveEvent, to place: Int) {
        guard let watcher = watchers[place] else { return }
        switch watcher.events.yield(event) {
        case .enqueued: break
        default: leave(place)
        }
    }
}

/// SQL of the latest clicks.
enum LiveQueries {
    static let statements = [latest]
    /// Clicks a question, over all watched gonggus.
    static let clicksMax = 2000

    /// By the end of the newest partition's key.
    private static let latest = Statement(
        "live_clicks",
        """
        select id, gonggu_id, clicked_at, verdict, click_count, country::text, device, channel
        from click_trackings
        where clicked_at >= $1
            and gonggu_id = any ($2::uuid[])
        order by clicked_at desc, id desc
        limit $3
        """)

    /// The newest first, within a transaction.
    static func clicks(
        of gonggus: [Identifier], since time: Timestamp, in connection: Connection
    ) throws(PostgresError) -> [LiveClick] {
        try connection.inKeyOrder { connection throws(PostgresError) in
            try connection.query(latest, [time, gonggus, clicksMax])
        }
        .map { row throws(PostgresError) in
            LiveClick(
                id: try row.get(0), gonggu: try row.get(1), time: try row.get(2),
                verdict: try row.knownVerdict(3), count: try row.get(4), country: try row.get(5),
                device: (DeviceClass(rawValue: UInt8(clamping: try row.get(6, as: Int.self)))
                    ?? .unknown).name,
                channel: try row.get(7))
        }
    }
}
