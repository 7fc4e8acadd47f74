import Postgres
import TestSupport
import Testing

/// The books of a run: answered ⊆ stored ⊆ sent, each stored once, statistics equal to rows.
struct Conservation {
    private let load: LoadClients
    private let db: Connection

    init(_ load: LoadClients, _ db: Connection) {
        self.load = load
        self.db = db
    }

    /// Waits until every answered click is stored, then checks the rest.
    func awaitStored() throws {
        let answered = Set(load.answered.map(load.userAgent))
        let sent = Set((0..<load.sentCount).map(load.userAgent))
        var stored: [String] = []
        try eventually("every answered click is stored") {
            stored = try Ledger.userAgents(prefix: load.userAgent(0).dropLast().description, in: db)
            return answered.subtracting(stored).isEmpty
        }
        #expect(Set(stored).count == stored.count, "no click is stored twice")
        #expect(Set(stored).subtracting(sent).isEmpty, "no click is invented")
        #expect(try Ledger.statisticsSum(in: db) == stored.count, "statistics equal rows")
    }

    func report() throws -> String {
        let stored = try Ledger.userAgents(
            prefix: load.userAgent(0).dropLast().description, in: db)
        return "sent \(load.sentCount), answered \(load.answered.count), stored \(stored.count)"
    }
}
