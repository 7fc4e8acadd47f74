import Clicks
import Glibc
import Linux
import Redis
import Settings
import TestSupport
import Testing

@testable import Ingest

/// A Redis of a test's own, to be stopped and killed.
private final class LiveRedis {
    let port: UInt16
    private let folder: TestFolder
    private(set) var process: ChildProcess
    var url: String { "redis://127.0.0.1:\(port)/0" }

    init() throws {
        folder = try TestFolder()
        port = try freePort()
        process = try LiveRedis.start(port, folder)
        try waitUntilUp()
    }

    private static func start(_ port: UInt16, _ folder: TestFolder) throws -> ChildProcess {
        try ChildProcess(
            "redis-server",
            [
                "--bind", "127.0.0.1", "--port", "\(port)", "--save", "", "--appendonly", "no",
                "--dir", folder.path,
            ], logPath: folder.path + "/redis.log")
    }

    /// An empty one on the same port.
    func startAnew() throws {
        process.killNow()
        process = try LiveRedis.start(port, folder)
        try waitUntilUp()
    }

    private func waitUntilUp() throws {
        try eventually("redis answers") {
            (try? RedisConnection(url: url).command(["PING"]).text) == "PONG"
        }
    }

    /// Follows a channel by redis-cli, whose output is what it is told.
    func follow(_ channel: String) throws -> ChildProcess {
        let follower = try ChildProcess(
            "redis-cli", ["-p", "\(port)", "subscribe", channel],
            logPath: folder.path + "/follower-\(UInt32.random(in: 0 ... .max)).log")
        try eventually("the follower is there") { follower.log.contains("subscribe") }
        return follower
    }

    func counters(_ gonggu: Identifier) throws -> [String: String] {
        let key = "live:gonggu:\(gonggu)"
        guard
            case .array(let items) = try RedisConnection(url: url).command(["HGETALL", key])
        else { return [:] }
        let texts = items.compactMap(\.text)
        return Dictionary(
            uniqueKeysWithValues: stride(from: 0, to: texts.count, by: 2).map {
                (texts[$0], texts[$0 + 1])
            })
    }
}

@Suite struct LiveTests {
    private let bench: PumpBench
    private let redis: LiveRedis
    private let gonggu = Identifier(high: 1, low: 1)

    init() throws {
        bench = try PumpBench()
        redis = try LiveRedis()
    }

    private func pump(_ feed: LiveFeed) -> ClickPump {
        ClickPump(
            intake: bench.intake, databaseURL: Secret(bench.database.url), batchRecordsMax: 1000,
            gauges: bench.gauges, live: feed)
    }

    private func clicks(_ range: Range<Int>, age: Int64 = 0) -> [WholeClick] {
        range.map {
            .numbered(
                $0, verdict: $0 % 3 == 0 ? .bot : .valid, microseconds: Clock.now() - age)
        }
    }

    @Test func `a committed click is counted and told once, sums of a batch in one message`()
        throws
    {
        let feed = LiveFeed()
        let publisher = try LivePublisher(feed, redisURL: Secret(redis.url))
        let follower = try redis.follow("clicks:\(gonggu)")
        let began = Clock.now()
        bench.write([clicks(0..<4)])
        try bench.drain(pump(feed))
        #expect(try publisher.runOnce() == 1)
        #expect(try publisher.runOnce() == 0, "what was told is not told again")
        try eventually("the message comes") { follower.log.contains("\"valid\":2,\"bot\":2") }
        #expect(follower.log.contains("{\"gonggu_id\":\"\(gonggu)\",\"committed_at_us\":"))
        let committed = follower.log.split(separator: "committed_at_us\":").last
            .flatMap { Int64($0.prefix { $0.isNumber }) }
        #expect((began...Clock.now()).contains(committed ?? 0))
        #expect(try redis.counters(gonggu) == ["valid": "2", "bot": "2"])
        bench.write([clicks(4..<6)])
        try bench.drain(pump(feed))
        try publisher.runOnce()
        #expect(try redis.counters(gonggu) == ["valid": "4", "bot": "2"])
        let ttl = try RedisConnection(url: redis.url).command(["TTL", "live:gonggu:\(gonggu)"])
        guard case .integer(let seconds) = ttl else {
            Issue.record("the counters expire")
            return
        }
        #expect((3000...LivePublisher.countersExpireSeconds).contains(seconds))
        #expect(feed.tally.messages == 2 && feed.tally.clicksDropped == 0)
    }

    @Test func `what happened long ago is stored and not told`() throws {
        let feed = LiveFeed()
        bench.write([clicks(0..<4, age: LiveFeed.freshMicroseconds + 1_000_000)])
        try bench.drain(pump(feed))
        #expect(try bench.storedNumbers() == Array(0..<4))
        #expect(feed.take().isEmpty)
        #expect(feed.tally.clicksLate == 4)
    }

    @Test func `a Redis that is killed costs what was on its way, and is found again`() throws {
        let feed = LiveFeed()
        let publisher = try LivePublisher(feed, redisURL: Secret(redis.url))
        bench.write([clicks(1..<2)])
        try bench.drain(pump(feed))
        try publisher.runOnce()
        redis.process.killNow()
        bench.write([clicks(2..<3)])
        try bench.drain(pump(feed))
        #expect(throws: RedisError.self) { try publisher.runOnce() }
        #expect(feed.tally.clicksDropped == 1 && !feed.tally.isConnected)
        bench.write([clicks(4..<6)])
        try bench.drain(pump(feed))
        try redis.startAnew()
        #expect(try publisher.runOnce() == 1)
        #expect(feed.tally.isConnected)
        #expect(try redis.counters(gonggu) == ["valid": "2"])
        #expect(try bench.storedNumbers() == [1, 2, 4, 5], "the ledger has all of them")
    }

    @Test func `a Redis that stands still holds up nobody but its own thread`() throws {
        let feed = LiveFeed()
        let publisher = try LivePublisher(feed, redisURL: Secret(redis.url))
        let stopping = try WakeSignal()
        let thread = SystemThread(name: "live") { publisher.run(until: stopping) }
        bench.write([clicks(1..<2)])
        try bench.drain(pump(feed))
        try eventually("it is told") { feed.tally.messages == 1 }
        redis.process.kill(SIGSTOP)
        defer { redis.process.kill(SIGCONT) }
        bench.write([clicks(2..<3)])
        try bench.drain(pump(feed))
        try eventually("the publisher gives up on it") { !feed.tally.isConnected }
        let began = Clock.monotonic()
        for number in stride(from: 4, to: 40, by: 3) {
            bench.write([clicks(number..<number + 1)])
            try bench.drain(pump(feed))
        }
        let micros = Clock.monotonic() - began
        #expect(micros < 10_000_000, "twelve batches, and no wait of a second among them")
        #expect(try bench.storedNumbers().count == 14)
        redis.process.kill(SIGCONT)
        try eventually("it is told again") { feed.tally.isConnected }
        // At most once: what was lost is counted as lost, even where Redis took it after all.
        try eventually("all is told or lost") { feed.tally.gonggusWaiting == 0 }
        let told = try redis.counters(gonggu)["valid"].flatMap(Int.init) ?? 0
        #expect((14 - feed.tally.clicksDropped...14).contains(told))
        stopping.raise()
        thread.join()
    }

    @Test func `a feed that nobody empties is bounded, and tells what it dropped`() {
        let feed = LiveFeed(gonggusMax: 2)
        var counts = LiveCounts()
        counts.clicks[0] = 3
        for _ in 0..<2 {
            for number in 0..<5 {
                feed.giveBack([Identifier(high: 1, low: UInt64(number)): counts])
            }
        }
        #expect(feed.tally.gonggusWaiting == 2)
        #expect(feed.tally.clicksDropped == 2 * 3 * 3)
        #expect(feed.take().values.allSatisfy { $0.clicks[0] == 6 })
    }

    @Test func `without a Redis the pump runs as before`() throws {
        let publisher = try LivePublisher(
            LiveFeed(), redisURL: Secret("redis://127.0.0.1:1/0"))
        #expect(try publisher.runOnce() == 0, "nothing to tell, nobody to ask")
        bench.write([clicks(0..<2)])
        try bench.drain(bench.pump())
        #expect(try bench.storedNumbers() == [0, 1])
    }
}
