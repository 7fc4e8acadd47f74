import Clicks
import Hummingbird
import Logging
import NIOCore
import Postgres
import Redis
import Testing
import TestSupport

@testable import API

@Suite struct LiveClicksTests {
    let test: TestAPI
    private let gonggu = Identifier.new()

    init() async throws {
        test = try await TestAPI()
        let today = PostgresDate(daysSince1970: Timestamp.now.koreanDay.daysSince1970)
        let connection = try test.connect()
        for ahead in -1...1 {
            let ensure = Statement("test_ensure", "select ensure_click_partition($1)")
            _ = try connection.query(
                ensure, [PostgresDate(daysSince1970: today.daysSince1970 + Int32(ahead))])
        }
    }

    private static let insert = Statement(
        "test_live_click",
        """
        insert into click_trackings
            (clicked_at, visitor_key, id, gonggu_id, verdict, rule_set, path, channel)
        values (now() - $3 * interval '1 second', 1, $1, $2, 0, 2, 0, 'insta')
        """)

    /// A click that was made so many seconds ago and is committed now.
    private func click(_ secondsAgo: Int = 0, on gonggu: Identifier? = nil) throws -> Identifier {
        let id = Identifier.new()
        try test.connect().execute(
            Self.insert, [id, gonggu ?? self.gonggu, Double(secondsAgo)])
        return id
    }

    private func live(
        _ limits: LiveLimits = LiveLimits(), redisURL: String? = nil
    ) throws -> LiveClicks {
        try LiveClicks(
            pool: test.server.pool, redisURL: redisURL,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, limits: limits)
    }

    /// What waits in a stream, which is then ended.
    private func events(
        _ live: LiveClicks,
        _ watch: (number: Int, missed: [LiveEvent], events: AsyncStream<LiveEvent>)
    ) async -> [LiveEvent] {
        await live.leave(watch.number)
        var all = watch.missed
        for await event in watch.events { all.append(event) }
        return all
    }

    private func clicks(_ events: [LiveEvent]) -> [Identifier] {
        events.compactMap { if case .click(let click, _) = $0 { click.id } else { nil } }
    }

    private func lastID(_ events: [LiveEvent]) -> LiveEventID? {
        events.compactMap { if case .click(_, let id) = $0 { id } else { nil } }.last
    }

    @Test func `each click is handed on once, also one that is committed late`() async throws {
        let live = try live()
        let early = try click(20)
        let watch = try #require(try await live.watch(gonggu, since: nil))
        let one = try click()
        #expect(try await live.runOnce() == 2, "the earlier one is found, and is no news")
        let two = try click()
        let other = try click(on: Identifier.new())
        try await live.runOnce()
        #expect(try await live.runOnce() == 0)
        let seen = clicks(await events(live, watch))
        #expect(seen == [one, two] && !seen.contains(early) && !seen.contains(other))
        #expect(try await live.runOnce() == 0, "nobody watches, so nobody asks")
    }

    @Test func `who comes back gets exactly what was missed`() async throws {
        let live = try live()
        let first = try #require(try await live.watch(gonggu, since: nil))
        let seen = [try click(), try click()]
        try await live.runOnce()
        let before = await events(live, first)
        #expect(clicks(before) == seen)
        let last = try #require(lastID(before))
        // One of before the last that was committed after it, and one that is newer.
        let late = try click(5)
        let newer = try click()
        let second = try #require(try await live.watch(gonggu, since: last))
        #expect(clicks(second.missed) == [late, newer])
        // Whoever breaks off in the middle of these begins with the same id again.
        #expect(lastID(second.missed) == last)
        // Another process knows nothing of the first and says some again.
        let other = try self.live()
        let third = try #require(try await other.watch(gonggu, since: last))
        #expect(Set(clicks(third.missed)) == Set(seen + [late, newer]))
    }

    @Test func `a watcher too many is turned away, a slow one is let go`() async throws {
        var limits = LiveLimits()
        limits.watchersMax = 1
        limits.waitingMax = 2
        let live = try live(limits)
        let watch = try #require(try await live.watch(gonggu, since: nil))
        #expect(try await live.watch(gonggu, since: nil) == nil)
        #expect(await !live.hasRoom)
        let all = try (0..<4).map { _ in try click() }
        try await live.runOnce()
        #expect(await live.hasRoom, "its stream has ended")
        var seen: [LiveEvent] = []
        for await event in watch.events { seen.append(event) }
        #expect(clicks(seen) == Array(all.prefix(2)))
        // It comes back with the last it has, and nothing is lost.
        let back = try #require(try await live.watch(gonggu, since: lastID(seen)))
        #expect(clicks(back.missed) == Array(all.suffix(2)))
    }

    /// The next clicks of a stream; nil when they did not come in time.
    private func next(
        _ count: Int, of events: AsyncStream<LiveEvent>
    ) async -> [Identifier]? {
        await withTaskGroup(of: [Identifier]?.self) { group in
            group.addTask {
                var found: [Identifier] = []
                for await event in events {
                    if case .click(let click, _) = event { found.append(click.id) }
                    if found.count == count { return found }
                }
                return nil
            }
            group.addTask {
                try? await Task.sleep(for: .seconds(20))
                return nil
            }
            defer { group.cancelAll() }
            return await group.next() ?? nil
        }
    }

    private func isListening(_ live: LiveClicks) async -> Bool {
        for _ in 0..<500 where await !live.isListening {
            try? await Task.sleep(for: .milliseconds(10))
        }
        return await live.isListening
    }

    @Test func `what Ingest tells Redis is asked for at once`() async throws {
        var limits = LiveLimits()
        // So that nothing comes by the clock.
        (limits.pollMilliseconds, limits.sweepMilliseconds) = (600_000, 600_000)
        let live = try live(limits, redisURL: TestServers.redisURL())
        let asking = Task { try await live.run() }
        let watch = try #require(try await live.watch(gonggu, since: nil))
        #expect(await isListening(live))
        let redis = try RedisConnection(url: TestServers.redisURL())
        for _ in 0..<3 {
            let id = try click()
            let told = try redis.command(["PUBLISH", "clicks:\(gonggu)", "{}"])
            #expect(told == .integer(1), "one session listens, whoever watches")
            #expect(await next(1, of: watch.events) == [id])
        }
        // Of two gonggus, and two watchers of one.
        let other = Identifier.new()
        let second = try #require(try await live.watch(other, since: nil))
        let third = try #require(try await live.watch(other, since: nil))
        #expect(await isListening(live))
        let id = try click(on: other)
        _ = try redis.command(["PUBLISH", "clicks:\(other)", "{}"])
        #expect(await next(1, of: second.events) == [id])
        #expect(await next(1, of: third.events) == [id])
        await live.leave(second.number)
        await live.leave(third.number)
        #expect(await isListening(live))
        #expect(try redis.command(["PUBLISH", "clicks:\(other)", "{}"]) == .integer(0))
        asking.cancel()
        try await asking.value
    }

    @Test func `without Redis the clock asks`() async throws {
        var limits = LiveLimits()
        (limits.pollMilliseconds, limits.restMilliseconds) = (20, 1)
        let nowhere = try freePort()
        let live = try live(limits, redisURL: "redis://127.0.0.1:\(nowhere)/0")
        let asking = Task { try await live.run() }
        let watch = try #require(try await live.watch(gonggu, since: nil))
        for _ in 0..<2 {
            let id = try click()
            #expect(await next(1, of: watch.events) == [id])
        }
        #expect(await !live.isListening)
        asking.cancel()
        try await asking.value
    }

    @Test func `who watches is told that the line is alive, and in time to come again`()
        async throws
    {
        var limits = LiveLimits()
        limits.beatSeconds = 0
        limits.streamSeconds = 0
        let live = try live(limits)
        let watch = try #require(try await live.watch(gonggu, since: nil))
        try await live.runOnce()
        var count = 0
        for await _ in watch.events { count += 1 }
        #expect(count == 0, "its time was over at once")
        limits.streamSeconds = 60
        let patient = try self.live(limits)
        let second = try #require(try await patient.watch(gonggu, since: nil))
        try await patient.runOnce()
        let beats = await events(patient, second).count {
            if case .beat = $0 { true } else { false }
        }
        #expect(beats == 1)
    }

    @Test(arguments: ["", "1-2", "1-2-3-4", "a-2-3", "1--2-3", "-1-2-3", "1-2-99999999999999999"])
    func `an id that we never wrote begins anew`(text: String) {
        #expect(LiveEventID(text) == nil)
    }

    @Test func `an id is read as it was written`() {
        let id = LiveEventID(epoch: 1, number: 20, time: Timestamp(microseconds: 300))
        #expect(LiveEventID(id.text) == id)
    }
}
