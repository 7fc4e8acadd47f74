// When a drain has ended, by the ledger's word. Each question costs the cores that are measured
// half a millisecond, so it is asked often near the end only.

import Linux
import Postgres

/// Watches clicks come into the ledger.
enum DrainWatch {
    private static let pauseMilliseconds = 100
    private static let lastPauseMilliseconds = 15
    private static let patienceMicros: Int64 = 60_000_000

    private static let committed = Statement(
        "bench_drained",
        """
        select coalesce(sum(records), 0)::bigint as records
        from spool_offsets
        where edge_id = $1
        """)

    /// Waits for so many clicks of an edge. - Returns: when they were first seen, µs since 1970.
    /// - Throws: if the ledger fails, or nothing has come for a minute.
    static func wait(for clicks: Int, of edgeID: String, url: String) throws -> Int64 {
        let db = try Connection(url: url, applicationName: "IngestBench")
        var (seen, changed) = (0, Clock.monotonic())
        while true {
            let now: Int = try db.query(committed, [edgeID])[0].get("records")
            if now >= clicks { return Clock.now() }
            if now > seen { (seen, changed) = (now, Clock.monotonic()) }
            guard Clock.monotonic() - changed < patienceMicros else {
                throw Stuck(seen: seen, wanted: clicks)
            }
            Clock.sleep(
                milliseconds: 4 * now < 3 * clicks ? pauseMilliseconds : lastPauseMilliseconds)
        }
    }

    private struct Stuck: Error, CustomStringConvertible {
        let seen: Int
        let wanted: Int

        var description: String { "\(seen) of \(wanted) clicks are stored, and no more come" }
    }
}
