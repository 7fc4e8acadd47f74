// HOT: a row a click; measured by Benchmarks/Ingest. A batch as PostgreSQL takes it: binary COPY of
// its clicks and of what they add to the statistics.

import Clicks
import Postgres

extension ClickBatch {
    /// - Parameter day: whose partition the clicks go to, without a look for each row's; nil for
    ///   wherever each belongs.
    static func copyClicks(into day: KoreanDay? = nil) -> Statement {
        let table = day?.clickTable ?? "click_trackings"
        return Statement(
            "ingest_copy_clicks",
            """
            copy \(table) (
                clicked_at, visitor_key, id, gonggu_id, user_id, user_agent_id, referer_id,
                click_count, verdict, rule_set, reason, device, path, ip_address, country, channel)
            from stdin (format binary)
            """)
    }

    /// Numbers that were not known when the rows were made.
    struct Wanted {
        var userAgents: [NumberWanted] = []
        var referers: [NumberWanted] = []
    }

    /// Makes the clicks' rows, in the order of their times.
    func makeRows(_ rows: CopyRows) -> Wanted {
        let order = order
        var wanted = Wanted()
        rows.make { copy in
            if let order {
                for index in order { write(clicks[Int(index)], to: &copy, &wanted) }
            } else {
                for click in clicks { write(click, to: &copy, &wanted) }
            }
        }
        return wanted
    }

    @inline(__always)
    private func write(
        _ batched: BatchedClick, to copy: inout CopyIn, _ wanted: inout Wanted
    ) {
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
        copy.writeNumber(of: batched.userAgent, in: texts.userAgents, &wanted.userAgents)
        copy.writeNumber(of: batched.referer, in: texts.referers, &wanted.referers)
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

extension KoreanDay {
    /// The partition of a day's clicks, as ``IngestQueries/ensurePartition(_:in:)`` makes it.
    var clickTable: String { "click_trackings_\(digits)" }
}

extension CopyIn {
    /// The number that a text has in the ledger, null for none.
    @inline(__always)
    fileprivate mutating func writeNumber(
        of place: Int32, in texts: TextPlaces, _ wanted: inout [NumberWanted]
    ) {
        if place < 0 { return writeNull() }
        let number = texts.number(place)
        if number == 0 { wanted.append(NumberWanted(place: place, offset: nextOffset)) }
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
