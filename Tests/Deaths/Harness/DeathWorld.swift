import Clicks
import Glibc
import Linux
import Postgres
import Schema
import TestSupport

/// What all worlds of a run share: PostgreSQL with a migrated template, the preloaded library.
package final class DeathStage {
    let shim: String
    let binaries: String
    private let folder: TestFolder
    private let ownServer: PrivatePostgres?
    private var worlds = 0
    private static let template = "deaths_template"

    /// - Parameters:
    ///   - binaries: the folder of release builds of Edge and Ingest.
    ///   - ownsServer: whether deaths of PostgreSQL are among those to come; otherwise the server
    ///     that all tests share will do.
    package init(binaries: String, ownsServer: Bool) throws {
        self.binaries = binaries
        folder = try TestFolder()
        shim = try DeathShim.build(in: folder.path)
        ownServer = ownsServer ? try PrivatePostgres() : nil
        guard let ownServer else { return }
        try admin(ownServer) { try $0.run(script: "create database \(DeathStage.template)") }
        let url = ownServer.url(database: DeathStage.template)
        _ = try Migrator.migrate(try Connection(url: url, applicationName: "deaths"))
    }

    /// The server that may be ended.
    var server: PrivatePostgres {
        guard let ownServer else { preconditionFailure("only a server of our own may be ended") }
        return ownServer
    }

    private func admin(_ server: PrivatePostgres, _ body: (Connection) throws -> Void) throws {
        try body(try Connection(url: server.url(), applicationName: "deaths"))
    }

    /// A migrated database for one world.
    func makeDatabase() throws -> WorldDatabase {
        guard let ownServer else {
            let shared = try TestDatabase()
            return WorldDatabase(url: shared.url, shared: shared)
        }
        worlds += 1
        let name = "deaths_\(worlds)"
        try admin(ownServer) {
            try $0.run(script: "create database \(name) template \(DeathStage.template)")
        }
        return WorldDatabase(url: ownServer.url(database: name), shared: nil)
    }

    /// Drops the database of the world made last.
    func dropDatabase() {
        // What stays behind goes with the server.
        guard let ownServer else { return }
        try? admin(ownServer) {
            try $0.run(script: "drop database if exists deaths_\(worlds) with (force)")
        }
    }
}

/// Where a world's clicks go.
struct WorldDatabase {
    let url: String
    /// Dropped with its last reference; nil for one on a server of our own.
    let shared: TestDatabase?

    /// Unencrypted, so that messages are what the preloaded library sees.
    var plainURL: String {
        url + (url.contains("?") ? "&" : "?") + "sslmode=disable&gssencmode=disable"
    }
}

/// What differs from world to world.
package struct WorldSettings: Sendable {
    package var syncPolicy = "interval"
    /// Whether consumed segments stay for the window.
    package var keepsSegments = false
    package var batchRecords = 100

    package init() {}

    package init(random: inout SplitMix) {
        syncPolicy = ["interval", "interval", "always", "never"].randomElement(using: &random)!
        keepsSegments = random.next() % 3 == 0
        batchRecords = [7, 100, 100_000].randomElement(using: &random)!
    }
}

/// A database, a folder, and an Edge and an Ingest that die and are started again over both.
package final class DeathWorld {
    package enum Program: String, CaseIterable, Sendable {
        case edge = "Edge"
        case ingest = "Ingest"
    }

    let stage: DeathStage
    let settings: WorldSettings
    let folder: TestFolder
    private let database: WorldDatabase
    let gonggu: String
    let edgePort: UInt16
    private let edgeAdminPort: UInt16
    private let ingestAdminPort: UInt16
    let edgeControl: DeathControl
    let ingestControl: DeathControl
    private var processes: [Program: ChildProcess] = [:]
    private var db: Connection?
    /// The version of the gonggu's link.
    private(set) var linkVersion = 0

    static let edgeID = "edge-1"

    package init(_ stage: DeathStage, _ settings: WorldSettings) throws {
        self.stage = stage
        self.settings = settings
        folder = try TestFolder()
        database = try stage.makeDatabase()
        edgePort = try freePort()
        edgeAdminPort = try freePort()
        ingestAdminPort = try freePort()
        edgeControl = try DeathControl(path: folder.path + "/edge.control")
        ingestControl = try DeathControl(path: folder.path + "/ingest.control")
        let db = try Connection(url: database.url, applicationName: "deaths")
        gonggu = try DeathLedger(db: db, edgeID: DeathWorld.edgeID).addGonggu()
        self.db = db
        try File.makeDirectories(folder.path + "/world")
    }

    /// Ends everything of it.
    package func end() {
        for program in Program.allCases { process(program)?.killNow() }
        processes = [:]
        db = nil
        stage.dropDatabase()
    }

    // MARK: Processes

    func process(_ program: Program) -> ChildProcess? { processes[program] }

    func control(_ program: Program) -> DeathControl {
        program == .edge ? edgeControl : ingestControl
    }

    /// Whether it runs; one that has ended is let go.
    func isAlive(_ program: Program) -> Bool {
        guard let process = processes[program] else { return false }
        if process.wait(seconds: 0) == nil { return true }
        processes[program] = nil
        return false
    }

    private func environment(_ program: Program) -> [String: String] {
        let state = folder.path + "/world"
        return [
            "LD_PRELOAD": stage.shim, "DEATHS_FOLDER": state,
            "DEATHS_CONTROL": control(program).path,
            "DATABASE_URL": database.plainURL,
            "EDGE_LISTEN": "127.0.0.1:\(edgePort)",
            "EDGE_ADMIN_LISTEN": "127.0.0.1:\(edgeAdminPort)",
            "INGEST_ADMIN_LISTEN": "127.0.0.1:\(ingestAdminPort)",
            "EDGE_ID": DeathWorld.edgeID, "EDGE_SPOOL_DIR": state + "/spool",
            "EDGE_LINKS_FILE": state + "/down/links", "EDGE_FSYNC": settings.syncPolicy,
            "EDGE_SEGMENT_BYTES_MAX": "8192", "EDGE_WORKERS": "2",
            "EDGE_VISITOR_KEY": "a key for tests only",
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "TRUSTED_PROXIES": "127.0.0.0/8", "FRONTEND_URL": "https://gonggumoa.example",
            "FLOOD_CLICKS_PER_MINUTE": "20", "FLOOD_ROWS_PER_MINUTE": "40",
            "DEDUPE_ENTRIES": "16384", "FLOOD_ENTRIES": "1024",
            "INGEST_BATCH_RECORDS": "\(settings.batchRecords)",
            "INGEST_KEPT_BYTES_MAX": settings.keepsSegments ? "64MiB" : "0",
        ]
    }

    /// Starts it anew with fresh orders; one that still runs is killed first.
    func start(_ program: Program, _ order: StepOrder? = nil, nth: Int = 1) throws {
        processes[program]?.killNow()
        let control = control(program)
        control.reset()
        if let order { control.arm(order, nth: nth) }
        processes[program] = try ChildProcess(
            stage.binaries + "/" + program.rawValue, environment: environment(program),
            logPath: "\(folder.path)/\(program.rawValue).log")
    }

    func log(_ program: Program) -> String {
        let log =
            (try? File.contents(of: "\(folder.path)/\(program.rawValue).log", bytesMax: 1 << 26))
            ?? []
        return String(decoding: log.suffix(6000), as: UTF8.self)
    }

    /// Whether it says that it is ready; false also if nothing answers.
    func isReady(_ program: Program) -> Bool { unreadiness(program) == nil }

    /// Why it is not ready; nil if it is.
    func unreadiness(_ program: Program) -> String? {
        let port = program == .edge ? edgeAdminPort : ingestAdminPort
        guard let client = try? PlainClient(port: port, patienceSeconds: 2),
            let answer = try? client.ask("GET", "/readyz")
        else { return "\(program.rawValue) does not answer" }
        return answer.status == 200 ? nil : "\(program.rawValue): \(answer.body)"
    }

    /// Clicks that the running Edge has answered without a record.
    func unrecorded() throws -> Int {
        let text = try PlainClient(port: edgeAdminPort).ask("GET", "/metrics")?.body ?? ""
        return text.split(separator: "\n").filter { $0.hasPrefix("clicks_unrecorded_total") }
            .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }.reduce(0, +)
    }

    // MARK: Places

    func ledger() throws -> DeathLedger {
        if let db, !db.isLost { return DeathLedger(db: db, edgeID: DeathWorld.edgeID) }
        let new = try Connection(url: database.url, applicationName: "deaths")
        db = new
        return DeathLedger(db: new, edgeID: DeathWorld.edgeID)
    }

    /// Lets go of a connection that a death of PostgreSQL has ended.
    func forgetLedger() { db = nil }

    /// Changes where the link leads, which Ingest has to bring down.
    func editLink() throws {
        linkVersion += 1
        try ledger().edit(gonggu, url: "https://shop.example/p/\(linkVersion)")
    }

    var spool: String { folder.path + "/world/spool/\(DeathWorld.edgeID)" }

    func files(in path: String) -> [String] { (try? File.list(path)) ?? [] }
}
