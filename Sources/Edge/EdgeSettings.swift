import Clicks
import Guards
import Linux
import Settings
import Spool

/// Everything about an edge that its operator decides. Read once, passed down.
struct EdgeSettings {
    let listen: ListenAddress
    let adminListen: ListenAddress
    let workers: Int
    let edgeID: String
    let spoolDirectory: String
    /// Where the guards' tables outlive the process.
    let stateDirectory: String
    let linksFile: String
    let syncPolicy: SpoolSyncPolicy
    let visitorKey: Secret
    let tokenSecret: Secret
    let frontendURL: String
    let trustedProxies: NetworkSet
    let corsOrigins: [String]
    let dedupeWindowSeconds: Int
    let dedupeEntries: Int
    let floodClicksPerMinute: Int
    /// 0 for no folding.
    let floodRowsPerMinute: Int
    let floodEntries: Int
    let connectionsMax: Int

    /// Declares and reads them. Faults stay in the reader until its `finish`.
    init(_ reader: inout SettingsReader, cores: Int) {
        listen = reader.listenAddress(
            "EDGE_LISTEN", default: "0.0.0.0:8080", "Where shoppers' requests arrive")
        adminListen = reader.listenAddress(
            "EDGE_ADMIN_LISTEN", default: "127.0.0.1:9101",
            "Where /healthz, /readyz and /metrics are served; keep it off the internet")
        workers = reader.integer(
            "EDGE_WORKERS", default: min(cores, 256), in: 1...256,
            "Worker threads; one a core is best")
        edgeID = reader.label(
            "EDGE_ID", default: "edge-1",
            "Names this edge in the spool and the ledger; unique among edges, never changed")
        spoolDirectory = reader.writableDirectory(
            "EDGE_SPOOL_DIR", default: "/var/lib/gonggumoa/spool",
            "Where clicks are written before they are answered; on a local disk")
        stateDirectory =
            reader.optionalWritableDirectory(
                "EDGE_STATE_DIRECTORY",
                "Where the windows' and floods' tables outlive the process, some 45 MB; if unset, "
                    + "the folder state beside EDGE_SPOOL_DIR. A tmpfs is as good as a disk")
            ?? EdgeSettings.besides(spoolDirectory)
        linksFile = reader.path(
            "EDGE_LINKS_FILE", default: "/var/lib/gonggumoa/links",
            "The links that Ingest publishes")
        syncPolicy = reader.choice(
            "EDGE_FSYNC", default: .interval,
            "Against power loss: every 50 ms, before each answer, or left to the kernel")
        visitorKey = reader.secret(
            "EDGE_VISITOR_KEY", minBytes: 16,
            "Keys the hash that stands for a visitor; the same on every edge, never changed")
        tokenSecret = reader.secret(
            "JWT_SECRET_KEY", minBytes: 32,
            "Signs access tokens, by which a shopper is known; the API has the same")
        frontendURL = reader.url(
            "FRONTEND_URL", default: "http://127.0.0.1:8000", schemes: ["http", "https"],
            "Where shoppers of a closed gonggu are sent: <FRONTEND_URL>/gonggus/<id>")
        corsOrigins = reader.list(
            "CORS_ORIGINS", "Web origins whose pages may report clicks; * for any")
        let proxies = reader.list(
            "TRUSTED_PROXIES",
            "Networks whose X-Forwarded-For is believed, such as 10.0.0.0/8; none by default")
        trustedProxies = NetworkSet(proxies.compactMap { NetworkPrefix($0) })
        dedupeWindowSeconds = reader.seconds(
            "DEDUPE_WINDOW_SECONDS", default: 300, in: 1...86_400,
            "A visitor's further clicks on a gonggu within it are duplicates")
        dedupeEntries = reader.integer(
            "DEDUPE_ENTRIES", default: 1 << 21, in: 1 << 10...1 << 30,
            "Visitor and gonggu pairs remembered, 16 bytes each; eight times the valid clicks of "
                + "a window is ample")
        floodClicksPerMinute = reader.integer(
            "FLOOD_CLICKS_PER_MINUTE", default: 60, in: 1...FloodGuard.secondClicksMax - 1,
            unit: "clicks",
            "An address that makes more within a minute is a flood, held for a person to decide")
        floodRowsPerMinute = reader.integer(
            "FLOOD_ROWS_PER_MINUTE", default: max(600, floodClicksPerMinute),
            in: 0...FloodGuard.secondClicksMax - 1, unit: "clicks",
            "An address that makes more within a minute is folded: one counted record a link and "
                + "second. No less than FLOOD_CLICKS_PER_MINUTE, or 0 to fold nobody")
        floodEntries = reader.integer(
            "FLOOD_ENTRIES", default: 1 << 16, in: 1 << 10...1 << 26,
            "Addresses remembered for a minute, 136 bytes each")
        connectionsMax = reader.integer(
            "EDGE_CONNECTIONS_MAX", default: 65_536, in: 16...4_194_304,
            "Open connections; beyond it the one that has waited longest is closed")
        if 1..<floodClicksPerMinute ~= floodRowsPerMinute {
            reader.reject(
                "FLOOD_ROWS_PER_MINUTE",
                "must be 0 or no less than FLOOD_CLICKS_PER_MINUTE: only what is held is folded")
        }
        if proxies.contains(where: { NetworkPrefix($0) == nil }) {
            reader.reject("TRUSTED_PROXIES", "holds something that is no network")
        }
        if !EdgeSettings.canBeginLocation(frontendURL) {
            reader.reject(
                "FRONTEND_URL", "must be at most 1,000 plain ASCII characters without ? and #")
        }
        if corsOrigins.contains(where: { $0.utf8.count > EdgeSettings.originBytesMax }) {
            reader.reject("CORS_ORIGINS", "must name origins of at most 256 characters")
        }
    }

    private static let originBytesMax = 256

    private static func besides(_ spoolDirectory: String) -> String {
        var path = spoolDirectory
        while path.utf8.count > 1 && path.hasSuffix("/") { path.removeLast() }
        let folder = File.folder(of: path)
        return folder == "/" ? "/state" : folder + "/state"
    }

    /// A path is added to it and it goes into a header field as it is; answers have a bound.
    private static func canBeginLocation(_ url: String) -> Bool {
        url.utf8.count <= 1000
            && url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"?#\"\\<>".utf8.contains($0) }
    }
}
