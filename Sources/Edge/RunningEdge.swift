import Admin
import Linux
import Settings
import Spool

/// An edge at work: its threads and what they share. Made whole or not at all.
final class RunningEdge: Sendable {
    private let settings: EdgeSettings
    private let inboxes: [WorkerInbox]
    private let threads: [SystemThread]
    private let sync: SpoolSync
    private let spoolWatch: SpoolWatch
    /// Holds its lock.
    private let stateFolder: StateFolder?
    private let links: LinksWatch
    private let certificate: CertificateDesk?
    private let admin: AdminServer
    private let adminThread: SystemThread
    private let watchThread: SystemThread
    private let spoolThread: SystemThread
    /// Where shoppers' requests arrive; the kernel may have chosen it.
    let port: UInt16
    /// Where they arrive by TLS; nil without a certificate.
    let tlsPort: UInt16?
    private let isDraining: DrainFlag

    /// Binds, opens and starts everything. Listeners come first: a taken port must not leave files
    /// behind.
    init(_ settings: EdgeSettings, patience: Patience = Patience()) throws {
        self.settings = settings
        RunningEdge.prepareProcess()
        let listeners = try RunningEdge.listeners(settings.listen, count: settings.workers)
        port = listeners[0].port
        let secureListeners = try settings.tls.map {
            try RunningEdge.listeners($0.listen, count: settings.workers)
        }
        tlsPort = secureListeners?[0].port
        let folder = try SpoolFolder.open(
            settings.spoolDirectory, edgeID: settings.edgeID, nowMicros: Clock.now())
        let sync = try SpoolSync(policy: settings.syncPolicy) { error in
            Log.error("spool not synced", [("reason", "\(error)")])
        }
        let memory = try EdgeMemory(settings, spool: folder, now: Clock.now())
        let guards = memory.guards
        let inboxes = try listeners.map { _ in try WorkerInbox() }
        let links = try LinksWatch(path: settings.linksFile, inboxes: inboxes)
        let certificate = settings.tls.map {
            CertificateDesk($0.files, $0.credentials, inboxes: inboxes)
        }
        let shared = SharedDesk(settings, guards, links: links.table)
        let (writers, spoolWatch) = try RunningEdge.writers(settings, folder: folder, sync: sync)
        var probes: [WorkerProbe] = []
        let workers = try listeners.indices.map { number in
            let writer = writers[number]
            let probe = WorkerProbe(
                metrics: WorkerMetrics(), spool: writer.gauges, listener: listeners[number])
            probes.append(probe)
            if number == 0 { memory.writeLeftovers(to: writer) }
            let own = memory.part(of: number)
            let desk = ClickDesk(
                shared, spool: writer, folds: own.folds, metrics: probe.metrics,
                seed: Randomness.words(1)[0])
            let entrance = Entrance(
                secureListener: secureListeners?[number], credentials: settings.tls?.credentials,
                expectsProxyHeader: settings.proxyProtocol == .v2,
                trusted: settings.trustedProxies)
            return try WorkerThread(
                listener: listeners[number], entrance: entrance, inbox: inboxes[number],
                desk: desk, spool: writer, memory: own, metrics: probe.metrics,
                connectionsMax: max(16, settings.connectionsMax / settings.workers),
                patience: patience)
        }
        let isDraining = DrainFlag()
        let reports = EdgeReports(
            probes: probes, guards: guards, memory: memory.report, links: links,
            certificate: certificate, isDraining: isDraining, folder: folder,
            allowance: spoolWatch.allowance)
        let admin = try AdminServer(
            host: settings.adminListen.host, port: settings.adminListen.port,
            routes: reports.routes)
        self.inboxes = inboxes
        stateFolder = memory.folder
        self.sync = sync
        self.spoolWatch = spoolWatch
        self.links = links
        self.certificate = certificate
        self.admin = admin
        self.isDraining = isDraining
        // Nothing can fail from here on.
        threads = workers.enumerated().map { $1.start(name: "edge-worker-\($0)") }
        watchThread = SystemThread(name: "edge-links") {
            Log.endOf("links watch") { try links.run() }
        }
        spoolThread = SystemThread(name: "edge-spool") { spoolWatch.run() }
        adminThread = SystemThread(name: "edge-admin") {
            Log.endOf("admin listener") { try admin.run() }
        }
    }

    private static func prepareProcess() {
        Signals.ignore(Signals.brokenPipe)
        Signals.ignore(Signals.fileTooLarge)
        // Shells and units commonly allow 1,024 until asked.
        DescriptorLimit.raise()
    }

    var adminPort: UInt16 { admin.port }

    /// Tells the addresses, which the kernel may have chosen.
    func announce() {
        let listen = ListenAddress(host: settings.listen.host, port: port)
        let adminListen = ListenAddress(host: settings.adminListen.host, port: adminPort)
        var addresses = [("listen", "\(listen)")]
        if let tls = settings.tls, let tlsPort {
            addresses.append(("tls", "\(ListenAddress(host: tls.listen.host, port: tlsPort))"))
        }
        Log.info(
            "edge started",
            addresses + [
                ("admin", "\(adminListen)"), ("workers", "\(settings.workers)"),
                ("spool", settings.spoolDirectory),
            ])
    }

    /// Reads again what may change while the edge runs: the certificate and its key.
    func reload() {
        guard let certificate else { return Log.info("nothing to reload: no certificate is set") }
        certificate.reload()
    }

    /// Finishes what is under way, puts every record on the disk, and returns within seconds.
    func stop() {
        isDraining.raise()
        for inbox in inboxes { inbox.sendDrain() }
        for thread in threads { thread.join() }
        sync.stop()
        spoolWatch.stop()
        spoolThread.join()
        links.stop()
        watchThread.join()
        admin.stop()
        adminThread.join()
    }

    /// A writer a worker, and what all of them may still write. A segment is a small part of the
    /// spool's bound, whatever its setting, since it takes up its room until it is deleted whole.
    private static func writers(
        _ settings: EdgeSettings, folder: SpoolFolder, sync: SpoolSync
    ) throws(SystemError) -> ([SpoolWriter], SpoolWatch) {
        var spool = settings.spool
        let share = max(64 << 10, settings.spoolBounds.bytesMax / (8 * settings.workers))
        spool.segmentBytesMax = min(spool.segmentBytesMax, share)
        let writers = (0..<settings.workers).map {
            SpoolWriter(folder: folder, worker: $0, settings: spool, sync: sync)
        }
        let allowance = SpoolAllowance(
            settings.spoolBounds, folder: folder.path, gauges: writers.map(\.gauges))
        for writer in writers { writer.keep(to: allowance) }
        return (writers, try SpoolWatch(allowance))
    }

    private static func listeners(
        _ address: ListenAddress, count: Int
    ) throws(SystemError) -> [Listener] {
        let first = try Listener(host: address.host, port: address.port, sharesPort: true)
        var all = [first]
        for _ in 1..<count {
            all.append(try Listener(host: address.host, port: first.port, sharesPort: true))
        }
        return all
    }
}
