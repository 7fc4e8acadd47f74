// A batch as PostgreSQL takes it: binary COPY of its clicks and of what they add to the statistics.

import Clicks
import Postgres

extension ClickBatch {
    static let copyClicks = Statement(
        "ingest_copy_clicks",
        """
        copy click_trackings (
            clicked_at, visitor_key, id, gonggu_id, user_id, user_agent_id, referer_id,
            click_count, verdict, rule_set, reason, path, ip_address, channel)
        from stdin (format binary)
        """)

    /// Copies the clicks into their day's partition; it has to be there.
    /// - Parameters: the numbers of the batch's texts, in the order of its tables.
    func copyClicks(userAgentIDs: [Int32], refererIDs: [Int32], to db: Connection) throws {
        let copied = try db.copyIn(ClickBatch.copyClicks) { copy in
            for batched in clicks {
                let click = batched.click
                copy.beginRow(columns: 14)
                copy.writeTimestamp(click.time.microseconds)
                copy.writeInt64(Int64(bitPattern: click.visitorKey))
                copy.writeUUID(high: click.id.high, low: click.id.low)
                copy.writeUUID(high: click.gongguID.high, low: click.gongguID.low)
                if click.userID == .anonymous {
                    copy.writeNull()
                } else {
                    copy.writeUUID(high: click.userID.high, low: click.userID.low)
                }
                copy.writeReference(batched.userAgent, into: userAgentIDs)
                copy.writeReference(batched.referer, into: refererIDs)
                copy.writeInt32(batched.count)
                copy.writeInt16(Int16(click.verdict.rawValue))
                copy.writeInt16(Int16(clamping: click.ruleSet.version))
                copy.writeInt16(Int16(clamping: click.reason))
                copy.writeInt16(Int16(click.path.rawValue))
                copy.writeInet(high: click.address.high, low: click.address.low)
                copy.writeText(channels.texts[Int(batched.channel)])
            }
        }
        precondition(copied == clicks.count, "COPY takes every row or none")
    }

    static let copyDeltas = Statement(
        "ingest_copy_deltas",
        """
        copy click_stats_deltas (gonggu_id, hour, verdict, channel, referer_host, clicks)
        from stdin (format binary)
        """)

    /// Copies what the clicks add to the statistics: one row a line, not one a click.
    func copy(statistics: [StatisticsKey: Int64], to db: Connection) throws {
        _ = try db.copyIn(ClickBatch.copyDeltas) { copy in
            for (key, count) in statistics {
                copy.beginRow(columns: 6)
                copy.writeUUID(high: key.gongguID.high, low: key.gongguID.low)
                copy.writeTimestamp(key.hour.microseconds)
                copy.writeInt16(Int16(key.verdict.rawValue))
                copy.writeText(key.channel)
                copy.writeText(key.refererHost)
                copy.writeInt64(count)
            }
        }
    }
}

extension CopyIn {
    /// The number that a batch's text has in the ledger, null for none.
    fileprivate mutating func writeReference(_ place: Int32, into ids: [Int32]) {
        if place < 0 { writeNull() } else { writeInt32(ids[Int(place)]) }
    }
}
