import Admin
import Clicks
import Linux
import Spool
import Synchronization

/// What of one worker others may read.
struct WorkerProbe: Sendable {
    let metrics: WorkerMetrics
    let spool: SpoolGauges
    let listener: Listener
}

/// Raised once, when the edge begins to finish.
final class DrainFlag: Sendable {
    private let value = Atomic<Bool>(false)

    var isRaised: Bool { value.load(ordering: .relaxed) }
    func raise() { value.store(true, ordering: .relaxed) }
}

/// What the edge tells operators: whether it lives, whether it may get traffic, what it has done.
struct EdgeReports: Sendable {
    let probes: [WorkerProbe]
    let guards: EdgeGuards
    let memory: EdgeMemory.Report
    let links: LinksWatch
    /// Nil without TLS.
    let certificate: CertificateDesk?
    let isDraining: DrainFlag
    let folder: SpoolFolder
    let allowance: SpoolAllowance

    var routes: [String: @Sendable () -> AdminAnswer] {
        [
            "/healthz": { .probe(unmet: []) },
            "/readyz": { .probe(unmet: unmetConditions) },
            "/metrics": { .metrics(metrics) },
        ]
    }

    private var unmetConditions: [String] {
        var reasons: [String] = []
        if links.table == nil { reasons.append("no links file yet: is Ingest running?") }
        if probes.contains(where: \.spool.isFailing) {
            reasons.append("the spool cannot be written: clicks are answered but not recorded")
        }
        if let stop = allowance.stop {
            reasons.append("clicks are answered but not recorded: \(stop)")
        }
        if isDraining.isRaised { reasons.append("draining") }
        return reasons
    }

    private var metrics: MetricsText {
        var text = MetricsText()
        text.family(
            "edge_clicks_total", .counter, "Clicks judged, by verdict.",
            samples(Verdict.allCases, label: "verdict", \.name.description) { $0.value($1) })
        text.family(
            "edge_responses_total", .counter, "Answers sent, by status.",
            samples(AnswerStatus.allCases, label: "status", \.code.description) { $0.value($1) })
        text.family(
            "edge_events_total", .counter, "What else workers counted.",
            samples(WorkerCounter.allCases, label: "event", \.label) { $0.value($1) })
        text.family(
            "clicks_unrecorded_total", .counter,
            "Clicks answered and not recorded: the spool could not be written, or was full.",
            perWorker { $0.metrics.value(WorkerCounter.clicksUnrecorded) })
        text.family(
            "edge_spool_bytes_total", .counter, "Bytes written to the spool.",
            perWorker { UInt64($0.spool.bytesWritten) })
        text.family(
            "edge_spool_records_total", .counter, "Records written to the spool.",
            perWorker { UInt64($0.spool.recordsWritten) })
        text.family(
            "edge_spool_failing", .gauge, "1 while the spool cannot be written.",
            perWorker { $0.spool.isFailing ? 1 : 0 })
        text.single(
            "edge_dedupe_evictions_total", .counter,
            "Open dedupe windows forgotten for want of room.", guards.dedupe.evictions)
        text.single(
            "edge_flood_evictions_total", .counter,
            "Addresses forgotten within a minute for want of room.", guards.flood.evictions)
        text.single(
            "edge_state_in_files", .gauge,
            "1 while windows and floods outlive the process, 0 without room for their files.",
            memory.isInFiles ? 1 : 0)
        text.single(
            "edge_state_restored_clicks", .gauge,
            "Clicks of the spool that windows and floods were made again from at start.",
            memory.restoredClicks)
        text.single(
            "edge_state_withdrawn_claims", .gauge,
            "Windows taken back at start whose clicks the last process had not written down.",
            memory.withdrawnClaims)
        text.single("edge_links", .gauge, "Links in force.", links.table?.linkCount ?? 0)
        text.single("edge_links_swaps_total", .counter, "Links files adopted.", links.swaps)
        text.single("edge_links_refused_total", .counter, "Links files refused.", links.refusals)
        EdgeGauges(
            probes: probes, guards: guards, links: links, folder: folder, allowance: allowance
        ).add(to: &text)
        guard let certificate else { return text }
        text.single(
            "edge_tls_certificate_expiry_timestamp_seconds", .gauge,
            "When the certificate in force ends, in Unix time.", certificate.expiresAt)
        text.single(
            "edge_tls_reloads_total", .counter, "Certificates adopted after the first.",
            certificate.reloads)
        text.single(
            "edge_tls_reloads_refused_total", .counter,
            "Certificates that could not be used; the one before stayed in force.",
            certificate.refusals)
        return text
    }

    private typealias Sample = (labels: [(name: String, value: String)], value: Double)

    private func samples<Key>(
        _ keys: [Key], label: String, _ name: (Key) -> String,
        _ value: (WorkerMetrics, Key) -> UInt64
    ) -> [Sample] {
        probes.enumerated().flatMap { number, probe in
            keys.map { key in
                (
                    [("worker", "\(number)"), (label, name(key))],
                    Double(value(probe.metrics, key))
                )
            }
        }
    }

    private func perWorker(_ value: (WorkerProbe) -> UInt64) -> [Sample] {
        probes.enumerated().map { ([("worker", "\($0)")], Double(value($1))) }
    }
}

extension WorkerCounter {
    /// The name in metrics.
    fileprivate var label: String {
        switch self {
        case .connectionsAccepted: "connection_accepted"
        case .connectionsClosed: "connection_closed"
        case .connectionsRefused: "connection_refused"
        case .connectionsEvicted: "connection_evicted"
        case .requestTimeouts: "request_timeout"
        case .clicksUnrecorded: "click_unrecorded"
        case .turns: "turn"
        case .handshakes: "tls_handshake"
        case .handshakesResumed: "tls_handshake_resumed"
        case .handshakesFailed: "tls_handshake_failed"
        case .proxyHeadersRefused: "proxy_header_refused"
        case .clicksFolded: "click_folded"
        }
    }
}
