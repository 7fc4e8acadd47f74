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
