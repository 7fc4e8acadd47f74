import Admin
import Glibc
import Linux
import Settings

/// The click-tracking edge: answers links, judges clicks, writes them down.
@main
enum EdgeMain {
    static func main() {
        var reader = SettingsReader(environment: ProcessEnvironment.current())
        let settings = EdgeSettings(&reader, cores: Processors.online)
        let answer = ProgramArguments.handle(
            CommandLine.arguments, program: "Edge",
            summary: "redirects shoppers and records each click exactly once", reader: reader)
        if let answer { exit(answer) }
        do {
            // Before any thread starts, so that all of them leave the signals to this one.
            let signals = try Signals([Signals.terminate, Signals.interrupt, Signals.hangUp])
            let edge = try RunningEdge(settings)
            edge.announce()
            var signal = signals.next()
            while signal == Signals.hangUp {
                edge.reload()
                signal = signals.next()
            }
            Log.info("draining", [("signal", "\(signal)")])
            edge.stop()
            Log.info("stopped")
        } catch {
            Log.error("edge could not start", [("reason", "\(error)")])
            exit(EXIT_FAILURE)
        }
    }
}
