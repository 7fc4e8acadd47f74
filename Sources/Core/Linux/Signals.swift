import CLinux
import Glibc

/// Signals as something to read rather than something that interrupts (signalfd(2)).
package struct Signals: ~Copyable, Sendable {
    private let descriptor: Descriptor

    package static let terminate = SIGTERM
    package static let interrupt = SIGINT
    package static let hangUp = SIGHUP
    package static let brokenPipe = SIGPIPE
    package static let fileTooLarge = SIGXFSZ

    /// From now on the call that would have raised it fails instead, and says why.
    package static func ignore(_ number: Int32) {
        signal(number, SIG_IGN)
    }

    /// Blocks the signals in this thread and those started from it afterwards, so it is called
    /// first thing in main.
    package init(_ numbers: [Int32]) throws(SystemError) {
        var mask = sigset_t()
        sigemptyset(&mask)
        for number in numbers { sigaddset(&mask, number) }
        pthread_sigmask(SIG_BLOCK, &mask, nil)
        let raw = signalfd(-1, &mask, Int32(SFD_CLOEXEC))
        guard raw >= 0 else { throw SystemError("signalfd", "") }
        descriptor = Descriptor(owning: raw)
    }

    /// Waits for one of the signals.
    package func next() -> Int32 {
        var information = signalfd_siginfo()
        while read(descriptor.raw, &information, MemoryLayout<signalfd_siginfo>.size) < 0 {
            precondition(errno == EINTR, "a signalfd is read by whole records")
        }
        return Int32(information.ssi_signo)
    }

    package var raw: Int32 { descriptor.raw }
}
