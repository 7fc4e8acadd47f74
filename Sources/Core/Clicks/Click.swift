// A click as the edge judged it and as the ledger keeps it. The fixed part is plain words, so that
// a worker can hold it in registers and a frame can hold thousands; the three texts are borrowed
// from whoever has the bytes (the request's buffer at the edge, the segment's at Ingest).

/// How the click reached the edge.
public enum ClickPath: UInt8, CaseIterable, Sendable, BitwiseCopyable {
    /// A followed link: `GET /go/<id>`, or HEAD on it.
    case redirect = 0
    /// A script's report: `POST /api/v1/tracking/click`.
    case report = 1
}

/// One click, or several folded into one (see ``count``), without its texts.
public struct Click: Equatable, Sendable, BitwiseCopyable {
    /// UUIDv7 made at the edge; the ledger's key together with ``time``.
    public var id: Identifier
    public var gongguID: Identifier
    public var time: Timestamp
    /// The keyed hash that stands for the visitor.
    public var visitorKey: UInt64
    /// The signed-in user; all zero when anonymous.
    public var userID: Identifier
    public var address: NetworkAddress
    /// Requests this record stands for: 1, or more where a flood was folded. Never 0.
    public var count: UInt32
    public var ruleSet: RuleSet
    /// The rule within the rule set that decided, 0 where the verdict says it all.
    public var reason: UInt16
    public var verdict: Verdict
    public var path: ClickPath

    @inlinable
    public init(
        id: Identifier, gongguID: Identifier, time: Timestamp, visitorKey: UInt64,
        userID: Identifier = .anonymous, address: NetworkAddress, count: UInt32 = 1,
        ruleSet: RuleSet = .current, reason: UInt16 = 0, verdict: Verdict, path: ClickPath
    ) {
        self.id = id
        self.gongguID = gongguID
        self.time = time
        self.visitorKey = visitorKey
        self.userID = userID
        self.address = address
        self.count = count
        self.ruleSet = ruleSet
        self.reason = reason
        self.verdict = verdict
        self.path = path
    }
}

extension Identifier {
    /// Stands for "nobody signed in" where a fixed layout has no room for an optional.
    @inlinable
    public static var anonymous: Identifier { Identifier(high: 0, low: 0) }
}

/// The texts of a click, borrowed: valid only while their owner's buffer is. Bytes are as the
/// client sent them, so they may be anything but CR, LF and NUL; they are cut to these bounds.
public struct ClickTexts {
    @inlinable
    public static var userAgentBytesMax: Int { 512 }
    @inlinable
    public static var refererBytesMax: Int { 1000 }
    @inlinable
    public static var channelBytesMax: Int { 32 }

    public var userAgent: UnsafeRawBufferPointer
    public var referer: UnsafeRawBufferPointer
    /// `[A-Za-z0-9_-]`, or empty.
    public var channel: UnsafeRawBufferPointer
    /// What stands for the user agent where it is compared with others: the same for the same text,
    /// and for different ones with a probability that may be neglected, whoever chose them. 0 where
    /// nothing does.
    public var userAgentKey: UInt64
    /// The referer's, likewise.
    public var refererKey: UInt64

    @inlinable
    public init(
        userAgent: UnsafeRawBufferPointer, referer: UnsafeRawBufferPointer,
        channel: UnsafeRawBufferPointer, userAgentKey: UInt64 = 0, refererKey: UInt64 = 0
    ) {
        self.userAgent = userAgent
        self.referer = referer
        self.channel = channel
        self.userAgentKey = userAgentKey
        self.refererKey = refererKey
    }

    /// For a record that stands for several clicks.
    public static var none: ClickTexts {
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        return ClickTexts(userAgent: nothing, referer: nothing, channel: nothing)
    }
}
