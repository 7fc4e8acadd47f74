// HOT: a row a click; measured by Benchmarks/Ingest. A batch as PostgreSQL takes it: binary COPY of
// its clicks and of what they add to the statistics.

import Clicks
import Postgres

extension ClickBatch {
    static let copyClicks = Statement(
        "ingest_copy_clicks",
        """
        copy click_trackings (
            clicked_at, visitor_key, id, gonggu_id, user_id, user_agent_id, referer_id,
            click_count, verdict, rule_set, reason, device, path, ip_address, country, channel)
        from stdin (format binary)
        """)

    /// Makes the clicks' rows, in the order of their times; the texts' numbers have to be there.
    func makeRows(_ rows: CopyRows) {
        let order = order
        rows.make { copy in
            if let order {
                for index in order { write(clicks[Int(index)], to: &copy) }
            } else {
                for click in clicks { write(click, to: &copy) }
            }
        }
    }

    /// Copies the clicks into their days' partitions, which have to be there.
    /// - Parameter rows: those that ``makeRows(_:)`` made of this batch.
    func copyClicks(_ rows: CopyRows, to db: Connection) throws {
        let copied = try db.copyIn(ClickBatch.copyClicks, rows: rows)
        precondition(copied == clicks.count, "COPY takes every row or none")
    }

    @inline(__always)
    private func write(_ batched: BatchedClick, to copy: inout CopyIn) {
        let click = batched.click
        copy.beginRow(columns: 16)
        copy.writeTimestamp(click.time.microseconds)
        copy.writeInt64(Int64(bitPattern: click.visitorKey))
        copy.writeUUID(high: click.id.high, low: click.id.low)
        copy.writeUUID(high: click.gongguID.high, low: click.gongguID.low)
        if click.userID == .anonymous {
            copy.writeNull()
        } else {
            copy.writeUUID(high: click.userID.high, low: click.userID.low)
        }
        copy.writeNumber(of: batched.userAgent, in: texts.userAgents)
        copy.writeNumber(of: batched.referer, in: texts.referers)
        copy.writeInt32(batched.count)
        copy.writeInt16(Int16(click.verdict.rawValue))
        copy.writeInt16(Int16(clamping: click.ruleSet.version))
        copy.writeInt16(Int16(clamping: click.reason))
        copy.writeInt16(Int16(batched.device))
        copy.writeInt16(Int16(click.path.rawValue))
        copy.writeInet(high: click.address.high, low: click.address.low)
        copy.writeLetters(batched.country)
        copy.write(batched.channel, of: texts.channels)
    }
}

extension CopyIn {
    /// The number that a text has in the ledger, null for none.
    @inline(__always)
    fileprivate mutating func writeNumber(of place: Int32, in texts: TextPlaces) {
        if place < 0 { return writeNull() }
        let number = texts.number(place)
        precondition(number != 0, "a text has its number before its clicks are copied")
        writeInt32(number)
    }

    @inline(__always)
    fileprivate mutating func write(_ place: Int32, of texts: TextPlaces) {
        if let bytes = texts.plainBytes(place) {
            writeText(bytes)
        } else {
            writeText(texts.text(place))
        }
    }
}
