import Clicks
import Glibc
import Linux
import Links
import Settings
import Spool
import TestSupport

@testable import Edge

/// An edge in this process: the real threads, sockets and files, on ports and in folders of its
/// own. Stopped with the last reference.
final class EdgeBench {
    let folder: TestFolder
    let edge: RunningEdge
    private var isStopped = false

    static let edgeID = "test-edge"
    static let tokenSecret = "a secret of more than thirty-two bytes"
    static let frontendURL = "https://gonggumoa.example"
    static let origin = "https://shop.gonggumoa.example"

    /// - Parameters:
    ///   - settings: beyond what an edge needs to start; one worker unless said otherwise, so that
    ///     clicks are stored in the order in which they were asked for.
    ///   - links: nil for an edge that has no links file.
    init(
        _ settings: [String: String] = [:], links: [LinkSource]? = TestLinks.all,
        patience: Patience = Patience()
    ) throws {
        folder = try TestFolder()
        if let links { try TestLinks.write(links, to: folder.path + "/links") }
        var environment = EdgeBench.environment(folder.path)
        environment["EDGE_LISTEN"] = "127.0.0.1:0"
        environment["EDGE_TLS_LISTEN"] = "127.0.0.1:0"
        environment["EDGE_ADMIN_LISTEN"] = "127.0.0.1:0"
        environment.merge(settings) { $1 }
        var reader = SettingsReader(environment: environment)
        let read = EdgeSettings(&reader, cores: 1)
        try reader.finish()
        edge = try RunningEdge(read, patience: patience)
    }

    deinit { stop() }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        edge.stop()
    }

    /// What any edge of the tests is started with, but for where it listens.
    static func environment(_ folder: String) -> [String: String] {
        [
            "EDGE_ID": edgeID, "EDGE_SPOOL_DIR": folder + "/spool", "SPOOL_DISK_FREE_MIN": "0",
            "EDGE_LINKS_FILE": folder + "/links", "EDGE_VISITOR_KEY": "a key for tests only",
            "JWT_SECRET_KEY": tokenSecret,
            "FLOOD_CLICKS_PER_MINUTE": "2046",
            // Clicks are told by their agents, which a fold does not have.
            "FLOOD_ROWS_PER_MINUTE": "0", "FLOOD_ENTRIES": "4096",
            "EDGE_WORKERS": "1", "FRONTEND_URL": frontendURL, "CORS_ORIGINS": origin,
            "DEDUPE_ENTRIES": "65536", "EDGE_CONNECTIONS_MAX": "4096",
        ]
    }

    var linksPath: String { folder.path + "/links" }
    var spoolPath: String { folder.path + "/spool/" + EdgeBench.edgeID }

    func client(receiveBufferBytes: Int32? = nil) throws -> PlainClient {
        try PlainClient(port: edge.port, receiveBufferBytes: receiveBufferBytes)
    }

    /// The answer to one request on a connection of its own.
    func ask(_ request: String, hasBody: Bool = true) throws -> PlainClient.Answer? {
        let client = try client()
        try client.send(request)
        return try client.receive(hasBody: hasBody)
    }

    func admin(_ path: String) throws -> PlainClient.Answer {
        guard let answer = try PlainClient(port: edge.adminPort).ask("GET", path) else {
            throw TimedOut(description: "the admin listener gave no answer to \(path)")
        }
        return answer
    }

    func metrics() throws -> PrometheusText { try PrometheusText(admin("/metrics").body) }

    /// Everything recorded so far, read as Ingest would.
    func clicks() throws -> [StoredClick] {
        try StoredClick.all(in: folder.path + "/spool", isOver: isStopped)
    }
}

/// A request as text.
func request(
    _ method: String = "GET", to target: String, agent: String? = TestAgent.phone,
    fields: [String] = [], body: String? = nil, version: String = "HTTP/1.1"
) -> String {
    var text = "\(method) \(target) \(version)\r\nHost: edge.example\r\n"
    if let agent { text += "User-Agent: \(agent)\r\n" }
    for field in fields { text += field + "\r\n" }
    if let body { text += "Content-Length: \(body.utf8.count)\r\n" }
    return text + "\r\n" + (body ?? "")
}

/// A script's report as text.
func report(
    _ body: String, type: String? = "application/json", fields: [String] = []
) -> String {
    request(
        "POST", to: "/api/v1/tracking/click",
        fields: (type.map { ["Content-Type: \($0)"] } ?? []) + fields, body: body)
}

/// A click with texts of its own, in words.
struct StoredClick {
    let click: Click
    let userAgent: String
    let referer: String
    let channel: String

    init(_ click: Click, _ texts: ClickTexts) {
        self.click = click
        userAgent = String(decoding: texts.userAgent, as: UTF8.self)
        referer = String(decoding: texts.referer, as: UTF8.self)
        channel = String(decoding: texts.channel, as: UTF8.self)
    }

    struct Unreadable: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameter isOver: whether no edge writes any more; then the last segments are closed too.
    static func all(in spool: String, isOver: Bool) throws -> [StoredClick] {
        let intake = try SpoolIntake.open(spool, edgeID: EdgeBench.edgeID)
        let names = try intake.segments()
        var clicks: [StoredClick] = []
        for name in names {
            let reader = try intake.reader(of: name)
            var offset = 0
            reading: while true {
                let isClosed = isOver || name.isClosed(among: names)
                switch try reader.next(at: offset, isClosed: isClosed) {
                case .frame(let frame, let next):
                    for (click, texts) in frame { clicks.append(StoredClick(click, texts)) }
                    offset = next
                case .torn(let range):
                    offset = range.upperBound
                case .damaged(let range, let damage):
                    throw Unreadable(description: "\(name) \(range): \(damage)")
                case .waiting, .ended:
                    break reading
                }
            }
        }
        return clicks
    }
}
