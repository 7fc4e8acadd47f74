import CPostgres
import Glibc
import Linux

/// What another session sent by NOTIFY. Equal ones within one transaction arrive once.
package struct Notification: Equatable, Sendable {
    package let channel: String
    package let payload: String

    package init(channel: String, payload: String) {
        self.channel = channel
        self.payload = payload
    }
}

extension Connection {
    /// Asks for the notifications of a channel, from now on, for the life of this connection.
    ///
    /// What happened before is not told: whoever listens also looks, after this call.
    package func listen(to channel: String) throws(PostgresError) {
        guard let quoted = PQescapeIdentifier(handle, channel, channel.utf8.count) else {
            throw PostgresError(kind: .encoding, message: "the channel's name is not UTF-8 text")
        }
        defer { PQfreemem(quoted) }
        try run(script: "listen " + String(cString: quoted))
    }

    /// Waits until a notification comes, `wakeDescriptor` becomes readable, or time is up; empty in
    /// the last two cases. Notifications that came with an earlier answer return at once.
    ///
    /// - Parameters:
    ///   - timeoutMilliseconds: 0 only looks.
    ///   - wakeDescriptor: an eventfd or pipe; it is not read, its owner clears it.
    /// - Throws: `.connection` when the connection is lost while waiting.
    package func waitForNotifications(
        timeoutMilliseconds: Int, wakeDescriptor: Int32? = nil
    ) throws(PostgresError) -> [Notification] {
        let deadline = Int(Clock.monotonic()) + timeoutMilliseconds * 1000
        while true {
            guard PQconsumeInput(handle) == 1, !isLost else {
                throw PostgresError(result: nil, handle: handle, statement: nil)
            }
            let arrived = takeNotifications()
            if !arrived.isEmpty { return arrived }
            let left = deadline - Int(Clock.monotonic())
            guard left > 0 else { return [] }
            // A negative descriptor is ignored by poll(2).
            var descriptors = [
                pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0),
                pollfd(fd: wakeDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            let milliseconds = Int32(clamping: (left + 999) / 1000)
            // EINTR and spurious returns go round again, with the time that is left.
            let ready = poll(&descriptors, nfds_t(descriptors.count), milliseconds)
            if ready > 0, descriptors[1].revents != 0 {
                guard PQconsumeInput(handle) == 1 else { continue }
                return takeNotifications()
            }
        }
    }

    private func takeNotifications() -> [Notification] {
        var notifications: [Notification] = []
        while let next = PQnotifies(handle) {
            notifications.append(
                Notification(
                    channel: String(cString: next.pointee.relname),
                    payload: String(cString: next.pointee.extra)))
            PQfreemem(next)
        }
        return notifications
    }

    /// Whether a connection that nobody used for a while is still there: one `poll`, and reads only
    /// if the server said something (its last words come before the end of the stream).
    func isStillThere() -> Bool {
        var descriptor = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
        while poll(&descriptor, 1, 0) > 0 {
            guard PQconsumeInput(handle) == 1, !isLost else { return false }
        }
        return !isLost
    }
}
