// What of the edge is looked at when somebody asks, not counted as it happens: queues, tables and
// the spool's folder. A scrape costs the admin thread some file status calls and a look at a
// thousandth of the shared tables, and the workers nothing.

import Admin
import Clicks
import Linux
import Spool

/// The part of a scrape that says whether the edge keeps up and how much room is left.
struct EdgeGauges {
    let probes: [WorkerProbe]
    let guards: EdgeGuards
    let links: LinksWatch
    let folder: SpoolFolder
    let allowance: SpoolAllowance

    func add(to text: inout MetricsText) {
        addTurns(to: &text)
        addConnections(to: &text)
        addSpool(to: &text)
        addLinks(to: &text)
        addTables(to: &text)
    }

    // MARK: Workers

    private func addTurns(to text: inout MetricsText) {
        text.histogram(
            "edge_turn_seconds",
            "From a worker's waking to its last answer sent, one observation a turn.",
            bounds: TurnMetrics.durationBounds,
            probes.enumerated().map { number, probe in
                let seen = probe.metrics.turns.durations
                return ([("worker", "\(number)")], seen.counts, seen.sum)
            })
        text.histogram(
            "edge_turn_ready_descriptors",
            "Descriptors ready when a worker woke: its queue, one observation a turn.",
            bounds: TurnMetrics.eventBounds,
            probes.enumerated().map { number, probe in
                let seen = probe.metrics.turns.events
                return ([("worker", "\(number)")], seen.counts, seen.sum)
            })
    }

    private func addConnections(to text: inout MetricsText) {
        var samples: [(labels: MetricsText.Labels, value: Double)] = []
        for (number, probe) in probes.enumerated() {
            for wait in Wait.allCases {
                let labels = [("worker", "\(number)"), ("wait", wait.label)]
                samples.append((labels, Double(probe.metrics.turns.connections(wait))))
            }
        }
        text.family(
            "edge_connections", .gauge, "Open connections, by what they wait for.", samples)
        let queues = probes.enumerated().compactMap { number, probe in
            probe.listener.queue.map { ("\(number)", $0) }
        }
        text.family(
            "edge_accept_queue", .gauge, "Connections that no worker has taken yet.",
            queues.map { ([("worker", $0)], Double($1.waiting)) })
        text.family(
            "edge_accept_queue_max", .gauge,
            "So many may wait; beyond it the kernel drops those who come.",
            queues.map { ([("worker", $0)], Double($1.most)) })
    }

    // MARK: Spool

    /// Ingest keeps a closed segment for the window and two minutes after its last click, since a
    /// restart may need it, and longer only if it has not taken it: then it is overdue. How far
    /// Ingest is in the others only its own metrics know.
    private static let keptBeyondWindowSeconds = 120

    private func addSpool(to text: inout MetricsText) {
        let kept = max(guards.dedupe.windowSeconds, 60) + EdgeGauges.keptBeyondWindowSeconds
        let glance = SpoolGlance(of: folder.path, now: Clock.now(), keptSeconds: kept)
        let states = [
            ("open", glance.open), ("closed", glance.closed), ("overdue", glance.overdue),
        ]
        text.family(
            "edge_spool_segments", .gauge,
            "Segments in the folder: being written, closed, and closed for so long that Ingest "
                + "should have deleted them.",
            states.map { ([("state", $0)], $1.count) })
        text.family(
            "edge_spool_segment_bytes", .gauge, "Bytes of these segments.",
            states.map { ([("state", $0)], $1.bytes) })
        text.family(
            "edge_spool_lag_seconds", .gauge,
            "For how long the oldest segment has been overdue; 0 without one.",
            [([], glance.lagSeconds)])
        if let free = File.freeBytes(at: folder.path) {
            text.single(
                "edge_spool_free_bytes", .gauge, "Room left on the spool's file system.", free)
        }
        text.single(
            "edge_spool_bytes_held", .gauge,
            "Bytes of all segments when the bound was last looked after.",
            allowance.glance.bytes)
        text.single(
            "edge_spool_bytes_max", .gauge, "SPOOL_BYTES_MAX: beyond it nothing is recorded.",
            allowance.bounds.bytesMax)
        text.single(
            "edge_spool_free_bytes_min", .gauge,
            "SPOOL_DISK_FREE_MIN: with less room nothing is recorded.",
            allowance.bounds.diskFreeMin)
        text.single(
            "edge_spool_stopped", .gauge, "1 while nothing is recorded because of these bounds.",
            allowance.hasStopped ? 1 : 0)
        text.single(
            "edge_spool_stops_total", .counter, "How often recording has stopped so.",
            allowance.stopCount)
    }

    // MARK: Tables

    private func addLinks(to text: inout MetricsText) {
        text.family(
            "edge_links_swap_seconds_total", .counter,
            "Time that adopting links files took, off the workers.", [([], links.swapSeconds)])
        guard let table = links.table else { return }
        text.single(
            "edge_links_bytes", .gauge, "Bytes of the links file in force.", table.fileBytes)
        text.family(
            "edge_links_generated_timestamp_seconds", .gauge,
            "When the links file in force was written, since 1970.",
            [([], Double(table.generatedAt.microseconds) / 1e6)])
        text.family(
            "edge_links_info", .gauge,
            "Always 1; the checksum is the same wherever the same links are in force.",
            [([("checksum", String(table.contentChecksum, radix: 16))], 1)])
    }

    private func addTables(to text: inout MetricsText) {
        let now = Clock.now()
        text.single(
            "edge_dedupe_entries_max", .gauge, "Windows that may be open at once.",
            guards.dedupe.entries)
        text.single(
            "edge_dedupe_entries", .gauge, "Open windows, estimated from a sample of the table.",
            guards.dedupe.openWindows(now: now))
        text.single(
            "edge_flood_entries_max", .gauge, "Addresses that may be remembered at once.",
            guards.flood.entries)
        text.single(
            "edge_flood_entries", .gauge,
            "Addresses of the last minute, estimated from a sample of the table.",
            guards.flood.activeAddresses(now: now))
    }
}

/// What lies in the spool's folder at one moment.
struct SpoolGlance {
    private(set) var open = (count: 0.0, bytes: 0.0)
    private(set) var closed = (count: 0.0, bytes: 0.0)
    private(set) var overdue = (count: 0.0, bytes: 0.0)
    private(set) var lagSeconds = 0.0

    /// - Parameters:
    ///   - folder: one that cannot be read has nothing in it; readiness says more.
    ///   - now: microseconds since 1970.
    ///   - keptSeconds: a closed segment is overdue so long after it was last written to.
    init(of folder: String, now: Int64, keptSeconds: Int) {
        let names = ((try? File.list(folder)) ?? []).compactMap { SegmentName($0) }
        // The newest of each worker decides what is closed; asking each of all would be quadratic
        // in a folder that has filled for days.
        var newest: [Int: SegmentName] = [:]
        for name in names where newest[name.worker].map({ $0 < name }) ?? true {
            newest[name.worker] = name
        }
        for name in names {
            // Nil: Ingest has deleted it since.
            guard let file = File.identity(of: "\(folder)/\(name)") else { continue }
            let bytes = Double(file.bytes)
            guard name.isClosed(among: newest.values) else {
                open = (open.count + 1, open.bytes + bytes)
                continue
            }
            let lag = Double(now - file.modifiedMicros) / 1e6 - Double(keptSeconds)
            guard lag > 0 else {
                closed = (closed.count + 1, closed.bytes + bytes)
                continue
            }
            overdue = (overdue.count + 1, overdue.bytes + bytes)
            lagSeconds = max(lagSeconds, lag)
        }
    }
}

extension Wait {
    /// The name in metrics.
    fileprivate var label: String {
        switch self {
        case .idle: "next_request"
        case .request: "rest_of_request"
        case .drain: "peer_reading"
        case .linger: "peer_closing"
        }
    }
}
