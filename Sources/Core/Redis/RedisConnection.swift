import CHiredis
import Glibc

/// One session with Redis. Blocks; confined to one thread.
///
/// Connects with the first command. A command that fails closes the session, since what would come
/// next on it is the answer to something else; the next command connects again.
package final class RedisConnection {
    private let endpoint: RedisEndpoint
    private let timeout: timeval
    private var context: UnsafeMutablePointer<redisContext>?

    /// - Parameters:
    ///   - url: see ``RedisEndpoint/init(url:)``.
    ///   - timeoutSeconds: for connecting, and for each wait for an answer.
    package init(url: String, timeoutSeconds: Double = 2) throws(RedisError) {
        guard let endpoint = RedisEndpoint(url: url) else {
            throw RedisError(
                kind: .url,
                message: "the URL is not of the form redis://host:port/0 or unix:///path?db=0")
        }
        self.endpoint = endpoint
        let microseconds = Int(timeoutSeconds * 1_000_000)
        timeout = timeval(
            tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
        // hiredis writes without MSG_NOSIGNAL: a Redis that went away would end the process.
        signal(SIGPIPE, SIG_IGN)
    }

    deinit { redisFree(context) }

    /// Sends one command and waits for its answer.
    package func command(_ arguments: [String]) throws(RedisError) -> RedisReply {
        try command(bytes: arguments.map { Array($0.utf8) })
    }

    /// The same with arguments that are not text.
    package func command(bytes arguments: [[UInt8]]) throws(RedisError) -> RedisReply {
        try pipeline([arguments])[0]
    }

    /// Sends commands in one go and waits for all of their answers, in order. They are no
    /// transaction. After an error any of them may have taken effect.
    package func pipeline(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisReply] {
        try connectIfNeeded()
        return try exchange(commands)
    }

    // MARK: Listening

    /// Begins a session anew. Its descriptor, for poll; the session owns it.
    func openForListening() throws(RedisError) -> Int32 {
        disconnect()
        try connectIfNeeded()
        guard let context else { throw failure() }
        return context.pointee.fd
    }

    /// Sends a command whose answers come among messages, by ``receive()``.
    func tell(_ command: String, _ arguments: Set<String> = []) throws(RedisError) {
        guard
            append([command].map { Array($0.utf8) } + arguments.map { Array($0.utf8) })
                == REDIS_OK
        else { throw failure() }
        var isDone: Int32 = 0
        while isDone == 0 {
            guard redisBufferWrite(context, &isDone) == REDIS_OK else { throw failure() }
        }
    }

    /// What has come. Blocks where nothing has: poll says when.
    func receive() throws(RedisError) -> [RedisReply] {
        guard redisBufferRead(context) == REDIS_OK else { throw failure() }
        var replies: [RedisReply] = []
        while true {
            var raw: UnsafeMutableRawPointer?
            guard redisGetReplyFromReader(context, &raw) == REDIS_OK else { throw failure() }
            guard let raw else { return replies }
            defer { freeReplyObject(raw) }
            replies.append(RedisReply(UnsafePointer(raw.assumingMemoryBound(to: redisReply.self))))
        }
    }

    // MARK: The session

    private func connectIfNeeded() throws(RedisError) {
        if let context, RedisConnection.isQuiet(context.pointee.fd) { return }
        disconnect()
        let made =
            switch endpoint.address {
            case .tcp(let host, let port): redisConnectWithTimeout(host, port, timeout)
            case .unix(let path): redisConnectUnixWithTimeout(path, timeout)
            }
        guard let made else { throw RedisError(kind: .connection, message: "out of memory") }
        context = made
        guard made.pointee.err == 0 else { throw failure() }
        redisSetTimeout(made, timeout)
        var greeting: [[String]] = []
        if !endpoint.password.isEmpty {
            let user = endpoint.user.isEmpty ? [] : [endpoint.user]
            greeting.append(["AUTH"] + user + [endpoint.password])
        }
        if endpoint.database != 0 { greeting.append(["SELECT", String(endpoint.database)]) }
        for reply in try exchange(greeting.map { $0.map { Array($0.utf8) } }) {
            guard case .error(let message) = reply else { continue }
            disconnect()
            throw RedisError(kind: .connection, message: message)
        }
    }

    /// A session in use has nothing to say between commands: if it has, that is its end.
    private static func isQuiet(_ descriptor: Int32) -> Bool {
        var descriptor = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&descriptor, 1, 0) == 0
    }

    private func exchange(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisReply] {
        for command in commands {
            precondition(!command.isEmpty, "a command has a name")
            guard append(command) == REDIS_OK else { throw failure() }
        }
        var replies: [RedisReply] = []
        replies.reserveCapacity(commands.count)
        for _ in commands {
            var raw: UnsafeMutableRawPointer?
            guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw failure() }
            defer { freeReplyObject(raw) }
            replies.append(RedisReply(UnsafePointer(raw.assumingMemoryBound(to: redisReply.self))))
        }
        return replies
    }

    private func append(_ arguments: [[UInt8]]) -> Int32 {
        let bytes = Array(arguments.joined()) + [0]
        return bytes.withUnsafeBytes { buffer in
            let base = buffer.baseAddress!.assumingMemoryBound(to: CChar.self)
            var offset = 0
            var pointers = arguments.map { argument -> UnsafePointer<CChar>? in
                defer { offset += argument.count }
                return base + offset
            }
            return redisAppendCommandArgv(
                context, Int32(arguments.count), &pointers, arguments.map { $0.count })
        }
    }

    /// What hiredis says about the session, which ends here.
    private func failure() -> RedisError {
        guard let context else {
            return RedisError(kind: .connection, message: "the connection was lost")
        }
        let message = withUnsafeBytes(of: &context.pointee.errstr) {
            String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        disconnect()
        return RedisError(
            kind: .connection, message: message.isEmpty ? "the connection was lost" : message)
    }

    private func disconnect() {
        redisFree(context)
        context = nil
    }
}
