// Makes what the edge's benchmark serves: a links file, and the list of ids that the load asks for.
// The same arguments give the same links; they are spread evenly over the file, which is the worst
// case for the processor's caches, where real clicks crowd on a few gonggus.

import Clicks
import Glibc
import Links

@main
enum EdgeBench {
    private static let linksMax = 20_000_000
    /// More would only make the load generator large: it asks for them in turn.
    private static let idsMax = 1_000_000
    /// About one link in fifty is of a gonggu that is not open.
    private static let suspendedEvery: UInt64 = 50

    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 5, arguments[1] == "links", let links = Int(arguments[2]),
            1...linksMax ~= links
        else {
            end("Usage: EdgeBench links COUNT LINKS_FILE IDS_FILE", EX_USAGE)
        }
        var random = SeededWords(state: UInt64(links))
        let ids = try write(links: links, to: arguments[3], &random)
        try write(ids: ids, to: arguments[4], &random)
    }

    /// - Returns: the ids to ask for, in the file's order.
    private static func write(
        links: Int, to path: String, _ random: inout SeededWords
    ) throws -> [Identifier] {
        let start = Timestamp(microseconds: 1_735_689_600_000_000)  // 2025-01-01
        let end = Timestamp(microseconds: 4_102_444_800_000_000)  // 2100-01-01
        let writer = try LinksWriter(
            path: path, generatedAt: start, seed: (random.next(), random.next()))
        let every = max(1, links / idsMax)
        var ids: [Identifier] = []
        for number in 0..<links {
            let id = Identifier(
                unixMilliseconds: 1_767_225_600_000 + UInt64(number),
                random: (random.next(), random.next()))
            let shop = 100_000 + number % 900_000
            let location = try TrackedURL.location(
                externalURL: "https://smartstore.naver.com/shop\(shop)/products/"
                    + "\(10_000_000_000 + number)",
                gonggu: id)
            try writer.add(
                LinkSource(
                    id: id,
                    influencerID: Identifier(high: random.next(), low: random.next()),
                    shortCode: "b\(number)", opensAt: start, closesAt: end,
                    isSuspended: random.next() % suspendedEvery == 0,
                    location: location))
            if number % every == every - 1 && ids.count < idsMax { ids.append(id) }
        }
        _ = try writer.finish()
        return ids
    }

    /// One a line, shuffled: the load asks in this order, and the file's would suit the caches.
    private static func write(
        ids: [Identifier], to path: String, _ random: inout SeededWords
    ) throws {
        guard let file = fopen(path, "we") else {
            end("EdgeBench: \(path) cannot be written", EXIT_FAILURE)
        }
        for id in ids.shuffled(using: &random) { fputs("\(id)\n", file) }
        guard fclose(file) == 0 else {
            end("EdgeBench: \(path) cannot be written", EXIT_FAILURE)
        }
    }

    private static func end(_ sentence: String, _ code: Int32) -> Never {
        let line = Array("\(sentence)\n".utf8)
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(code)
    }
}

/// SplitMix64: repeatable, and good enough to spread things.
private struct SeededWords: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
