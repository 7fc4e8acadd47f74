import Clicks
import Settings
import Spool

/// Everything about an edge that its operator decides. Read once, passed down.
struct EdgeSettings {
    let listen: ListenAddress
    /// Nil without a certificate.
    let tls: TLSSettings?
    let proxyProtocol: ProxyProtocol
    let adminListen: ListenAddress
    let workers: Int
    let edgeID: String
    let spoolDirectory: String
    let spoolBounds: SpoolBounds
    let linksFile: String
    let syncPolicy: SpoolSyncPolicy
    private(set) var spool = SpoolSettings()
    let visitorKey: Secret
    let tokenSecret: Secret
    let frontendURL: String
    let trustedProxies: NetworkSet
    let corsOrigins: [String]
    let guards: GuardSettings
    let connectionsMax: Int

    /// Declares and reads them. Faults stay in the reader until its `finish`.
    init(_ reader: inout SettingsReader, cores: Int) {
        listen = reader.listenAddress(
            "EDGE_LISTEN", default: "0.0.0.0:8080", "Where shoppers' requests arrive")
        tls = TLSSettings.read(&reader)
        proxyProtocol = ProxyProtocol.read(&reader)
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
        spoolBounds = SpoolBounds(
            bytesMax: reader.bytes(
                "SPOOL_BYTES_MAX", default: SpoolBounds.bytesMaxDefault, in: 1 << 20...1 << 50,
                "Of clicks that wait for Ingest; beyond it clicks are answered and not recorded. "
                    + "The same for Ingest"),
            diskFreeMin: reader.bytes(
                "SPOOL_DISK_FREE_MIN", default: SpoolBounds.diskFreeMinDefault, in: 0...1 << 50,
                "What recording leaves free on the spool's disk"))
        linksFile = reader.path(
            "EDGE_LINKS_FILE", default: "/var/lib/gonggumoa/links",
            "The links that Ingest publishes")
        syncPolicy = reader.choice(
            "EDGE_FSYNC", default: .interval,
            "Against power loss: every 50 ms, before each answer, or left to the kernel")
        spool.segmentBytesMax = reader.bytes(
            "EDGE_SEGMENT_BYTES_MAX", default: spool.segmentBytesMax,
            in: 4096...1 << 30,
            "After so much a worker begins its next file in the spool; less on a small disk")
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
        guards = GuardSettings(&reader, spoolDirectory: spoolDirectory)
        connectionsMax = reader.integer(
            "EDGE_CONNECTIONS_MAX", default: 65_536, in: 16...4_194_304,
            "Open connections; beyond it the one that has waited longest is closed")
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

    /// A path is added to it and it goes into a header field as it is; answers have a bound.
    private static func canBeginLocation(_ url: String) -> Bool {
        url.utf8.count <= 1000
            && url.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"?#\"\\<>".utf8.contains($0) }
    }
}
