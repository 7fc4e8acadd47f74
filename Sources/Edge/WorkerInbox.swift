import Links
import Linux
import Synchronization
import TLS

/// How other threads tell a worker something: they leave it here and wake its epoll.
final class WorkerInbox: Sendable {
    struct Mail: Sendable {
        /// A newer table than the worker has; nil if nothing changed.
        var links: LinkTable?
        /// A newer certificate, for the handshakes to come; nil if nothing changed.
        var credentials: TLSCredentials?
        /// Whether to take no more connections and finish.
        var drains = false
    }

    let signal: WakeSignal
    private let mail = Mutex(Mail())
    /// Whether no table is under way: the worker uses the last one sent.
    private let adopted = Atomic<Bool>(true)

    init() throws(SystemError) {
        signal = try WakeSignal()
    }

    /// Replaces a table that was not taken yet: only the newest matters.
    func send(links: LinkTable) {
        mail.withLock { mail in
            mail.links = links
            adopted.store(false, ordering: .relaxed)
        }
        signal.raise()
    }

    var hasAdoptedLinks: Bool { adopted.load(ordering: .acquiring) }

    /// Said by the worker when it no longer holds the table it had before.
    func confirmAdoption() {
        mail.withLock { mail in
            if mail.links == nil { adopted.store(true, ordering: .releasing) }
        }
    }

    func send(_ credentials: TLSCredentials) {
        mail.withLock { $0.credentials = credentials }
        signal.raise()
    }

    func sendDrain() {
        mail.withLock { $0.drains = true }
        signal.raise()
    }

    /// Empties the box.
    func take() -> Mail {
        mail.withLock { mail in
            defer { mail = Mail() }
            return mail
        }
    }
}
