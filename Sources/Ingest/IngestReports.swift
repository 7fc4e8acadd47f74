import Admin
import Linux
import Spool

/// What Ingest tells operators: whether it lives, whether both ways are open, what it has moved.
struct IngestReports: Sendable {
    let gauges: IngestGauges
    let countries: Countries
    let quarantine: Quarantine
    var live: LiveFeed?

    var routes: [String: @Sendable () -> AdminAnswer] {
        [
            "/healthz": { .probe(unmet: []) },
            "/readyz": { .probe(unmet: unmetConditions) },
            "/metrics": { .metrics(metrics) },
        ]
    }

    var unmetConditions: [String] {
        let values = gauges.values
        var reasons: [String] = []
        if let problem = values.clicksProblem { reasons.append("clicks do not go up: \(problem)") }
        if let problem = values.spoolProblem { reasons.append("segments left alone: \(problem)") }
        if let problem = values.upkeepProblem { reasons.append("upkeep fails: \(problem)") }
        if let problem = values.linksProblem { reasons.append("links do not go down: \(problem)") }
        return reasons
    }

    private var metrics: MetricsText {
        let values = gauges.values
        var text = MetricsText()
        text.single(
            "ingest_clicks_committed_total", .counter, "Click records committed to the ledger.",
            values.clicksCommitted)
        text.single(
            "ingest_batches_committed_total", .counter, "Transactions that carried clicks.",
            values.batchesCommitted)
        text.single(
            "ingest_delta_rows_total", .counter, "Statistics deltas committed with the clicks.",
            values.linesCommitted)
        text.single(
            "ingest_pending_bytes", .gauge, "Bytes in the spool that the ledger does not have.",
            values.pendingBytes)
        text.single(
            "ingest_lag_seconds", .gauge,
            "Age of the newest committed click while more is waiting, else 0.", lagSeconds(values))
        text.single(
            "ingest_backlog_seconds", .gauge,
            "Since when the oldest closed segment that waits has been whole, else 0.",
            values.oldestMicros.map { max(0, (Clock.now() - $0) / 1_000_000) } ?? 0)
        text.single(
            "ingest_segments_removed_total", .counter, "Segments deleted after their last commit.",
            values.segmentsRemoved)
        text.single(
            "ingest_kept_segments", .gauge,
            "Segments in the ledger, kept while the edge may have to remember their windows.",
            values.segmentsKept)
        text.single(
            "ingest_kept_bytes", .gauge, "Bytes of the kept segments.", values.bytesKept)
        text.single(
            "ingest_segments_dropped_early_total", .counter,
            "Kept segments deleted before their windows were over, for want of room.",
            values.segmentsDroppedEarly)
        text.single(
            "ingest_quarantined_bytes_total", .counter, "Spool bytes that could not be taken up.",
            values.quarantinedBytes)
        text.single(
            "ingest_quarantined_ranges_total", .counter, "Stretches of spool set aside.",
            values.quarantinedRanges)
        text.single(
            "ingest_quarantined_records_total", .counter,
            "Click records set aside, where they could be told apart.", values.quarantinedRecords)
        let quarantined = quarantine.files()
        text.single(
            "ingest_quarantine_files", .gauge, "Files in quarantine.", quarantined.count)
        text.single(
            "ingest_quarantine_bytes", .gauge, "Bytes of these files.",
            quarantined.reduce(0) { $0 + $1.bytes })
        text.single(
            "ingest_quarantine_bytes_max", .gauge,
            "INGEST_QUARANTINE_BYTES_MAX: beyond it segments with damage wait.",
            quarantine.bytesMax)
        text.single(
            "ingest_clicks_known_total", .counter,
            "Click records passed over because the ledger had them.", values.clicksKnown)
        text.single(
            "ingest_texts_lost_total", .counter,
            "User agents and referers of stored clicks that were in damaged frames.",
            values.textsLost)
        text.single(
            "ingest_deltas_folded_total", .counter, "Statistics deltas folded into hours.",
            values.deltasFolded)
        values.links.write(to: &text)
        values.commitSeconds.write(
            "ingest_batch_seconds", "From a batch's look-ups to its commit.", to: &text)
        text.single(
            "ingest_deltas_unfolded", .gauge, "Statistics deltas that may not be folded yet.",
            values.unfolded)
        text.single(
            "ingest_flood_clicks_unflagged_total", .counter,
            "Flood clicks whose addresses were too many in a batch to open flags for.",
            values.floodClicksLeftOut)
        let report = countries.report
        text.single(
            "ingest_geoip_nodes", .gauge, "Nodes of the country table in use, 0 if there is none.",
            report.nodes)
        text.single(
            "ingest_geoip_loads_total", .counter, "Country tables loaded.", report.loads)
        text.single(
            "ingest_geoip_failures_total", .counter, "GEOIP_DATABASE files that were refused.",
            report.failures)
        text.single(
            "ingest_failures_total", .counter, "Rounds that failed and were tried again.",
            values.failures)
        if let live { write(live.tally, to: &text) }
        return text
    }

    private func write(_ live: LiveFeed.Tally, to text: inout MetricsText) {
        text.single(
            "ingest_live_up", .gauge, "Whether Redis took what live views were last told.",
            live.isConnected ? 1 : 0)
        text.single(
            "ingest_live_messages_total", .counter, "Messages to live views, one a gonggu.",
            live.messages)
        text.single(
            "ingest_live_waiting", .gauge, "Gonggus whose clicks wait to be told.",
            live.gonggusWaiting)
        text.single(
            "ingest_live_clicks_dropped_total", .counter,
            "Clicks in the ledger that live views were not told of, Redis being away.",
            live.clicksDropped)
        text.single(
            "ingest_live_clicks_late_total", .counter,
            "Clicks that live views were not told of, being older than a minute.",
            live.clicksLate)
    }

    private func lagSeconds(_ values: IngestGauges.Values) -> Int64 {
        guard values.pendingBytes > 0, let last = values.lastClickMicros else { return 0 }
        return max(0, (Clock.now() - last) / 1_000_000)
    }
}
