import Glibc
import Linux
import Synchronization

/// A real binary under test: started, killed, waited for. Killed when the last reference goes.
package final class ChildProcess: @unchecked Sendable {
    // One test drives it; `waitpid` is called by whoever asks first, under no race of our making.
    package let pid: pid_t
    package let logPath: String
    private var status: Int32?

    /// - Parameters:
    ///   - program: a path, or a name to look for in PATH.
    ///   - environment: all of it, but for PATH, which is handed on.
    ///   - logPath: takes standard output and error, appended.
    package init(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
        logPath: String
    ) throws {
        self.logPath = logPath
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, 1, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var all = environment
        // By the second scripts/test finds what a crashed test run left behind, and ends it.
        for name in ["PATH", "GONGGUMOA_SCRIPT"] {
            if let value = getenv(name) { all[name] = String(cString: value) }
        }
        var argv = ([program] + arguments).map { strdup($0) } + [nil]
        var envp = all.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid = pid_t()
        let code = posix_spawnp(&pid, program, &actions, nil, &argv, &envp)
        guard code == 0 else { throw SystemError("posix_spawn", program, code: code) }
        self.pid = pid
    }

    deinit {
        if status == nil {
            kill(SIGKILL)
            _ = wait()
        }
    }

    package func kill(_ signal: Int32) {
        _ = Glibc.kill(pid, signal)
    }

    /// `kill -9`, and gone when this returns.
    package func killNow() {
        kill(SIGKILL)
        _ = wait()
    }

    /// Blocks until it has ended. - Returns: its exit code, or minus the signal that ended it.
    @discardableResult
    package func wait() -> Int32 {
        if let status { return status }
        var raw: Int32 = 0
        while waitpid(pid, &raw, 0) < 0 && errno == EINTR {}
        let code = raw & 0x7F == 0 ? raw >> 8 & 0xFF : -(raw & 0x7F)
        status = code
        return code
    }

    /// Waits at most so long. - Returns: the exit code, nil if it still runs.
    package func wait(seconds: Double) -> Int32? {
        if let status { return status }
        let deadline = Clock.monotonic() + Int64(seconds * 1e6)
        var raw: Int32 = 0
        while waitpid(pid, &raw, WNOHANG) == 0 {
            if Clock.monotonic() > deadline { return nil }
            Clock.sleep(milliseconds: 5)
        }
        let code = raw & 0x7F == 0 ? raw >> 8 & 0xFF : -(raw & 0x7F)
        status = code
        return code
    }

    /// What it has printed so far.
    package var log: String {
        (try? File.contents(of: logPath, bytesMax: 1 << 24)).map {
            String(decoding: $0, as: UTF8.self)
        } ?? ""
    }
}

/// What did not come true in time.
package struct TimedOut: Error, CustomStringConvertible {
    package let description: String

    package init(description: String) {
        self.description = description
    }
}

/// Asks again every few milliseconds until it is so. What is quick is seen at once; the patience is
/// for what is broken, and for a machine that does much else.
package func eventually(
    _ what: String, within seconds: Double = 60, _ isSo: () throws -> Bool
) throws {
    let deadline = Clock.monotonic() + Int64(seconds * 1e6)
    while try !isSo() {
        guard Clock.monotonic() < deadline else {
            throw TimedOut(description: "not within \(seconds) s: \(what)")
        }
        Clock.sleep(milliseconds: 10)
    }
}

/// A port of the loopback that nobody has: none that was given before, and none that the kernel
/// gives to connections (from 32,768 on), where one would be taken between this call and its use.
package func freePort() throws -> UInt16 {
    let all: Range<UInt32> = 10_000..<32_000
    for _ in all {
        let number = portsGiven.add(1, ordering: .relaxed).oldValue % UInt32(all.count)
        let port = UInt16(all.lowerBound + number)
        let listener = try? Listener(host: "127.0.0.1", port: port, sharesPort: false)
        if listener != nil { return port }
    }
    throw TimedOut(description: "no port from \(all.lowerBound) to \(all.upperBound) is free")
}

/// Begins anywhere, since other test processes may run.
private let portsGiven = Atomic<UInt32>(.random(in: 0..<1 << 20))

/// A folder of a test's own, removed with its last reference.
package final class TestFolder: Sendable {
    package let path: String

    package init() throws {
        var template = Array("/tmp/gonggumoa-test-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else { throw SystemError("mkdtemp", "/tmp") }
        path = String(cString: made)
    }

    deinit {
        // Best effort: what stays behind is in /tmp.
        if let process = try? ChildProcess("rm", ["-rf", path], logPath: "/dev/null") {
            process.wait()
        }
    }
}
