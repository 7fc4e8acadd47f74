import Clicks
import Logging
import Postgres
import Redis
import ServiceLifecycle
import Synchronization

// Clicks as they happen. Ingest tells Redis after each commit which gonggus had clicks; one session
// per process listens to those that somebody watches, and each message has the ledger asked for
// that gonggu's latest clicks, which are handed on to their watchers once. A message is a wake-up
// and nothing else, so one that is lost costs time alone: all that are watched are asked for again
// every second, and more often while Redis is away. Without watchers nothing is asked. Commits are
// not in the order of clicks, so each question looks some seconds back, and what was handed on is
// remembered.
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
    /// While nobody tells us of clicks: between two questions for all that are watched.
    package var pollMilliseconds: Int64 = 400
    /// The same while Redis is listened to, for what it was not told.
    package var sweepMilliseconds: Int64 = 1000
    /// Between two questions, however many messages come.
    package var restMilliseconds: Int64 = 100
    package var beatSeconds: Int64 = 15
    package var watchersMax = 500
    /// Events that wait for one watcher.
    package var waitingMax = 4000
    /// A stream ends then, and its watcher shows a token again.
    package var streamSeconds: Int64 = 1800

    package init() {}
}

/// What Redis has told since it was last asked: a set of gonggus that are watched, so no larger
/// than that, and a bell.
private final class LiveMessages: Sendable {
    /// Rings at most once until it is heard.
    let bell: AsyncStream<Void>
    private let ringing: AsyncStream<Void>.Continuation
    private let told = Mutex<Set<Identifier>>([])

    init() {
        (bell, ringing) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func tell(channel: String) {
        guard channel.hasPrefix(LiveMessages.prefix),
            let gonggu = Identifier(String(channel.dropFirst(LiveMessages.prefix.count)))
        else { return }
        told.withLock { _ = $0.insert(gonggu) }
        ring()
    }

    func ring() { ringing.yield() }

    func end() { ringing.finish() }

    func take() -> Set<Identifier> {
        told.withLock { told in
            defer { told = [] }
            return told
        }
    }

    /// As Ingest's LivePublisher spells it.
    static let prefix = "clicks:"
}

/// The one who asks, and who watches.
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
    private var lastSweep = Timestamp(microseconds: 0)
    private var isClosed = false
    private let messages = LiveMessages()
    /// Nil where there is no Redis to listen to.
    private let subscription: RedisSubscription?

    /// How late a click may come to the ledger and still be news.
    private static let latenessSeconds: Int64 = 30
    /// How long ago a watcher may have left and be sent all that was missed.
    static let resumeSeconds: Int64 = 3600

    /// - Throws: what is wrong with the Redis URL.
    package init(
        pool: ConnectionPool, redisURL: String?, logger: Logger, limits: LiveLimits = LiveLimits()
    ) throws(RedisError) {
        self.pool = pool
        self.logger = logger
        self.limits = limits
        let messages = messages
        guard let redisURL else {
            subscription = nil
            return
        }
        subscription = try RedisSubscription(url: redisURL) { messages.tell(channel: $0) }
    }

    /// Asks until the service stops; then ends every stream, so that nobody has to be waited for.
    package func run() async throws {
        await withGracefulShutdownHandler {
            // Cancelled when this ends.
            async let _ = tick()
            for await _ in messages.bell {
                if isClosed || Task.isCancelled { break }
                do {
                    try await answerBell()
                } catch {
                    // The database is away; watchers see no clicks, and lose none.
                    logger.debug("live clicks wait", metadata: ["reason": "\(error)"])
                }
                try? await Task.sleep(for: .milliseconds(limits.restMilliseconds))
            }
            close()
        } onGracefulShutdown: {
            Task { await self.close() }
        }
    }

    /// Rings for what the clock decides: polls, beats, and the end.
    private func tick() async {
        while !isClosed && !Task.isCancelled {
            messages.ring()
            try? await Task.sleep(for: .milliseconds(limits.pollMilliseconds))
        }
        messages.end()
    }

    /// Asks for what was told of, or for everything if it is time.
    private func answerBell() async throws {
        let now = Timestamp.now
        let isListening = subscription?.isListening ?? false
        let pause = isListening ? limits.sweepMilliseconds : limits.pollMilliseconds
        // What was told of and cannot be asked for now is in the next sweep.
        let told = messages.take()
        let isDue = now.microseconds - lastSweep.microseconds >= pause * 1000
        if isDue {
            try await runOnce()
        } else {
            beat(now)
            try await ask(for: told.intersection(watchers.values.map(\.gonggu)), now)
        }
    }

    private func close() {
        isClosed = true
        subscription?.close()
        messages.end()
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
        listen()
        guard let last else { return (place, [], stream) }
        do {
            return (place, try await missed(of: gonggu, since: last, now: now), stream)
        } catch {
            leave(place)
            throw error
        }
    }

    func leave(_ place: Int) {
        guard let watcher = watchers.removeValue(forKey: place) else { return }
        watcher.events.finish()
        listen()
    }

    /// To what is watched now: at most as many channels as watchers.
    private func listen() {
        subscription?.listen(to: Set(watchers.values.map { "\(LiveMessages.prefix)\($0.gonggu)" }))
    }

    /// Whether Redis will tell us of every gonggu that is watched.
    var isListening: Bool { subscription?.isListening ?? false }

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

    /// Asks for all that are watched and hands on what is new; how many clicks that were.
    @discardableResult
    package func runOnce() async throws -> Int {
        let now = Timestamp.now
        beat(now)
        let asked = try await ask(for: Set(watchers.values.map(\.gonggu)), now)
        lastSweep = now
        return asked
    }

    @discardableResult
    private func ask(for gonggus: Set<Identifier>, _ now: Timestamp) async throws -> Int {
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
        if mayLack {
            for (place, watcher) in watchers where gonggus.contains(watcher.gonggu) {
                hand(.more, to: place)
            }
        }
        let forgotten = now.advanced(bySeconds: -4 * LiveClicks.latenessSeconds)
        known = known.filter { $0.value.time >= forgotten }
        return fresh.count
    }

    private func beat(_ now: Timestamp) {
        let over = watchers.filter { $0.value.endsAt <= now }
        for (place, watcher) in over {
            watchers[place] = nil
            watcher.events.finish()
        }
        if !over.isEmpty { listen() }
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
