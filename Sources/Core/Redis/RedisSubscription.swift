import CHiredis
import Glibc
import Linux
import Synchronization

/// One session with Redis that listens on channels, on a thread of its own.
///
/// A message is handed on as the name of its channel, for those to whom "something has happened
/// there" is enough: what was said while nobody listened is lost, and nothing is queued here. While
/// Redis is away it tries again, after 0.2 s at first and 5 s at last; what is listened to is then
/// asked for again. A session that says nothing is asked whether it lives after `quietSeconds`, and
/// given up as long after that.
///
/// Sendable because what the thread and the callers share is in a mutex, and all else the thread's.
package final class RedisSubscription: Sendable {
    /// The thread keeps this, and not the subscription: so that its going ends the thread.
    private let core: ListenerCore

    /// Connects at once, and tells nobody if it cannot: see ``isListening``.
    ///
    /// - Parameters:
    ///   - onMessage: called on the thread, for each message; must not block.
    package init(
        url: String, quietSeconds: Double = 10,
        onMessage: @escaping @Sendable (_ channel: String) -> Void
    ) throws(RedisError) {
        // Throws for a bad URL here, where it can be read.
        _ = try RedisConnection(url: url)
        core = ListenerCore(quietSeconds: quietSeconds, onMessage: onMessage)
        core.start { try RedisConnection(url: url) }
    }

    deinit { core.change { $0.isClosed = true } }

    /// Listens to these channels from now on, and to no others. Returns at once.
    package func listen(to channels: Set<String>) {
        core.change { $0.wanted = channels }
    }

    /// Whether Redis is there and has confirmed every channel that is wanted.
    package var isListening: Bool { core.state.withLock { $0.confirmed == $0.wanted && $0.isUp } }

    /// Ends the session and the thread, soon.
    package func close() {
        core.change { $0.isClosed = true }
    }
}

/// What the thread and the callers share, and the thread itself.
private final class ListenerCore: Sendable {
    struct State {
        var wanted: Set<String> = []
        /// Those that Redis has said yes to, in this session.
        var confirmed: Set<String> = []
        var isUp = false
        var isClosed = false
    }

    let state = Mutex(State())
    private let wake: (reading: Int32, writing: Int32)
    private let quietMilliseconds: Int32
    private let onMessage: @Sendable (String) -> Void

    private static let backOffMillisecondsMin: Int32 = 200
    private static let backOffMillisecondsMax: Int32 = 5000

    init(quietSeconds: Double, onMessage: @escaping @Sendable (String) -> Void) {
        var ends: [Int32] = [0, 0]
        let code = pipe(&ends)
        precondition(code == 0, "the process has room for two more descriptors")
        for end in ends {
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        }
        wake = (ends[0], ends[1])
        quietMilliseconds = Int32(quietSeconds * 1000)
        self.onMessage = onMessage
    }

    deinit {
        close(wake.reading)
        close(wake.writing)
    }

    func change(_ body: (inout State) -> Void) {
        state.withLock { body(&$0) }
        // A full pipe is one that wakes already.
        _ = write(wake.writing, [1], 1)
    }

    func start(_ make: @escaping @Sendable () throws -> RedisConnection) {
        SystemThread.detach(name: "redis-channels") { [self] in listen(make) }
    }

    // MARK: The thread

    private func listen(_ make: () throws -> RedisConnection) {
        guard let session = try? make() else {
            // The URL was tried before the thread was started.
            preconditionFailure("a URL that was read once can be read again")
        }
        var backOff = ListenerCore.backOffMillisecondsMin
        while !state.withLock({ $0.isClosed }) {
            do {
                let descriptor = try session.openForListening()
                backOff = ListenerCore.backOffMillisecondsMin
                state.withLock { ($0.isUp, $0.confirmed) = (true, []) }
                try carry(session, descriptor)
            } catch {
                state.withLock { ($0.isUp, $0.confirmed) = (false, []) }
                pause(milliseconds: backOff)
                backOff = min(backOff * 2, ListenerCore.backOffMillisecondsMax)
            }
        }
        state.withLock { ($0.isUp, $0.confirmed) = (false, []) }
    }

    /// One session, until it is lost or not wanted any more.
    private func carry(_ session: RedisConnection, _ descriptor: Int32) throws(RedisError) {
        var asked: Set<String> = []
        var isAsked = false
        while true {
            let (wanted, isClosed) = state.withLock { ($0.wanted, $0.isClosed) }
            if isClosed { return }
            let (added, dropped) = (wanted.subtracting(asked), asked.subtracting(wanted))
            if !added.isEmpty { try session.tell("SUBSCRIBE", added) }
            if !dropped.isEmpty { try session.tell("UNSUBSCRIBE", dropped) }
            asked = wanted
            var polls = [descriptor, wake.reading].map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            let ready = poll(&polls, 2, quietMilliseconds)
            if ready < 0, errno == EINTR { continue }
            if polls[1].revents != 0 { drain() }
            if polls[0].revents != 0 {
                for reply in try session.receive() { take(reply) }
                isAsked = false
            } else if ready == 0 {
                guard !isAsked else {
                    throw RedisError(kind: .connection, message: "no answer to a PING")
                }
                try session.tell("PING")
                isAsked = true
            }
        }
    }

    private func take(_ reply: RedisReply) {
        // ["message", channel, text], and for what we asked ["subscribe", channel, how many].
        guard case .array(let parts) = reply, parts.count >= 2, let channel = parts[1].text else {
            return
        }
        switch parts[0].text {
        case "message": onMessage(channel)
        case "subscribe": state.withLock { _ = $0.confirmed.insert(channel) }
        case "unsubscribe": state.withLock { _ = $0.confirmed.remove(channel) }
        default: break
        }
    }

    private func drain() {
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(wake.reading, &bytes, bytes.count) > 0 {}
    }

    /// Ends early when something is wanted.
    private func pause(milliseconds: Int32) {
        var polls = [pollfd(fd: wake.reading, events: Int16(POLLIN), revents: 0)]
        if poll(&polls, 1, milliseconds) > 0 { drain() }
    }
}
