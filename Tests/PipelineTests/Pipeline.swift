import Clicks
import Glibc
import Linux
import Postgres
import Synchronization
import TestSupport

/// A real Edge and a real Ingest over one database, with folders and ports of their own.
final class Pipeline: Sendable {
    let folder: TestFolder
    let databaseURL: String
    let edgePort: UInt16
    let edgeAdminPort: UInt16
    let ingestAdminPort: UInt16
    private let processes = Mutex<[Program: ChildProcess]>([:])
    let settings: [String: String]

    static let frontendURL = "https://gonggumoa.example"

    init(databaseURL: String, settings: [String: String] = [:]) throws {
        folder = try TestFolder()
        self.databaseURL = databaseURL
        edgePort = try freePort()
        edgeAdminPort = try freePort()
        ingestAdminPort = try freePort()
        var all = [
            "DATABASE_URL": databaseURL,
            "EDGE_LISTEN": "127.0.0.1:\(edgePort)",
            "EDGE_ADMIN_LISTEN": "127.0.0.1:\(edgeAdminPort)",
            "INGEST_ADMIN_LISTEN": "127.0.0.1:\(ingestAdminPort)",
            "EDGE_ID": "test-edge",
            "EDGE_SPOOL_DIR": folder.path + "/spool",
            "EDGE_LINKS_FILE": folder.path + "/down/links",
            "EDGE_VISITOR_KEY": "a key for tests only",
            "JWT_SECRET_KEY": "a secret of more than thirty-two bytes",
            "FLOOD_CLICKS_PER_MINUTE": "2046",
            // Clicks are told by their agents, which a fold does not have.
            "FLOOD_ROWS_PER_MINUTE": "0",
            "EDGE_WORKERS": "2",
            "FRONTEND_URL": Pipeline.frontendURL,
        ]
        all.merge(settings) { $1 }
        self.settings = all
    }

    enum Program: String {
        case edge = "Edge"
        case ingest = "Ingest"
    }

    var edge: ChildProcess? { processes.withLock { $0[.edge] } }
    var ingest: ChildProcess? { processes.withLock { $0[.ingest] } }

    /// Starts it anew; one that still ran is killed first.
    func start(_ program: Program) throws {
        // Killed by going; it would hold the spool's lock and the port otherwise, and the new one
        // would end at once.
        processes.withLock { $0[program] = nil }
        let process = try ChildProcess(
            TestServers.binary(program.rawValue), environment: settings,
            logPath: "\(folder.path)/\(program.rawValue).log")
        processes.withLock { $0[program] = process }
    }

    /// `kill -9` at random moments, each followed by a start. - Returns: how often it lived until
    /// then; a start that fails would otherwise look like a death survived.
    func killRepeatedly(_ program: Program, times: Int, seed: UInt64) throws -> Int {
        var random = SplitMix(state: seed)
        var kills = 0
        for _ in 0..<times {
            Clock.sleep(milliseconds: 150 + Int(random.next() % 600))
            let process = processes.withLock { $0[program] }
            process?.killNow()
            if process?.wait() == -SIGKILL { kills += 1 }
            try start(program)
        }
        return kills
    }

    /// Both, and ready.
    func startBoth() throws {
        try start(.ingest)
        try start(.edge)
        try awaitReady(ingestAdminPort)
        try awaitReady(edgeAdminPort)
    }

    func awaitReady(_ port: UInt16) throws {
        var last = "nothing listens"
        do {
            try eventually("ready") {
                guard let answer = try? PlainClient(port: port).ask("GET", "/readyz") else {
                    return false
                }
                last = answer.body
                return answer.status == 200
            }
        } catch {
            throw TimedOut(
                description: "port \(port) is not ready: \(last)\n\(edge?.log ?? "")"
                    + "\(ingest?.log ?? "")")
        }
    }

    /// The edge's answer on a connection of its own.
    func follow(
        _ id: String, userAgent: String = TestAgent.phone
    ) throws -> PlainClient.Answer? {
        try PlainClient(port: edgePort).ask("GET", "/go/\(id)", userAgent: userAgent)
    }

    func files(in sub: String) -> [String] {
        (try? File.list(folder.path + "/" + sub)) ?? []
    }
}

/// What tests put into the ledger and read from it, as SQL.
enum Ledger {
    private static let insertInfluencer = Statement(
        "test_insert_influencer",
        "insert into users (nickname, role) values ('t', 'influencer') returning id::text as id")

    private static let insertGonggu = Statement(
        "test_insert_gonggu",
        """
        insert into gonggus (
            influencer_id, title, original_price, gonggu_price, open_at, close_at, external_url)
        values (
            $1::uuid, '여름 공구', 10000, 9000, now() - interval '1 hour',
            now() + interval '1 hour', $2)
        returning id::text as id
        """)

    /// An open gonggu. - Returns: its id.
    static func addGonggu(
        url: String = "https://shop.example/p/1?color=red", in db: Connection
    ) throws -> String {
        let influencer: String = try db.query(insertInfluencer)[0].get("id")
        return try db.query(insertGonggu, [PostgresUUID(influencer), url])[0].get("id")
    }

    private static let verdicts = Statement(
        "test_verdicts", "select verdict::int from clicks order by clicked_at limit 1000")

    static func verdicts(in db: Connection) throws -> [Verdict?] {
        try db.query(verdicts).map { Verdict(rawValue: UInt8(try $0.get("verdict", as: Int.self))) }
    }

    private static let userAgents = Statement(
        "test_user_agents", "select user_agent from clicks where user_agent like $1 limit 10000000")

    /// The user agents of all stored clicks that begin so, one a click.
    static func userAgents(prefix: String, in db: Connection) throws -> [String] {
        try db.query(userAgents, [prefix + "%"]).map { try $0.get("user_agent") }
    }

    private static let statisticsSum = Statement(
        "test_statistics_sum", "select coalesce(sum(clicks), 0)::bigint as n from click_stats")

    static func statisticsSum(in db: Connection) throws -> Int {
        try db.query(statisticsSum)[0].get("n")
    }
}

extension PostgresUUID {
    init(_ text: String) {
        guard let id = Identifier(text) else { preconditionFailure("\(text) is no UUID") }
        self.init(high: id.high, low: id.low)
    }
}
