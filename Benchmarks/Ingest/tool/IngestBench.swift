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
        Usage: IngestBench spool FOLDER EDGE_ID CLICKS LINKS
               IngestBench lag DATABASE_URL FOLDER EDGE_ID RATE SECONDS LINKS
               IngestBench migrate DATABASE_URL

        """

    static func main() throws {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "spool" where arguments.count == 6:
            guard let clicks = Int(arguments[4]), let links = Int(arguments[5]),
                1...100_000_000 ~= clicks, 1...10_000_000 ~= links
            else { end() }
            try SpoolMaker(clicks: clicks, links: links)
                .write(to: arguments[2], edgeID: arguments[3])
        case "lag" where arguments.count == 8:
            guard let rate = Int(arguments[5]), let seconds = Int(arguments[6]),
                let links = Int(arguments[7]), 1...1_000_000 ~= rate, 1...3600 ~= seconds,
                1...10_000_000 ~= links
            else { end() }
            let run = LagRun(
                url: arguments[2], edgeID: arguments[4], rate: rate, seconds: seconds)
            print(try run.run(folder: arguments[3], links: links))
        case "migrate" where arguments.count == 3:
            _ = try Migrator.migrate(
                Connection(url: arguments[2], applicationName: "IngestBench"))
        default: end()
        }
    }

    private static func end() -> Never {
        _ = Array(usage.utf8).withUnsafeBytes {
            Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count)
        }
        exit(EX_USAGE)
    }
}
