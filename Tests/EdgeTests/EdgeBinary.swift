import Linux
import TestSupport

/// A real edge in a process of its own, so that it can be killed or starved.
struct EdgeBinary {
    let folder: TestFolder
    let port: UInt16
    /// Used if the settings name a certificate.
    let tlsPort: UInt16
    let adminPort: UInt16
    let environment: [String: String]

    init(_ settings: [String: String] = [:]) throws {
        folder = try TestFolder()
        port = try freePort()
        tlsPort = try freePort()
        adminPort = try freePort()
        try TestLinks.write(TestLinks.all, to: folder.path + "/links")
        var environment = EdgeBench.environment(folder.path)
        environment["EDGE_LISTEN"] = "127.0.0.1:\(port)"
        environment["EDGE_TLS_LISTEN"] = "127.0.0.1:\(tlsPort)"
        environment["EDGE_ADMIN_LISTEN"] = "127.0.0.1:\(adminPort)"
        environment.merge(settings) { $1 }
        self.environment = environment
    }

    func start(through launcher: [String] = []) throws -> ChildProcess {
        let words = launcher + [try TestServers.binary("Edge")]
        return try ChildProcess(
            words[0], Array(words.dropFirst()), environment: environment,
            logPath: folder.path + "/log")
    }

    func readiness() -> PlainClient.Answer? {
        try? PlainClient(port: adminPort).ask("GET", "/readyz")
    }
}
