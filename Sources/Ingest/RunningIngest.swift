import Admin
import Glibc
import Linux
import Postgres
import Schema
import Settings
import Spool

/// An Ingest at work: its threads and what they share.
final class RunningIngest: Sendable {
    private let settings: IngestSettings
    private let stopping: WakeSignal
    private let stopped: WakeSignal
    private let admin: AdminServer
    private let threads: [SystemThread]

    /// Takes the spool's lock and the admin port, checks the schema, starts the threads. A database
    /// that is away is waited for by the threads; one of another version is refused here.
    init(_ settings: IngestSettings) throws {
        self.settings = settings
        Signals.ignore(Signals.brokenPipe)
        let intake = try SpoolIntake.open(
            settings.spoolDirectory, edgeID: settings.edgeID,
            quarantineBytesMax: settings.quarantineBytesMax)
        try RunningIngest.checkSchema(settings.databaseURL)
        let countries = Countries(path: settings.geoIPDatabase)
        let gauges = IngestGauges(pumps: PumpTurns.count)
        let feed = LiveFeed()
        let livePublisher = try settings.redisURL.map { try LivePublisher(feed, redisURL: $0) }
        let live = livePublisher == nil ? nil : feed
        let admin = try AdminServer(
            host: settings.adminListen.host, port: settings.adminListen.port,
            routes: IngestReports(
                gauges: gauges, countries: countries, quarantine: intake.quarantine, live: live
            ).routes)
        let turns = PumpTurns(
            intake, keeping: settings.keeping,
            backlogBytes: PumpTurns.backlogBytesPerRecord * settings.batchRecordsMax)
        let pumps = (0..<PumpTurns.count).map { number in
            ClickPump(
                intake: intake, databaseURL: settings.databaseURL,
                batchRecordsMax: settings.batchRecordsMax, number: number, turns: turns,
                countries: countries, gauges: gauges, live: live)
        }
        let upkeep = Upkeep(
            intake: intake, databaseURL: settings.databaseURL, countries: countries,
            gauges: gauges)
        let publisher = LinkPublisher(
            path: settings.linksFile, databaseURL: settings.databaseURL, gauges: gauges)
        let stopping = try WakeSignal()
        self.stopping = stopping
        stopped = try WakeSignal()
        self.admin = admin
        let pumping = pumps.map { pump in
            SystemThread(name: "ingest-clicks") { pump.run(until: stopping) }
        }
        let publishing = livePublisher.map { publisher in
            SystemThread(name: "ingest-live") { publisher.run(until: stopping) }
        }
        threads =
            pumping + (publishing.map { [$0] } ?? []) + [
                SystemThread(name: "ingest-upkeep") { upkeep.run(until: stopping) },
                SystemThread(name: "ingest-links") { publisher.run(until: stopping) },
                SystemThread(name: "ingest-admin") {
                    Log.endOf("admin listener") { try admin.run() }
                },
            ]
    }

    func announce() {
        let listen = ListenAddress(host: settings.adminListen.host, port: admin.port)
        Log.info(
            "ingest started",
            [
                ("admin", "\(listen)"), ("spool", settings.spoolDirectory),
                ("links", settings.linksFile),
            ])
    }

    /// Lets the transactions under way finish, but not for longer than `patienceSeconds`: then the
    /// process ends, which loses nothing, as the ledger knows where to go on.
    func stop(patienceSeconds: Int = 5) {
        stopping.raise()
        admin.stop()
        let stopped = stopped
        let deadline = SystemThread(name: "ingest-deadline") {
            if stopped.wait(milliseconds: patienceSeconds * 1000) { return }
            Log.warning("stopped in the middle of a transaction: the database does not answer")
            exit(EXIT_SUCCESS)
        }
        for thread in threads { thread.join() }
        stopped.raise()
        deadline.join()
    }

    private static func checkSchema(_ url: Secret) throws {
        do {
            let db = try Connection(url: url.text, applicationName: "gonggumoa-ingest-start")
            try Migrator.requireCurrent(db)
        } catch let error as PostgresError where error.isConnectionLost {
            Log.warning("database not there yet", [("reason", "\(error)")])
        }
    }
}
