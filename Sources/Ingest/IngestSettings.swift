import Redis
import Settings
import Spool

/// Everything about an Ingest that its operator decides. Read once, passed down.
struct IngestSettings {
    let databaseURL: Secret
    let edgeID: String
    let spoolDirectory: String
    let linksFile: String
    let adminListen: ListenAddress
    let batchRecordsMax: Int
    let keeping: KeepingPolicy
    let quarantineBytesMax: Int
    let geoIPDatabase: String?
    let redisURL: Secret?

    /// Declares and reads them. Faults stay in the reader until its `finish`.
    init(_ reader: inout SettingsReader) {
        databaseURL = reader.secretURL(
            "DATABASE_URL", schemes: ["postgres", "postgresql"], "The ledger's database")
        edgeID = reader.label(
            "EDGE_ID", default: "edge-1", "The edge on this host whose clicks are taken up")
        spoolDirectory = reader.writableDirectory(
            "EDGE_SPOOL_DIR", default: "/var/lib/gonggumoa/spool",
            "Where the edge writes its clicks; what is in the ledger is deleted here")
        linksFile = reader.path(
            "EDGE_LINKS_FILE", default: "/var/lib/gonggumoa/links",
            "The links file that the edge reads; written here")
        adminListen = reader.listenAddress(
            "INGEST_ADMIN_LISTEN", default: "127.0.0.1:9102",
            "Where /healthz, /readyz and /metrics are served; keep it off the internet")
        batchRecordsMax = reader.integer(
            "INGEST_BATCH_RECORDS", default: 40_000, in: 1...200_000, unit: "clicks",
            "Clicks in one transaction when many are waiting")
        let windowSeconds = reader.seconds(
            "DEDUPE_WINDOW_SECONDS", default: 300, in: 1...86_400,
            "The edge's: for so long and two minutes more its clicks stay in the spool as well")
        let keptBytesMax = reader.bytes(
            "INGEST_KEPT_BYTES_MAX", default: 1 << 30, in: 0...1 << 40,
            "Of the spool's clicks that are in the ledger; 0 keeps none. An edge whose machine was "
                + "restarted makes its windows again from them")
        let bounds = SpoolBounds(
            bytesMax: reader.bytes(
                "SPOOL_BYTES_MAX", default: SpoolBounds.bytesMaxDefault, in: 1 << 20...1 << 50,
                "The edge's: what is kept of the ledger's clicks makes way for those that wait"),
            diskFreeMin: reader.bytes(
                "SPOOL_DISK_FREE_MIN", default: SpoolBounds.diskFreeMinDefault, in: 0...1 << 50,
                "The edge's: as above"))
        keeping = KeepingPolicy(
            windowSeconds: windowSeconds, bytesMax: keptBytesMax, bounds: bounds)
        quarantineBytesMax = reader.bytes(
            "INGEST_QUARANTINE_BYTES_MAX", default: Quarantine.bytesMaxDefault,
            in: 1 << 20...1 << 40,
            "Of what cannot be taken up; beyond it a segment with damage waits, and others go on")
        redisURL = reader.optionalSecretURL(
            "REDIS_URL", schemes: ["redis", "unix", "redis+unix"],
            "Told of committed clicks, for live views; without it these see them when they ask")
        if let redisURL, RedisEndpoint(url: redisURL.text) == nil {
            reader.reject("REDIS_URL", "is not of the form redis://host:port/0")
        }
        // Not checked here: a bad one costs the countries, and never the clicks.
        geoIPDatabase = reader.optionalText(
            "GEOIP_DATABASE",
            "A MaxMind DB file (.mmdb) of countries, loaded again when it changes; without it all "
                + "are unknown")
    }
}
