// Tells Redis of committed clicks, for views that follow a gonggu as it happens. What Redis holds
// of it may be lost at any time: the ledger is what counts, and nothing waits for Redis but this
// thread.
//
// Of each gonggu that had clicks, in this order:
//   HINCRBY live:gonggu:<uuid> <verdict> <n>   for each verdict it had
//   EXPIRE live:gonggu:<uuid> 3600
//   PUBLISH clicks:<uuid> {"gonggu_id":"<uuid>","committed_at_us":<n>,"clicks":{"valid":3,…}}
// Requests count, so a folded flood counts in full. When a message comes its clicks are in the
// ledger; each is told at most once.

import Admin
import Clicks
import Linux
import Redis
import Settings

/// Empties a ``LiveFeed`` into Redis until stopped. Confined to one thread.
///
/// Unchecked: made by the main thread, handed to its own by the caller, touched by no other.
final class LivePublisher: @unchecked Sendable {
    private let feed: LiveFeed
    private let redis: RedisConnection
    private var isDown = false

    /// Also what a view lags by for our sake.
    private static let intervalMilliseconds = 100
    private static let timeoutSeconds = 1.0
    private static let backOffMillisecondsMax = 2000
    /// Gonggus a pipeline: some 1,000 commands.
    private static let pipelineMax = 256
    static let countersExpireSeconds = 3600

    /// - Throws: `RedisError` for a URL that is none.
    init(_ feed: LiveFeed, redisURL: Secret) throws(RedisError) {
        self.feed = feed
        redis = try RedisConnection(
            url: redisURL.text, timeoutSeconds: LivePublisher.timeoutSeconds)
    }

    func run(until stopping: WakeSignal) {
        var waitMilliseconds = LivePublisher.intervalMilliseconds
        while !stopping.wait(milliseconds: waitMilliseconds) {
            do {
                try runOnce()
                if isDown { Log.info("live views are told again") }
                isDown = false
                waitMilliseconds = LivePublisher.intervalMilliseconds
            } catch {
                if !isDown { Log.warning("live views are not told", [("reason", "\(error)")]) }
                isDown = true
                waitMilliseconds = min(
                    waitMilliseconds * 2, LivePublisher.backOffMillisecondsMax)
            }
        }
    }

    /// Sends all that waits. - Returns: messages.
    @discardableResult
    func runOnce() throws(RedisError) -> Int {
        let waiting = Array(feed.take())
        var sent = 0
        while sent < waiting.count {
            let part = waiting[sent..<min(waiting.count, sent + LivePublisher.pipelineMax)]
            do throws(RedisError) {
                let replies = try redis.pipeline(part.flatMap(LivePublisher.commands))
                for case .error(let message) in replies {
                    throw RedisError(kind: .connection, message: message)
                }
            } catch {
                feed.noteDown(part.map { ($0.key, $0.value) })
                feed.giveBack(
                    Dictionary(uniqueKeysWithValues: waiting[part.endIndex...].map { ($0, $1) }))
                throw error
            }
            feed.noteSent(part.count)
            sent = part.endIndex
        }
        return sent
    }

    private static func commands(
        _ gonggu: Identifier, _ counts: LiveCounts
    ) -> [[[UInt8]]] {
        let key = "live:gonggu:\(gonggu)"
        var commands: [[String]] = []
        var fields = ""
        for verdict in Verdict.allCases where counts.clicks[Int(verdict.rawValue)] != 0 {
            let sum = "\(counts.clicks[Int(verdict.rawValue)])"
            commands.append(["HINCRBY", key, "\(verdict.name)", sum])
            fields += "\(fields.isEmpty ? "" : ",")\"\(verdict.name)\":\(sum)"
        }
        commands.append(["EXPIRE", key, "\(countersExpireSeconds)"])
        let message =
            "{\"gonggu_id\":\"\(gonggu)\",\"committed_at_us\":\(counts.committedMicros),"
            + "\"clicks\":{\(fields)}}"
        commands.append(["PUBLISH", "clicks:\(gonggu)", message])
        return commands.map { $0.map { Array($0.utf8) } }
    }
}
