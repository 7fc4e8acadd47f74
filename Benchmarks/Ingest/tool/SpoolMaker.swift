// A day and a half of clicks, written in the frames of two workers. What is realistic in it: few
// links have most clicks (Zipf's law), texts repeat but have long tails, most clicks are anonymous
// Korean phones, some are refused, a turn of the edge has some sixteen.

import Clicks
import Linux
import Spool

/// Writes a spool as two workers of an edge would.
struct SpoolMaker {
    static let workers = 2
    /// 2026-11-20 06:00 in Seoul; the clicks end on the evening of the next day.
    static let startMicros: Int64 = 1_795_122_000_000_000
    static let spanMicros: Int64 = 36 * 3600 * 1_000_000

    let clicks: Int
    var startMicros = SpoolMaker.startMicros
    var spanMicros = SpoolMaker.spanMicros

    /// All clicks at once, their times spread over the span.
    func write(_ source: inout ClickSource, to folder: String, edgeID: String) throws {
        let writers = try SpoolMaker.writers(folder, edgeID: edgeID, nowMicros: startMicros)
        var left = (0..<SpoolMaker.workers).map { _ in 0 }
        for number in 0..<clicks {
            let time =
                startMicros + Int64(Double(spanMicros) * Double(number) / Double(clicks))
            let worker = Int(source.random.next() % UInt64(SpoolMaker.workers))
            source.append(at: time, to: writers[worker])
            left[worker] -= 1
            if left[worker] <= 0 {
                SpoolMaker.commit(writers[worker])
                left[worker] = 1 + Int(source.random.next() % 31)
            }
        }
        for writer in writers { SpoolMaker.commit(writer) }
    }

    /// So many clicks a second as time goes by, until a file appears.
    /// - Returns: clicks written.
    static func writeLive(
        _ source: inout ClickSource, perSecond: Int, until stopFile: String, to folder: String,
        edgeID: String
    ) throws -> Int {
        let began = Clock.now()
        let writers = try writers(folder, edgeID: edgeID, nowMicros: began)
        var written = 0
        while !File.exists(stopFile) {
            let now = Clock.now()
            let due = Int(Double(now - began) * Double(perSecond) / 1e6)
            let writer = writers[Int(source.random.next() % UInt64(workers))]
            // A frame takes what a turn of a busy edge has; who was held up catches up.
            let count = min(due - written, 64)
            for _ in 0..<max(0, count) { source.append(at: now, to: writer) }
            for writer in writers { writer.rotateIfDue(nowMicros: now) }
            commit(writer)
            written += max(0, count)
            if count < 64 { Clock.sleep(milliseconds: 2) }
        }
        return written
    }

    private static func writers(
        _ folder: String, edgeID: String, nowMicros: Int64
    ) throws -> [SpoolWriter] {
        let spool = try SpoolFolder.open(folder, edgeID: edgeID, nowMicros: nowMicros)
        let sync = try SpoolSync(policy: .never) { _ in }
        return (0..<workers).map { SpoolWriter(folder: spool, worker: $0, sync: sync) }
    }

    static func commit(_ writer: SpoolWriter) {
        if case .unrecorded = writer.commit() { preconditionFailure("the disk takes the spool") }
    }
}

/// Clicks as they come. The same seed gives the same.
struct ClickSource {
    private static let agents = 20_000
    /// Addresses that flood, each a link of its own: a flood is many clicks of one, by definition.
    private static let floods: UInt64 = 100
    private static let referers = 5000
    private static let channels = ["story", "bio", "kakao-ch", "blog", "reels", "live-2026-11"]
        .map { Array($0.utf8) }

    fileprivate(set) var random: SeededWords
    private let agents: [[UInt8]]
    private let referers: [[UInt8]]
    let ids: [Identifier]
    private let ofLinks: Zipf
    private let ofAgents: Zipf
    private let ofReferers: Zipf

    init(links: Int, seed: UInt64 = 20_261_121) {
        // What there is does not depend on the seed, which click comes next does.
        var random = SeededWords(state: 20_261_121)
        agents = (0..<ClickSource.agents).map { ClickSource.agent($0, &random) }
        referers = (0..<ClickSource.referers).map { ClickSource.referer($0, &random) }
        ids = (0..<links).map { number in
            Identifier(
                unixMilliseconds: 1_790_000_000_000 + UInt64(number),
                random: (random.next(), random.next()))
        }
        ofLinks = Zipf(links)
        ofAgents = Zipf(agents.count)
        ofReferers = Zipf(referers.count)
        if seed != 20_261_121 { random.state = seed }
        self.random = random
    }

    mutating func number(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    /// - Returns: the link's place, 0 for the busiest.
    @discardableResult
    mutating func append(at time: Int64, to writer: SpoolWriter) -> Int {
        var link = ofLinks.pick(&random)
        let click = click(time, &link)
        let referer = random.chance(45) ? nil : ofReferers.pick(&random)
        let channel =
            random.chance(60) ? [] : ClickSource.channels[Int(random.next() % 6)]
        let agent = ofAgents.pick(&random)
        // The edge's keys are digests; any that differ as the texts do are as good.
        append(
            click, (agents[agent], UInt64(1 + agent)),
            referer.map { (referers[$0], UInt64(1 + $0 + ClickSource.agents)) } ?? ([], 0),
            channel, to: writer)
        return link
    }

    private func append(
        _ click: Click, _ userAgent: (text: [UInt8], key: UInt64),
        _ referer: (text: [UInt8], key: UInt64), _ channel: [UInt8], to writer: SpoolWriter
    ) {
        let isTaken = userAgent.text.withUnsafeBytes { agent in
            referer.text.withUnsafeBytes { text in
                channel.withUnsafeBytes { channel in
                    writer.append(
                        click,
                        ClickTexts(
                            userAgent: agent, referer: text, channel: channel,
                            userAgentKey: userAgent.key, refererKey: referer.key))
                }
            }
        }
        precondition(isTaken, "a frame has room for the clicks of a turn")
    }

    /// - Parameter link: its place; another for a flood.
    private mutating func click(_ time: Int64, _ link: inout Int) -> Click {
        var address: NetworkAddress
        if random.chance(5) {
            address = NetworkAddress(
                high: 0x2001_0E60_0000_0000 | random.next() >> 32, low: random.next())
        } else {
            // Korean carriers' blocks, as far as the benchmark cares.
            let block: [UInt32] = [0x01C9_0000, 0x0ECF_0000, 0x27F0_0000, 0x6E46_0000, 0xD3F6_0000]
            let first = block[Int(random.next() % 5)]
            address = NetworkAddress(ipv4: first | UInt32(truncatingIfNeeded: random.next()) >> 14)
        }
        let user =
            random.chance(10)
            ? Identifier(high: 0x0193_0000_0000_7000, low: random.next() % 30_000) : .anonymous
        let verdicts: [(Verdict, UInt64)] = [
            (.valid, 78), (.duplicate, 88), (.bot, 93), (.prefetch, 95), (.inactive, 97),
            (.flood, 98), (.datacenter, 99), (.malformed, 100),
        ]
        let share = random.next() % 100
        let verdict = verdicts.first { share < $0.1 }!.0
        if verdict == .flood {
            let flood = random.next() % ClickSource.floods
            address = NetworkAddress(ipv4: 0x01C9_0000 | UInt32(flood))
            link = Int(flood) * (ids.count - 1) / Int(ClickSource.floods)
        }
        return Click(
            id: Identifier(
                unixMilliseconds: UInt64(time / 1000), random: (random.next(), random.next())),
            gongguID: ids[link], time: Timestamp(microseconds: time), visitorKey: random.next(),
            userID: user, address: address, reason: verdict == .bot ? 17 : 0, verdict: verdict,
            path: random.chance(15) ? .report : .redirect)
    }

    private static func agent(_ number: Int, _ random: inout SeededWords) -> [UInt8] {
        let android = 10 + random.next() % 6
        let model = "SM-\(["S92", "A54", "G99", "F73", "N98"][number % 5])\(random.next() % 10)N"
        let build = "UP1A.2310\(10 + random.next() % 20).00\(random.next() % 10)"
        let chrome = "Chrome/\(100 + random.next() % 42).0.\(random.next() % 7000).\(number % 200)"
        let webview =
            "Mozilla/5.0 (Linux; Android \(android); \(model) Build/\(build); wv) "
            + "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \(chrome) Mobile Safari/537.36"
        let ios =
            "Mozilla/5.0 (iPhone; CPU iPhone OS \(15 + random.next() % 4)_"
            + "\(random.next() % 8) like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            + "Mobile/\(15 + number % 8)E\(100 + random.next() % 200)"
        let text =
            switch number % 10 {
            case 0, 1, 2: "\(webview) KAKAOTALK/\(2_410_000 + number) (INAPP)"
            case 3: "\(webview) NAVER(inapp; search; 2000; 12.\(number % 15).\(number % 7))"
            case 4, 5: "\(ios) Instagram 3\(number % 60).0.0.\(number % 40).\(number % 100)"
            case 6: "\(ios) KAKAOTALK/25.\(number % 9).\(number % 5) (INAPP)"
            case 7: "\(ios) Version/\(15 + number % 4).\(number) Safari/604.1"
            case 8:
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 "
                    + "(KHTML, like Gecko) \(chrome) Safari/537.36"
            default: "\(webview) SamsungBrowser/2\(number % 8).0"
            }
        return Array(text.utf8)
    }

    private static func referer(_ number: Int, _ random: inout SeededWords) -> [UInt8] {
        let hosts = [
            "l.instagram.com", "m.blog.naver.com", "m.search.naver.com", "cafe.naver.com",
            "www.youtube.com", "l.threads.com", "blog.naver.com", "pf.kakao.com",
        ]
        let host =
            number < 40
            ? hosts[number % 8]
            : number % 4 == 0
                ? "blog\(number % 50).tistory.com"
                : hosts[Int(random.next() % 8)]
        let path = number % 8 == 0 ? "" : "post/\(random.next() % 1_000_000_000)?from=\(number)"
        return Array("https://\(host)/\(path)".utf8)
    }
}

/// Zipf's law with exponent 1: the n-th is picked 1/n as often as the first.
private struct Zipf {
    private let sums: [Double]

    init(_ count: Int) {
        var sum = 0.0
        sums = (1...count).map { rank in
            sum += 1 / Double(rank)
            return sum
        }
    }

    func pick(_ random: inout SeededWords) -> Int {
        let place = Double(random.next() >> 11) / Double(1 << 53) * sums[sums.count - 1]
        var low = 0
        var high = sums.count - 1
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] < place { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// SplitMix64: repeatable, and good enough to spread things.
struct SeededWords: RandomNumberGenerator {
    fileprivate var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// True in so many cases of a hundred.
    mutating func chance(_ percent: UInt64) -> Bool { next() % 100 < percent }
}
