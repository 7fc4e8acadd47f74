import CLinux
import Glibc

// A program of ours that does one piece of work and ends, run beside this process because its work
// may crash, hang or eat memory. What it is given and what it makes are files in memory; what it
// has to say comes by a pipe, whose end is also how its death is noticed: that needs no signal
// handler and no polling.

/// How a program that was run came to its end.
package struct ProgramRun: Sendable {
    package enum End: Equatable, Sendable {
        case exited(Int32)
        /// By a signal, its own fault or somebody's.
        case signalled(Int32)
        /// Not in time, and killed for it.
        case overdue
    }

    package let end: End
    /// What it wrote to its standard output, cut at the bound.
    package let words: [UInt8]

    /// Runs a program to its end. Blocks for as long, so call it on a thread that may.
    ///
    /// - Parameters:
    ///   - files: open in the program as 0, 3, 4, …; its output is taken, its errors are dropped.
    ///   - environment: all of it, `NAME=value`.
    ///   - wordsBytesMax: more output is read and dropped.
    /// - Throws: what kept it from starting.
    package static func run(
        _ program: String, files: [MemoryFile], environment: [String], timeoutSeconds: Double,
        wordsBytesMax: Int = 512
    ) throws(SystemError) -> ProgramRun {
        precondition(!files.isEmpty, "a program has at least its standard input")
        let deadline = Clock.monotonic() + Int64(timeoutSeconds * 1e6)
        var (reader, pid) = (Int32(-1), pid_t())
        try start(program, files: files, environment: environment, reader: &reader, pid: &pid)
        let output = Descriptor(owning: reader)
        var words: [UInt8] = []
        let isOver = read(output, until: deadline, into: &words, bytesMax: wordsBytesMax)
        if !isOver { kill(pid, SIGKILL) }
        // Its output ends when it does; a program that has closed it and lives on is killed too.
        while isOver, !hasEnded(pid) {
            guard Clock.monotonic() < deadline else {
                kill(pid, SIGKILL)
                break
            }
            Clock.sleep(milliseconds: 1)
        }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 {
            // Where SIGCHLD is ignored nobody keeps the status: what it said then has to do.
            if errno == ECHILD { return ProgramRun(end: .exited(0), words: words) }
            precondition(errno == EINTR, "a child of ours can be waited for")
        }
        guard isOver else { return ProgramRun(end: .overdue, words: words) }
        let signal = status & 0x7F
        return ProgramRun(
            end: signal == 0 ? .exited(status >> 8 & 0xFF) : .signalled(signal), words: words)
    }

    private static func start(
        _ program: String, files: [MemoryFile], environment: [String], reader: inout Int32,
        pid: inout pid_t
    ) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw SystemError("pipe", program) }
        reader = fcntl(ends[0], F_DUPFD_CLOEXEC, 10)
        let writer = fcntl(ends[1], F_DUPFD_CLOEXEC, 10)
        for end in ends { close(end) }
        guard reader >= 0, writer >= 0 else {
            let code = errno
            for end in [reader, writer] where end >= 0 { close(end) }
            throw SystemError("fcntl", program, code: code)
        }
        let descriptors = [files[0].raw, writer, -1] + files.dropFirst().map(\.raw)
        var argv = [strdup(program), nil]
        var envp = environment.map { strdup($0) } + [nil]
        defer { for text in argv + envp { free(text) } }
        let code = clinux_spawn(
            &pid, program, &argv, &envp, descriptors, Int32(descriptors.count))
        close(writer)
        guard code == 0 else {
            close(reader)
            throw SystemError("posix_spawn", program, code: code)
        }
    }

    /// - Returns: whether the output has ended, rather than the time.
    private static func read(
        _ output: borrowing Descriptor, until deadline: Int64, into words: inout [UInt8],
        bytesMax: Int
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 512)
        while true {
            let rest = (deadline - Clock.monotonic()) / 1000
            guard rest > 0 else { return false }
            var waiting = pollfd(fd: output.raw, events: Int16(POLLIN), revents: 0)
            let ready = poll(&waiting, 1, Int32(clamping: rest))
            if ready <= 0 { continue }
            let count = Glibc.read(output.raw, &chunk, chunk.count)
            if count == 0 { return true }
            if count < 0 { continue }
            words += chunk[..<min(count, bytesMax - words.count)]
        }
    }

    /// Without taking its status away.
    private static func hasEnded(_ pid: pid_t) -> Bool {
        var information = siginfo_t()
        let code = waitid(P_PID, id_t(pid), &information, WEXITED | WNOHANG | WNOWAIT)
        return code < 0 || information.si_signo != 0
    }
}
