import CLinux
import Glibc

/// An epoll instance (epoll(7)), level-triggered but for ``Interest/arrivals``. Each event carries
/// the 64-bit token that its descriptor was registered with.
package struct Epoll: ~Copyable, Sendable {
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt32
        package init(rawValue: UInt32) { self.rawValue = rawValue }
        package static let read = Interest(rawValue: EPOLLIN.rawValue)
        package static let write = Interest(rawValue: EPOLLOUT.rawValue)
        /// What arrives, told when it arrives and not again (edge-triggered): the kernel then does
        /// not look at a descriptor once more that was just read. Who is told receives once. If
        /// that filled the room, or the event says more than ``read``, there may be more to come
        /// that nothing will be said of, but after a ``Epoll/change(_:_:token:)`` to this again.
        package static let arrivals = Interest(
            rawValue: EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue)
        /// The peer has closed its sending half.
        package static let peerClosed = Interest(rawValue: EPOLLRDHUP.rawValue)
        /// Reported whether asked for or not.
        package static let failed = Interest(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)
    }

    package typealias Event = epoll_event

    private let descriptor: Descriptor

    package init() throws(SystemError) {
        let raw = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard raw >= 0 else { throw SystemError("epoll_create1", "") }
        descriptor = Descriptor(owning: raw)
    }

    package func add(_ raw: Int32, _ interest: Interest, token: UInt64) throws(SystemError) {
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
        guard epoll_ctl(descriptor.raw, EPOLL_CTL_ADD, raw, &event) == 0 else {
            throw SystemError("epoll_ctl", "add \(raw)")
        }
    }

    /// Changes what is waited for. Traps if the descriptor was never added: that is our bug.
    package func change(_ raw: Int32, _ interest: Interest, token: UInt64) {
        var event = epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
        let result = epoll_ctl(descriptor.raw, EPOLL_CTL_MOD, raw, &event)
        precondition(result == 0, "only a registered descriptor's interest is changed")
    }

    package func remove(_ raw: Int32) {
        var event = epoll_event()
        let result = epoll_ctl(descriptor.raw, EPOLL_CTL_DEL, raw, &event)
        precondition(result == 0, "only a registered descriptor is removed")
    }

    /// Waits for events; a signal counts as none.
    /// - Parameter timeoutMilliseconds: -1 waits for ever.
    /// - Returns: how many of `events` were filled.
    @inline(always)
    package func wait(
        into events: UnsafeMutableBufferPointer<Event>, timeoutMilliseconds: Int32
    ) -> Int {
        let count = epoll_wait(
            descriptor.raw, events.baseAddress!, Int32(events.count), timeoutMilliseconds)
        if count >= 0 { return Int(count) }
        precondition(errno == EINTR, "epoll_wait fails for no other reason on a live instance")
        return 0
    }
}

/// An eventfd(2): one thread wakes another's epoll.
package final class WakeSignal: Sendable {
    private let descriptor: Descriptor

    package init() throws(SystemError) {
        let raw = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard raw >= 0 else { throw SystemError("eventfd", "") }
        descriptor = Descriptor(owning: raw)
    }

    package var raw: Int32 { descriptor.raw }

    /// Makes the descriptor readable. Any thread may call it; many calls count as one.
    package func raise() {
        var one: UInt64 = 1
        _ = write(descriptor.raw, &one, 8)
    }

    /// Whether it was raised and not cleared since.
    package var isRaised: Bool { wait(milliseconds: 0) }

    /// Waits until it is raised. - Returns: whether it is; false when the time is up.
    @discardableResult
    package func wait(milliseconds: Int) -> Bool {
        var poll = pollfd(fd: descriptor.raw, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&poll, 1, Int32(milliseconds)) == 1
    }

    /// Makes the descriptor unreadable again.
    package func clear() {
        var count: UInt64 = 0
        _ = read(descriptor.raw, &count, 8)
    }
}
