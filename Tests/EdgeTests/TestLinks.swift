import Clicks
import Glibc
import Linux
import Links

/// The links that the tests' edges have.
enum TestLinks {
    private static let hour: Int64 = 3600

    static let open = link("open-1", 1)
    /// As nearly all: its address ends with our parameters.
    static let other = link(
        "other-1", 2, url: "https://shop.example/p/2?utm_source=gonggumoa&utm_campaign=\(id(2))")
    static let notYet = link("notyet-1", 3, opensIn: hour, closesIn: 2 * hour)
    static let over = link("over-1", 4, opensIn: -2 * hour, closesIn: -hour)
    static let suspended = link("suspended-1", 5, isSuspended: true)
    /// The longest address a links file may have, of bytes that JSON has to escape.
    static let long = link(
        "long-1", 6, url: "https://shop.example/" + String(repeating: "%22", count: 600))

    static let all = [open, other, notYet, over, suspended, long]

    private static func id(_ number: UInt64) -> Identifier {
        Identifier(high: 0x0123_4567_89AB_4CDE, low: 0x8000_0000_0000_0000 | number)
    }

    static func link(
        _ code: String, _ number: UInt64, opensIn: Int64 = -hour, closesIn: Int64 = hour,
        isSuspended: Bool = false, url: String? = nil
    ) -> LinkSource {
        let now = Timestamp(microseconds: Clock.now())
        return LinkSource(
            id: id(number),
            influencerID: Identifier(high: 9, low: number), shortCode: code,
            opensAt: now.advanced(bySeconds: opensIn), closesAt: now.advanced(bySeconds: closesIn),
            isSuspended: isSuspended,
            location: Array((url ?? "https://shop.example/p/\(number)?utm_source=gonggumoa").utf8))
    }

    /// Publishes a file as Ingest does: complete, then renamed.
    static func write(_ links: [LinkSource], to path: String) throws {
        let writer = try LinksWriter(
            path: path, generatedAt: Timestamp(microseconds: Clock.now()))
        for link in links { try writer.add(link) }
        _ = try writer.finish()
    }
}

extension LinkSource {
    /// What an answer's Location says.
    var url: String { String(decoding: location, as: UTF8.self) }
    /// The gonggu's page, where those go who come too early or too late.
    var page: String { "\(EdgeBench.frontendURL)/gonggus/\(id)" }
}
