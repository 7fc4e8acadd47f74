import Clicks
import Glibc
import Linux
import Testing

@testable import Spool

/// SplitMix64, so that a failure's seed brings it back: `TEST_SEED=<seed> swift test --filter …`.
struct SeededRandom: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init() {
        let given = getenv("TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        self.init(seed: given ?? UInt64.random(in: 0...UInt64.max))
    }

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}

/// A folder of the test's own, removed with it.
final class TestFolder {
    let path: String

    init() {
        var template = Array("/tmp/spool-tests-XXXXXX".utf8CString)
        path = String(cString: mkdtemp(&template)!)
    }

    deinit { TestFolder.remove(path) }

    static func remove(_ path: String) {
        // A name that is no folder is a file.
        for name in (try? File.list(path)) ?? [] { remove(path + "/" + name) }
        if rmdir(path) != 0 { unlink(path) }
    }
}

/// A click with texts of its own.
struct WholeClick: Equatable {
    var click: Click
    var userAgent: [UInt8] = []
    var referer: [UInt8] = []
    var channel: [UInt8] = []

    init(_ click: Click, _ agent: [UInt8] = [], _ referer: [UInt8] = [], _ channel: [UInt8] = []) {
        self.click = click
        userAgent = agent
        self.referer = referer
        self.channel = channel
    }

    init(_ click: Click, _ texts: ClickTexts) {
        self.init(click, Array(texts.userAgent), Array(texts.referer), Array(texts.channel))
    }

    /// Any click a writer may be given, texts of any bytes, some longer than the bounds, every
    /// second one that has been there before.
    static func random(_ random: inout SeededRandom) -> WholeClick {
        func text(_ bytesMax: Int, _ random: inout SeededRandom) -> [UInt8] {
            if Bool.random(using: &random) {
                let known = UInt8.random(in: 0..<40, using: &random)
                return [UInt8](repeating: known, count: Int(known) * bytesMax / 40)
            }
            let isLong = Int.random(in: 0..<10, using: &random) == 0
            let count = Int.random(in: 0...(isLong ? bytesMax + 50 : 40), using: &random)
            return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        let click = Click(
            id: Identifier(high: random.next(), low: random.next()),
            gongguID: Identifier(high: random.next(), low: random.next()),
            time: Timestamp(microseconds: Int64(truncatingIfNeeded: random.next())),
            visitorKey: random.next(),
            userID: Bool.random(using: &random)
                ? .anonymous : Identifier(high: random.next(), low: random.next()),
            address: NetworkAddress(high: random.next(), low: random.next()),
            count: UInt32.random(in: 1...UInt32.max, using: &random),
            ruleSet: RuleSet(version: UInt16(truncatingIfNeeded: random.next())),
            reason: UInt16(truncatingIfNeeded: random.next()),
            verdict: Verdict.allCases.randomElement(using: &random)!,
            path: ClickPath.allCases.randomElement(using: &random)!)
        return WholeClick(
            click, text(ClickTexts.userAgentBytesMax, &random),
            text(ClickTexts.refererBytesMax, &random), text(ClickTexts.channelBytesMax, &random))
    }

    /// A small click that differs from others by its number.
    static func numbered(_ number: Int, agent: String = "agent") -> WholeClick {
        let click = Click(
            id: Identifier(high: 7, low: UInt64(number)), gongguID: Identifier(high: 1, low: 2),
            time: Timestamp(microseconds: 1_000_000 + Int64(number)), visitorKey: 3,
            address: NetworkAddress(ipv4: 0x7F00_0001), verdict: .valid, path: .redirect)
        return WholeClick(click, Array(agent.utf8), Array("https://example.com/".utf8), [0x61])
    }

    /// As the spool keeps it: texts cut to their bounds.
    var kept: WholeClick {
        WholeClick(
            click, Array(userAgent.prefix(ClickTexts.userAgentBytesMax)),
            Array(referer.prefix(ClickTexts.refererBytesMax)),
            Array(channel.prefix(ClickTexts.channelBytesMax)))
    }

    func append(to writer: SpoolWriter) -> Bool {
        userAgent.withUnsafeBytes { agent in
            referer.withUnsafeBytes { referer in
                channel.withUnsafeBytes { channel in
                    writer.append(
                        click,
                        ClickTexts(
                            userAgent: agent, referer: referer, channel: channel,
                            userAgentKey: WholeClick.key(agent),
                            refererKey: WholeClick.key(referer)))
                }
            }
        }
    }

    /// FNV-1a, and none for every seventh length.
    private static func key(_ text: UnsafeRawBufferPointer) -> UInt64 {
        text.count % 7 == 0
            ? 0 : text.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// What is left of it where the frame that had its texts is lost.
    var withoutTexts: WholeClick { WholeClick(click, [], [], channel) }
}

/// Everything a segment gives from an offset on.
struct SegmentContents: Equatable {
    var clicks: [WholeClick] = []
    var damages: [SpoolDamage] = []
    var damagedBytes = 0
    var tornBytes = 0
    var textsLost = 0

    init() {}

    init(
        _ intake: SpoolIntake, _ name: SegmentName, isClosed: Bool = true
    ) throws {
        try self.init(try intake.reader(of: name), from: 0, isClosed: isClosed)
    }

    init(_ reader: SegmentReader, from start: Int, isClosed: Bool = true) throws {
        var offset = start
        var steps = 0
        while true {
            steps += 1
            precondition(steps < 1_000_000, "reading a segment comes to an end")
            switch try reader.next(at: offset, isClosed: isClosed) {
            case .frame(let frame, let next):
                let before = clicks.count
                for (click, texts) in frame { clicks.append(WholeClick(click, texts)) }
                precondition(clicks.count - before == frame.count && next > offset)
                textsLost += frame.textsLost
                offset = next
            case .torn(let range):
                tornBytes += range.count
                offset = range.upperBound
            case .damaged(let range, let damage):
                precondition(range.lowerBound >= offset && !range.isEmpty)
                damages.append(damage)
                damagedBytes += range.count
                offset = range.upperBound
            case .waiting, .ended: return
            }
        }
    }
}

/// An edge's folder and writer, and Ingest's view of it.
struct SpoolBench {
    let root = TestFolder()
    let sync: SpoolSync
    let intake: SpoolIntake

    init(policy: SpoolSyncPolicy = .never) throws {
        sync = try SpoolSync(policy: policy) { _ in }
        intake = try SpoolIntake.open(root.path, edgeID: "edge-1")
    }

    func folder(nowMicros: Int64 = 1_795_251_600_000_000) throws -> SpoolFolder {
        try SpoolFolder.open(root.path, edgeID: "edge-1", nowMicros: nowMicros)
    }

    func writer(
        _ folder: SpoolFolder, worker: Int = 0, _ change: (inout SpoolSettings) -> Void = { _ in }
    ) -> SpoolWriter {
        var settings = SpoolSettings()
        settings.retryIntervalMilliseconds = 0
        change(&settings)
        return SpoolWriter(folder: folder, worker: worker, settings: settings, sync: sync)
    }

    /// One closed segment with these frames.
    func segment(_ frames: [[WholeClick]]) throws -> SegmentName {
        let writer = writer(try folder())
        for frame in frames {
            for click in frame { #expect(click.append(to: writer)) }
            #expect(writer.commit() == .written(records: frame.count))
        }
        return try #require(try intake.segments().last)
    }

    func bytes(of name: SegmentName) throws -> [UInt8] {
        try File.contents(of: intake.path(of: name), bytesMax: 1 << 30)
    }

    func replace(_ name: SegmentName, with bytes: [UInt8]) throws {
        let path = intake.path(of: name)
        let file = try File.open(path, .createOrTruncate)
        try bytes.withUnsafeBytes { try File.writeWhole($0, to: file, path: path) }
    }
}
