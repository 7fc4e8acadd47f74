import Glibc
import Linux

/// A PostgreSQL of one test's own, for what must not happen to the one that all tests share: to be
/// stopped, killed and started again.
package final class PrivatePostgres {
    package let port: UInt16
    private let folder: TestFolder
    private let programs: String
    private var server: ChildProcess?

    package init() throws {
        folder = try TestFolder()
        port = try freePort()
        let versions = try File.list("/usr/lib/postgresql").compactMap(Int.init).sorted()
        guard let newest = versions.last else {
            throw SystemError("find", "/usr/lib/postgresql/*/bin", code: ENOENT)
        }
        programs = "/usr/lib/postgresql/\(newest)/bin"
        if getuid() == 0 {
            try run("chown", ["postgres", folder.path], asServer: false)
        }
        try run(
            "\(programs)/initdb",
            ["-D", data, "-E", "UTF8", "--locale=C.UTF-8", "-U", "postgres", "-A", "trust", "-N"])
        try start()
    }

    deinit { stop() }

    package func url(database: String = "postgres") -> String {
        "postgresql://postgres@127.0.0.1:\(port)/\(database)"
    }

    /// Starts and waits until it answers.
    package func start() throws {
        let arguments = [
            "-D", data, "-p", "\(port)", "-c", "listen_addresses=127.0.0.1", "-c",
            "unix_socket_directories=", "-c", "fsync=off",
        ]
        let (program, all) = asServer("\(programs)/postgres", arguments)
        server = try ChildProcess(program, all, logPath: folder.path + "/postgres.log")
        try eventually("PostgreSQL answers", within: 30) {
            try ChildProcess(
                "\(programs)/pg_isready", ["-q", "-h", "127.0.0.1", "-p", "\(port)"],
                logPath: "/dev/null"
            ).wait() == 0
        }
    }

    /// Ends all sessions at once and stops, losing nothing that was committed.
    package func stop() {
        server?.kill(SIGINT)
        server?.wait()
        server = nil
    }

    /// Ends it by a signal: SIGQUIT is an `immediate` shutdown, which leaves recovery to the next
    /// start, SIGKILL is no shutdown at all.
    package func end(_ signal: Int32) {
        server?.kill(signal)
        server?.wait()
        server = nil
    }

    package var isRunning: Bool { server != nil }

    private var data: String { folder.path + "/data" }

    /// PostgreSQL refuses to run as root, so root runs it as the user its package brings.
    private func asServer(_ program: String, _ arguments: [String]) -> (String, [String]) {
        guard getuid() == 0 else { return (program, arguments) }
        let change = ["--reuid", "postgres", "--regid", "postgres", "--init-groups", program]
        return ("setpriv", change + arguments)
    }

    private func run(_ program: String, _ arguments: [String], asServer isServer: Bool = true)
        throws
    {
        let (program, all) = isServer ? asServer(program, arguments) : (program, arguments)
        let process = try ChildProcess(program, all, logPath: folder.path + "/setup.log")
        guard process.wait() == 0 else { throw TimedOut(description: process.log) }
    }
}
