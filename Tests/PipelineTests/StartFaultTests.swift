import Glibc
import Linux
import TestSupport
import Testing

/// A process that cannot start says everything that is wrong, at once, and ends with EX_CONFIG.
@Suite struct StartFaultTests {
    private let folder: TestFolder

    init() throws {
        folder = try TestFolder()
    }

    private func outcome(
        of program: String, _ arguments: [String], _ environment: [String: String]
    ) throws -> (code: Int32?, text: String) {
        let process = try ChildProcess(
            TestServers.binary(program), arguments, environment: environment,
            logPath: folder.path + "/log")
        return (process.wait(seconds: 60), process.log)
    }

    @Test func `the edge reports a bad port, missing secrets and an unwritable spool at once`()
        throws
    {
        let file = folder.path + "/file"
        _ = try File.open(file, .createNew)
        let (code, text) = try outcome(
            of: "Edge", [],
            [
                "EDGE_LISTEN": "127.0.0.1:70000", "EDGE_SPOOL_DIR": file + "/spool",
                "EDGE_LINKS_FILE": folder.path + "/links",
            ])
        #expect(code == 78)
        #expect(text.contains("4 settings are wrong"))
        for name in ["EDGE_LISTEN", "EDGE_SPOOL_DIR", "EDGE_VISITOR_KEY", "JWT_SECRET_KEY"] {
            #expect(text.contains(name))
        }
    }

    @Test func `a short secret is refused and not repeated`() throws {
        let (code, text) = try outcome(
            of: "Edge", [], ["EDGE_SPOOL_DIR": folder.path, "EDGE_VISITOR_KEY": "hunter2"])
        #expect(code == 78)
        #expect(text.contains("EDGE_VISITOR_KEY"))
        #expect(!text.contains("hunter2"))
    }

    @Test func `Ingest reports a missing database and a bad admin address at once`() throws {
        let (code, text) = try outcome(
            of: "Ingest", [],
            ["EDGE_SPOOL_DIR": folder.path, "INGEST_ADMIN_LISTEN": "127.0.0.1:port"])
        #expect(code == 78)
        #expect(text.contains("DATABASE_URL") && text.contains("INGEST_ADMIN_LISTEN"))
    }

    @Test(arguments: ["Edge", "Ingest"])
    func `help lists every setting and exits 0`(program: String) throws {
        let (code, text) = try outcome(of: program, ["--help"], [:])
        #expect(code == 0)
        #expect(text.contains("EDGE_SPOOL_DIR") && text.contains("Usage: \(program)"))
        let version = try outcome(of: program, ["--version"], [:])
        #expect(version.code == 0 && version.text.contains("\(program) "))
    }

    @Test func `an unknown argument is a usage error`() throws {
        #expect(try outcome(of: "Ingest", ["--fast"], [:]).code == 64)
    }

    @Test func `a taken port is said and leaves no spool behind`() throws {
        let taken = try Listener(host: "127.0.0.1", port: 0, sharesPort: false)
        let (code, text) = try outcome(
            of: "Edge", [],
            [
                "EDGE_LISTEN": "127.0.0.1:\(taken.port)", "EDGE_ADMIN_LISTEN": "127.0.0.1:0",
                "EDGE_SPOOL_DIR": folder.path + "/spool",
                "EDGE_LINKS_FILE": folder.path + "/links",
                "EDGE_VISITOR_KEY": "a key for tests only",
                "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            ])
        #expect(code == 1)
        #expect(text.contains("Address already in use"))
        #expect(try File.list(folder.path + "/spool").isEmpty)
    }

    @Test func `a second edge on one spool is refused`() throws {
        let settings = try [
            "EDGE_LISTEN": "127.0.0.1:\(freePort())", "EDGE_SPOOL_DIR": folder.path + "/spool",
            "EDGE_LINKS_FILE": folder.path + "/links",
            "EDGE_VISITOR_KEY": "a key for tests only",
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "EDGE_ADMIN_LISTEN": "127.0.0.1:0",
        ]
        let first = try ChildProcess(
            TestServers.binary("Edge"), environment: settings, logPath: folder.path + "/first")
        try eventually("the first runs") { first.log.contains("edge started") }
        var other = settings
        other["EDGE_LISTEN"] = "127.0.0.1:0"
        let (code, text) = try outcome(of: "Edge", [], other)
        #expect(code == 1)
        #expect(text.contains("edge.lock"))
        first.kill(SIGTERM)
        #expect(first.wait(seconds: 60) == 0)
    }
}
