import Clicks
import Hummingbird
import NIOCore
import Postgres

// All clicks of a period, of any number, in the memory of one page. Pages are read by keyset, each
// on a connection of its own for as long as the query takes: a client that takes an hour to read
// holds neither a connection nor a snapshot. Clicks are never changed, so page after page is each
// click once; one that is committed late, before the place that was reached, is not in it.

/// The body of an export.
struct ClickCSV: Sendable {
    let pool: ConnectionPool
    let wish: ClickListQueries.Wish
    let showsWholeAddress: Bool

    /// Some 400 KB of text.
    static let pageRows = 2000

    static let header =
        "click_id,clicked_at,gonggu_id,verdict,is_paid,edge_verdict,rule,rule_set,is_adjudicated,"
        + "count,visitor,ip_address,country,device,channel,referer_host,os,browser,in_app\r\n"

    /// Fails in the middle if the database does: the client sees that the body does not end.
    var body: ResponseBody {
        ResponseBody { writer in
            try await writer.write(ByteBuffer(string: ClickCSV.header))
            var cursor: ClickCursor?
            while true {
                let after = cursor
                let clicks = try await pool.transaction { connection in
                    try ClickListQueries.oldest(
                        wish, after: after, limit: ClickCSV.pageRows, in: connection)
                }
                if !clicks.isEmpty { try await writer.write(buffer(clicks)) }
                guard clicks.count == ClickCSV.pageRows, let last = clicks.last else { break }
                cursor = last.cursor
            }
            try await writer.finish(nil)
        }
    }

    private func buffer(_ clicks: [ClickItem]) -> ByteBuffer {
        var text = ""
        text.reserveCapacity(clicks.count * 200)
        for click in clicks {
            let address =
                click.address.map { showsWholeAddress ? "\($0)" : $0.masked } ?? ""
            let cells = [
                "\(click.id)", click.time.rfc3339(), "\(click.gonggu)", "\(click.verdict.name)",
                click.verdict.isBillable ? "true" : "false", "\(click.edgeVerdict.name)",
                "\(click.reason)", "\(click.ruleSet)", click.isAdjudicated ? "true" : "false",
                "\(click.count)", click.visitorText, address, click.country, click.device.name,
                click.channel, click.refererHost, click.os, click.browser, click.inApp,
            ]
            for (index, cell) in cells.enumerated() {
                if index > 0 { text += "," }
                text += CSVText.cell(cell)
            }
            text += "\r\n"
        }
        return ByteBuffer(string: text)
    }
}

/// Cells of RFC 4180.
enum CSVText {
    /// Quoted where it must be. A spreadsheet takes what begins like a formula for one, and clients
    /// choose channels and referers, so that gets an apostrophe before it.
    static func cell(_ text: String) -> String {
        var text = text
        if let first = text.utf8.first, formulaStarts.contains(first) { text = "'" + text }
        guard text.utf8.contains(where: { needQuotes.contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    private static let formulaStarts = Array("=+-@\t\r".utf8)
    private static let needQuotes = Array(",\"\r\n".utf8)
}
