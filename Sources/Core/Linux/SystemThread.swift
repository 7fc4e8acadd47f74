import CLinux
import Glibc
import Synchronization

/// A thread of the operating system, for loops that block. Joined explicitly, left to run until the
/// process ends, or ``detach(name:_:)``ed.
package final class SystemThread: @unchecked Sendable {
    // Written once before the thread starts, read by `join` only.
    private var handle = pthread_t()
    private let isJoined = Atomic<Bool>(false)

    /// - Parameter name: at most 15 bytes, shown by `top -H`.
    package init(name: String, _ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let code = pthread_create(
            &handle, nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                clinux_name_thread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        precondition(code == 0, "the machine has room for one more thread")
    }

    /// One that nobody joins: what it has is given back when its body returns.
    /// - Parameter name: as for any other.
    package static func detach(name: String, _ body: @escaping @Sendable () -> Void) {
        pthread_detach(SystemThread(name: name, body).handle)
    }

    /// Lets the calling thread's work wait for that of others: who wakes beside it runs first, and
    /// where no processor is ever idle about a tenth of one is left to it.
    package static func giveWay() {
        // On Linux the priority is the thread's own (setpriority(2)). Nobody is told if it fails:
        // the work goes on as before.
        _ = nice(10)
    }

    /// Waits until the body has returned. Called at most once: pthread_join(3) on a thread that was
    /// joined reads freed memory, so that is found out before.
    package func join() {
        let wasJoined = isJoined.exchange(true, ordering: .relaxed)
        precondition(!wasJoined, "a thread is joined once")
        pthread_join(handle, nil)
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
