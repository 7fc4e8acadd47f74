import Glibc

/// The machine's clocks, in microseconds. Each call costs some 20 ns (vDSO), no system call.
package enum Clock {
    /// UTC since 1970; may step when the operator or NTP sets it.
    package static func now() -> Int64 { read(CLOCK_REALTIME) }

    /// Since some point before the process began; never steps.
    package static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Blocks the thread. For loops that poll; never on a path that answers.
    package static func sleep(milliseconds: Int) {
        var rest = timespec(
            tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
        while true {
            let wanted = rest
            if withUnsafePointer(to: wanted, { nanosleep($0, &rest) }) == 0 { return }
        }
    }
}
