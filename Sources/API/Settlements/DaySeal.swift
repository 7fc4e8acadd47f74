import Clicks
import Crypto
import Postgres

// A sealed day: how many valid clicks each gonggu had, and one hash over all of them. It is made
// once, when the day is over and adjudicated, from one pass over the day's clicks; months are made
// of seals, so drafting and closing cost lines and not clicks. Verification makes the seal again.
//
// The hash is SHA-256 over the stream of a binary COPY (PostgreSQL manual, COPY, "Binary Format")
// of (clicked_at, id, gonggu_id, click_count), header and trailer included, so that anybody with
// psql and sha256sum can make it: Docs/MEASUREMENT.md shows how.

/// What one pass over the valid clicks of a day found.
package struct DayCount: Sendable {
    /// By gonggu; each above 0.
    package var clicks: [Identifier: Int] = [:]
    /// 32 bytes.
    package var sha256: [UInt8] = []
    /// Rows of the ledger, fewer than clicks where floods were folded.
    package var rows = 0

    /// All of them.
    package var total: Int { clicks.values.reduce(0, +) }

    /// Reads and hashes the day. Constant memory but for a number a gonggu; holds a snapshot for
    /// as long as it takes, about a second a million rows.
    package static func make(_ day: KoreanDay, in connection: Connection) throws -> DayCount {
        var tally = ClickTally()
        let rows = try DayStreamQueries.copyOut(day, in: connection) { tally.take($0) }
        precondition(rows == tally.rows, "each row of the stream was counted")
        return tally.finished()
    }
}

/// Hashes pieces of the stream and counts the rows in them.
private struct ClickTally {
    /// 2 for the number of fields, then each field behind its length of 4: the time's 8 bytes, two
    /// identifiers of 16, the count's 4.
    private static let rowBytes = 2 + 12 + 20 + 20 + 8
    private static let gongguOffset = 2 + 12 + 20 + 4
    private static let countOffset = rowBytes - 4
    /// The hash is fed this much at a time.
    private static let blockBytes = 1 << 16

    private(set) var rows = 0
    private var hash = SHA256()
    private var block: [UInt8] = []
    private var slots: [Identifier: Int] = [:]
    private var counts: [Int] = []
    /// Neighbouring clicks are often of one gonggu.
    private var lastGonggu = Identifier(high: 0, low: 0)
    private var lastSlot = -1

    init() {
        block.reserveCapacity(ClickTally.blockBytes + 4096)
    }

    mutating func take(_ piece: UnsafeRawBufferPointer) {
        block.append(contentsOf: piece)
        if block.count >= ClickTally.blockBytes { flush() }
        // The header comes with the first row or by itself, the trailer by itself.
        guard piece.count >= ClickTally.rowBytes else { return }
        let row = UnsafeRawBufferPointer(rebasing: piece.suffix(ClickTally.rowBytes))
        let gonggu = Identifier(
            high: word(row, ClickTally.gongguOffset), low: word(row, ClickTally.gongguOffset + 8))
        let count = Int32(
            bigEndian: row.loadUnaligned(fromByteOffset: ClickTally.countOffset, as: Int32.self))
        rows += 1
        counts[slot(of: gonggu)] += Int(count)
    }

    private mutating func slot(of gonggu: Identifier) -> Int {
        if gonggu == lastGonggu, lastSlot >= 0 { return lastSlot }
        lastGonggu = gonggu
        if let known = slots[gonggu] {
            lastSlot = known
        } else {
            lastSlot = counts.count
            slots[gonggu] = lastSlot
            counts.append(0)
        }
        return lastSlot
    }

    private mutating func flush() {
        block.withUnsafeBytes { hash.update(bufferPointer: $0) }
        block.removeAll(keepingCapacity: true)
    }

    private func word(_ row: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(bigEndian: row.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    mutating func finished() -> DayCount {
        flush()
        return DayCount(
            clicks: slots.mapValues { counts[$0] }, sha256: Array(hash.finalize()), rows: rows)
    }
}

/// Seals days.
package enum DaySealing {
    /// What became of a day.
    package enum Outcome: Equatable, Sendable {
        case sealed(clicks: Int)
        /// It has rows that no finished run has read: adjudicate the day, then seal it again.
        case notAdjudicated(rows: Int)
        /// Nobody clicked on it, ever: it has no partition.
        case empty
        /// Somebody else did it meanwhile.
        case alreadySealed
    }

    /// Freezes the day, sees that all of it is adjudicated, counts and hashes it. Harmless twice.
    package static func seal(_ day: KoreanDay, in connection: Connection) throws -> Outcome {
        guard try DaySealQueries.freeze(day, in: connection) else { return .empty }
        do {
            return try count(day, in: connection)
        } catch let error as PostgresError where error.sqlState == "40001" {
            // Of two that seal one day, the second cannot: the first's seal is what it would be.
            return .alreadySealed
        }
    }

    private static func count(_ day: KoreanDay, in connection: Connection) throws -> Outcome {
        try connection.transaction { connection in
            try connection.run(script: "set transaction isolation level repeatable read")
            let (rows, isAdjudicated) = try DaySealQueries.readiness(of: day, in: connection)
            guard isAdjudicated else { return .notAdjudicated(rows: rows) }
            let count = try DayCount.make(day, in: connection)
            let isNew = try DaySealQueries.seal(day, count, in: connection)
            return isNew ? .sealed(clicks: count.total) : .alreadySealed
        }
    }
}
