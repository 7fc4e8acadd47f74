import Clicks
import Guards
import Judging

/// A named version of the rules: numbers of its own, and lists that the program brings.
package struct AdjudicationRules: Equatable, Sendable {
    package let version: Int
    package let name: String
    /// How long a valid click makes further ones of its visitor duplicates.
    package let windowSeconds: Int
    /// More within a minute are a flood.
    package let floodClicksPerMinute: Int
    /// The version of the bot table.
    package let botTable: Int
    /// The version of the list of hosting networks.
    package let datacenters: String

    package init(
        version: Int, name: String, windowSeconds: Int, floodClicksPerMinute: Int, botTable: Int,
        datacenters: String
    ) {
        self.version = version
        self.name = name
        self.windowSeconds = windowSeconds
        self.floodClicksPerMinute = floodClicksPerMinute
        self.botTable = botTable
        self.datacenters = datacenters
    }

    /// By which this build's edge judges, with its settings as they come.
    static let edgeName = "standard-\(RuleSet.current.version)"

    /// How far before a click the past goes that it is judged by.
    package var pastSeconds: Int { max(windowSeconds, Int(ExactMinutes.windowSeconds)) }

    /// Whether this build has the lists; without them it must not say what they would.
    package var isKnownHere: Bool {
        botTable == Int(BotTable.current.version)
            && datacenters == DatacenterNetworks.embedded.version
    }

    static let schema = Schema<AdjudicationRules>(
        "RuleSet",
        [
            Field("name", nameValue, \.name),
            Field("version", .integer(1...Int(Int16.max)), \.version, example: 3),
            Field(
                "window_seconds", .integer(1...86_400), \.windowSeconds,
                about: Wording("중복 판정 시간", "How long further clicks are duplicates"),
                example: 300),
            Field(
                "flood_clicks_per_minute", .integer(1...1_000_000), \.floodClicksPerMinute,
                about: Wording("1분당 허용 클릭", "More of an address within a minute are held"),
                example: 60),
            Field("bot_table", .integer(1...Int(Int16.max)), \.botTable, example: 3),
            Field("datacenters", .verbatim(example: "2026-11-21"), \.datacenters),
        ])

    /// As the table's constraint has it.
    static var nameValue: Schema<String> {
        .formed(1...40, pattern: "^[a-z0-9][a-z0-9.-]*$", example: edgeName) { text in
            text.utf8.allSatisfy { byte in
                byte &- 0x61 < 26 || byte &- 0x30 < 10 || byte == 0x2E || byte == 0x2D
            } && text.utf8.first != 0x2E && text.utf8.first != 0x2D
        }
    }
}
