import Clicks
import Glibc
import Linux
import Postgres
import Spool
import TestSupport

/// Something that is not as promised after a death.
package struct Difference: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) { self.description = description }
}

/// The books of a world, through all its deaths: answered = stored, each once; statistics,
/// counters, flags and offsets equal to rows; nothing in quarantine, nothing left in the spool.
struct DeathBooks {
    /// Rows of shoppers in all rounds before this one.
    private var rowsBefore = 0
    private var attacksSent = 0
    private var attacksAnswered = 0

    /// Answered clicks that may be missing, since the edge has said that it did not record them.
    struct Allowance {
        var unrecorded = 0
        /// Whether the edge has lived through the round, so that what it counted is exact.
        var isExact = false
    }

    static let patienceSeconds = 30.0

    /// Waits until everything that was answered is stored and the spool is drained, then checks the
    /// rest.
    mutating func close(
        _ round: Int, _ books: ShopperBooks, _ allowance: Allowance, in world: DeathWorld
    ) throws {
        guard books.wrong.isEmpty else {
            throw Difference("\(books.wrong.count) wrong answers, first: \(books.wrong[0])")
        }
        attacksSent += books.attacksSent
        attacksAnswered += books.attacksAnswered
        let deadline = Clock.monotonic() + Int64(DeathBooks.patienceSeconds * 1e6)
        while let problem = try DeathBooks.tolerant({ try waiting(in: world) }) {
            guard Clock.monotonic() < deadline else { throw Difference(problem) }
            Clock.sleep(milliseconds: 10)
        }
        let ledger = try world.ledger()
        let stored = try ledger.clicks(ofRound: round)
        try compare(stored, books, allowance, round)
        rowsBefore += stored.count
        try compare(try ledger.totals(), try ledger.statisticsDifferences())
        let quarantine = world.files(in: world.spool + "/quarantine")
        guard quarantine.isEmpty else { throw Difference("in quarantine: \(quarantine)") }
    }

    /// A question whose connection a death has ended is asked again.
    static func tolerant(_ body: () throws -> String?) throws -> String? {
        do {
            return try body()
        } catch let error as PostgresError where error.isConnectionLost {
            return "\(error)"
        }
    }

    /// What is still under way; nil if nothing is.
    private func waiting(in world: DeathWorld) throws -> String? {
        let ledger = try world.ledger()
        let names = world.files(in: world.spool).compactMap { SegmentName($0) }.sorted()
        let offsets = try ledger.offsets()
        for name in names {
            guard let file = File.identity(of: "\(world.spool)/\(name)") else { continue }
            let committed = offsets["\(name)"] ?? 0
            if file.bytes > SpoolFormat.segmentHeaderBytes && committed < file.bytes {
                return "\(name): \(committed) of \(file.bytes) bytes are in the ledger"
            }
            if committed > file.bytes {
                throw Difference("\(name): offset \(committed) beyond its \(file.bytes) bytes")
            }
            if !world.settings.keepsSegments && name.isClosed(among: names) {
                return "\(name) is consumed and not deleted"
            }
        }
        let attacks = try ledger.totals().attacks
        if attacks < attacksAnswered {
            return "\(attacks) clicks of the attacker, \(attacksAnswered) answered"
        }
        return nil
    }

    private func compare(
        _ stored: [DeathLedger.StoredClick], _ books: ShopperBooks, _ allowance: Allowance,
        _ round: Int
    ) throws {
        var ids: [Int: String] = [:]
        for click in stored {
            guard ids.updateValue(click.id, forKey: click.number) == nil else {
                throw Difference("click \(click.number) of round \(round) is stored twice")
            }
            guard 0..<books.sent ~= click.number, click.count == 1 else {
                throw Difference("click \(click.number) × \(click.count) was never sent")
            }
            guard click.referer == Shoppers.referer(click.number) else {
                throw Difference("click \(click.number) is stored with \(click.referer)")
            }
        }
        var missing: [Int] = []
        for (number, id) in books.answered {
            guard let found = ids[number] else {
                missing.append(number)
                continue
            }
            guard id.isEmpty || id == found else {
                throw Difference("click \(number) was answered \(id) and stored as \(found)")
            }
        }
        guard missing.count <= allowance.unrecorded else {
            throw Difference(
                "\(missing.count) of \(books.answered.count) answered clicks are not stored, "
                    + "\(allowance.unrecorded) unrecorded; such as \(missing.sorted().prefix(5))")
        }
        if allowance.isExact, stored.count + allowance.unrecorded != books.sent {
            throw Difference(
                "\(books.sent) sent, \(stored.count) stored, \(allowance.unrecorded) unrecorded")
        }
    }

    private func compare(_ totals: DeathLedger.Totals, _ differences: Int) throws {
        func expect(_ left: Int, _ right: Int, _ what: String) throws {
            guard left == right else { throw Difference("\(what): \(left) and \(right)") }
        }
        try expect(totals.rows, totals.ids, "rows and ids")
        try expect(totals.rows - totals.attackRows, rowsBefore, "rows and those of all rounds")
        try expect(totals.clicks, totals.inStatistics, "clicks and statistics")
        try expect(differences, 0, "lines that differ between rows and statistics, and none")
        try expect(totals.billable, totals.inCounters, "billable clicks and click_count")
        try expect(totals.held, totals.inFlags, "held clicks and flags")
        try expect(totals.rows, totals.inOffsets, "rows and records of offsets")
        guard totals.attacks <= attacksSent else {
            throw Difference("\(totals.attacks) of the attacker's \(attacksSent) clicks are stored")
        }
    }
}
