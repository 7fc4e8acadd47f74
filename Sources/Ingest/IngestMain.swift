import Admin
import Glibc
import Linux
import Settings

/// The edge's sidecar: clicks up into the ledger, links down to the edge.
@main
enum IngestMain {
    static func main() {
        let environment = ProcessEnvironment.current()
        let code =
            RequeueCommand.handle(CommandLine.arguments, environment: environment)
            ?? MaintainCommand.run(CommandLine.arguments, environment: environment)
        if let code { exit(code) }
        var reader = SettingsReader(environment: environment)
        let settings = IngestSettings(&reader)
        let answer = ProgramArguments.handle(
            CommandLine.arguments, program: "Ingest",
            summary: "moves clicks from the edge's spool to PostgreSQL, and links to the edge\n"
                + "(Ingest requeue, maintain and restore are commands with a --help of their own)",
            reader: reader)
        if let answer { exit(answer) }
        do {
            // Before any thread starts, so that all of them leave the signals to this one.
            let signals = try Signals([Signals.terminate, Signals.interrupt])
            let ingest = try RunningIngest(settings)
            ingest.announce()
            let signal = signals.next()
            Log.info("stopping", [("signal", "\(signal)")])
            ingest.stop()
            Log.info("stopped")
        } catch {
            Log.error("ingest could not start", [("reason", "\(error)")])
            exit(EXIT_FAILURE)
        }
    }
}
