// What the ingest benchmark needs besides shell: a spool as edges leave it after an outage, and the
// schema. The same arguments give the same bytes.

import Glibc
import Linux
import Postgres
import Schema
import Spool

@main
enum IngestBench {
    private static let usage = """
        Usage: IngestBench spool FOLDER EDGE_ID CLICKS LINKS [SECONDS]
               IngestBench lag DATABASE_URL FOLDER EDGE_ID RATE SECONDS LINKS
               IngestBench wait DATABASE_URL EDGE_ID CLICKS
               IngestBench live FOLDER EDGE_ID CLICKS_PER_SECOND LINKS STOP_FILE
               IngestBench migrate DATABASE_URL

        """

    static func main() throws {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "spool" where 6...7 ~= arguments.count:
            guard let clicks = Int(arguments[4]), let links = Int(arguments[5]),
                1...100_000_000 ~= clicks, 1...10_000_000 ~= links
            else { end() }
            var maker = SpoolMaker(clicks: clicks)
            if arguments.count == 7 {
                guard let seconds = Int64(arguments[6]), 1...1_000_000 ~= seconds else { end() }
                maker.spanMicros = seconds * 1_000_000
                maker.startMicros = Clock.now() - maker.spanMicros
            }
            var source = ClickSource(links: links)
            try maker.write(&source, to: arguments[2], edgeID: arguments[3])
        case "live" where arguments.count == 7:
            guard let perSecond = Int(arguments[4]), let links = Int(arguments[5]),
                1...1_000_000 ~= perSecond, 1...10_000_000 ~= links
            else { end() }
            var source = ClickSource(links: links, seed: UInt64(Clock.now()))
            let written = try SpoolMaker.writeLive(
                &source, perSecond: perSecond, until: arguments[6], to: arguments[2],
                edgeID: arguments[3])
            write("\(written)\n", to: STDOUT_FILENO)
        case "lag" where arguments.count == 8:
            guard let rate = Int(arguments[5]), let seconds = Int(arguments[6]),
                let links = Int(arguments[7]), 1...1_000_000 ~= rate, 1...3600 ~= seconds,
                1...10_000_000 ~= links
            else { end() }
            let run = LagRun(
                url: arguments[2], edgeID: arguments[4], rate: rate, seconds: seconds)
            print(try run.run(folder: arguments[3], links: links))
        case "wait" where arguments.count == 5:
            guard let clicks = Int(arguments[4]), 1...100_000_000 ~= clicks else { end() }
            print(try DrainWatch.wait(for: clicks, of: arguments[3], url: arguments[2]))
        case "migrate" where arguments.count == 3:
            _ = try Migrator.migrate(
                Connection(url: arguments[2], applicationName: "IngestBench"))
        default: end()
        }
    }

    private static func end() -> Never {
        write(usage, to: STDERR_FILENO)
        exit(EX_USAGE)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        _ = Array(text.utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
