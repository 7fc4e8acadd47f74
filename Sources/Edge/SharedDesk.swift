import Clicks
import Guards
import Judging
import Links
import TLS

/// What all workers remember together.
struct EdgeGuards: Sendable {
    let dedupe: DedupeWindow
    let flood: FloodGuard

    /// - Parameters: memory as ``EdgeTables`` lays it out for these settings.
    init(_ settings: GuardSettings, dedupe: TableMemory, flood: TableMemory) {
        self.dedupe = DedupeWindow(
            windowSeconds: settings.dedupeWindowSeconds, memory: dedupe)
        self.flood = FloodGuard(
            clicksPerMinuteMax: settings.floodClicksPerMinute,
            rowsPerMinuteMax: max(settings.floodRowsPerMinute, settings.floodClicksPerMinute),
            memory: flood)
    }
}

extension EdgeSettings {
    var visitors: VisitorKey {
        visitorKey.bytes.withUnsafeBytes { VisitorKey(SipHash.Key(secret: $0)) }
    }
}

/// What all workers' desks have in common, made once at start and never freed.
struct SharedDesk {
    let judge: ClickJudge
    let visitors: VisitorKey
    /// Proxies whose X-Forwarded-For is believed.
    let trusted: NetworkSet
    let tokenKey: HMACSHA256
    let origins: AllowedOrigins
    /// `FRONTEND_URL/gonggus/`.
    let pages: UnsafeRawBufferPointer
    /// `FRONTEND_URL/`, for banners, which have no page.
    let front: UnsafeRawBufferPointer
    /// The table at start; later ones come by the inbox.
    let links: LinkTable?

    init(_ settings: EdgeSettings, _ guards: EdgeGuards, links: LinkTable?) {
        visitors = settings.visitors
        judge = ClickJudge(
            visitors: visitors, dedupe: guards.dedupe, flood: guards.flood,
            datacenters: .embedded)
        trusted = settings.trustedProxies
        tokenKey = settings.tokenSecret.bytes.withUnsafeBytes { HMACSHA256(key: $0) }
        origins = AllowedOrigins(settings.corsOrigins)
        var page = settings.frontendURL
        while page.hasSuffix("/") { page.removeLast() }
        pages = SharedDesk.kept(page + "/gonggus/")
        front = SharedDesk.kept(page + "/")
        self.links = links
    }

    /// A copy that stays for as long as the process.
    static func kept(_ text: String) -> UnsafeRawBufferPointer {
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: text.utf8.count, alignment: 1)
        bytes.copyBytes(from: text.utf8)
        return UnsafeRawBufferPointer(bytes)
    }
}

/// `CORS_ORIGINS`: the web pages that may report clicks from another origin than the edge's.
struct AllowedOrigins {
    private let origins: [[UInt8]]
    private let allowsAll: Bool

    /// - Parameter origins: such as `https://gonggu.example`, or `*` for any.
    init(_ origins: [String]) {
        self.origins = origins.map { Array($0.utf8) }
        allowsAll = origins.contains("*")
    }

    /// The origin to name in the answer: the request's own if it is on the list, `*` if all are,
    /// else none. An origin is compared byte for byte (RFC 6454, 6.2).
    func allowed(_ origin: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        guard !origin.isEmpty else { return none }
        if allowsAll {
            let star: StaticString = "*"
            return UnsafeRawBufferPointer(start: star.utf8Start, count: 1)
        }
        for known in origins where known.elementsEqual(origin) { return origin }
        return none
    }
}
