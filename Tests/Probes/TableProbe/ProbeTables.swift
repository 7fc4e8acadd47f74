import Clicks
import Guards
import Linux
import Synchronization

/// What the probe and the test that kills it agree on: the tables, and what each step does.
package enum ProbeTables {
    package static let start: Int64 = 1_700_000_000_000_000
    package static let floodKeys: UInt64 = 64
    package static let folds: UInt64 = 40
    private static let windowSeconds = 300

    /// Opens the table of that name in the folder, as the edge would.
    package static func open(_ name: String, _ folder: String) throws -> SharedMapping {
        let form =
            switch name {
            case "dedupe":
                SharedMapping.Form(
                    name: "DEDUPE01", version: DedupeWindow.layoutVersion,
                    payloadBytes: DedupeWindow.tableBytes(entriesMin: 1 << 20),
                    parameters: [UInt64(windowSeconds)])
            case "flood":
                SharedMapping.Form(
                    name: "FLOODGRD", version: FloodGuard.layoutVersion,
                    payloadBytes: FloodGuard.tableBytes(entriesMin: 1 << 12))
            case "fold":
                SharedMapping.Form(
                    name: "FOLDTABL", version: FoldTable.layoutVersion,
                    payloadBytes: FoldTable.tableBytes(entriesMin: 256))
            default:
                SharedMapping.Form(name: "PROGRESS", version: 1, payloadBytes: 4096)
            }
        return try SharedMapping(path: folder + "/" + name, form: form, boot: .current())
    }

    package static func window(_ table: SharedMapping) -> DedupeWindow {
        DedupeWindow(
            windowSeconds: windowSeconds, memory: TableMemory(table.payload, keptBy: table))
    }

    package static func flood(_ table: SharedMapping) -> FloodGuard {
        FloodGuard(
            clicksPerMinuteMax: 60, rowsPerMinuteMax: 600,
            memory: TableMemory(table.payload, keptBy: table))
    }

    /// The last step that is done.
    package static func progress(_ mapping: SharedMapping) -> UnsafeMutablePointer<Atomic<UInt64>> {
        mapping.payload.baseAddress!.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// A new key each step, spread as a hash would be.
    package static func key(_ step: UInt64) -> UInt64 {
        let mixed = (step ^ step << 21) &* 0xBF58_476D_1CE4_E5B9
        return (mixed ^ mixed >> 29) &* 0x94D0_49BB_1331_11EB
    }

    /// Claims are 10 ms apart: 30,000 are in a window.
    package static func claimTime(_ step: UInt64) -> Int64 { start + Int64(step) * 10_000 }

    /// Floods are 100 µs apart, each from the next address.
    package static func floodTime(_ step: UInt64) -> Int64 { start + Int64(step) * 100 }

    /// All in one second, each on the next link.
    package static func click(_ step: UInt64) -> Click {
        Click(
            id: Identifier(high: 7, low: step),
            gongguID: Identifier(high: 1, low: step % folds),
            time: Timestamp(microseconds: start), visitorKey: 9,
            address: NetworkAddress(ipv4: 0x0102_0304), verdict: .flood, path: .redirect)
    }
}
