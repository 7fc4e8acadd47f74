import Redis
import TestSupport
import Testing

/// Keys of one test, so that tests can share a server.
func uniqueKey() -> String { "test:" + String(UInt64.random(in: .min ... .max), radix: 36) }

@Suite struct RedisConnectionTests {
    private func connect(timeoutSeconds: Double = 5) throws -> RedisConnection {
        try RedisConnection(url: TestServers.redisURL(), timeoutSeconds: timeoutSeconds)
    }

    @Test func `every kind of answer comes back as what it is`() throws {
        let redis = try connect()
        let key = uniqueKey()
        let bytes: [UInt8] = [0, 13, 10, 255, 36]
        #expect(try redis.command(["SET", key, "공구"]) == .string(Array("OK".utf8)))
        #expect(try redis.command(["GET", key]).text == "공구")
        #expect(try redis.command(["GET", key + ":absent"]) == .null)
        #expect(try redis.command(["STRLEN", key]) == .integer(6))
        #expect(try redis.command(bytes: [Array("SET".utf8), Array(key.utf8), bytes]).text == "OK")
        #expect(try redis.command(["GET", key]) == .string(bytes))
        #expect(try redis.command(["SET", key, ""]).text == "OK")
        #expect(try redis.command(["GET", key]) == .string([]))
        guard case .error(let message) = try redis.command(["LPUSH", key, "x"]) else {
            Issue.record("a list operation on a string is refused")
            return
        }
        #expect(message.hasPrefix("WRONGTYPE"))
        #expect(
            try redis.command(["EVAL", "return {1, {'a', false}, -2}", "0"])
                == .array([.integer(1), .array([.string([97]), .null]), .integer(-2)]))
        #expect(try redis.command(["DEL", key]) == .integer(1))
    }

    @Test func `a pipeline's answers come in its order, refusals among them`() throws {
        let redis = try connect()
        let key = uniqueKey()
        let words = (0..<1000).map { $0 == 500 ? ["LPUSH", key, "x"] : ["INCR", key] }
        let replies = try redis.pipeline(words.map { $0.map { Array($0.utf8) } })
        #expect(replies.count == 1000)
        #expect(replies[499] == .integer(500))
        #expect(replies[501] == .integer(501))
        if case .error = replies[500] {} else { Issue.record("the refusal is in its place") }
        _ = try redis.command(["DEL", key])
    }

    /// The test server's URL with another database.
    private func urlOfDatabase(_ number: Int) throws -> String {
        let url = try TestServers.redisURL()
        guard url.hasPrefix("redis://") else {
            return url.prefix { $0 != "?" } + "?db=\(number)"
        }
        return "redis://" + url.dropFirst(8).prefix { $0 != "/" && $0 != "?" } + "/\(number)"
    }

    @Test func `a session that was killed is made again, in its database`() throws {
        let redis = try RedisConnection(url: urlOfDatabase(1))
        let key = uniqueKey()
        #expect(try redis.command(["SET", key, "in 1"]).text == "OK")
        guard case .integer(let id) = try redis.command(["CLIENT", "ID"]) else { return }
        #expect(try connect().command(["CLIENT", "KILL", "ID", String(id)]) == .integer(1))
        #expect(try redis.command(["GET", key]).text == "in 1")
        #expect(try redis.command(["DEL", key]) == .integer(1))
    }

    @Test func `an answer that does not come is a timeout, and later answers are in step`() throws {
        let redis = try connect(timeoutSeconds: 0.1)
        let key = uniqueKey()
        let error = #expect(throws: RedisError.self) {
            try redis.command(["BLPOP", key, "1"])
        }
        #expect(error?.kind == .connection)
        #expect(try redis.command(["ECHO", "mine"]).text == "mine")
    }

    @Test func `a Redis that is not there is a connection error`() throws {
        for url in ["redis://:hunter2@127.0.0.1:1/0", "unix:///nonexistent/redis.sock"] {
            let redis = try RedisConnection(url: url)
            let error = #expect(throws: RedisError.self) { try redis.command(["PING"]) }
            #expect(error?.kind == .connection)
            #expect(error.map { "\($0)" }?.contains("hunter2") == false)
        }
    }

    @Test func `a wrong password is told by the first command`() throws {
        let redis = try RedisConnection(
            url: TestServers.redisURL().replacing("://", with: "://nobody:wrong@"))
        let error = #expect(throws: RedisError.self) { try redis.command(["PING"]) }
        #expect(error?.message.hasPrefix("WRONGPASS") == true)
    }
}

@Suite struct RedisClientTests {
    @Test func `many callers share one connection and each gets its own answer`() async throws {
        let client = try RedisClient(url: TestServers.redisURL())
        try await client.ping()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<2000 {
                group.addTask {
                    let reply = try await client.send(["ECHO", String(number)])
                    #expect(reply.text == String(number))
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func `a lost session fails what it carried and no more`() async throws {
        let client = try RedisClient(url: TestServers.redisURL(), timeoutSeconds: 30)
        let killer = try RedisClient(url: TestServers.redisURL())
        for isBusy in [false, true, false, true] {
            guard case .integer(let id) = try await client.send(["CLIENT", "ID"]) else { return }
            let key = uniqueKey()
            let waiting = isBusy ? Task { try await client.send(["BLPOP", key, "20"]) } : nil
            let deadline = ContinuousClock.now.advanced(by: .seconds(20))
            while isBusy {
                let list = try await killer.send(["CLIENT", "LIST", "ID", String(id)]).text ?? ""
                if list.contains("cmd=blpop") { break }
                try #require(ContinuousClock.now < deadline, "the command reaches Redis")
            }
            #expect(
                try await killer.send(["CLIENT", "KILL", "ID", String(id)]) == .integer(1))
            if let waiting {
                let error = await #expect(throws: RedisError.self) { try await waiting.value }
                #expect(error?.kind == .connection)
            }
            try await client.ping()
        }
    }

    @Test func `while Redis is away callers are told at once, and a closed client refuses`()
        async throws
    {
        let client = try RedisClient(url: "redis://127.0.0.1:1/0")
        for _ in 0..<50 {
            let error = await #expect(throws: RedisError.self) { try await client.ping() }
            #expect(error?.kind == .connection)
        }
        client.close()
        let error = await #expect(throws: RedisError.self) { try await client.ping() }
        #expect(error?.kind == .queue)
    }
}
