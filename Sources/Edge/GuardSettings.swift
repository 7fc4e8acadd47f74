import Guards
import Settings

/// What an operator decides about the edge's memory of clicks.
struct GuardSettings {
    /// Where the tables outlive the process.
    let stateDirectory: String
    let dedupeWindowSeconds: Int
    let dedupeEntries: Int
    let floodClicksPerMinute: Int
    /// 0 for no folding.
    let floodRowsPerMinute: Int
    let floodEntries: Int

    /// Declares and reads them.
    init(_ reader: inout SettingsReader, spoolDirectory: String) {
        stateDirectory =
            reader.optionalWritableDirectory(
                "EDGE_STATE_DIRECTORY",
                "Where the tables of windows and floods outlive the process, some 30 MB; if unset, "
                    + "<EDGE_SPOOL_DIR>-state. A tmpfs is as good as a disk")
            ?? GuardSettings.besides(spoolDirectory)
        dedupeWindowSeconds = reader.seconds(
            "DEDUPE_WINDOW_SECONDS", default: 300, in: 1...86_400,
            "A visitor's further clicks on a gonggu within it are duplicates")
        dedupeEntries = reader.integer(
            "DEDUPE_ENTRIES", default: 1 << 20, in: 1 << 10...1 << 30,
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
        if 1..<floodClicksPerMinute ~= floodRowsPerMinute {
            reader.reject(
                "FLOOD_ROWS_PER_MINUTE",
                "must be 0 or no less than FLOOD_CLICKS_PER_MINUTE: only what is held is folded")
        }
    }

    /// Beside the spool, and no other spool's: edges of one name may each have one.
    private static func besides(_ spoolDirectory: String) -> String {
        var path = spoolDirectory
        while path.utf8.count > 1 && path.hasSuffix("/") { path.removeLast() }
        return path + "-state"
    }
}
