import Redis
import Synchronization
import Testing
import TestSupport

@Suite struct RedisSubscriptionTests {
    /// What was heard, in order.
    private final class Heard: Sendable {
        private let channels = Mutex<[String]>([])

        func note(_ channel: String) { channels.withLock { $0.append(channel) } }

        var all: [String] { channels.withLock { $0 } }
    }

    private let heard = Heard()
    private let channel = uniqueKey()

    private func publish(_ channel: String) throws -> RedisReply {
        try RedisConnection(url: TestServers.redisURL()).command(["PUBLISH", channel, "x"])
    }

    @Test func `what is listened to is heard, and nothing else`() throws {
        let subscription = try RedisSubscription(
            url: TestServers.redisURL(), onMessage: heard.note)
        let others = (0..<300).map { channel + ":\($0)" }
        subscription.listen(to: Set(others))
        try eventually("it listens") { subscription.isListening }
        for other in others { #expect(try publish(other) == .integer(1)) }
        try eventually("all are heard") { heard.all == others }
        subscription.listen(to: [channel])
        try eventually("it listens to another") { subscription.isListening }
        #expect(try publish(others[0]) == .integer(0))
        #expect(try publish(channel) == .integer(1))
        try eventually("it is heard") { heard.all.last == channel }
        #expect(heard.all.count == 301)
        subscription.close()
        try eventually("nobody listens") { try publish(channel) == .integer(0) }
        #expect(!subscription.isListening)
    }

    @Test func `its going ends the session`() throws {
        do {
            let subscription = try RedisSubscription(
                url: TestServers.redisURL(), onMessage: heard.note)
            subscription.listen(to: [channel])
            try eventually("it listens") { subscription.isListening }
        }
        try eventually("nobody listens") { try publish(channel) == .integer(0) }
    }

    @Test func `a session that is lost is made anew, and one that is silent is given up`() throws {
        let url = try TestServers.redisURL()
        let endpoint = try #require(RedisEndpoint(url: url))
        guard case .tcp(_, let port) = endpoint.address else {
            return  // A socket in the file system has no proxy before it.
        }
        let proxy = try CuttingProxy(to: UInt16(port))
        defer { proxy.stop() }
        let subscription = try RedisSubscription(
            url: url.replacing(":\(port)", with: ":\(proxy.port)"), quietSeconds: 0.2,
            onMessage: heard.note)
        subscription.listen(to: [channel])
        try eventually("it listens") { subscription.isListening }
        for round in 1...3 {
            // Its next PING, or its answer, does not come through.
            proxy.decide(round == 2 ? .cutAfterClientBytes(1) : .cutAfterServerBytes(1))
            try eventually("it is cut") { proxy.cutCount == round }
            try eventually("it listens again") {
                try publish(channel) == .integer(1) && subscription.isListening
            }
            let count = heard.all.count
            _ = try publish(channel)
            try eventually("it hears again") { heard.all.count > count }
        }
    }

    @Test func `a URL that is none is told at once`() {
        #expect(throws: RedisError.self) {
            try RedisSubscription(url: "http://localhost", onMessage: heard.note)
        }
    }
}
